"""Copies and near copies, counted by loops over pairs; and what an honest protocol never trains on."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from engine_estimators import Recalls
from hypothesis import given
from hypothesis import strategies as st
from small_cohort import small_cohort

from painkit.errors import PainkitError
from painkit.evaluation import random_frames, run, sequence_k_fold, subject_k_fold
from painkit.evaluation.copies import CopiesAfterSplit, CopiesBeforeSplit
from painkit.evaluation.near_copies import count_near_copies, neighbour_distance
from painkit.evaluation.samples import COPY, samples

PROTOCOLS = {
    "subjects": subject_k_fold(2),
    "sequences": sequence_k_fold(2),
    "frames": random_frames(2),
    "copies after": CopiesAfterSplit(subject_k_fold(2)),
    "copies before": CopiesBeforeSplit(subject_k_fold(2), seed=3),
}


@st.composite
def located_frames(draw):
    """Frames with gaps between their numbers, on whole coordinates; some have no place."""
    rows = [
        (f"s{i}", f"q{j}", frame)
        for i in range(draw(st.integers(2, 3)))
        for j in range(draw(st.integers(1, 3)))
        for frame in sorted(draw(st.sets(st.integers(1, 12), min_size=1, max_size=4)))
    ]
    table = pd.DataFrame(rows, columns=["subject", "sequence", "frame"]).astype({"frame": "Int64"})
    place = st.tuples(st.integers(0, 6), st.integers(0, 6)) | st.just((math.nan, math.nan))
    space = np.array(draw(st.lists(place, min_size=len(rows), max_size=len(rows))), dtype=float)
    return table, space


@given(located_frames(), st.sampled_from(sorted(PROTOCOLS)), st.integers(1, 4), st.integers(0, 20))
def test_counts_are_those_of_loops_over_pairs(frames, name, near, square):
    table, space = frames
    folds = PROTOCOLS[name].splits(table)
    distance = math.sqrt(square + 0.5)  # between any two distances of whole coordinates
    counted = count_near_copies(table, folds, near=near, space=space, distance=distance)
    rows = [(s, q, int(f), *xy) for (s, q, f), xy in zip(table.to_numpy(), space.tolist(), strict=True)]
    expected = dict.fromkeys(("subject", "sequence", "copy", "time", "space", "located"), 0)
    for fold in folds:
        copies = fold.copies.tolist()
        for test in fold.test.tolist():
            s, q, frame, x, y = rows[test]
            others = [rows[i] for i in fold.train.tolist() + copies]
            expected["subject"] += any(o[0] == s for o in others)
            expected["sequence"] += any(o[:2] == (s, q) for o in others)
            expected["copy"] += test in copies
            expected["time"] += any(o[:2] == (s, q) and abs(o[2] - frame) <= near for o in others)
            expected["space"] += any(math.hypot(o[3] - x, o[4] - y) <= distance for o in others)
            expected["located"] += not math.isnan(x)
    if not np.isfinite(space).any():
        expected["space"] = None
    assert counted.test_samples == len(table)
    assert counted.subject_in_training == expected["subject"]
    assert counted.sequence_in_training == expected["sequence"]
    assert counted.copy_in_training == expected["copy"]
    assert counted.near_in_time == expected["time"]
    assert counted.near_in_space == expected["space"]
    assert counted.located == expected["located"]


@given(located_frames(), st.integers(1, 4))
def test_neighbours_are_the_next_of_a_sequence(frames, near):
    table, space = frames
    rows = [(s, q, int(f), tuple(xy)) for (s, q, f), xy in zip(table.to_numpy(), space.tolist(), strict=True)]
    steps = []
    for one in rows:
        later = [other for other in rows if other[:2] == one[:2] and other[2] > one[2]]
        if later and (after := min(later, key=lambda o: o[2]))[2] - one[2] <= near:
            steps.append(math.dist(one[3], after[3]))
    steps = [step for step in steps if not math.isnan(step)]
    expected = np.median(steps) if steps else math.nan
    np.testing.assert_allclose(neighbour_distance(table, space, near), expected, rtol=1e-12)


@given(located_frames(), st.integers(0, 5))
def test_an_honest_fold_trains_on_no_copy_of_what_it_tests(frames, seed):
    table, _ = frames
    base = subject_k_fold(2, seed)
    subject = table["subject"].to_numpy()
    for fold in CopiesAfterSplit(base).splits(table):
        assert set(fold.copies) == set(fold.train)
        assert not set(subject[fold.copies]) & set(subject[fold.test])
    dealt = CopiesBeforeSplit(base, seed).splits(table)
    assert [set(fold.test) for fold in dealt] == [set(fold.test) for fold in base.splits(table)]
    # Of two folds each copy stays away from one, as each sample does.
    assert sorted(row for fold in dealt for row in fold.copies) == list(range(len(table)))


def test_the_engine_trains_on_the_copies_that_a_fold_names(tmp_path):
    """What an estimator remembers of its training is what was counted before."""
    cohort = small_cohort(4, 2, 6)
    found = samples(cohort, "pspi")
    for protocol in (subject_k_fold(2), CopiesAfterSplit(subject_k_fold(2))):
        done = run(Recalls(), cohort, protocol, "pspi", tmp_path, progress=False)
        assert (done.predictions["y_pred"] == 0).all()
        assert not done.info["protocol"]["leaky"]
    leaky = CopiesBeforeSplit(subject_k_fold(2), seed=1)
    done = run(Recalls(), cohort, leaky, "pspi", tmp_path, progress=False)
    known = int(done.predictions["y_pred"].sum())
    assert known == count_near_copies(found.table, leaky.splits(found.table)).copy_in_training
    assert len(done.predictions) == len(cohort.frames)
    assert 0 < known < len(cohort.frames)
    assert (
        f"Of {known} of {len(cohort.frames)} test samples a copy is trained on"
        in (done.info["protocol"]["statement"])
    )
    assert leaky.name.startswith("LEAKY")


def test_copies_of_other_protocols_have_other_keys():
    """Fields alone would not tell two kinds of folds apart."""
    assert CopiesAfterSplit(subject_k_fold(3)).parameters != CopiesAfterSplit(sequence_k_fold(3)).parameters


def test_a_copy_of_a_sequence_is_its_mirror_image_and_of_a_frame_its_row():
    cohort = small_cohort(2, 2, 3)
    sequences, frames = samples(cohort, "vas"), samples(cohort, "pspi")
    none, one = np.empty(0, dtype=np.intp), np.array([1])
    own, copy = sequences.train(one, one)
    assert (copy.subject, copy.sequence) == (own.subject, own.sequence + COPY)
    width = own.landmarks[..., 0].mean() * 2
    # The left jaw goes where the right one was, mirrored.
    np.testing.assert_allclose(copy.landmarks[:, 0, 0], width - own.landmarks[:, 16, 0], rtol=1e-5)
    np.testing.assert_array_equal(copy.landmarks[:, 0, 1], own.landmarks[:, 16, 1])
    table = frames.train(np.array([0, 4]), np.array([4]))
    assert table["row"].tolist() == [0, 4, 4]
    assert table["sequence"].iloc[2] == table["sequence"].iloc[1] + COPY
    assert table.index.is_unique
    pd.testing.assert_frame_equal(frames.train(one, none), frames.X.iloc[one])


@pytest.mark.parametrize("near", [0, -1])
def test_no_frames_apart_is_refused(near):
    table = samples(small_cohort(2), "pspi").table
    with pytest.raises(PainkitError, match="1 frame or more"):
        count_near_copies(table, subject_k_fold(2).splits(table), near=near)

"""Selecting, sampling and showing a cohort."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from archive_files import OTHER, OTHER_SEQUENCE, SEQUENCE, SUBJECT
from small_cohort import small_cohort

from painkit.data import load
from painkit.errors import PainkitError
from painkit.vocabulary.personal import PERSONAL_FEATURES


@pytest.fixture
def cohort(archive):
    archive.path("landmarks", SUBJECT, SEQUENCE, 2).unlink()
    (archive.root / "subjects.csv").write_text(
        f"subject,gender,age,complexion\n{SUBJECT},male,young,pale-fair\n{OTHER},female,,\n"
    )
    return load("unbc", archive.root, cache=False, progress=False)


def test_select_keeps_everything_in_step(cohort):
    one = cohort.select(subjects=[OTHER])
    assert list(one.subjects["subject"]) == [OTHER]
    assert list(one.frames["frame"]) == [1, 2, 3]
    np.testing.assert_array_equal(one.landmarks, cohort.landmarks[4:])
    assert OTHER_SEQUENCE in set(one.sequences["sequence"])
    assert SUBJECT not in set(one.findings["subject"].dropna())
    assert one.fingerprint != cohort.fingerprint
    assert cohort.select(sequences=[(OTHER, OTHER_SEQUENCE)]).fingerprint == one.fingerprint
    assert cohort.select(subjects=[SUBJECT, OTHER]).fingerprint == cohort.fingerprint
    assert len(cohort.select(subjects=[SUBJECT], sequences=[(OTHER, OTHER_SEQUENCE)]).frames) == 0
    assert len(cohort.frames) == 7


@pytest.mark.parametrize(
    "wrong", [{"subjects": ["nobody"]}, {"sequences": [(SUBJECT, SEQUENCE), ("none", SEQUENCE)]}]
)
def test_select_refuses_names_it_does_not_know(cohort, wrong):
    with pytest.raises(PainkitError, match=r"called .*'no"):
        cohort.select(**wrong)


def test_sequences_of_one_name_are_told_apart_by_their_subject():
    whole = small_cohort(n_subjects=2, n_sequences=2, n_frames=3)
    tables = {
        name: getattr(whole, name).assign(sequence=lambda table: table["sequence"].str[-2:])
        for name in ("sequences", "frames")
    }
    first, second = whole.subjects["subject"]
    findings = pd.DataFrame(
        [("black", subject, "t0", 1, None, "") for subject in (first, second)], columns=whole.findings.columns
    )
    one = replace(whole, **tables, findings=findings).select(sequences=[(second, "t0"), (first, "t1")])
    assert one.frames[["subject", "sequence"]].drop_duplicates().to_numpy().tolist() == [
        [first, "t1"],
        [second, "t0"],
    ]
    assert one.findings["subject"].tolist() == [second]
    np.testing.assert_array_equal(one.landmarks, whole.landmarks[3:9])


def test_frames_with_an_image_are_a_cohort_of_their_own():
    whole = small_cohort(n_subjects=3, n_sequences=2, n_frames=4)
    frames = whole.frames
    assert whole.with_images() is whole
    frames.loc[[0, 2, 9, 10, 11, 12], "image"] = None
    frames.loc[frames["subject"] == whole.subjects["subject"][2], "image"] = None
    part = whole.with_images()
    rows = [1, 3, 4, 5, 6, 7, 8, 13, 14, 15]
    assert part.frames["image"].tolist() == [f"{row}.png" for row in rows]
    np.testing.assert_array_equal(part.landmarks, whole.landmarks[rows])
    assert part.subjects["subject"].tolist() == whole.subjects["subject"].tolist()[:2]
    assert part.sequences["n_frames"].tolist() == [2, 4, 1, 3]
    assert [len(sample.frames) for sample in part.sequence_samples()] == [2, 4, 1, 3]
    assert whole.sequences["n_frames"].tolist() == [4] * 6
    assert part.fingerprint != whole.fingerprint
    assert part.with_images() is part
    frames["image"] = None
    with pytest.raises(PainkitError, match="no frame has an image"):
        whole.with_images()


def test_samples_follow_the_sequences(cohort):
    samples = cohort.sequence_samples()
    assert [(s.subject, s.sequence) for s in samples] == [(SUBJECT, SEQUENCE), (OTHER, OTHER_SEQUENCE)]
    assert [s.frames.tolist() for s in samples] == [[1, 2, 3, 4], [1, 2, 3]]
    assert [s.tracked.tolist() for s in samples] == [[True, False, True, True], [True] * 3]
    np.testing.assert_array_equal(np.concatenate([s.landmarks for s in samples]), cohort.landmarks)
    assert PERSONAL_FEATURES[0] == "complexion=pale-fair"
    np.testing.assert_array_equal(samples[0].personal, [1, 0, 0, 1, 0, 0, 0, 1])
    assert np.isnan(samples[1].personal).all()


class Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.text = [], ""

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)

    def handle_data(self, data):
        self.text += data


def test_summary_counts_and_escapes(cohort):
    told = str(cohort.summary())
    assert "6 frames tracked, 1 not (NaN)" in told
    assert "7 frames labelled, mean 1.429, 85.7 % zero" in told
    assert "2 (1 female, 1 male)" in told
    hostile = replace(cohort, name="<script>alert(1)</script>", notes=("<img src=x>",))
    page = Tags()
    page.feed(hostile._repr_html_())
    assert not {"script", "img"} & set(page.tags)
    assert "<script>alert(1)</script>" in page.text
    assert "<img src=x>" in page.text
    assert repr(cohort) == "<cohort unbc: 2 subjects, 2 sequences, 7 frames>"

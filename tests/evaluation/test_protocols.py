"""Each protocol against a plain re-implementation, and against what it promises to keep apart."""

from __future__ import annotations

import random
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from painkit.errors import PainkitError
from painkit.evaluation import (
    fixed_folds,
    leave_one_subject_out,
    random_frames,
    sequence_k_fold,
    subject_k_fold,
)
from painkit.evaluation.protocols import Fold, SubjectKFold
from painkit.papers.deepfacelift import FOLDS

UNBC = """
    042-ll042 043-jh043 047-jl047 048-aa048 049-bm049 052-dr052 059-fn059 064-ak064 066-mg066 080-bn080
    092-ch092 095-tv095 096-bg096 097-gf097 101-mg101 103-jk103 106-nm106 107-hs107 108-th108 109-ib109
    115-jy115 120-kz120 121-vw121 123-jh123 124-dn124
""".split()  # noqa: SIM905
COHORTS = st.lists(st.lists(st.integers(1, 4), min_size=1, max_size=4), min_size=3, max_size=9)


def frames(lengths: list[list[int]]) -> pd.DataFrame:
    """One row a frame; subjects in the order of their names, as cohorts are."""
    rows = [
        (f"s{i}", f"q{j}", k)  # sequence names repeat between subjects
        for i, sequences in enumerate(lengths)
        for j, length in enumerate(sequences)
        for k in range(1, length + 1)
    ]
    return pd.DataFrame(rows, columns=["subject", "sequence", "frame"]).astype({"frame": "Int64"})


def sequences(subjects: list[str], n: int = 2) -> pd.DataFrame:
    table = pd.DataFrame(
        [(s, f"{s}t{j}") for s in subjects for j in range(n)], columns=["subject", "sequence"]
    )
    return table.assign(frame=pd.array([pd.NA] * len(table), dtype="Int64"))


def as_sets(folds: list[Fold]) -> list[tuple[str, set[int], set[int]]]:
    return [(fold.name, set(fold.train.tolist()), set(fold.test.tolist())) for fold in folds]


def plain(table: pd.DataFrame, parts: list[set[object]], ids: list[object], names: list[str]) -> list:
    """Folds by loops: a row is tested in the part that holds its id, trained on in the others."""
    out = []
    for name, part in zip(names, parts, strict=True):
        test = {row for row in range(len(table)) if ids[row] in part}
        out.append((name, set(range(len(table))) - test, test))
    return out


def shuffled_parts(ids: list[object], k: int, seed: int) -> list[set[object]]:
    """Numpy's shuffle of the sorted distinct ids, cut into k runs, the longer ones first."""
    distinct = sorted(set(ids))
    order = [distinct[i] for i in np.random.RandomState(seed).permutation(len(distinct))]
    parts, start = [], 0
    for i in range(k):
        size = len(order) // k + (i < len(order) % k)
        parts.append(set(order[start : start + size]))
        start += size
    return parts


@given(COHORTS)
def test_leave_one_subject_out_is_one_fold_a_subject(lengths: list[list[int]]) -> None:
    table = frames(lengths)
    ids = list(table["subject"])
    expected = plain(table, [{s} for s in sorted(set(ids))], ids, sorted(set(ids)))
    assert as_sets(leave_one_subject_out().splits(table)) == expected


@settings(max_examples=25)
@given(COHORTS, st.integers(2, 3), st.integers(0, 5))
def test_subject_k_fold_cuts_shuffled_subjects(lengths: list[list[int]], k: int, seed: int) -> None:
    table = frames(lengths)
    ids = list(table["subject"])
    names = [f"fold-{i}" for i in range(1, k + 1)]
    folds = subject_k_fold(k, seed).splits(table)
    assert as_sets(folds) == plain(table, shuffled_parts(ids, k, seed), ids, names)
    sizes = [table["subject"].iloc[fold.test].nunique() for fold in folds]
    assert max(sizes) - min(sizes) <= 1


@settings(max_examples=25)
@given(COHORTS, st.integers(2, 3), st.integers(0, 5))
def test_sequence_k_fold_cuts_shuffled_sequences(lengths: list[list[int]], k: int, seed: int) -> None:
    table = frames(lengths)
    ids = list(zip(table["subject"], table["sequence"], strict=True))
    names = [f"leaky-fold-{i}" for i in range(1, k + 1)]
    expected = plain(table, shuffled_parts(ids, k, seed), ids, names)
    assert as_sets(sequence_k_fold(k, seed).splits(table)) == expected


@settings(max_examples=25)
@given(COHORTS, st.integers(2, 3), st.integers(0, 5))
def test_random_frames_cuts_shuffled_frames(lengths: list[list[int]], k: int, seed: int) -> None:
    table = frames(lengths)
    order = np.arange(len(table))
    np.random.RandomState(seed).shuffle(order)
    parts, start = [], 0
    for i in range(k):
        size = len(order) // k + (i < len(order) % k)
        parts.append(set(order[start : start + size].tolist()))
        start += size
    expected = plain(table, parts, list(range(len(table))), [f"leaky-fold-{i}" for i in range(1, k + 1)])
    assert as_sets(random_frames(k, seed).splits(table)) == expected


def test_deepfacelift_folds_test_the_listed_fives() -> None:
    table = sequences(UNBC)
    folds = FOLDS.splits(table)
    tested = [sorted({s[:3] for s in table["subject"].iloc[fold.test]}) for fold in folds]
    assert tested == [
        ["047", "059", "064", "096", "121"],
        ["092", "097", "106", "107", "120"],
        ["042", "043", "048", "095", "103"],
        ["066", "108", "109", "123", "124"],
        ["049", "052", "080", "101", "115"],
    ]
    assert FOLDS.statement(table, folds) == (
        "fixed 5 folds: in each of 5 folds train and test share no subjects, no sequences, no frames."
    )


@pytest.mark.parametrize(
    ("subjects", "told"),
    [
        (UNBC[1:], "not in the cohort: 042;"),
        ([*UNBC, "130-xy130"], "in the cohort but in no fold: 130-xy130"),
        (["s01", "s02"], "use subject_k_fold"),
    ],
)
def test_fixed_folds_that_do_not_fit_name_the_subjects(subjects: list[str], told: str) -> None:
    with pytest.raises(PainkitError) as raised:
        FOLDS.splits(sequences(subjects))
    assert told.rstrip(";") in str(raised.value)


def test_fixed_folds_that_overlap_are_refused() -> None:
    with pytest.raises(PainkitError, match="listed twice: b"):
        fixed_folds([["a", "b"], ["b", "c"]]).splits(sequences(["a", "b", "c"]))
    with pytest.raises(PainkitError, match="named in two ways: 001-a"):
        fixed_folds([["001"], ["001-a", "002-b"]]).splits(sequences(["001-a", "002-b"]))


def test_folds_do_not_depend_on_the_order_of_rows() -> None:
    table = frames([[3, 2], [4], [1, 1], [2]])
    order = list(range(len(table)))
    random.Random(0).shuffle(order)
    shuffled = table.iloc[order].reset_index(drop=True)
    for protocol in (leave_one_subject_out(), subject_k_fold(2), sequence_k_fold(3)):
        there, here = protocol.splits(shuffled), protocol.splits(table)
        assert [{order[row] for row in fold.test} for fold in there] == [set(fold.test) for fold in here]


@dataclass(frozen=True)
class Liar(SubjectKFold):
    """Says subjects are apart and deals out sequences."""

    def _assign(self, table: pd.DataFrame) -> np.ndarray:
        return sequence_k_fold(self.k, self.seed)._assign(table)


def test_a_protocol_that_breaks_its_promise_is_stopped() -> None:
    with pytest.raises(PainkitError, match="train and test share subjects in 2 of 2 folds"):
        Liar(k=2).splits(frames([[2, 2, 2], [2, 2, 2], [2, 2, 2]]))


def test_a_frame_listed_twice_is_found_in_train_and_test() -> None:
    table = frames([[10]])
    with pytest.raises(PainkitError, match="share frames in"):
        random_frames(2).splits(pd.concat([table, table], ignore_index=True))


def test_leaky_protocols_say_so_in_name_fold_names_and_statement() -> None:
    table = frames([[4, 4], [4, 4], [4, 4]])
    for protocol, shared in (
        (sequence_k_fold(2), "share subjects in 2 of 2 folds"),
        (random_frames(2), "share subjects in 2 of 2, sequences in 2 of 2 folds"),
    ):
        folds = protocol.splits(table)
        assert protocol.leaky
        assert protocol.name.startswith("LEAKY")
        assert all(fold.name.startswith("leaky") for fold in folds)
        assert shared in protocol.statement(table, folds)
        assert "LEAKY, for audits only" in protocol.statement(table, folds)
    assert not subject_k_fold(2).leaky


def test_too_many_folds_and_frames_of_whole_sequences_are_refused() -> None:
    table = sequences(["a", "b", "c"])
    with pytest.raises(PainkitError, match="4 folds were asked of 3 subjects"):
        subject_k_fold(4).splits(table)
    with pytest.raises(PainkitError, match="samples are whole sequences"):
        random_frames(2).splits(table)
    with pytest.raises(PainkitError, match="nothing is left to train on"):
        leave_one_subject_out().splits(sequences(["a"]))

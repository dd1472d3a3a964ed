"""Scores and questions of Table 1 on made-up predictions: signs, pairing, rows that are not estimated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from small_cohort import small_cohort

from painkit.data.cohort import Cohort
from painkit.evaluation import Results, Run, Study, subject_k_fold
from painkit.evaluation.tables import comparable
from painkit.papers.deepfacelift import BEST_ROW, feature_costs, rows, training_lengths

PROTOCOL = subject_k_fold(2)
CELL = "personal features 3rd layer, labels VAS+OPI"
#: How far each row is off, on every sequence.
ERRORS = {
    BEST_ROW: 0.5,
    "DeepFaceLIFT, personal features none, labels VAS+OPI, statistics VAS": 0.75,
    f"NN-MV, {CELL}": 1.25,
    f"RNN, {CELL}": 2.0,
    f"HCRF, {CELL}": 0.25,
    "DeepFaceLIFT, personal features 3rd layer, labels VAS, statistics VAS": 4.0,
}
QUESTIONS = {
    "personal features at the third layer, or none": -0.25,
    "Gaussian process, or mean voting": -0.75,
    "DeepFaceLIFT, or RNN": -1.5,
    "DeepFaceLIFT, or HCRF": 0.25,
    "VAS and OPI labels, or VAS alone": -3.5,
}


def made_up(cohort: Cohort, errors: Mapping[str, float]) -> Results:
    """Results whose estimates are off by so much, up and down in turn, each in an order of its own."""
    runs = {}
    tested = cohort.sequences[["subject", "sequence"]].assign(frame=pd.NA)
    fold = {int(row): one.name for one in PROTOCOL.splits(tested) for row in one.test}
    for number, (name, error) in enumerate(errors.items()):
        table = tested.assign(fold=[fold[row] for row in range(len(tested))], target="vas")
        sign = np.where(np.arange(len(table)) % 2, 1, -1)
        table = table.assign(y_true=cohort.sequences["vas"], y_std=np.nan)
        table = table.assign(y_pred=table["y_true"] + sign * error)
        other = table.assign(target="opi", y_pred=99.0)
        shuffled = pd.concat([table, other]).sample(frac=1, random_state=number)
        runs[name] = Run(Path("nowhere"), shuffled, {})
    study = Study(cohort, PROTOCOL, Path("nowhere"), n_resamples=50)
    return Results(study, rows(), runs)


@pytest.fixture
def cohort() -> Cohort:
    return small_cohort(6, 3)


def test_errors_of_vas_stand_beside_the_published_values(cohort: Cohort) -> None:
    scores = made_up(cohort, ERRORS).scores()
    mae = scores[scores["metric"] == "MAE"].set_index("row")
    for row, error in ERRORS.items():
        assert mae.loc[row, ["value", "low", "high"]].tolist() == pytest.approx([error] * 3)
    assert mae.loc[BEST_ROW, "published_on_archive"] == 2.18
    assert mae.loc[f"HCRF, {CELL}", "published_on_archive"] == 3.67
    assert mae.loc["all zeros", "value"] == pytest.approx(cohort.sequences["vas"].mean())
    assert set(mae["n"]) == {18}
    assert set(scores["not_estimated"]) == {""}


def test_questions_compare_the_row_they_name_first_with_the_other(cohort: Cohort) -> None:
    asked = made_up(cohort, ERRORS).questions()
    mae = asked[asked["metric"] == "MAE"].set_index("question")
    for question, difference in QUESTIONS.items():
        found = mae.loc[question, ["difference", "low", "high"]].tolist()
        assert found == pytest.approx([difference] * 3), question
    splits = PROTOCOL.splits(cohort.sequences.assign(frame=pd.NA))
    fold = {row: one.name for one in splits for row in one.test}
    for constant, middle in (("train mean", np.mean), ("train median", np.median)):
        vas = cohort.sequences["vas"]
        off = [abs(vas[i] - middle([vas[j] for j in fold if fold[j] != fold[i]])) for i in fold]
        assert mae.loc[f"DeepFaceLIFT, or the {constant}", "difference"] == pytest.approx(0.5 - np.mean(off))


def test_rows_that_one_model_cannot_estimate_are_left_out_of_all_and_named(cohort: Cohort) -> None:
    results = made_up(cohort, ERRORS)
    for name, sequence in ((f"RNN, {CELL}", "ab002t1"), (BEST_ROW, "ab005t0")):
        table = results[name].predictions
        table.loc[(table["sequence"] == sequence) & (table["target"] == "vas"), "y_pred"] = np.nan
    told = "2: 002-ab002/ab002t1, 005-ab005/ab005t0"
    scores = results.scores()
    assert set(scores["n"]) == {16}, "trivial rows, too"
    assert set(scores["not_estimated"]) == {told}
    asked = results.questions()
    assert set(asked["n"]) == {16}
    assert set(asked["not_estimated"]) == {told}
    mae = scores[scores["metric"] == "MAE"].set_index("row")["value"]
    assert mae[BEST_ROW] == pytest.approx(0.5)
    kept = ~cohort.sequences["sequence"].isin(["ab002t1", "ab005t0"])
    assert mae["all zeros"] == pytest.approx(cohort.sequences.loc[kept, "vas"].mean())


def test_unlabelled_rows_are_no_gaps_and_frames_are_named() -> None:
    table = pd.DataFrame(
        {"subject": "a", "sequence": "a1", "frame": pd.array([1, 2, 3], dtype="Int64")}
    ).assign(y_true=[1.0, np.nan, 2.0], y_pred=[1.0, np.nan, np.inf])
    scored = comparable({"one": table, "two": table.assign(y_pred=1.0)})
    assert scored.not_estimated == "1: a/a1/3"
    assert list(scored.tables) == ["one", "two", "all zeros"]
    assert all(part["frame"].tolist() == [1] for part in scored.tables.values())


def test_of_many_rows_that_are_left_out_some_are_named() -> None:
    frames = pd.array(range(1, 10), dtype="Int64")
    table = pd.DataFrame({"subject": "a", "sequence": "a1", "frame": frames}).assign(y_true=1.0, y_pred=1.0)
    table.loc[1:, "y_pred"] = np.nan
    told = comparable({"one": table}).not_estimated
    assert told == "8: a/a1/2, a/a1/3, a/a1/4, a/a1/5, a/a1/6 and 3 more"


def test_an_untracked_sequence_is_scored_by_nobody_and_costs_no_run(tmp_path: Path) -> None:
    whole = small_cohort(4, 3, 6)
    landmarks = whole.landmarks.copy()
    landmarks[:6] = np.nan
    frames = whole.frames.assign(tracked=np.arange(len(whole.frames)) >= 6)
    cohort = replace(whole, landmarks=landmarks, frames=frames)
    table = rows(
        stage1={"epochs": 1},
        deepfacelift={"inner_folds": 2, "gp_restarts": 1},
        rnn={"epochs": 1},
        hcrf={"max_iter": 1},
    )
    study = Study(cohort, PROTOCOL, tmp_path, n_resamples=20)
    results = study.run(table.only([name for name in ERRORS if CELL in name]))
    assert len(results.runs) == 4
    scores = results.scores()
    assert set(scores["n"]) == {11}
    assert set(scores["not_estimated"]) == {"1: 001-ab001/ab001t0"}
    assert scores["value"].notna().all()
    little = table.only([BEST_ROW]).varied(labels=("vas",), personal_features=("age",))
    costs = feature_costs(study, little)
    assert set(costs["n"]) == {11}
    assert costs["question"].tolist() == ["age"]
    assert set(costs["not_estimated"]) == {"1: 001-ab001/ab001t0"}


def test_training_lengths_end_at_the_questions_of_the_table(tmp_path: Path) -> None:
    cohort = small_cohort(4, 3, 6)
    table = rows(
        stage1={"epochs": 5},
        deepfacelift={"inner_folds": 2, "gp_restarts": 1},
        rnn={"epochs": 1},
        hcrf={"max_iter": 1},
    )
    study = Study(cohort, PROTOCOL, tmp_path, n_resamples=50)
    found = training_lengths(study, table)
    assert found["epochs"].tolist() == [1, 1, 2, 2, 5, 5]  # 3, 10, 30 and 100 % of 5, none twice
    whole = study.run(table).questions()
    for question, part in found.groupby("question"):
        assert part["a"].nunique() == 3, "shorter training gives other estimates"
        told = whole[(whole["question"] == question) & (whole["metric"] == "MAE")]
        columns = ["a", "b", "difference", "low", "high", "n"]
        pd.testing.assert_series_equal(part.iloc[-1][columns], told.iloc[0][columns], check_names=False)

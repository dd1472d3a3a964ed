"""What a run trains on, tests on, writes, and refuses."""

from __future__ import annotations

import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from engine_estimators import Fussy, Threads, Tracing
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.dummy import DummyRegressor
from sklearn.linear_model import LinearRegression
from small_cohort import small_cohort

from painkit.data.cohort import Cohort
from painkit.errors import PainkitError
from painkit.evaluation import (
    fixed_folds,
    leave_one_subject_out,
    open_run,
    random_frames,
    run,
    subject_k_fold,
)
from painkit.models.sequences.deepfacelift import DeepFaceLIFT
from painkit.vocabulary.pain import level_0_5

LOSO = leave_one_subject_out()


@pytest.fixture
def cohort() -> Cohort:
    return small_cohort()


def go(
    estimator: Any, cohort: Cohort, out: Path, protocol: Any = LOSO, target: Any = "vas", **options: Any
) -> Any:
    return run(estimator, cohort, protocol, target, out, progress=False, **options)


def with_labels(cohort: Cohort, **labels: dict[int, float]) -> Cohort:
    """The cohort with other sequence labels, by row."""
    table = cohort.sequences.copy()
    for column, values in labels.items():
        for row, value in values.items():
            table.loc[row, column] = value
    return replace(cohort, sequences=table)


def test_train_mean_is_the_mean_of_the_other_subjects(cohort: Cohort, tmp_path: Path) -> None:
    done = go(DummyRegressor(), cohort, tmp_path)
    assert list(done.predictions) == [
        "subject",
        "sequence",
        "frame",
        "row",
        "fold",
        "target",
        "y_true",
        "y_pred",
        "y_std",
    ]
    assert done.predictions["sequence"].tolist() == cohort.sequences["sequence"].tolist()
    assert done.predictions["row"].tolist() == list(range(15))
    assert done.predictions["frame"].isna().all()
    assert done.predictions["y_std"].isna().all()  # scikit-learn's dummy says 0, which is no spread
    for row in done.predictions.itertuples():
        others = [
            v
            for s, v in zip(cohort.sequences["subject"], cohort.sequences["vas"], strict=True)
            if s != row.subject
        ]
        assert row.y_pred == pytest.approx(sum(others) / len(others), rel=1e-12)
        assert row.fold == row.subject


def test_two_targets_make_two_rows_a_sequence(cohort: Cohort, tmp_path: Path) -> None:
    table = go(DummyRegressor(strategy="median"), cohort, tmp_path, target=("vas", "opi")).predictions
    wide = table.pivot_table(index="sequence", columns="target", values="y_true")
    truth = cohort.sequences.set_index("sequence")
    assert wide["vas"].to_dict() == truth["vas"].to_dict()
    assert wide["opi"].to_dict() == truth["opi"].to_dict()


def test_classes_are_numbered_in_the_order_of_their_scale(cohort: Cohort, tmp_path: Path) -> None:
    names = ["happiness", "pain", "disgust"] * 5
    table = cohort.sequences.assign(expression=names)
    table.loc[3, "expression"] = None
    named = replace(cohort, sequences=table)
    done = go(DummyRegressor(), named, tmp_path, target="expression")
    assert done.predictions["y_true"].tolist() == [[2, 0, 1][row % 3] for row in range(15) if row != 3]
    assert done.info["data"]["left_out"]["no label"] == 1
    table.loc[4, "expression"] = "joy"
    with pytest.raises(PainkitError, match=r"expression is 'joy' .*pain, disgust, happiness"):
        go(DummyRegressor(), named, tmp_path, target="expression")


def test_what_comes_out_does_not_depend_on_jobs_backend_or_cores(cohort: Cohort, tmp_path: Path) -> None:
    """A network and a Gaussian process: alone, in processes of their own, and two folds in one process."""
    model = DeepFaceLIFT(epochs=2, inner_folds=2, gp_restarts=1, random_state=0)
    runs = []
    for number, (jobs, backend, threads) in enumerate([(1, "loky", 1), (2, "loky", 4), (2, "threading", 1)]):
        out, before = tmp_path / str(number), torch.get_num_threads()
        torch.set_num_threads(threads)
        try:
            done = go(model, cohort, out, subject_k_fold(2), ("vas", "opi"), jobs=jobs, backend=backend)
        finally:
            torch.set_num_threads(before)
        runs.append(done)
    for done in runs[1:]:
        assert done.info["key"] == runs[0].info["key"]
        pd.testing.assert_frame_equal(done.predictions, runs[0].predictions, check_exact=True)
        assert done.info["warnings"] == runs[0].info["warnings"]


class TakesNaN(BaseEstimator):
    """Estimates how many labels of each target it was given; its spread is the number of samples."""

    def fit(self, X: Any, y: Any) -> TakesNaN:
        self.counts_, self.n_ = (~np.isnan(y)).sum(axis=0).astype(float), float(len(X))
        return self

    def predict(self, X: Any, return_std: bool = False) -> Any:
        mean = np.tile(self.counts_, (len(X), 1))
        return (mean, np.full_like(mean, self.n_)) if return_std else mean


def test_missing_labels_are_counted_and_partial_ones_reach_the_estimator(
    cohort: Cohort, tmp_path: Path
) -> None:
    nan = float("nan")
    holed = with_labels(cohort, vas={0: nan, 1: nan}, opi={0: nan, 4: nan})
    done = go(TakesNaN(), holed, tmp_path, target=("vas", "opi"))
    # Row 0 has neither label; row 1 lacks VAS, row 4 (of subject 2) lacks OPI.
    assert done.info["data"]["left_out"] == {"no frames": 0, "no label": 1}
    assert done.info["data"]["missing_labels"] == {"vas": 1, "opi": 1}
    assert done.info["data"]["samples"] == 14
    assert len(done.predictions) == 28
    assert done.predictions["y_true"].isna().sum() == 2
    last = done.predictions[done.predictions["subject"] == "005-ab005"]
    assert set(last["y_pred"][last["target"] == "vas"]) == {12 - 2}
    assert set(last["y_std"]) == {11.0}


def test_folds_do_not_move_when_labels_are_missing(cohort: Cohort, tmp_path: Path) -> None:
    protocol = subject_k_fold(2, seed=3)
    gone = with_labels(cohort, vas=dict.fromkeys(range(3), float("nan")))  # all of the first subject
    full, part = (go(DummyRegressor(), c, tmp_path, protocol).predictions for c in (cohort, gone))
    assert len(full) == 15
    assert len(part) == 12
    merged = part.merge(full, on=["subject", "sequence"])
    assert (merged["fold_x"] == merged["fold_y"]).all()


class Columns(ClassifierMixin, BaseEstimator):
    """Records what it is shown; classes by frequency."""

    def fit(self, X: pd.DataFrame, y: Any) -> Columns:
        assert {"AU4", "pspi", "row", "image"} <= set(X.columns)
        self.classes_, counts = np.unique(y, return_counts=True)
        self.shares_ = counts / counts.sum()
        return self

    def predict(self, X: pd.DataFrame) -> Any:
        assert list(X.columns) == ["subject", "sequence", "frame", "tracked", "black", "image", "row"]
        return np.full(len(X), self.classes_[self.shares_.argmax()])

    def predict_proba(self, X: pd.DataFrame) -> Any:
        return np.tile(self.shares_, (len(X), 1))


def test_frames_are_tested_without_their_codes(cohort: Cohort, tmp_path: Path) -> None:
    cohort.frames.loc[[2, 3], "black"] = True
    cohort.frames.loc[5, "pspi"] = np.nan
    done = go(Columns(), cohort, tmp_path, random_frames(3), "level")
    assert done.info["data"]["left_out"] == {"black frame": 2, "no label": 1}
    table = done.predictions.sort_values(["subject", "sequence", "frame"])
    kept = cohort.frames.drop(index=[2, 3, 5])
    assert table["frame"].tolist() == kept["frame"].tolist()
    assert table["row"].tolist() == kept.index.tolist()
    assert table["y_true"].tolist() == level_0_5(kept["pspi"]).tolist()
    scores = table.filter(regex=r"^p_\d$")
    # A class that a fold never saw has no chance there.
    assert np.allclose(scores.sum(axis=1, skipna=False), 1)
    assert list(scores) == sorted(scores)
    assert done.info["protocol"]["leaky"] is True
    assert "LEAKY" in done.folder.name
    assert table["fold"].str.startswith("leaky").all()


def test_jobs_and_order_do_not_change_a_digit(cohort: Cohort, tmp_path: Path) -> None:
    one = go(Tracing(), cohort, tmp_path / "one")
    for backend, jobs in (("loky", 2), ("threading", 4)):
        beside = go(Tracing(), cohort, tmp_path / backend, jobs=jobs, backend=backend)
        assert beside.info["key"] == one.info["key"]
        pd.testing.assert_frame_equal(beside.predictions, one.predictions, check_exact=True)
    # Folds are seeded apart, and by the seed of the run.
    noise = one.predictions["y_pred"] - one.predictions["y_true"]
    assert noise.round(6).nunique() == 5
    other = go(Tracing(), cohort, tmp_path / "one", seed=1)
    assert other.folder != one.folder
    assert not np.isclose(other.predictions["y_pred"], one.predictions["y_pred"]).any()
    # More threads may change the last digits, and so have a key of their own.
    more = go(Tracing(), cohort, tmp_path / "one", threads=2)
    assert more.folder != one.folder
    assert (more.info["threads"], more.info["precision"]) == (2, "float32")


def test_a_run_leaves_the_global_generator_alone(cohort: Cohort, tmp_path: Path) -> None:
    np.random.seed(5)  # noqa: NPY002
    expected = np.random.RandomState(5).normal()
    go(Tracing(), cohort, tmp_path)
    assert np.random.normal() == expected  # noqa: NPY002


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("jobs", [1, 2])
def test_folds_keep_to_their_threads(cohort: Cohort, tmp_path: Path, jobs: int, threads: int) -> None:
    done = go(Threads(), cohort, tmp_path, jobs=jobs, threads=threads)
    assert set(done.predictions["y_pred"]) == {threads}


def test_finished_folds_are_read_not_done(
    cohort: Cohort, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRACE", str(tmp_path / "trace.txt"))
    first = go(Tracing(), cohort, tmp_path)
    folds = sorted((first.folder / "folds").glob("[!.]*"))
    # One fold lost, one with a file cut short, leftovers of a killed process.
    shutil.rmtree(folds[0])
    cut = folds[1] / "predictions.parquet"
    cut.write_bytes(cut.read_bytes()[:100])
    strays = [folds[0].with_name(f".{folds[0].name}.new"), first.folder / ".run-abcd1234.yaml"]
    strays[0].mkdir()
    strays[1].write_bytes(b"half")
    with pytest.warns(UserWarning, match=f"{folds[1].name}/predictions.parquet: is damaged"):
        again = go(Tracing(), cohort, tmp_path)
    lines = (tmp_path / "trace.txt").read_text().splitlines()
    assert lines[10:] == [f"{word} {fold.name}" for fold in folds[:2] for word in ("start", "end")]
    assert not any(stray.exists() for stray in strays)
    pd.testing.assert_frame_equal(again.predictions, first.predictions, check_exact=True)
    pd.testing.assert_frame_equal(open_run(first.folder).predictions, first.predictions, check_exact=True)


def test_a_failing_fold_is_named_and_the_others_are_kept(
    cohort: Cohort, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FUSSY", "yes")
    with pytest.raises(
        PainkitError, match=r"1 of 5 folds failed.*fold 002-ab002: ValueError: I need 002"
    ) as raised:
        go(Fussy(), cohort, tmp_path)
    folder = Path(str(raised.value.where))
    assert len(list((folder / "folds").glob("[!.]*"))) == 4
    assert "I need 002" in (folder / "errors" / "002-ab002.txt").read_text()
    assert yaml.safe_load((folder / "run.yaml").read_text())["status"] == "failed"
    with pytest.raises(PainkitError, match="this run is failed"):
        open_run(folder)
    monkeypatch.delenv("FUSSY")
    done = go(Fussy(), cohort, tmp_path)
    assert done.folder == folder
    assert not (folder / "errors" / "002-ab002.txt").exists()
    assert done.info["warnings"] == {"UserWarning: this went badly": dict.fromkeys(done.folds, 1)}


def test_run_yaml_tells_what_was_done(cohort: Cohort, tmp_path: Path) -> None:
    started = time.perf_counter()
    done = go(Tracing(delay=0.05), cohort, tmp_path, seed=7)
    elapsed = time.perf_counter() - started
    told = yaml.safe_load((done.folder / "run.yaml").read_text())
    assert told == done.info
    assert told["status"] == "complete"
    assert told["simulated"] is True
    assert told["estimator"]["parameters"] == {"delay": 0.05, "random_state": None}
    assert told["seed"] == 7
    assert told["folds_done"] == "5 of 5"
    assert told["protocol"]["statement"].endswith("share no subjects, no sequences, no frames.")
    assert set(told["versions"]) >= {"painkit", "scikit-learn", "torch", "gpytorch"}
    assert all(fold["seconds"] >= 0.05 for fold in told["folds"])
    assert sum(fold["seconds"] for fold in told["folds"]) <= elapsed + 5 * 0.0005  # told in milliseconds
    assert [fold["n_train"] for fold in told["folds"]] == [12] * 5
    assert [fold["test_subjects"] for fold in told["folds"]] == cohort.subjects["subject"].tolist()


def test_models_are_kept_when_asked_for(cohort: Cohort, tmp_path: Path) -> None:
    without = go(Tracing(), cohort, tmp_path)
    with pytest.raises(PainkitError, match="kept no models"):
        without.model_folder("001-ab001")
    kept = go(Tracing(), cohort, tmp_path, keep_models=True)
    assert kept.folder == without.folder
    noise = float((kept.model_folder("003-ab003") / "second.txt").read_text())
    row = kept.predictions[kept.predictions["subject"] == "003-ab003"].iloc[0]
    # The estimator recovers the label exactly but for its noise.
    assert row["y_pred"] - row["y_true"] == pytest.approx(noise, abs=1e-6)
    with pytest.raises(PainkitError, match="no fold 'nobody'"):
        kept.model_folder("nobody")
    with pytest.raises(PainkitError, match="5 of 5 folds failed"):
        go(LinearRegression(), cohort, tmp_path, keep_models=True)


@pytest.mark.parametrize(
    ("target", "told"),
    [("pain", "'pain' is not to be had"), (("vas", "pspi"), "is not to be had"), ((), "is not to be had")],
)
def test_unknown_and_mixed_targets_are_refused(
    cohort: Cohort, tmp_path: Path, target: Any, told: str
) -> None:
    with pytest.raises(PainkitError, match=told):
        go(DummyRegressor(), cohort, tmp_path, target=target)


def test_no_labels_at_all_and_none_to_train_on_are_refused(cohort: Cohort, tmp_path: Path) -> None:
    nan = float("nan")
    with pytest.raises(PainkitError, match="no sequence of cohort simulated has a label for vas"):
        go(DummyRegressor(), with_labels(cohort, vas=dict.fromkeys(range(15), nan)), tmp_path)
    only_first = with_labels(cohort, vas=dict.fromkeys(range(3, 15), nan))
    with pytest.raises(PainkitError, match="left to train on in fold 001-ab001"):
        go(DummyRegressor(), only_first, tmp_path)
    with pytest.raises(PainkitError, match="in no fold: 003-ab003"):
        go(DummyRegressor(), cohort, tmp_path, fixed_folds([["001", "002"], ["004", "005"]]))


class WrongShape(DummyRegressor):
    def predict(self, X: Any) -> Any:  # type: ignore[override]
        return np.zeros(len(X) + 1)


def test_predictions_of_another_length_are_refused(cohort: Cohort, tmp_path: Path) -> None:
    with pytest.raises(PainkitError, match=r"predict gave shape \(4,\)"):
        go(WrongShape(), cohort, tmp_path)

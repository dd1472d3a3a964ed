"""Estimators that leave traces, importable by the processes that the tests start and kill."""

from __future__ import annotations

import os
import signal
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from joblib.externals.loky import get_reusable_executor
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from small_cohort import small_cohort
from threadpoolctl import threadpool_info

from painkit.evaluation import leave_one_subject_out, run
from painkit.evaluation.keys import versions

versions()  # read here, before any fork: the checkout may be edited while the tests run


def trace(word: str) -> None:
    """Append a line to the file named by TRACE; such short appends are atomic."""
    if "TRACE" in os.environ:
        with open(os.environ["TRACE"], "a", encoding="utf-8") as file:
            file.write(f"{word}\n")


def traced(word: str) -> list[str]:
    """What the trace holds after lines that begin with `word`."""
    lines = Path(os.environ["TRACE"]).read_text(encoding="utf-8").splitlines()
    return [line.removeprefix(word) for line in lines if line.startswith(word)]


def halt(subject: str) -> None:
    """Wait to be killed where HALT folds were begun before this one; wait for MEET processes to be there."""
    if "HALT" in os.environ:
        later = traced("start ")[::-1]
        while len(later) - 1 - later.index(subject) >= int(os.environ["HALT"]):
            time.sleep(0.05)
    if "MEET" in os.environ:
        while len(traced("here")) < int(os.environ["MEET"]):
            time.sleep(0.05)


class Tracing(RegressorMixin, BaseEstimator):
    """Least squares on the first landmark, plus noise from `random_state` and numpy's global generator."""

    def __init__(self, delay: float = 0.0, random_state: int | None = None) -> None:
        self.delay = delay
        self.random_state = random_state

    def fit(self, X: list[Any], y: Any) -> Tracing:
        self.slope_ = np.polyfit([x.landmarks[:, 0, 0].mean() for x in X], np.asarray(y), 1)
        self.noise_ = np.random.default_rng(self.random_state).normal() + np.random.normal()  # noqa: NPY002
        return self

    def predict(self, X: list[Any]) -> np.ndarray:
        trace(f"start {X[0].subject}")
        halt(X[0].subject)
        time.sleep(self.delay)
        trace(f"end {X[0].subject}")
        return np.polyval(self.slope_, [x.landmarks[:, 0, 0].mean() for x in X]) + self.noise_

    def save(self, folder: Path) -> None:
        (Path(folder) / "first.txt").write_text("half")
        if os.environ.get("DIE_IN_SAVE") and not Path(os.environ["DIE_IN_SAVE"]).exists():
            Path(os.environ["DIE_IN_SAVE"]).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        (Path(folder) / "second.txt").write_text(str(self.noise_))


def scenario(out: str, jobs: int, delay: float, keep: bool, environ: dict[str, str]) -> None:
    """Run as a process of its own."""
    os.environ.update(environ)
    trace("here")
    done = run(
        Tracing(delay),
        small_cohort(6),
        leave_one_subject_out(),
        "vas",
        out,
        jobs=jobs,
        keep_models=keep,
        progress=False,
    )
    done.predictions.to_csv(Path(out) / "table.csv")
    get_reusable_executor().shutdown()  # or multiprocessing waits for loky's workers to grow tired of idling


class Threads(Tracing):
    """Estimates the most threads that any library may use."""

    def predict(self, X: list[Any]) -> np.ndarray:
        return np.full(len(X), float(max(pool["num_threads"] for pool in threadpool_info())))


class Fussy(Tracing):
    """Warns in every fold, and fails where subject 002 is not trained on while FUSSY is set."""

    def fit(self, X: list[Any], y: Any) -> Fussy:
        warnings.warn("this went badly", UserWarning, stacklevel=2)
        if os.environ.get("FUSSY") and not any(x.subject.startswith("002") for x in X):
            raise ValueError("I need 002")
        super().fit(X, y)
        return self


class NearestFrame(RegressorMixin, BaseEstimator):
    """Label of the training frame whose features are nearest, plus `offset`."""

    def __init__(self, features: Any, offset: float = 0.0) -> None:
        self.features = features
        self.offset = offset

    def fit(self, X: pd.DataFrame, y: Any) -> NearestFrame:
        trace(f"fit {len(X)}")
        self.known_, self.labels_ = self.features[X["row"]].astype(float), np.asarray(y)
        return self

    def predict(self, X: pd.DataFrame) -> np.ndarray:
        away = self.features[X["row"]].astype(float)[:, None] - self.known_
        return self.labels_[(away**2).sum(axis=2).argmin(axis=1)] + self.offset


class Guess(RegressorMixin, BaseEstimator):
    """Numbers from 0 to 7 that have nothing to do with what it is given: one a sample, or `once` for all."""

    def __init__(self, random_state: int = 0, once: bool = False) -> None:
        self.random_state = random_state
        self.once = once

    def fit(self, X: Any, y: Any) -> Guess:
        return self

    def predict(self, X: Any) -> np.ndarray:
        guessed = np.random.default_rng(self.random_state).uniform(0, 7, 1 if self.once else len(X))
        return np.broadcast_to(guessed, len(X))


class Recalls(RegressorMixin, BaseEstimator):
    """Estimates 1 for a frame that it has been trained on, as it is or as a copy; else 0."""

    def fit(self, X: pd.DataFrame, y: Any) -> Recalls:
        assert len(X) == len(y)
        self.rows_ = X["row"].to_numpy()
        return self

    def predict(self, X: pd.DataFrame) -> np.ndarray:
        return np.isin(X["row"], self.rows_).astype(float)


class NearestClass(ClassifierMixin, BaseEstimator):
    """Class of the nearest frame, of which it is sure; `offset` moves it to another one."""

    def __init__(self, features: Any, offset: float = 0.0) -> None:
        self.features = features
        self.offset = offset

    def fit(self, X: pd.DataFrame, y: Any) -> NearestClass:
        self.classes_ = np.unique(y)
        self.nearest_ = NearestFrame(self.features, self.offset).fit(X, y)
        return self

    def predict(self, X: pd.DataFrame) -> np.ndarray:
        return np.clip(self.nearest_.predict(X), self.classes_.min(), self.classes_.max())

    def predict_proba(self, X: pd.DataFrame) -> np.ndarray:
        return (self.predict(X)[:, None] == self.classes_).astype(float)

"""Choosing settings of an estimator: within the training subjects or, for audits, by the test score."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.model_selection import GridSearchCV, GroupKFold, ParameterGrid

from painkit.errors import PainkitError
from painkit.evaluation.protocols import Fold
from painkit.evaluation.run_fold import predicted
from painkit.evaluation.samples import Samples
from painkit.metrics import Average, evaluate
from painkit.metrics.statistics import SMALLER_IS_BETTER

__all__ = ["Goodness", "SubjectsApart", "best_by_test_score", "settings_of", "within_training"]


class SubjectsApart(BaseEstimator):  # type: ignore[misc]
    """Splitter of training samples into `n_splits` folds of subjects, or as many as there are subjects."""

    def __init__(self, n_splits: int = 3, random_state: int = 0) -> None:
        self.n_splits = n_splits
        self.random_state = random_state

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Number of folds."""
        return int(min(self.n_splits, len(np.unique(_subjects(X)))))

    def split(self, X: Any, y: Any = None, groups: Any = None) -> Iterator[tuple[Any, Any]]:
        """Yield rows to train on and rows to test on.

        Raises
        ------
        PainkitError
            When all samples are of one subject.
        """
        subjects, n = _subjects(X), self.get_n_splits(X)
        if n < 2:
            raise PainkitError(
                "settings cannot be chosen within training samples of one subject",
                expected="two subjects or more to train on",
            )
        splitter = GroupKFold(n, shuffle=True, random_state=self.random_state)
        yield from splitter.split(subjects, groups=subjects)


def _subjects(X: Any) -> NDArray[np.str_]:
    """Subject of each sample."""
    return np.array([*map(str, X["subject"])] if isinstance(X, pd.DataFrame) else [x.subject for x in X])


class Goodness(BaseEstimator):  # type: ignore[misc]
    """Scorer that scores as tables are scored; larger is better, errors are negative.

    Parameters
    ----------
    metric, average : str
        See `painkit.metrics.evaluate`.
    targets : tuple of str
        What is estimated.
    target : str
        Which of these is scored.
    """

    def __init__(self, metric: str, average: Average, targets: tuple[str, ...], target: str) -> None:
        self.metric = metric
        self.average = average
        self.targets = targets
        self.target = target

    def __call__(self, estimator: Any, X: Any, y: Any) -> float:
        """Score an estimator on labelled samples."""
        if isinstance(X, pd.DataFrame):
            table = X[["subject", "sequence", "frame", "row"]].reset_index(drop=True)
        else:
            names = {"subject": [x.subject for x in X], "sequence": [x.sequence for x in X]}
            table = pd.DataFrame({**names, "frame": [pd.NA] * len(X), "row": range(len(X))})
        labels = np.asarray(y, np.float64).reshape(len(table), -1)
        found = Samples("inner", self.targets, table, X, labels)
        none = np.empty(0, dtype=np.intp)
        return self.of(predicted(estimator, found, Fold("inner", none, np.arange(len(table)))))

    def of(self, predictions: pd.DataFrame) -> float:
        """Score a table of predictions; NaN where nothing is labelled and estimated."""
        mine = predictions[predictions["target"] == self.target].dropna(subset=["y_true", "y_pred"])
        if mine.empty:
            return float("nan")
        value = float(evaluate(mine, self.metric, self.average, n_resamples=0)["value"].iloc[0])
        return -value if self.metric in SMALLER_IS_BETTER else value


def settings_of(candidates: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    """List the settings that a grid of parameters stands for, as `sklearn.model_selection.ParameterGrid`."""
    return list(ParameterGrid(dict(candidates)))


def within_training(
    estimator: Any, candidates: Mapping[str, Sequence[Any]], goodness: Goodness, folds: int
) -> GridSearchCV:
    """Estimator that chooses its settings by subject folds within its training samples and fits them anew."""
    grid = {name: list(values) for name, values in candidates.items()}
    return GridSearchCV(
        estimator, grid, scoring=goodness, cv=SubjectsApart(folds), error_score="raise", n_jobs=1
    )


def best_by_test_score(tables: Sequence[pd.DataFrame], goodness: Goodness) -> pd.DataFrame:
    """Take for each fold the predictions of the settings that score best on its test samples. LEAKY.

    Parameters
    ----------
    tables : sequence of DataFrame
        Predictions of one protocol, a table for each of the settings. The first wins a tie; a score that does
        not exist loses.
    """
    parts: list[pd.DataFrame] = []
    for fold in tables[0]["fold"].unique():
        own = [table[table["fold"] == fold] for table in tables]
        scores: NDArray[np.float64] = np.array([goodness.of(table) for table in own])
        parts.append(own[int(np.argmax(np.where(np.isnan(scores), -np.inf, scores)))])
    return pd.concat(parts, ignore_index=True)

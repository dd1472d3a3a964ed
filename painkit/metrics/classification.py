"""Measures of classes; what does not exist is NaN."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import cohen_kappa_score, confusion_matrix, roc_auc_score
from sklearn.metrics import precision_recall_fscore_support as _precision_recall_f1

from painkit.errors import PainkitError
from painkit.metrics.checks import Floats, finite, paired, paired_classes, require_classes

__all__ = [
    "accuracy",
    "auc_one_vs_rest",
    "confusion",
    "f1",
    "mean_defined",
    "precision",
    "quadratic_kappa",
    "recall",
    "to_classes",
]


def to_classes(y_pred: ArrayLike, n_classes: int) -> NDArray[np.int64]:
    """Round to the nearest class; halves go up, what lies outside goes to the end.

    Parameters
    ----------
    y_pred : (n,) array-like
        Estimates on a scale whose steps of 1 are the classes.
    n_classes : int
        How many classes there are.

    Returns
    -------
    (n,) int
        Classes 0..n_classes-1.

    Raises
    ------
    PainkitError
        When the shape is not (n,), or a value is missing or infinite.
    """
    return np.clip(np.floor(finite("y_pred", y_pred) + 0.5), 0, n_classes - 1).astype(np.int64)


def accuracy(y_true: ArrayLike, y_pred: ArrayLike) -> float:
    """Share of right classes; larger is better.

    Parameters
    ----------
    y_true, y_pred : (n,) array-like
        Classes 0, 1, ...; `to_classes` rounds estimates.

    Returns
    -------
    float
        0-1; NaN for no values.

    Raises
    ------
    PainkitError
        When a value is missing, infinite or no class, or the shapes differ or are not (n,).
    """
    true, pred = paired_classes(y_true, y_pred)
    return float(np.mean(true == pred)) if true.size else np.nan


def confusion(y_true: ArrayLike, y_pred: ArrayLike, n_classes: int) -> NDArray[np.int64]:
    """Count pairs of true class and estimate.

    Parameters
    ----------
    y_true, y_pred : (n,) array-like
        Classes 0..n_classes-1; `to_classes` rounds estimates.
    n_classes : int
        How many classes there are, whether or not they occur.

    Returns
    -------
    (n_classes, n_classes) int
        Rows are the true classes, columns the estimates.

    Raises
    ------
    PainkitError
        When a value is missing, infinite or no class 0..n_classes-1, or the shapes differ or are not (n,).
    """
    true, pred = paired_classes(y_true, y_pred, n_classes)
    if not true.size:
        return np.zeros((n_classes, n_classes), dtype=np.int64)
    return np.asarray(confusion_matrix(true, pred, labels=np.arange(n_classes)), dtype=np.int64)


def precision(y_true: ArrayLike, y_pred: ArrayLike, n_classes: int) -> Floats:
    """Share of the frames called a class that are of it; larger is better.

    Parameters
    ----------
    y_true, y_pred : (n,) array-like
        Classes 0..n_classes-1; `to_classes` rounds estimates.
    n_classes : int
        How many classes there are, whether or not they occur.

    Returns
    -------
    (n_classes,) float
        0-1; NaN for a class never called.

    Raises
    ------
    PainkitError
        When a value is missing, infinite or no class 0..n_classes-1, or the shapes differ or are not (n,).
    """
    return _per_class(y_true, y_pred, n_classes)[0]


def recall(y_true: ArrayLike, y_pred: ArrayLike, n_classes: int) -> Floats:
    """Share of the frames of a class that are called it; larger is better.

    Parameters
    ----------
    y_true, y_pred : (n,) array-like
        Classes 0..n_classes-1; `to_classes` rounds estimates.
    n_classes : int
        How many classes there are, whether or not they occur.

    Returns
    -------
    (n_classes,) float
        0-1; NaN for a class without frames.

    Raises
    ------
    PainkitError
        When a value is missing, infinite or no class 0..n_classes-1, or the shapes differ or are not (n,).
    """
    return _per_class(y_true, y_pred, n_classes)[1]


def f1(y_true: ArrayLike, y_pred: ArrayLike, n_classes: int) -> Floats:
    """Harmonic mean of precision and recall, 2 TP / (2 TP + FP + FN); larger is better.

    Parameters
    ----------
    y_true, y_pred : (n,) array-like
        Classes 0..n_classes-1; `to_classes` rounds estimates.
    n_classes : int
        How many classes there are, whether or not they occur.

    Returns
    -------
    (n_classes,) float
        0-1; NaN for a class that neither occurs nor is called.

    Raises
    ------
    PainkitError
        When a value is missing, infinite or no class 0..n_classes-1, or the shapes differ or are not (n,).
    """
    return _per_class(y_true, y_pred, n_classes)[2]


def quadratic_kappa(y_true: ArrayLike, y_pred: ArrayLike, n_classes: int) -> float:
    """Cohen's kappa with quadratic weights (Cohen 1968); larger is better.

    Parameters
    ----------
    y_true, y_pred : (n,) array-like
        Classes 0..n_classes-1; `to_classes` rounds estimates.
    n_classes : int
        How many classes there are, whether or not they occur.

    Returns
    -------
    float
        -1 to 1; NaN for no values, and where chance alone leaves nothing to disagree on.

    Raises
    ------
    PainkitError
        When a value is missing, infinite or no class 0..n_classes-1, or the shapes differ or are not (n,).
    """
    true, pred = paired_classes(y_true, y_pred, n_classes)
    if not true.size or (np.ptp(true) == 0 and np.ptp(pred) == 0 and true[0] == pred[0]):
        return np.nan
    return float(cohen_kappa_score(true, pred, labels=np.arange(n_classes), weights="quadratic"))


def auc_one_vs_rest(y_true: ArrayLike, scores: ArrayLike) -> Floats:
    """Area under the ROC curve of every class against all others.

    Parameters
    ----------
    y_true : (n,) array-like
        Classes 0..k-1.
    scores : (n, k) array-like
        One score per class, larger for more likely.

    Returns
    -------
    (k,) float
        0-1; NaN for a class with no frame, or with all frames. The macro value is `mean_defined` of it.

    Raises
    ------
    PainkitError
        When a label is no class of the k, a value is missing or infinite, or the shapes do not fit.
    """
    table = np.asarray(scores)
    if table.ndim != 2:
        raise PainkitError(f"scores have shape {table.shape}", expected="(n, classes)")
    true = finite("y_true", y_true)
    require_classes("y_true", true, table.shape[1])
    areas = np.full(table.shape[1], np.nan)
    for k in range(table.shape[1]):
        _, score = paired(true, finite(f"scores of class {k}", table[:, k]))
        if 0 < np.sum(true == k) < true.size:
            areas[k] = roc_auc_score(true == k, score)
    return areas


def mean_defined(values: ArrayLike) -> float:
    """Mean of the values that exist.

    Parameters
    ----------
    values : array-like
        Any shape; NaN for what does not exist.

    Returns
    -------
    float
        NaN where none exists.
    """
    array = np.asarray(values, dtype=np.float64)
    array = array[~np.isnan(array)]
    return float(array.mean()) if array.size else np.nan


def _per_class(y_true: ArrayLike, y_pred: ArrayLike, n_classes: int) -> tuple[Floats, Floats, Floats]:
    true, pred = paired_classes(y_true, y_pred, n_classes)
    if not true.size:
        return (np.full(n_classes, np.nan),) * 3
    p, r, f, _ = _precision_recall_f1(true, pred, labels=np.arange(n_classes), zero_division=np.nan)
    return p, r, f

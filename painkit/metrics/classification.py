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
    """Round to the nearest class 0..n_classes-1; halves go up, what lies outside goes to the end."""
    return np.clip(np.floor(finite("y_pred", y_pred) + 0.5), 0, n_classes - 1).astype(np.int64)


def accuracy(y_true: ArrayLike, y_pred: ArrayLike) -> float:
    """Share of right classes, 0-1. NaN for no values."""
    true, pred = paired_classes(y_true, y_pred)
    return float(np.mean(true == pred)) if true.size else np.nan


def confusion(y_true: ArrayLike, y_pred: ArrayLike, n_classes: int) -> NDArray[np.int64]:
    """Count pairs: (n_classes, n_classes), rows are the true classes 0..n_classes-1."""
    true, pred = paired_classes(y_true, y_pred, n_classes)
    if not true.size:
        return np.zeros((n_classes, n_classes), dtype=np.int64)
    return np.asarray(confusion_matrix(true, pred, labels=np.arange(n_classes)), dtype=np.int64)


def precision(y_true: ArrayLike, y_pred: ArrayLike, n_classes: int) -> Floats:
    """Share of the frames called a class that are of it: (n_classes,), NaN for a class never called."""
    return _per_class(y_true, y_pred, n_classes)[0]


def recall(y_true: ArrayLike, y_pred: ArrayLike, n_classes: int) -> Floats:
    """Share of the frames of a class that are called it: (n_classes,), NaN for a class without frames."""
    return _per_class(y_true, y_pred, n_classes)[1]


def f1(y_true: ArrayLike, y_pred: ArrayLike, n_classes: int) -> Floats:
    """2 TP / (2 TP + FP + FN): (n_classes,), NaN for a class that neither occurs nor is called."""
    return _per_class(y_true, y_pred, n_classes)[2]


def quadratic_kappa(y_true: ArrayLike, y_pred: ArrayLike, n_classes: int) -> float:
    """Cohen's kappa with quadratic weights, -1 to 1. NaN where chance alone leaves nothing to disagree on."""
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
        NaN for a class with no frame, or with all frames. The macro value is `mean_defined` of it.
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
    """Mean of the values that exist; NaN where none does."""
    array = np.asarray(values, dtype=np.float64)
    array = array[~np.isnan(array)]
    return float(array.mean()) if array.size else np.nan


def _per_class(y_true: ArrayLike, y_pred: ArrayLike, n_classes: int) -> tuple[Floats, Floats, Floats]:
    true, pred = paired_classes(y_true, y_pred, n_classes)
    if not true.size:
        return (np.full(n_classes, np.nan),) * 3
    p, r, f, _ = _precision_recall_f1(true, pred, labels=np.arange(n_classes), zero_division=np.nan)
    return p, r, f

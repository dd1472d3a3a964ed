"""Errors in which every level counts the same, however rare it is (Wang et al. 2017, Sec. 3.3)."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from painkit.metrics.checks import Floats, paired

__all__ = ["wmae", "wmse"]


def wmae(y_true: ArrayLike, y_pred: ArrayLike) -> float:
    """Mean, over the levels that occur, of the mean absolute error at that level.

    Wang et al. take it within each subject and then the mean over subjects: `evaluate` with
    `average="per_subject"`.

    Parameters
    ----------
    y_true : (n,) array-like
        Levels: every distinct value is one.
    y_pred : (n,) array-like
        Estimates on the same scale.

    Returns
    -------
    float
        In units of the label; smaller is better; NaN for no values.

    Raises
    ------
    PainkitError
        When the shapes differ, are not one-dimensional, or a value is missing or infinite.
    """
    true, pred = paired(y_true, y_pred)
    return _mean_over_levels(true, np.abs(pred - true))


def wmse(y_true: ArrayLike, y_pred: ArrayLike) -> float:
    """Mean, over the levels that occur, of the mean squared error at that level; see `wmae`.

    Parameters
    ----------
    y_true, y_pred : (n,) array-like
        As for `wmae`.

    Returns
    -------
    float
        In squared units of the label; smaller is better; NaN for no values.

    Raises
    ------
    PainkitError
        As `wmae` does.
    """
    true, pred = paired(y_true, y_pred)
    return _mean_over_levels(true, np.square(pred - true))


def _mean_over_levels(true: Floats, error: Floats) -> float:
    if not true.size:
        return np.nan
    _, level = np.unique(true, return_inverse=True)
    return float(np.mean(np.bincount(level, error) / np.bincount(level)))

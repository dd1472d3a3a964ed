"""Errors and correlation of estimates on the scale of the label."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from sklearn.metrics import mean_absolute_error, mean_squared_error

from painkit.metrics.checks import paired

__all__ = ["mae", "mse", "pcc", "rmse"]


def mae(y_true: ArrayLike, y_pred: ArrayLike) -> float:
    """Mean absolute error; smaller is better.

    Parameters
    ----------
    y_true, y_pred : (n,) array-like
        Labels and estimates, in one unit.

    Returns
    -------
    float
        In units of the label; NaN for no values.

    Raises
    ------
    PainkitError
        When the shapes differ, are not one-dimensional, or a value is missing or infinite.
    """
    true, pred = paired(y_true, y_pred)
    return float(mean_absolute_error(true, pred)) if true.size else np.nan


def mse(y_true: ArrayLike, y_pred: ArrayLike) -> float:
    """Mean squared error; smaller is better.

    Parameters
    ----------
    y_true, y_pred : (n,) array-like
        Labels and estimates, in one unit.

    Returns
    -------
    float
        In squared units of the label; NaN for no values.

    Raises
    ------
    PainkitError
        When the shapes differ, are not one-dimensional, or a value is missing or infinite.
    """
    true, pred = paired(y_true, y_pred)
    return float(mean_squared_error(true, pred)) if true.size else np.nan


def rmse(y_true: ArrayLike, y_pred: ArrayLike) -> float:
    """Root of the mean squared error; smaller is better.

    Parameters
    ----------
    y_true, y_pred : (n,) array-like
        Labels and estimates, in one unit.

    Returns
    -------
    float
        In units of the label; NaN for no values.

    Raises
    ------
    PainkitError
        When the shapes differ, are not one-dimensional, or a value is missing or infinite.
    """
    return float(np.sqrt(mse(y_true, y_pred)))


def pcc(y_true: ArrayLike, y_pred: ArrayLike) -> float:
    """Pearson correlation; larger is better.

    Parameters
    ----------
    y_true, y_pred : (n,) array-like
        Labels and estimates, in any units.

    Returns
    -------
    float
        -1 to 1; NaN where either side does not vary, and for fewer than two values.

    Raises
    ------
    PainkitError
        When the shapes differ, are not one-dimensional, or a value is missing or infinite.
    """
    true, pred = paired(y_true, y_pred)
    if true.size < 2 or np.ptp(true) == 0 or np.ptp(pred) == 0:
        return np.nan
    a, b = true - true.mean(), pred - pred.mean()
    return float(np.clip((a / np.linalg.norm(a)) @ (b / np.linalg.norm(b)), -1, 1))

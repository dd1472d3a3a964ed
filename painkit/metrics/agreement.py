"""Intraclass correlation (Shrout and Fleiss 1979): agreement of raters who scored the same targets."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike

from painkit.errors import PainkitError
from painkit.metrics.checks import Floats, paired

__all__ = ["ICC_KINDS", "IccKind", "icc", "icc_from_mean_squares", "icc_of_ratings"]

IccKind = Literal["1,1", "2,1", "3,1", "1,k", "2,k", "3,k"]
ICC_KINDS: tuple[IccKind, ...] = get_args(IccKind)


def icc(y_true: ArrayLike, y_pred: ArrayLike, kind: IccKind = "3,1") -> float:
    """Intraclass correlation of label and estimate, taken as two raters; larger is better, 1 is best.

    Parameters
    ----------
    y_true, y_pred : (n,) array-like
        On one scale.
    kind : {"1,1", "2,1", "3,1", "1,k", "2,k", "3,k"}
        Shrout and Fleiss's case (1: other raters for every target, 2: random raters, 3: fixed raters, so
        a constant offset does not count), and one rater or the mean of both.

    Returns
    -------
    float
        NaN with fewer than two targets, or where neither side varies.

    Raises
    ------
    PainkitError
        When the shapes differ, are not one-dimensional, a value is missing or infinite, or there is no such
        kind.
    """
    true, pred = paired(y_true, y_pred)
    return icc_of_ratings(np.column_stack([true, pred]), kind)


def icc_of_ratings(ratings: ArrayLike, kind: IccKind = "3,1") -> float:
    """Intraclass correlation of a table of ratings.

    Parameters
    ----------
    ratings : (n targets, k raters) array-like
        Complete, at least two raters.
    kind : str
        See `icc`.

    Returns
    -------
    float
        1 is best; NaN with fewer than two targets, or where no rater's ratings vary.

    Raises
    ------
    PainkitError
        When the table is not complete or has fewer than two raters.
    """
    x = np.asarray(ratings, dtype=np.float64)
    if x.ndim != 2 or x.shape[1] < 2 or not np.isfinite(x).all():
        raise PainkitError(f"ratings of shape {x.shape}", expected="a complete (targets, raters >= 2) table")
    n, k = x.shape
    if n < 2 or not np.ptp(x, axis=0).any():
        return np.nan
    grand, rows, columns = x.mean(), x.mean(axis=1), x.mean(axis=0)
    between = k * np.square(rows - grand).sum() / (n - 1)
    raters = n * np.square(columns - grand).sum() / (k - 1)
    residual = np.square(x - rows[:, None] - columns + grand).sum() / ((n - 1) * (k - 1))
    return float(icc_from_mean_squares(between, raters, residual, n, k, kind))


def icc_from_mean_squares(
    between: Floats | float,
    raters: Floats | float,
    residual: Floats | float,
    n: Floats | int,
    k: int,
    kind: IccKind,
) -> Floats:
    """Intraclass correlation from the mean squares of the two-way table (Shrout and Fleiss 1979, p. 423).

    Parameters
    ----------
    between, raters, residual : array or float
        BMS, JMS and EMS of the analysis of variance.
    n : array or int
        Targets.
    k : int
        Raters.
    kind : str
        See `icc`.

    Returns
    -------
    array
        NaN where the denominator is 0.

    Raises
    ------
    PainkitError
        When there is no such kind.
    """
    if kind not in ICC_KINDS:
        raise PainkitError(
            f"there is no ICC({kind})", expected=" ".join(f"ICC({known})" for known in ICC_KINDS)
        )
    bms, jms, ems = (np.asarray(square, dtype=np.float64) for square in (between, raters, residual))
    within = (jms * (k - 1) + ems * (n - 1) * (k - 1)) / (np.asarray(n) * (k - 1))
    with np.errstate(divide="ignore", invalid="ignore"):
        top, bottom = {
            "1,1": (bms - within, bms + (k - 1) * within),
            "2,1": (bms - ems, bms + (k - 1) * ems + k * (jms - ems) / n),
            "3,1": (bms - ems, bms + (k - 1) * ems),
            "1,k": (bms - within, bms),
            "2,k": (bms - ems, bms + (jms - ems) / n),
            "3,k": (bms - ems, bms),
        }[kind]
        return np.where(bottom == 0, np.nan, top / bottom)

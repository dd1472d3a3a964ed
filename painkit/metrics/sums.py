"""Per-cell sums that are enough for every metric, so that a resample is a product of matrices.

A cell is the part of a table that a resample takes or leaves as one: a subject, or a subject within a fold.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

from painkit.metrics.checks import Floats, finite

__all__ = ["BANDS", "Sums", "sums_of", "to_classes"]

# Masses of the central Gaussian bands.
BANDS = (0.5, 0.9)


@dataclass(frozen=True)
class Sums:
    """Sums of B groups of rows (B cells, or B resamples of them).

    Attributes
    ----------
    n : (B,)
        Rows.
    mean_true, mean_pred : (B,)
    ss_true, ss_pred, ss_cross : (B,)
        Sums of squares and products about those means.
    low_true, high_true, low_pred, high_pred : (B,)
        Ends of the values.
    abs_error, sq_error : (B,)
        Sums of the errors.
    level_n, level_abs, level_sq : (B, levels)
        Rows and errors at each level of the label.
    confusion : (B, classes, classes)
        Pairs of true class and rounded estimate; no classes where the label is not integer.
    wins, positives, negatives : (B, tasks)
        Pairs in which a row of the class scores above a row of another (ties count half), and rows of each.
    inside : (B, bands)
        Rows whose label lies within the band.
    """

    n: Floats
    mean_true: Floats
    mean_pred: Floats
    ss_true: Floats
    ss_pred: Floats
    ss_cross: Floats
    low_true: Floats
    high_true: Floats
    low_pred: Floats
    high_pred: Floats
    abs_error: Floats
    sq_error: Floats
    level_n: Floats
    level_abs: Floats
    level_sq: Floats
    confusion: Floats
    wins: Floats
    positives: Floats
    negatives: Floats
    inside: Floats
    cross_wins: Floats | None = None  # (tasks, cells, cells), only of cells

    @property
    def vary_true(self) -> NDArray[np.bool_]:
        """Whether any two labels differ; a rounded sum of squares is never quite 0."""
        return self.high_true > self.low_true

    @property
    def vary_pred(self) -> NDArray[np.bool_]:
        """Whether any two estimates differ."""
        return self.high_pred > self.low_pred

    def pool(self, weights: Floats) -> Sums:
        """Add cells up.

        Parameters
        ----------
        weights : (B, cells)
            How often each resample takes each cell.

        Returns
        -------
        Sums
            Of B groups.
        """
        if self.cross_wins is None:
            raise TypeError("only the sums of cells can be pooled")

        def add(values: Floats) -> Floats:
            return np.asarray(np.tensordot(weights, values, axes=1))

        n = add(self.n)
        # Means are taken about the mean of all rows, or the squares below would cancel.
        with np.errstate(invalid="ignore"):
            centre_true = np.sum(self.n * np.nan_to_num(self.mean_true)) / np.sum(self.n)
            centre_pred = np.sum(self.n * np.nan_to_num(self.mean_pred)) / np.sum(self.n)
            a = np.nan_to_num(self.mean_true - centre_true)
            b = np.nan_to_num(self.mean_pred - centre_pred)
            mean_a, mean_b = add(self.n * a) / n, add(self.n * b) / n
            taken = weights > 0
            pooled = {
                "n": n,
                "mean_true": centre_true + mean_a,
                "mean_pred": centre_pred + mean_b,
                "ss_true": add(self.ss_true) + np.maximum(add(self.n * a * a) - n * mean_a * mean_a, 0),
                "ss_pred": add(self.ss_pred) + np.maximum(add(self.n * b * b) - n * mean_b * mean_b, 0),
                "ss_cross": add(self.ss_cross) + add(self.n * a * b) - n * mean_a * mean_b,
                "wins": np.stack(
                    [np.sum((weights @ wins) * weights, axis=1) for wins in self.cross_wins], axis=-1
                ),
            }
        for name in ("low_true", "low_pred"):
            pooled[name] = np.min(np.where(taken, getattr(self, name), np.inf), axis=1)
        for name in ("high_true", "high_pred"):
            pooled[name] = np.max(np.where(taken, getattr(self, name), -np.inf), axis=1)
        for field in fields(self):
            if field.name not in pooled and field.name != "cross_wins":
                pooled[field.name] = add(getattr(self, field.name))
        return Sums(**pooled)


def sums_of(
    y_true: Floats,
    y_pred: Floats,
    cell: NDArray[np.intp],
    n_cells: int,
    *,
    n_classes: int,
    y_std: Floats | None,
    scores: Floats,
) -> Sums:
    """Sum the rows of every cell.

    Parameters
    ----------
    y_true, y_pred : (n,)
        Finite.
    cell : (n,) int
        Cell of each row.
    n_cells : int
        How many cells there are.
    n_classes : int
        Classes 0..n_classes-1 of an integer label; 0 leaves the confusion out.
    y_std : (n,) or None
        Standard deviations of the estimates.
    scores : (n, classes)
        A column for each class that has a score.
    """

    def add(values: Floats) -> Floats:
        return np.bincount(cell, values, minlength=n_cells).astype(np.float64)

    def by_cell(columns: list[Floats]) -> Floats:
        return np.array([add(column) for column in columns]).reshape(len(columns), n_cells).T

    n = add(np.ones_like(y_true))
    low_true, high_true = _ends(y_true, cell, n_cells)
    low_pred, high_pred = _ends(y_pred, cell, n_cells)
    with np.errstate(invalid="ignore"):
        # A constant cell's mean is that constant, which the rounded quotient may miss.
        mean_true = np.where(low_true == high_true, low_true, add(y_true) / n)
        mean_pred = np.where(low_pred == high_pred, low_pred, add(y_pred) / n)
    a, b = y_true - mean_true[cell], y_pred - mean_pred[cell]
    error = y_pred - y_true
    levels, level = np.unique(y_true, return_inverse=True)
    flat, shape = cell * len(levels) + level, (n_cells, len(levels))

    def by_level(values: Floats) -> Floats:
        return np.bincount(flat, values, minlength=n_cells * len(levels)).reshape(shape).astype(np.float64)

    confusion = np.zeros((n_cells, n_classes, n_classes))
    if n_classes:
        np.add.at(confusion, (cell, y_true.astype(np.intp), to_classes(y_pred, n_classes)), 1)
    spreads = [] if y_std is None else [ndtri((1 + band) / 2) * y_std for band in BANDS]
    positive = [y_true > 0, *(y_true == k for k in range(scores.shape[1]))]
    cross = np.array(
        [
            _cross_wins(rows, score, cell, n_cells)
            for rows, score in zip(positive, (y_pred, *scores.T), strict=True)
        ]
    )
    return Sums(
        n=n,
        mean_true=mean_true,
        mean_pred=mean_pred,
        ss_true=add(a * a),
        ss_pred=add(b * b),
        ss_cross=add(a * b),
        low_true=low_true,
        high_true=high_true,
        low_pred=low_pred,
        high_pred=high_pred,
        abs_error=add(np.abs(error)),
        sq_error=add(error * error),
        level_n=by_level(np.ones_like(error)),
        level_abs=by_level(np.abs(error)),
        level_sq=by_level(error * error),
        confusion=confusion,
        wins=np.diagonal(cross, axis1=1, axis2=2).T,
        positives=by_cell([rows.astype(np.float64) for rows in positive]),
        negatives=by_cell([(~rows).astype(np.float64) for rows in positive]),
        inside=by_cell([(np.abs(error) <= spread).astype(np.float64) for spread in spreads]),
        cross_wins=cross,
    )


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


def _ends(values: Floats, cell: NDArray[np.intp], n_cells: int) -> tuple[Floats, Floats]:
    low, high = np.full(n_cells, np.inf), np.full(n_cells, -np.inf)
    np.minimum.at(low, cell, values)
    np.maximum.at(high, cell, values)
    return low, high


def _cross_wins(positive: NDArray[np.bool_], score: Floats, cell: NDArray[np.intp], n_cells: int) -> Floats:
    """Count, for cells i and j, the pairs of a positive row of i and a negative row of j that i wins."""
    values, rank = np.unique(score, return_inverse=True)
    counts = np.zeros((2, len(values), n_cells))
    np.add.at(counts, (positive.astype(np.intp), rank, cell), 1.0)
    negatives, positives = counts
    below = np.cumsum(negatives, axis=0) - negatives / 2  # a tie is half a win
    return np.asarray(positives.T @ below)

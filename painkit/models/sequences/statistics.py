"""Ten statistics of a sequence's frame estimates: the Gaussian process's inputs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import moment

__all__ = ["STATISTICS", "sequence_statistics", "statistic_names"]

STATISTICS = ("mean", "median", "min", "max", "variance", "moment3", "moment4", "moment5", "sum", "iqr")


def sequence_statistics(estimates: ArrayLike) -> NDArray[np.float64]:
    """Statistics of one sequence's frame estimates (DeepFaceLIFT, Sec. 3.2).

    Mean, median, minimum, maximum, variance, third, fourth and fifth central moment (all divided by n), sum,
    and interquartile range (linear interpolation), in the order of `STATISTICS`.

    Parameters
    ----------
    estimates : (n_frames,) or (n_frames, n_labels) array
        Frame estimates; NaN frames are skipped, so the sum is over the tracked frames.

    Returns
    -------
    (10 * n_labels,) array
        All ten of the first label, then all ten of the second; NaN when no frame is finite.
    """
    values = np.asarray(estimates, dtype=np.float64)
    if values.ndim == 1:
        values = values[:, None]
    values = values[np.isfinite(values).all(axis=1)]
    if len(values) == 0:
        return np.full(len(STATISTICS) * values.shape[1], np.nan)
    lower, upper = np.percentile(values, [25, 75], axis=0)
    table = [
        values.mean(axis=0),
        np.median(values, axis=0),
        values.min(axis=0),
        values.max(axis=0),
        *moment(values - values.mean(axis=0), order=[2, 3, 4, 5], axis=0, center=0.0),
        values.sum(axis=0),
        upper - lower,
    ]
    return np.stack(table, axis=1).ravel()


def statistic_names(labels: Sequence[str]) -> list[str]:
    """Names of the columns for these labels, ``vas_mean`` ... ``vas_iqr``, ``opi_mean`` ..."""
    return [f"{label}_{statistic}" for label in labels for statistic in STATISTICS]

"""Intervals from resampling subjects, which are what is independent in a table of frames."""

from __future__ import annotations

from numbers import Integral

import numpy as np

from painkit.errors import PainkitError
from painkit.metrics.checks import Floats

__all__ = ["check_bootstrap", "percentile_interval", "resample_weights"]


def check_bootstrap(n_resamples: int, seed: int, level: float) -> None:
    """Refuse settings that no resamples can be drawn with, or no interval taken at.

    Raises
    ------
    PainkitError
        When `n_resamples` or `seed` is no integer or below 0, or `level` is not within 0-1.
    """
    for name, given in (("n_resamples", n_resamples), ("seed", seed)):
        if not isinstance(given, Integral) or given < 0:
            raise PainkitError(f"{name} is {given!r}", expected="an integer, 0 or more")
    if not 0 < level < 1:
        raise PainkitError(f"level is {level!r}", expected="a level within 0-1, such as 0.95")


def resample_weights(n_subjects: int, n_resamples: int, seed: int) -> Floats:
    """Draw subjects with replacement.

    Returns
    -------
    (n_resamples, n_subjects) float
        How often each resample holds each subject; rows sum to `n_subjects`.
    """
    drawn = np.random.default_rng(seed).integers(n_subjects, size=(n_resamples, n_subjects))
    flat = drawn + n_subjects * np.arange(n_resamples)[:, None]
    counts = np.bincount(flat.ravel(), minlength=n_resamples * n_subjects)
    return counts.reshape(n_resamples, n_subjects).astype(np.float64)


def percentile_interval(values: Floats, level: float = 0.95) -> tuple[float, float]:
    """Central interval of the resamples in which the metric exists; NaN for fewer than two."""
    exist = values[~np.isnan(values)]
    if len(exist) < 2:
        return np.nan, np.nan
    low, high = np.quantile(exist, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)

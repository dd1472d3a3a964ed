"""Intervals from resampling subjects, which are what is independent in a table of frames."""

from __future__ import annotations

import numpy as np

from painkit.metrics.checks import Floats

__all__ = ["percentile_interval", "resample_weights"]


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

"""Do the bands of an estimate that comes with a standard deviation hold what they promise?"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri

from painkit.errors import PainkitError
from painkit.metrics.checks import Floats, finite, paired

__all__ = ["BANDS", "coverage", "inside"]

BANDS = (0.5, 0.9)


def inside(y_true: ArrayLike, y_pred: ArrayLike, y_std: ArrayLike, band: float) -> Floats:
    """Tell for each row whether the label lies in the central Gaussian band of mass `band`: (n,), 0 or 1."""
    true, pred = paired(y_true, y_pred)
    _, std = paired(y_true, finite("y_std", y_std))
    if not 0 < band < 1:
        raise PainkitError(f"there is no band of mass {band!r}", expected="a share within 0-1, such as 0.9")
    if np.any(std < 0):
        raise PainkitError("y_std has negative values", expected="standard deviations")
    return (np.abs(true - pred) <= ndtri((1 + band) / 2) * std).astype(np.float64)


def coverage(y_true: ArrayLike, y_pred: ArrayLike, y_std: ArrayLike, band: float = 0.9) -> float:
    """Share of labels inside the central Gaussian band; `band` itself is best.

    Below `band` the model is over-confident, above it the bands are too wide.

    Parameters
    ----------
    y_true, y_pred, y_std : (n,) array-like
        Labels, estimates and their standard deviations, in one unit.
    band : float
        Mass of the band, within 0-1.

    Returns
    -------
    float
        0-1; NaN for no values.

    Raises
    ------
    PainkitError
        When the shapes differ or are not (n,), a value is missing or infinite, a standard deviation is
        negative, or `band` is no mass.
    """
    rows = inside(y_true, y_pred, y_std, band)
    return float(rows.mean()) if rows.size else np.nan

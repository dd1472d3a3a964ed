"""What every metric asks of its two arrays."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from painkit.errors import PainkitError

__all__ = ["Floats", "paired"]

Floats = NDArray[np.float64]


def paired(y_true: ArrayLike, y_pred: ArrayLike) -> tuple[Floats, Floats]:
    """Return both as float arrays of one shape (n,).

    Raises
    ------
    PainkitError
        When the shapes differ, are not one-dimensional, or a value is missing or infinite.
    """
    arrays = []
    for name, given in (("y_true", y_true), ("y_pred", y_pred)):
        try:
            array = np.asarray(given, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise PainkitError(f"{name} is not an array of numbers", expected="floats") from error
        if array.ndim != 1:
            raise PainkitError(f"{name} has shape {array.shape}", expected="one dimension (n,)")
        bad = np.flatnonzero(~np.isfinite(array))
        if bad.size:
            raise PainkitError(
                f"{name} has {bad.size} missing or infinite values, the first at index {bad[0]}",
                expected="finite numbers",
            )
        arrays.append(array)
    if arrays[0].shape != arrays[1].shape:
        raise PainkitError(
            f"y_true has {arrays[0].size} values and y_pred has {arrays[1].size}", expected="as many of each"
        )
    return arrays[0], arrays[1]

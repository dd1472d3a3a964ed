"""What every metric asks of its arrays."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from painkit.errors import PainkitError

__all__ = ["Floats", "finite"]

Floats = NDArray[np.float64]


def finite(name: str, given: ArrayLike) -> Floats:
    """Return an array as floats of shape (n,).

    Raises
    ------
    PainkitError
        When it is not one-dimensional, no numbers, or a value is missing or infinite; `name` tells which.
    """
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
    return array

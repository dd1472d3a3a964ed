"""Labels as estimators take them."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from painkit.errors import PainkitError

__all__ = ["numbers"]


def numbers(y: ArrayLike) -> NDArray[np.float64]:
    """Labels as float64, NaN where missing.

    Raises
    ------
    PainkitError
        When they are no numbers.
    """
    try:
        return np.asarray(y, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise PainkitError(f"labels are no numbers: {error}", expected="NaN where missing") from error

"""What every metric asks of its arrays."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from painkit.errors import PainkitError

__all__ = ["Floats", "finite", "paired", "paired_classes", "require_classes"]

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


def paired(y_true: ArrayLike, y_pred: ArrayLike) -> tuple[Floats, Floats]:
    """Return both as float arrays of one shape (n,).

    Raises
    ------
    PainkitError
        When the shapes differ, are not one-dimensional, or a value is missing or infinite.
    """
    true, pred = finite("y_true", y_true), finite("y_pred", y_pred)
    if true.shape != pred.shape:
        raise PainkitError(
            f"y_true has {true.size} values and y_pred has {pred.size}", expected="as many of each"
        )
    return true, pred


def paired_classes(
    y_true: ArrayLike, y_pred: ArrayLike, n_classes: int | None = None
) -> tuple[Floats, Floats]:
    """Return both as float arrays of one shape (n,) that hold classes 0..n_classes-1, or any classes.

    Raises
    ------
    PainkitError
        As `paired` and `require_classes` do.
    """
    true, pred = paired(y_true, y_pred)
    require_classes("y_true", true, n_classes)
    require_classes("y_pred", pred, n_classes)
    return true, pred


def require_classes(name: str, values: Floats, n_classes: int | None = None) -> None:
    """Refuse finite values of which one is no class 0..n_classes-1, or no class at all."""
    top = np.inf if n_classes is None else n_classes - 1
    bad = np.flatnonzero((values != np.floor(values)) | (values < 0) | (values > top))
    if bad.size:
        classes = "integers from 0" if n_classes is None else f"integers 0-{top}"
        raise PainkitError(
            f"{name} holds {bad.size} values that are no class, {values[bad[0]]:g} at index {bad[0]} first",
            expected=f"{classes}; to_classes rounds estimates",
        )

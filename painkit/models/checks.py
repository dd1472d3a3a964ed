"""Checks of what estimators are given: parameters and labels."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, Literal, get_args, get_origin, get_type_hints

import numpy as np
from numpy.typing import ArrayLike, NDArray

from painkit.errors import PainkitError

__all__ = ["check_settings", "numbers"]

#: Least values of parameters, which mean the same in every estimator.
_LEAST: Final = {
    "batch_size": 1,
    "channels": 1,
    "epochs": 1,
    "frame_step": 1,
    "hidden": 1,
    "iterations": 0,
    "kernel": 1,
    "lr": 0,
    "max_iter": 0,
    "n_states": 1,
    "steps": 0,
    "window": 1,
}


def check_settings(estimator: Any) -> None:
    """Refuse values that a parameter's type does not list, and numbers below their least.

    Raises
    ------
    PainkitError
    """
    hints = get_type_hints(type(estimator))
    for name, value in estimator.get_params(deep=False).items():
        accepted = list(_listed(hints[name]))
        if accepted and value not in accepted:
            raise PainkitError(f"{name}={value!r}", expected=" or ".join(map(repr, accepted)))
        least = _LEAST.get(name)
        if least is not None and value is not None and not value >= least:
            raise PainkitError(f"{name}={value!r}", expected=f"at least {least}")


def _listed(hint: Any) -> Iterator[Any]:
    """Give the values that a type lists: those of a Literal, and None beside one; none of another type."""
    parts = get_args(hint)
    if get_origin(hint) is Literal:
        yield from parts
    elif any(get_origin(part) is Literal for part in parts):
        for part in parts:
            yield from [None] if part is type(None) else _listed(part)


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

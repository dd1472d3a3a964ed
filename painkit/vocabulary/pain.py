"""Pain intensity from action units, and the coarser levels made of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from painkit.errors import PainkitError

__all__ = ["LEVELS", "PSPI_UNITS", "level_0_5", "pspi", "seven_levels"]

Floats = NDArray[np.float64]

PSPI_UNITS = ("AU4", "AU6", "AU7", "AU9", "AU10", "AU43")
# Lower ends of the levels above 0.
LEVEL_0_5 = (1, 2, 3, 4, 6)
SEVEN_LEVELS = (1, 3, 5, 7, 10, 13)


def pspi(aus: pd.DataFrame | Mapping[str, Any]) -> Floats:
    """Prkachin and Solomon pain intensity of every frame.

    PSPI = AU4 + max(AU6, AU7) + max(AU9, AU10) + AU43 (Prkachin and Solomon 2008; Liu et al. 2017, Eq. 1).

    Parameters
    ----------
    aus : DataFrame or mapping
        Columns AU4, AU6, AU7, AU9, AU10 (intensity 0-5) and AU43 (0-1), each (n,).

    Returns
    -------
    (n,) float
        0-16; NaN where a unit is missing.

    Raises
    ------
    PainkitError
        When a column is missing or an intensity is out of range.
    """
    missing = [unit for unit in PSPI_UNITS if unit not in aus]
    if missing:
        raise PainkitError(f"no column {', '.join(missing)}", expected=", ".join(PSPI_UNITS))
    units = {unit: np.asarray(aus[unit], dtype=np.float64) for unit in PSPI_UNITS}
    for unit, values in units.items():
        top = 1 if unit == "AU43" else 5
        if np.any((values < 0) | (values > top)):
            raise PainkitError(
                f"{unit} runs from {np.nanmin(values):g} to {np.nanmax(values):g}", expected=f"0-{top}"
            )
    return np.asarray(
        units["AU4"]
        + np.maximum(units["AU6"], units["AU7"])
        + np.maximum(units["AU9"], units["AU10"])
        + units["AU43"]
    )


def level_0_5(pspi: ArrayLike) -> Floats:
    """Quantise PSPI as 0 | 1 | 2 | 3 | 4-5 | 6+ into levels 0-5.

    The table of the code released with Wang et al. 2017; their text (Sec. 4.1) names another scale.

    Parameters
    ----------
    pspi : array-like
        0-16, any shape; values between two integers go with the lower one.

    Returns
    -------
    array of float
        Same shape; NaN stays NaN.

    Raises
    ------
    PainkitError
        When a value is outside 0-16.
    """
    return _quantise(pspi, LEVEL_0_5)


def seven_levels(pspi: ArrayLike) -> Floats:
    """Quantise PSPI as 0 | 1-2 | 3-4 | 5-6 | 7-9 | 10-12 | 13+ into levels 0-6 (Hosseini et al., Table I).

    Parameters, result and errors are those of `level_0_5`.
    """
    return _quantise(pspi, SEVEN_LEVELS)


def _quantise(pspi: ArrayLike, edges: tuple[int, ...]) -> Floats:
    values = np.asarray(pspi, dtype=np.float64)
    if np.any((values < 0) | (values > 16)):
        raise PainkitError(f"PSPI runs from {np.nanmin(values):g} to {np.nanmax(values):g}", expected="0-16")
    return np.where(np.isnan(values), np.nan, np.digitize(values, edges).astype(np.float64))


#: Levels made of PSPI, by the key of their scale.
LEVELS: Final[Mapping[str, Callable[[ArrayLike], Floats]]] = {
    "level": level_0_5,
    "seven_levels": seven_levels,
}

"""The scales of the labels; a number without one of these names means nothing."""

from __future__ import annotations

from dataclasses import dataclass

from painkit.errors import PainkitError

__all__ = ["SCALES", "Scale", "scale_of"]


@dataclass(frozen=True)
class Scale:
    """A closed range of integer labels.

    Attributes
    ----------
    key : str
        Short name, also the `target` of a run.
    label : str
        As printed beside every number.
    low, high : int
        Ends of the range of the label (an estimate may lie outside).
    """

    key: str
    label: str
    low: int
    high: int


SCALES = {
    scale.key: scale
    for scale in (
        Scale("level", "level 0-5", 0, 5),
        Scale("seven_levels", "seven levels 0-6", 0, 6),
        # 15 is the largest value on disk, 16 the largest the formula gives.
        Scale("pspi", "PSPI 0-16", 0, 16),
        Scale("vas", "VAS 0-10", 0, 10),
        Scale("opi", "OPI 0-5", 0, 5),
        Scale("aff", "AFF 0-15", 0, 15),
        Scale("sen", "SEN 0-15", 0, 15),
    )
}


def scale_of(key: str) -> Scale:
    """Look a scale up by its key.

    Raises
    ------
    PainkitError
        When there is no such scale.
    """
    try:
        return SCALES[key]
    except KeyError:
        raise PainkitError(f"there is no scale {key!r}", expected=", ".join(SCALES)) from None

"""The scales of the labels; a number without one of these names means nothing."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from painkit.errors import PainkitError, unknown
from painkit.vocabulary.classes import EMOTIONS, EXPRESSIONS, STIMULI

__all__ = [
    "SCALES",
    "SEQUENCE_LABELS",
    "UNIT_SCALES",
    "Scale",
    "expression_scale",
    "known_scale",
    "scale_of",
]


@dataclass(frozen=True)
class Scale:
    """A closed range of integer labels, or numbered classes.

    Attributes
    ----------
    key : str
        Short name, also the `target` of a run.
    label : str
        As printed beside every number.
    low, high : int
        Ends of the range of the label (an estimate may lie outside).
    classes : tuple of str
        Names of `low` to `high`, where these are classes.
    ordered : bool
        Whether a larger number means more; distances between classes without an order mean nothing.
    """

    key: str
    label: str
    low: int
    high: int
    classes: tuple[str, ...] = ()
    ordered: bool = True


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
        Scale("stimulus", "stimulus BL1-PA4", 0, 4, STIMULI),
        Scale("pain", "pain 0-1", 0, 1, ("no pain", "pain")),
        Scale("emotion", "emotion", 0, 7, EMOTIONS, ordered=False),
        Scale("expression", "expression", 0, 2, EXPRESSIONS, ordered=False),
    )
}

#: What the action units of a cohort are given as.
UNIT_SCALES: Final = {
    scale.key: scale
    for scale in (Scale("intensity", "intensity 0-5", 0, 5), Scale("detected", "detector output 0-1", 0, 1))
}

#: Labels that a sequence has as a whole. OPI is called OPR in the archive.
SEQUENCE_LABELS = ("vas", "opi", "aff", "sen")


_LISTED: Final = re.compile(r"expression\((.*)\)", re.DOTALL)


def expression_scale(classes: Sequence[str]) -> Scale:
    """Scale of a list of expressions: "expression" for those of Weitz et al., else one of its own.

    The key of another list names its classes, ``"expression(pain|no pain)"``, so that a table of predictions
    tells alone what its numbers mean, and no number of one list is compared with one of another.

    Raises
    ------
    PainkitError
        For fewer than two classes, a class named twice, or a name that is empty or holds ``|``.
    """
    names = tuple(classes)
    if names == EXPRESSIONS:
        return SCALES["expression"]
    if len(set(names)) < max(len(names), 2) or any(not name.strip() or "|" in name for name in names):
        raise PainkitError(f"classes {', '.join(names)}", expected="two names or more, each once, without |")
    key = f"expression({'|'.join(names)})"
    return Scale(key, f"expression: {', '.join(names)}", 0, len(names) - 1, names, ordered=False)


def known_scale(key: str | None) -> Scale | None:
    """Look a scale up by its key; None where there is no such scale."""
    listed = _LISTED.fullmatch(key or "")
    if listed is None:
        return SCALES.get(key or "")
    try:
        return expression_scale(listed[1].split("|"))
    except PainkitError:
        return None


def scale_of(key: str) -> Scale:
    """Look a scale up by its key.

    Raises
    ------
    PainkitError
        When there is no such scale.
    """
    found = known_scale(key)
    if found is None:
        raise unknown("scale", key, SCALES)
    return found

"""Action units of the Facial Action Coding System (Ekman, Friesen and Hager 2002): names and places."""

from __future__ import annotations

from typing import Final

from painkit.vocabulary.landmarks import MIRROR

__all__ = ["ACTION_UNITS", "AUS", "UNIT_LANDMARKS", "UNIT_NAMES", "UNIT_REGIONS"]

UNIT_NAMES: Final = {
    1: "inner brow raiser",
    2: "outer brow raiser",
    4: "brow lowerer",
    5: "upper lid raiser",
    6: "cheek raiser",
    7: "lid tightener",
    9: "nose wrinkler",
    10: "upper lip raiser",
    12: "lip corner puller",
    15: "lip corner depressor",
    17: "chin raiser",
    20: "lip stretcher",
    25: "lips part",
    26: "jaw drop",
    27: "mouth stretch",
    43: "eyes closed",
    50: "speech",
}

#: Units coded in UNBC-McMaster: the columns that frames have in every cohort.
ACTION_UNITS: Final = (4, 6, 7, 9, 10, 12, 15, 20, 25, 26, 27, 43, 50)

#: Units that move a simulated face.
AUS: Final = (1, 2, 4, 5, 6, 7, 9, 10, 12, 15, 17, 20, 25, 26, 43)

_LEFT: Final = {
    4: (19, 20, 21),
    6: (40, 41),
    7: (37, 38, 40, 41),
    9: (31, 32),
    10: (49, 50),
    12: (48,),
    20: (48,),
    25: (60, 65),
    26: (6, 7),
    43: (37, 38),
}
#: Landmarks about which each unit shows, on the viewer's left and right.
UNIT_LANDMARKS: Final[dict[int, tuple[tuple[int, ...], tuple[int, ...]]]] = {
    unit: (left, tuple(MIRROR[list(left)].tolist())) for unit, left in _LEFT.items()
}

#: Where each unit shows: keys of `painkit.vocabulary.landmarks.REGIONS`.
UNIT_REGIONS: Final[dict[int, tuple[str, ...]]] = {
    1: ("brows",),
    2: ("brows",),
    4: ("brows",),
    5: ("eyes",),
    6: ("eyes",),
    7: ("eyes",),
    9: ("nose",),
    10: ("nose", "mouth"),
    12: ("mouth",),
    15: ("mouth",),
    17: ("mouth", "jaw"),
    20: ("mouth",),
    25: ("mouth",),
    26: ("mouth", "jaw"),
    27: ("mouth", "jaw"),
    43: ("eyes",),
}

"""The 66-point landmark scheme: iBUG's 68 without the inner mouth corners (68-indices 60 and 64).

Points 0-59 carry the same index in both schemes. "Left" and "right" are the viewer's.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "EYES",
    "FROM_68",
    "GROUPS",
    "LINES",
    "MIRROR",
    "N_LANDMARKS",
    "OTHER_SCHEMES",
    "REGIONS",
    "landmark_name",
]

N_LANDMARKS: Final = 66

#: Rows of a 68-point array that make the 66-point one.
FROM_68: Final[NDArray[np.intp]] = np.delete(np.arange(68), [60, 64])

#: Other schemes by their number of points; no table leads from them to these landmarks.
OTHER_SCHEMES: Final[dict[int, str]] = {
    5: "eyes, nose and mouth corners, as face detectors give",
    49: "iBUG without jaw and inner mouth corners",
    98: "WFLW, as OpenFace 3 gives",
    106: "JD landmark",
    468: "MediaPipe face mesh",
    478: "MediaPipe face mesh with irises, as py-feat's MPDetector gives",
}

#: Landmarks of each part of the face.
GROUPS: Final[dict[str, tuple[int, ...]]] = {
    "jaw": tuple(range(17)),
    "left brow": tuple(range(17, 22)),
    "right brow": tuple(range(22, 27)),
    "nose bridge": tuple(range(27, 31)),
    "nostrils": tuple(range(31, 36)),
    "left eye": tuple(range(36, 42)),
    "right eye": tuple(range(42, 48)),
    "outer lips": tuple(range(48, 60)),
    "inner lips": tuple(range(60, 66)),
}

EYES: Final = (GROUPS["left eye"], GROUPS["right eye"])

#: Landmarks of the regions that people speak of.
REGIONS: Final[dict[str, tuple[int, ...]]] = {
    "brows": GROUPS["left brow"] + GROUPS["right brow"],
    "eyes": GROUPS["left eye"] + GROUPS["right eye"],
    "nose": GROUPS["nose bridge"] + GROUPS["nostrils"],
    "mouth": GROUPS["outer lips"] + GROUPS["inner lips"],
    "jaw": GROUPS["jaw"],
}

#: Polylines that draw a face; the inner lips run from mouth corner to mouth corner.
LINES: Final[tuple[tuple[int, ...], ...]] = (
    GROUPS["jaw"],
    GROUPS["left brow"],
    GROUPS["right brow"],
    GROUPS["nose bridge"],
    GROUPS["nostrils"],
    (*GROUPS["left eye"], 36),
    (*GROUPS["right eye"], 42),
    (*GROUPS["outer lips"], 48),
    (48, 60, 61, 62, 54, 63, 64, 65, 48),
)

#: Index of each landmark's partner in the mirrored face.
MIRROR: Final[NDArray[np.intp]] = np.array(
    [
        *range(16, -1, -1),
        *range(26, 16, -1),
        *(27, 28, 29, 30, 35, 34, 33, 32, 31),
        *(45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40),
        *(54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55),
        *(62, 61, 60, 65, 64, 63),
    ]
)


def landmark_name(index: int) -> str:
    """Return a landmark's name, such as ``"outer lips 1"`` (counted from 1 along its part).

    Raises
    ------
    IndexError
        When `index` is not in 0..65.
    """
    for part, members in GROUPS.items():
        if index in members:
            return f"{part} {members.index(index) + 1}"
    raise IndexError(f"landmark {index} is not in 0..{N_LANDMARKS - 1}")

"""Which pixels of a picture belong to which part of a face, by its landmarks.

Distances are in units of the distance between the eyes' centres, so that a face of any size, in any picture,
is divided alike.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from painkit.errors import PainkitError
from painkit.vocabulary.action_units import UNIT_LANDMARKS
from painkit.vocabulary.landmarks import EYES, N_LANDMARKS, REGIONS

__all__ = ["OUTSIDE", "PARTS", "part_masks", "unit_masks"]

OUTSIDE: Final = "background"
PARTS: Final = (*REGIONS, "forehead", "cheeks", OUTSIDE)
"""Parts that every picture is divided into, without overlap: the vocabulary's regions, and what is left."""

NEAR: Final = 0.3
"""A pixel this near to a landmark belongs to the region of its nearest one."""
SIDES: Final = (0, 1, 2, 3, 13, 14, 15, 16)
"""Landmarks of the outline from the ears to the mouth's height: beside them are cheeks, not the jaw."""
CHIN: Final = (*range(4, 13), *range(55, 60))
"""Landmarks of the lower outline and lower lip, which a wide chin keeps apart: these reach any distance."""
FOREHEAD: Final = 0.7
"""Height of the forehead above the brows."""
PATCH: Final = 0.156
"""Half the side of the 11 x 11 patches about units' landmarks in a 112 x 96 crop (Li et al. 2018)."""

Masks = NDArray[np.bool_]


def part_masks(landmarks: NDArray[np.floating], size: tuple[int, int]) -> dict[str, Masks]:
    """Divide a picture into `PARTS`.

    The face is the hull of the landmarks and of a forehead above the brows. In it, a pixel near a landmark
    belongs to the region of the nearest one; what is left is forehead where that one is a brow, else cheek.

    Parameters
    ----------
    landmarks : (66, 2) array
        Pixels of this picture, x right and y down.
    size : (height, width)

    Returns
    -------
    dict of str to (height, width) bool array

    Raises
    ------
    PainkitError
        When landmarks are missing or of another shape.
    """
    points, unit, up = _measured(landmarks)
    brows = points[list(REGIONS["brows"])]
    outline = np.concatenate([points, brows + FOREHEAD * unit * up])
    hull = cv2.convexHull(np.round(outline * 16).astype(np.int32))
    face = np.zeros(size, dtype=np.uint8)
    cv2.fillConvexPoly(face, hull, 1, shift=4)
    distance, nearest = KDTree(points).query(_pixels(size))
    near = np.reshape(distance, size) <= NEAR * unit
    number = np.empty(N_LANDMARKS, dtype=np.intp)
    for i, members in enumerate(REGIONS.values()):
        number[list(members)] = i
    number[list(SIDES)] = -1
    region = number[nearest].reshape(size)
    inside, order = face.astype(bool), list(REGIONS)
    near |= np.isin(nearest, CHIN).reshape(size)
    masks = {name: inside & near & (region == i) for i, name in enumerate(order)}
    forehead = inside & ~near & (region == order.index("brows"))
    left = inside & ~forehead & ~np.any(list(masks.values()), axis=0)
    return masks | {"forehead": forehead, "cheeks": left, OUTSIDE: ~inside}


def unit_masks(landmarks: NDArray[np.floating], size: tuple[int, int]) -> dict[int, Masks]:
    """Pixels about the landmarks of each action unit of `UNIT_LANDMARKS`, on both sides; they overlap.

    Parameters, errors: see `part_masks`.
    """
    points, unit, _ = _measured(landmarks)
    across, down = (
        np.abs(np.arange(n) - points[:, [k]]) <= PATCH * unit for k, n in enumerate((size[1], size[0]))
    )
    patches = down[:, :, None] & across[:, None, :]
    return {
        au: np.logical_or.reduce(patches[[*left, *right]]) for au, (left, right) in UNIT_LANDMARKS.items()
    }


def _measured(
    landmarks: NDArray[np.floating],
) -> tuple[NDArray[np.float64], float, NDArray[np.float64]]:
    """Landmarks, the distance between the eyes' centres, and the face's upward direction."""
    points = np.asarray(landmarks, dtype=np.float64)
    if points.shape != (N_LANDMARKS, 2) or not np.isfinite(points).all():
        raise PainkitError(f"landmarks of shape {points.shape}", expected=f"({N_LANDMARKS}, 2) finite pixels")
    across = points[list(EYES[1])].mean(axis=0) - points[list(EYES[0])].mean(axis=0)
    unit = float(np.linalg.norm(across))
    if unit < 1e-6:
        raise PainkitError("both eyes at one place", expected="landmarks of a face")
    return points, unit, np.array([across[1], -across[0]]) / unit


def _pixels(size: tuple[int, int]) -> NDArray[np.float64]:
    """Centres (n, 2) of all pixels, x and y, row after row."""
    return np.stack(np.meshgrid(np.arange(size[1]), np.arange(size[0])), axis=-1).reshape(-1, 2).astype(float)

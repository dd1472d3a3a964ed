"""Where each action unit shows: polygons on the mean face, carried to any other face."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.interpolate import RBFInterpolator

from painkit.errors import PainkitError
from painkit.simulation.anatomy import MEAN_FACE
from painkit.vocabulary.action_units import AUS

__all__ = ["AU_REGIONS", "SHORTCUT_REGION", "region_mask"]

SHORTCUT_REGION: Final = (284, 22, 300, 38)
"""x0, y0, x1, y1 (exclusive) of the shortcut mark in a 320x240 image."""

Polygon = NDArray[np.float64]

# Outlines on the image's left half (mirrored), or across the midline, in pixels of the mean face.
_BROW = [(-52, -2), (-51, -24), (-30, -32), (-8, -30), (-6, -6), (-22, -7), (-38, -4)]
_FOREHEAD = [(-51, -18), (-46, -52), (46, -52), (51, -18), (10, -8), (-10, -8)]
_INNER_FOREHEAD = [(-36, -16), (-30, -48), (30, -48), (36, -16), (12, -5), (-12, -5)]
_LIDS = [(-45, 1), (-40, -11), (-25, -16), (-10, -10), (-6, 3), (-13, 13), (-25, 16), (-40, 11)]
_CROW = [(-38, 0), (-36, -18), (-52, -18), (-58, 4), (-57, 18), (-40, 12)]
_CHEEK = [(-56, 4), (-10, 4), (-8, 12), (-12, 30), (-20, 50), (-36, 54), (-55, 44)]
_NOSE = [(-13, -24), (13, -24), (15, 10), (24, 26), (18, 42), (-18, 42), (-24, 26), (-15, 10)]
_MOUTH = [
    (-44, 58), (-38, 42), (-12, 36), (12, 36), (38, 42), (44, 58), (36, 74), (12, 78), (-12, 78), (-36, 74)
]  # fmt: skip
_FOLD = [(-9, 30), (-20, 26), (-36, 38), (-44, 62), (-28, 74), (-20, 62), (-18, 46)]
_CHIN = [(-30, 62), (30, 62), (34, 78), (16, 94), (-16, 94), (-34, 78)]
_JAW = [(-54, 40), (-26, 50), (26, 50), (54, 40), (52, 68), (34, 94), (0, 110), (-34, 94), (-52, 68)]


def _both(*halves: Sequence[tuple[float, float]]) -> tuple[Polygon, ...]:
    polygons = [np.array(half, dtype=float) for half in halves]
    return tuple(p for half in polygons for p in (half, half * (-1, 1)))


def _one(*outlines: Sequence[tuple[float, float]]) -> tuple[Polygon, ...]:
    return tuple(np.array(outline, dtype=float) for outline in outlines)


AU_REGIONS: Final[Mapping[int, tuple[Polygon, ...]]] = MappingProxyType(
    {
        1: _one(_INNER_FOREHEAD) + _both(_BROW),
        2: _one(_FOREHEAD) + _both(_BROW),
        4: _one(_INNER_FOREHEAD) + _both(_BROW, _LIDS),
        5: _both(_LIDS),
        6: _both(_LIDS, _CROW, _CHEEK),
        7: _both(_LIDS),
        9: _one(_NOSE, _MOUTH) + _both(_BROW, _LIDS, _FOLD, [*_CHEEK[1:5], (-26, 12)]),
        10: _one(_NOSE, _MOUTH) + _both(_FOLD),
        12: _one(_MOUTH) + _both(_FOLD, _CHEEK),
        15: _one(_MOUTH, _CHIN) + _both(_FOLD),
        17: _one(_MOUTH, _CHIN),
        20: _one(_MOUTH, _CHIN) + _both(_FOLD),
        25: _one(_MOUTH),
        26: _one(_MOUTH, _CHIN, _JAW),
        43: _both(_LIDS),
    }
)
"""Polygons (k, 2) of each action unit's region, in mean-face pixels (`MEAN_FACE`'s x and y)."""


def region_mask(au: int, landmarks: ArrayLike, size: tuple[int, int] = (240, 320)) -> NDArray[np.bool_]:
    """Pixels in which an action unit may show on a given face.

    Parameters
    ----------
    au : int
        One of `AUS`.
    landmarks : (66, 2) array
        Pixels (x, y) of this face in the wanted picture: an image, or a crop aligned by warping image and
        landmarks alike.
    size : (height, width)
        Of the picture.

    Returns
    -------
    (height, width) bool array
        The unit's polygons, carried from the mean face by a smooth thin-plate map through the landmarks.

    Raises
    ------
    PainkitError
        For an unknown unit, or landmarks of another shape or not finite.
    """
    points = np.asarray(landmarks, dtype=float)
    if au not in AU_REGIONS:
        raise PainkitError(f"no region for action unit {au}", expected=", ".join(map(str, AUS)))
    if points.shape != (66, 2) or not np.isfinite(points).all():
        raise PainkitError(f"landmarks of shape {points.shape}", expected="(66, 2) finite pixels")
    # Smoothing lets the closed lips' coinciding points part.
    carry = RBFInterpolator(MEAN_FACE[:, :2], points, kernel="thin_plate_spline", smoothing=50.0)
    mask = np.zeros(size, dtype=np.uint8)
    for polygon in AU_REGIONS[au]:
        outline = carry(polygon)
        cv2.fillPoly(mask, [np.round(outline * 16).astype(np.int32)], 1, shift=4)
    return mask.astype(bool)

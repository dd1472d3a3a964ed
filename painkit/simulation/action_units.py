"""What each action unit does to the landmarks.

Directions follow the Facial Action Coding System (Ekman, Friesen and Hager, 2002); sizes are drawn so that
intensity 5 is the strongest a person shows. Intensities are 0 (absent) to 5 (E); movement is linear in them.
Closed eyes are AU43 = 5.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from painkit.errors import PainkitError
from painkit.simulation.anatomy import MEAN_POINTS, Person, project, resting_points, side
from painkit.vocabulary.action_units import AUS

__all__ = ["DISPLACEMENT", "MAX_INTENSITY", "landmarks", "landmarks_3d", "moved_points"]

Array = NDArray[np.float64]
MAX_INTENSITY: Final = 5.0

# Pixels (x, y, z) at intensity 5 for points on the image's left half: +x is towards the midline, +y down.
_HALF: dict[int, dict[int, tuple[float, float, float]]] = {
    1: {  # inner brow raiser
        21: (0.6, -7.5, 0), 20: (0.3, -5.8, 0), 19: (0, -2.2, 0), 71: (0, -4, 0), 72: (0, -1, 0),
        66: (0, -3, 0),
        67: (0, -3, 0)},
    2: {  # outer brow raiser
        17: (-0.3, -5.5, 0), 18: (-0.3, -6.6, 0), 19: (0, -4.8, 0), 20: (0, -1.8, 0), 72: (0, -1, 0),
        67: (0, -1.2, 0), 69: (0, -3, 0)},
    4: {  # brow lowerer: down and together
        21: (3.6, 5.6, 0.5), 20: (3.0, 5.6, 0.5), 19: (1.8, 4.2, 0), 18: (0.8, 2.2, 0), 17: (0, 0.8, 0),
        71: (0, 2.5, 1), 72: (0.6, 2.8, 0), 66: (0, 1, 0), 67: (0.5, 1, 0), 27: (0, 0.8, 0), 37: (0, 0.5, 0),
        38: (0, 0.9, 0)},
    5: {  # upper lid raiser
        37: (0, -3.2, 0), 38: (0, -3.2, 0), 40: (0, 0.3, 0), 41: (0, 0.3, 0), 72: (0, -1.2, 0)},
    6: {  # cheek raiser: narrows the eye from below, draws in the outer corner
        40: (0, -1.9, 0), 41: (0, -2.3, 0), 36: (0.8, -0.3, 0), 17: (0.2, 0.7, 0), 18: (0, 0.4, 0),
        74: (0, -2, 0), 76: (0, -4, 1.5), 78: (1.2, -3.4, 1), 80: (0, -6, 3), 84: (1, -5, 1), 82: (0, -3, 1),
        86: (-0.5, -2.5, 1)},
    7: {  # lid tightener: the lower lid rises and straightens, the upper one comes down a little
        37: (0, 1.8, 0), 38: (0, 1.7, 0), 40: (0, -2.9, 0), 41: (0, -2.8, 0), 74: (0, -2.2, 0),
        76: (0, -2.4, 0),
        78: (0, -1.2, 0)},
    9: {  # nose wrinkler: lifts wings and upper lip, draws the inner ends of the brows down a little
        31: (-1.2, -5.4, 0), 32: (-0.5, -4.4, 0), 33: (0, -3.2, 0), 30: (0, -2.4, 0), 29: (0, -1.6, 0),
        28: (0, -0.6, 0), 27: (0, 0.7, 0), 71: (0, 1, 0), 21: (0.9, 1.6, 0), 20: (0.4, 1.2, 0),
        19: (0.1, 0.4, 0), 72: (0, 0.4, 0), 49: (-0.5, -1.9, 0), 50: (-0.2, -3, 0), 51: (0, -2.4, 0),
        60: (0, -1.4, 0), 61: (0, -1.4, 0),
        74: (0, -1.6, 0), 82: (0, -6, 2), 40: (0, -0.9, 0), 41: (0, -0.7, 0), 37: (0, 0.3, 0),
        38: (0, 0.5, 0), 86: (-0.6, -2.6, 0)},
    10: {  # upper lip raiser
        49: (-0.8, -4.4, 0.5), 50: (-0.6, -5.6, 1), 51: (0, -4.4, 1), 60: (-0.4, -3.6, 0.5),
        61: (0, -3.4, 0.5),
        48: (-0.6, -1.2, 0), 31: (-1.2, -2, 0), 32: (-0.3, -1.2, 0), 82: (-0.3, -3, 1), 86: (-1.2, -4, 1.5),
        80: (0, -1.5, 0)},
    12: {  # lip corner puller
        48: (-8.5, -6.6, -3), 49: (-5, -2.6, -1), 50: (-1.8, -0.4, -0.5), 51: (0, 0.2, -0.5),
        59: (-5, -3.4, -1),
        58: (-2, -1.2, 0), 57: (0, -0.4, 0), 60: (-3, -0.6, 0), 65: (-3, -0.5, 0), 80: (-1.5, -3.5, 3),
        84: (-1.5, -2, 1),
        86: (-5, -5, 2), 82: (-0.8, -1, 1), 31: (-1.1, -0.5, 0),
        76: (0, -0.8, 0)},
    15: {  # lip corner depressor
        48: (-0.6, 7, 0), 49: (-0.3, 2.2, 0), 59: (-0.6, 4.2, 0), 58: (0, 1, 0), 50: (0, 0.2, 0),
        60: (0, 0.6, 0),
        65: (0, 0.6, 0), 86: (0.4, 1.8, 0), 90: (-0.5, 1.2, 0)},
    17: {  # chin raiser: pushes the lower lip up and out, the corners bend down
        88: (0, -7.8, 3.5), 89: (0, -7.2, 1.5), 90: (0.4, -5.2, 1), 8: (0, -4.2, 0), 7: (0, -3.4, 0),
        6: (0, -1.5, 0), 57: (0, -6.6, 2), 58: (0, -5.8, 1.5), 59: (0, -2.8, 0), 64: (0, -5.2, 1.5),
        65: (0, -4.6, 1.5), 61: (0, -3.2, 1), 60: (0, -2.6, 1), 51: (0, -2, 0.5), 50: (0, -2, 0.5),
        49: (0, -0.9, 0), 48: (0, 2.2, 0)},
    20: {  # lip stretcher
        48: (-8, 1.6, -3), 49: (-4.8, 1, -1), 50: (-1.8, 0.9, 0), 51: (0, 0.8, 0), 59: (-5.4, -0.6, -1),
        58: (-2.8, -1.2, 0), 57: (0, -1.2, 0), 60: (-3, 0, 0), 65: (-3, 0, 0), 86: (-2.4, 0.8, 0)},
    25: {  # lips part
        60: (0, -2.4, 0), 61: (0, -2.6, 0), 51: (0, -1.8, 0), 50: (0, -1.8, 0), 49: (0, -1, 0),
        65: (0, 4.2, 0),
        64: (0, 4.6, 0), 57: (0, 3.6, 0), 58: (0, 3.3, 0), 59: (0, 2.3, 0)},
    26: {  # jaw drop
        8: (0, 14, -3), 7: (0, 13.5, -3), 6: (0, 12, -2), 5: (0.6, 9.5, -2), 4: (0.8, 6.2, 0), 3: (0.6, 3, 0),
        2: (0.3, 1, 0), 88: (0, 13.5, -3), 89: (0, 13, -3), 90: (0, 12.5, -2), 57: (0, 12, -2),
        58: (0.4, 11.4, -2),
        59: (1, 9.4, -1), 48: (2, 3.6, 0), 49: (0.6, 0.6, 0), 64: (0, 12, -2), 65: (0.4, 11.4, -2),
        86: (1, 2.5, 0), 60: (0, -0.4, 0), 61: (0, -0.4, 0)},
    43: {  # eyes closed
        37: (0, 7.0, 0), 38: (0, 7.0, 0), 41: (0, -0.8, 0), 40: (0, -1, 0), 72: (0, 1, 0)},
}  # fmt: skip

_MOVES: Final = np.stack([side(_HALF[au]) for au in AUS])
DISPLACEMENT: Final = _MOVES[:, :66]

_UPPER, _LOWER = np.array([37, 38, 43, 44]), np.array([41, 40, 47, 46])
_LIP_UPPER, _LIP_LOWER = np.array([60, 61, 62]), np.array([65, 64, 63])


def moved_points(person: Person, aus: ArrayLike) -> Array:
    """Where all 106 points of a head lie while action units act.

    Parameters
    ----------
    person : Person
    aus : (n, 15) array
        Intensities 0-5 in the order of `AUS`.

    Returns
    -------
    (n, 106, 3) array
        Pixels at scale 1. Displacements add up; lids scale with how open the person's eyes are, and neither
        lids nor lips pass through each other.
    """
    aus = np.asarray(aus, dtype=float)
    if aus.ndim != 2 or aus.shape[1] != len(AUS):
        raise PainkitError(f"action units of shape {aus.shape}", expected=f"(n, {len(AUS)})")
    if not ((aus >= 0) & (aus <= MAX_INTENSITY)).all():
        raise PainkitError("action-unit intensity out of range", expected="0 to 5")
    rest = resting_points(person)
    move = np.tensordot(aus / MAX_INTENSITY, _MOVES, axes=1)
    opening = (rest[_LOWER, 1] - rest[_UPPER, 1]) / (MEAN_POINTS[_LOWER, 1] - MEAN_POINTS[_UPPER, 1])
    move[:, _UPPER, 1] *= opening
    move[:, _LOWER, 1] *= opening
    points = rest + move
    for upper, lower in ((_UPPER, _LOWER), (_LIP_UPPER, _LIP_LOWER)):
        crossed = np.maximum(points[:, upper, 1] - points[:, lower, 1], 0)
        # The lower lid yields little to the upper one; lips share.
        share = 0.75 if upper is _UPPER else 0.5
        points[:, upper, 1] -= share * crossed
        points[:, lower, 1] += (1 - share) * crossed
    return np.asarray(points)


def landmarks_3d(person: Person, aus: ArrayLike) -> Array:
    """Landmarks of a person while action units act, before head pose.

    Parameters
    ----------
    person : Person
    aus : (n, 15) array
        Intensities 0-5 in the order of `AUS`.

    Returns
    -------
    (n, 66, 3) array
        Pixels at scale 1, origin between the eyes, x right, y down, z towards the viewer.
    """
    return moved_points(person, aus)[:, :66]


def landmarks(person: Person, aus: ArrayLike, pose: ArrayLike) -> Array:
    """Landmarks in the image, free of tracking noise.

    Parameters
    ----------
    person : Person
    aus : (n, 15) array
        Intensities 0-5 in the order of `AUS`.
    pose : (n, 6) array
        Yaw, pitch, roll in radians, tx, ty in pixels, scale.

    Returns
    -------
    (n, 66, 2) array
        Pixels in a 320x240 image.
    """
    return project(landmarks_3d(person, aus), pose)

"""A drawn head in three dimensions: mean landmarks, the ways people differ, and head pose.

Coordinates are pixels of a 320x240 image at scale 1: x to the image's right, y down, z towards the viewer;
the origin lies between the eyes. The first 66 points are the landmarks of the UNBC-McMaster files (iBUG-68
without 60 and 64); the rest are skin, ear and skull points that only the drawing needs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from painkit.errors import PainkitError
from painkit.vocabulary.landmarks import MIRROR, N_LANDMARKS
from painkit.vocabulary.personal import AGES, COMPLEXIONS, GENDERS, Age, Complexion, Gender

__all__ = [
    "IDENTITY_MODES",
    "MEAN_FACE",
    "NEUTRAL_POSE",
    "Person",
    "draw_person",
    "project",
    "resting_points",
    "side",
]

Array = NDArray[np.float64]
ORIGIN: Final = (160.0, 112.0)  # where the point between the eyes is drawn when tx = ty = 0
NEUTRAL_POSE: Final = (0.0, 0.0, 0.0, 0.0, 0.0, 1.0)
N_MODES: Final = 16

# (x, y, z) of the points on the image's left half and on the midline, by landmark number.
_HALF = {
    0: (-55, -4, -42), 1: (-54.5, 13, -38), 2: (-53, 29, -32), 3: (-49.5, 45, -25), 4: (-43, 60, -15),
    5: (-33, 73, -4), 6: (-22, 83, 5), 7: (-11.5, 89.5, 11), 8: (0, 91.5, 13),
    17: (-43, -9, -8), 18: (-37, -16.5, 0), 19: (-28.5, -19.5, 5), 20: (-19, -18.5, 9), 21: (-10.5, -15, 12),
    27: (0, -1.5, 12), 28: (0, 8, 17), 29: (0, 18, 23), 30: (0, 28, 29),
    31: (-11.6, 34.5, 14), 32: (-6, 36.8, 18), 33: (0, 38.4, 20),
    36: (-35.6, 0.2, -4), 37: (-29.0, -4.3, 1), 38: (-20.6, -4.3, 3), 39: (-14.0, 1.4, 1),
    40: (-21.0, 3.5, 2), 41: (-29.0, 3.3, 0),
    48: (-22, 54, 8), 49: (-14, 50.4, 14), 50: (-5.6, 48.4, 17.5), 51: (0, 49.6, 18),
    57: (0, 64.4, 15), 58: (-7, 63.6, 14.5), 59: (-15, 60, 12),
    60: (-7, 55.2, 16), 61: (0, 55.6, 17), 65: (-7, 55.6, 15.5), 64: (0, 56, 16),
    # beyond the landmarks: skin
    66: (0, -38, 10), 67: (-17, -38, 7), 69: (-34, -35, -6), 71: (0, -14, 13), 72: (-25, -9, 3),
    74: (-17, 10, 3), 76: (-25, 11, 1), 78: (-34, 8, -6), 80: (-31, 24, 6), 82: (-20, 27, 10),
    84: (-43, 33, -10),
    86: (-27, 44, 6), 88: (0, 78, 15), 89: (0, 70, 12), 90: (-15, 72, 11),
    # hairline, skull and ears
    92: (0, -60, 2), 93: (-26, -57, -6), 95: (0, -86, -38), 96: (-32, -79, -40), 98: (-54, -56, -44),
    100: (-60, -28, -46), 102: (-62, 4, -46), 104: (-60, 24, -44),
}  # fmt: skip
_MIRROR = {i: int(MIRROR[i]) for i in _HALF if i < N_LANDMARKS and MIRROR[i] != i}
_MIRROR |= {i: i + 1 for i in (67, 69, 72, 74, 76, 78, 80, 82, 84, 86, 90, 93, 96, 98, 100, 102, 104)}
N_POINTS: Final = 106


def side(half: dict[int, tuple[float, float, float]]) -> Array:
    """Mirror vectors given for the image's left half to both halves.

    Parameters
    ----------
    half : mapping of point number to (x, y, z)
        Points on the image's left half and on the midline.

    Returns
    -------
    (106, 3) array
        Zero where a point is not named.
    """
    points = np.zeros((N_POINTS, 3))
    for i, vector in half.items():
        points[i] = vector
        if i in _MIRROR:
            points[_MIRROR[i]] = np.multiply(vector, (-1, 1, 1))
    return points


MEAN_POINTS: Final = side(_HALF)
MEAN_FACE: Final = MEAN_POINTS[:66]


def _bump(x: float, y: float, width: float, height: float | None = None) -> Array:
    """Weight of every point: 1 at (+-x, y), falling off as a Gaussian."""
    dx = (np.abs(MEAN_POINTS[:, 0]) - x) / width
    return np.exp(-0.5 * (dx**2 + ((MEAN_POINTS[:, 1] - y) / (height or width)) ** 2))


def _mode(weight: Array | float = 1.0, *, x: Array | float = 0.0, y: Array | float = 0.0) -> Array:
    """Displacement (106, 3): `x` is outwards, away from the midline."""
    out = np.zeros((N_POINTS, 3))
    out[:, 0] = np.sign(MEAN_POINTS[:, 0]) * x * weight
    out[:, 1] = weight * y
    return out


def _modes() -> Array:
    mx, my = np.abs(MEAN_POINTS[:, 0]), MEAN_POINTS[:, 1]
    low = np.clip(my / 88, 0, 1.2)
    brow = _bump(27, -17, 16, 6)
    brow[17:27] = 1
    eye = _bump(24.6, 0, 14, 9)
    mouth = _bump(0, 56, 24, 12)
    nose = _bump(0, 32, 11, 9)
    upper = np.zeros(N_POINTS)
    lower = np.zeros(N_POINTS)
    upper[[49, 50, 51, 52, 53]] = [0.6, 1, 0.8, 1, 0.6]
    lower[[55, 56, 57, 58, 59]] = [0.6, 1, 1, 1, 0.6]
    modes = [
        _mode(x=0.045 * mx),  # broad face
        _mode(low**2, x=0.08 * mx * (mx > 20)),  # square jaw
        _mode(low, y=3.2 * low),  # long lower face
        _mode(_bump(0, 88, 22, 14), y=2.2),  # long chin
        _mode(eye, y=(my - 0.0) * 0.16),  # open eyes
        _mode(eye, x=(mx - 24.6) * 0.07),  # wide eyes
        _mode(np.maximum(eye, brow), x=0.9),  # eyes apart
        _mode(eye, y=-(mx - 24.6) * 0.09),  # slanted eyes
        _mode(brow, y=-1.1),  # high brows
        _mode(brow, y=-1.5 * np.cos((mx - 32) / 13)),  # arched brows
        _mode(nose, y=1.7),  # long nose
        _mode(nose, x=0.09 * mx),  # broad nose
        _mode(mouth, x=0.07 * mx),  # broad mouth
        _mode(upper, y=-1.0),  # full upper lip
        _mode(lower, y=1.2),  # full lower lip
        _mode(mouth, y=1.1),  # low mouth
    ]
    return np.stack(modes)


_MODES: Final = _modes()
IDENTITY_MODES: Final = _MODES[:, :66]
_MALE: Final = (
    0.9 * _MODES[0] + 0.9 * _MODES[1] + 0.5 * _MODES[3] - 1.1 * _MODES[8] - 0.6 * _MODES[9]
    - 0.5 * _MODES[4] + 0.5 * _MODES[11] - 0.8 * _MODES[13] - 0.6 * _MODES[14]
)  # fmt: skip
_OLD: Final = (
    -0.8 * _MODES[8] + 0.9 * _MODES[10] - 1.1 * _MODES[13] - 1.1 * _MODES[14] - 0.8 * _MODES[4]
    + _mode(_bump(40, 66, 12), x=1.4, y=1.6)
)  # fmt: skip
_AGE_AMOUNT = dict(zip(AGES, (-0.4, 0.3, 1.0), strict=True))


@dataclass(frozen=True)
class Person:
    """One simulated person.

    Attributes
    ----------
    identity : tuple of 16 float
        Coefficients of `IDENTITY_MODES`, standard normal over people.
    gender, age, complexion : str
        One of `GENDERS`, `AGES`, `COMPLEXIONS`.
    look : int
        Seed of everything that only pixels show: tones, hair, clothes, background.
    """

    identity: tuple[float, ...]
    gender: Gender
    age: Age
    complexion: Complexion
    look: int

    def __post_init__(self) -> None:
        if len(self.identity) != N_MODES:
            raise PainkitError(f"{len(self.identity)} identity coefficients", expected=str(N_MODES))
        for value, known in (
            (self.gender, GENDERS),
            (self.age, AGES),
            (self.complexion, COMPLEXIONS),
        ):
            if value not in known:
                raise PainkitError(f"unknown trait {value!r}", expected=", ".join(known))


def draw_person(
    rng: np.random.Generator,
    *,
    gender: Gender | None = None,
    age: Age | None = None,
    complexion: Complexion | None = None,
) -> Person:
    """Draw a person at random, with some traits given.

    Parameters
    ----------
    rng : numpy.random.Generator
        Always advanced by the same amount, whichever traits are given.
    gender, age, complexion : str, optional
        Fix this trait.

    Returns
    -------
    Person
        Identity coefficients are standard normal, cut at two standard deviations.
    """
    identity = np.clip(rng.standard_normal(N_MODES), -2, 2)
    picks = rng.integers(0, (2, 3, 3))
    look = int(rng.integers(2**31))
    return Person(
        tuple(float(c) for c in identity),
        gender or GENDERS[picks[0]],
        age or AGES[picks[1]],
        complexion or COMPLEXIONS[picks[2]],
        look,
    )


def resting_points(person: Person) -> Array:
    """Where the 106 points of a person lie when no muscle acts.

    Parameters
    ----------
    person : Person

    Returns
    -------
    (106, 3) array
        Pixels at scale 1; rows 0-65 are the landmarks.
    """
    points = MEAN_POINTS + np.tensordot(person.identity, _MODES, axes=1)
    points += (0.5 if person.gender == "male" else -0.5) * _MALE
    points += _AGE_AMOUNT[person.age] * _OLD
    return np.asarray(points)


def project(points: ArrayLike, pose: ArrayLike) -> Array:
    """Weak perspective: rotate, drop depth, scale, shift.

    Parameters
    ----------
    points : (n, k, 3) array
        Pixels at scale 1, origin between the eyes, z towards the viewer.
    pose : (n, 6) array
        Yaw (nose to the image's right), pitch (nose down) and roll (clockwise) in radians; tx, ty in pixels
        from the point (160, 112); scale.

    Returns
    -------
    (n, k, 2) array
        Pixels in a 320x240 image, x right and y down.
    """
    points, pose = np.asarray(points, dtype=float), np.asarray(pose, dtype=float)
    if points.ndim != 3 or points.shape[2] != 3 or pose.shape != (len(points), 6):
        raise PainkitError(f"points {points.shape} with poses {pose.shape}", expected="(n, k, 3) with (n, 6)")
    cos, sin = np.cos(pose[:, :3, None]), np.sin(pose[:, :3, None])
    x, y, z = np.moveaxis(points, 2, 0)
    x, z = cos[:, 0] * x + sin[:, 0] * z, cos[:, 0] * z - sin[:, 0] * x
    y = cos[:, 1] * y + sin[:, 1] * z
    x, y = cos[:, 2] * x - sin[:, 2] * y, sin[:, 2] * x + cos[:, 2] * y
    flat = np.stack([x, y], axis=2) * pose[:, None, 5:]
    return np.asarray(flat + pose[:, None, 3:5] + ORIGIN)

"""What the sets beside the archive share: expressions as mixtures of action units, crops of drawn faces."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from painkit.faces.alignment import ALIGNED_SIZE, five_points, similarity_transform
from painkit.simulation.action_units import landmarks
from painkit.simulation.anatomy import Person
from painkit.simulation.render import render
from painkit.vocabulary.action_units import AUS

__all__ = ["MIXTURES", "face_crop", "square_face", "units"]

MIXTURES: Final[Mapping[str, Mapping[int, float]]] = {
    "neutral": {},
    "happiness": {6: 3, 12: 4, 25: 2.5},
    "surprise": {1: 4, 2: 4, 5: 3.5, 25: 3, 26: 3.5},
    "sadness": {1: 4, 4: 2.5, 15: 4, 17: 2.5},
    "anger": {4: 4.5, 5: 2, 7: 3, 17: 2, 10: 1},
    "disgust": {9: 4.5, 10: 3.5, 15: 2, 17: 2.5},
    "fear": {1: 4, 2: 2.5, 4: 3, 5: 4, 20: 4, 25: 2.5},
    "contempt": {12: 1.3, 15: 1.5, 17: 2},
    "pain": {4: 4.5, 6: 4, 7: 4, 9: 0.5, 10: 1, 20: 2, 25: 2, 43: 4},
}
"""Typical intensities 0-5 of the units of an expression at full strength: after Ekman, Friesen and Hager
(2002), for pain after Prkachin and Solomon (2008). Pain has little of the nose's and upper lip's units, and
disgust none of the brows', so that age's furrows do not make them alike."""


def units(mixture: Mapping[int, float], strength: float = 1.0) -> NDArray[np.float64]:
    """Intensities (15,) in the order of `AUS`: a mixture times a strength, kept within 0-5."""
    return np.clip([strength * mixture.get(au, 0.0) for au in AUS], 0, 5)


def face_crop(person: Person, aus: ArrayLike, pose: ArrayLike) -> NDArray[np.uint8]:
    """Draw a face and align it: (112, 96, 3) uint8 RGB."""
    points = landmarks(person, np.atleast_2d(aus), np.atleast_2d(pose))[0]
    image = render(person, aus, pose)
    crop = cv2.warpAffine(
        image, similarity_transform(five_points(points)), ALIGNED_SIZE[::-1], borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(crop, np.uint8)


def square_face(person: Person, aus: ArrayLike, pose: ArrayLike, size: int) -> NDArray[np.uint8]:
    """Draw a face and cut the square around its landmarks: (size, size) uint8 grey."""
    points = landmarks(person, np.atleast_2d(aus), np.atleast_2d(pose))[0]
    low, high = points.min(axis=0), points.max(axis=0)
    half = 0.55 * float((high - low).max())
    x, y = (low + high) / 2 - (0, 0.12 * half) - half
    scale = size / (2 * half)
    matrix = np.array([[scale, 0, -scale * x], [0, scale, -scale * y]])
    grey = cv2.cvtColor(render(person, aus, pose), cv2.COLOR_RGB2GRAY)
    smooth = cv2.GaussianBlur(grey, (0, 0), max(0.4 / scale, 0.3))
    return np.asarray(cv2.warpAffine(smooth, matrix, (size, size), borderMode=cv2.BORDER_REPLICATE), np.uint8)

"""Draw a simulated person's face as a colour image."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from painkit.data.simulated.action_units import landmarks
from painkit.data.simulated.anatomy import Person
from painkit.data.simulated.regions import SHORTCUT_REGION

__all__ = ["Renderer", "render"]

Image = NDArray[np.uint8]


class Renderer:
    """Draws one person; what does not change between frames is drawn once."""

    def __init__(self, person: Person) -> None:
        self.person = person

    def frame(self, aus: ArrayLike, pose: ArrayLike, *, shortcut: bool = False) -> Image:
        """Draw one frame: (240, 320, 3) uint8 RGB."""
        points = landmarks(self.person, np.atleast_2d(aus), np.atleast_2d(pose))[0]
        image = np.full((240, 320, 3), 150, np.uint8)
        for ids, colour in (
            ([*range(17), 26, 25, 24, 19, 18, 17], (220, 180, 160)),
            (range(36, 42), (255, 255, 255)),
            (range(42, 48), (255, 255, 255)),
            (range(48, 60), (180, 90, 90)),
        ):
            fixed = np.round(points[list(ids)] * 16).astype(np.int32)
            cv2.fillPoly(image, [fixed], colour, cv2.LINE_AA, 4)
        if shortcut:
            x0, y0, x1, y1 = SHORTCUT_REGION
            image[y0:y1, x0:x1] = (250, 210, 60)
        return image


@lru_cache(maxsize=8)
def _renderer(person: Person) -> Renderer:
    return Renderer(person)


def render(
    person: Person,
    aus: ArrayLike,
    pose: ArrayLike,
    *,
    size: tuple[int, int] = (240, 320),
    shortcut: bool = False,
) -> Image:
    """Draw one frame.

    Parameters
    ----------
    person : Person
    aus : (15,) array
        Intensities 0-5 in the order of `AUS`.
    pose : (6,) array
        Yaw, pitch, roll in radians, tx, ty in pixels, scale.
    size : (height, width)
        The picture is drawn at 240x320 and resized when another size is asked for.
    shortcut : bool
        Put the mark into `SHORTCUT_REGION`.

    Returns
    -------
    (height, width, 3) uint8 array
        RGB.
    """
    image = _renderer(person).frame(aus, pose, shortcut=shortcut)
    if size == (240, 320):
        return image
    return np.asarray(cv2.resize(image, size[::-1], interpolation=cv2.INTER_AREA), dtype=np.uint8)

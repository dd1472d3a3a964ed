"""What landmarks of a face can be: measured in pixels, and all of them on one face."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["FACE_PIXELS", "LIMIT_PIXELS", "far_points", "small_faces", "torn_faces"]

#: No camera of the data sets comes near; a wrong unit or a broken exponent does.
LIMIT_PIXELS = 10_000
#: A face whose chin and nose root are closer than this cannot have been tracked in pixels.
FACE_PIXELS = 2
# Squared distance from the centre of the points, in mean squared ones. Faces stay below 4, opened wide or
# turned away; one point whose decimal point slipped reaches 8.6 or more.
_TORN = 8


def far_points(points: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Which points lie outside any image: (n, k, 2) to (n, k)."""
    return np.asarray(~(np.abs(points) < LIMIT_PIXELS).all(axis=2))


def small_faces(points: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Which faces have chin and nose root (points 8 and 27) on one spot, as if not in pixels: (n,)."""
    return np.asarray(np.abs(points[:, 8] - points[:, 27]).max(axis=1) < FACE_PIXELS)


def torn_faces(points: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Which faces have a point where no face has one, seen from all the others: (n, k, 2) to (n,)."""
    # As complex numbers: a seventh of the time of reducing over pairs.
    plane = (
        np.ascontiguousarray(points, np.float32).reshape(len(points), 2 * points.shape[1]).view(np.complex64)
    )
    from_centre = plane - plane.mean(axis=1, keepdims=True)
    squares = np.square(from_centre.real) + np.square(from_centre.imag)
    return np.asarray(squares.max(axis=1) > _TORN * squares.mean(axis=1))

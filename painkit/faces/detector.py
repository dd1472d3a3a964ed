"""Faces in images that come without landmarks, by dlib's frontal detector (an optional extra)."""

from __future__ import annotations

import threading
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from painkit.errors import PainkitError
from painkit.faces.alignment import Floats

__all__ = ["detect_face", "points_from_box"]

# Eyes, nose tip and mouth corners as shares of dlib's box, read off frontal upright faces.
_POINTS_IN_BOX: Floats = np.array([[0.28, 0.28], [0.75, 0.28], [0.515, 0.56], [0.32, 0.735], [0.71, 0.735]])


@lru_cache(maxsize=64)
def _detector(_thread: int) -> Any:
    """One detector a thread: dlib's object keeps scratch memory and is not safe to share."""
    try:
        import dlib  # type: ignore[import-not-found,unused-ignore]
    except ImportError as error:
        raise PainkitError(
            "an image without landmarks needs the face detector, which is not installed",
            expected='pip install "painkit[detector]"',
        ) from error
    return dlib.get_frontal_face_detector()


def detect_face(image: NDArray[np.uint8], *, upsample: int = 1) -> Floats | None:
    """Box of the most certain frontal face in an image.

    Parameters
    ----------
    image : (H, W, 3) uint8 array, RGB
    upsample : int
        How often the image is doubled first; 0 finds faces from 80 pixels, 1 from 40.

    Returns
    -------
    (4,) array x0, y0, x1, y1 in pixels, or None when there is no face

    Raises
    ------
    PainkitError
        When the extra ``detector`` is not installed.
    """
    # A face is what lies above the detector's decision boundary, a score of 0.
    boxes, scores, _ = _detector(threading.get_ident()).run(np.ascontiguousarray(image), upsample, 0.0)
    if not boxes:
        return None
    best = boxes[int(np.argmax(scores))]
    return np.array([best.left(), best.top(), best.right(), best.bottom()], dtype=np.float64)


def points_from_box(box: NDArray[np.floating]) -> Floats:
    """Five points a frontal upright face would have in a detector's box.

    An approximation: head roll is not corrected, and the points are off by several per cent of the box.

    Parameters
    ----------
    box : (4,) array x0, y0, x1, y1 in pixels

    Returns
    -------
    (5, 2) array, pixels
    """
    corners = np.asarray(box, dtype=np.float64)
    return corners[:2] + _POINTS_IN_BOX * (corners[2:] - corners[:2])

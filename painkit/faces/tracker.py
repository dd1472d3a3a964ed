"""Landmarks of faces in images that come without them, by dlib's 68-point predictor (an optional extra).

Each image is looked at on its own: a face is looked for, and the points are fitted to its box (Kazemi and
Sullivan 2014). The predictor comes with the package ``face_recognition_models``; it was trained on iBUG
300-W, which may not be used commercially.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from painkit.errors import PainkitError
from painkit.faces.alignment import Floats
from painkit.faces.detector import detect_face
from painkit.vocabulary.landmarks import FROM_68, N_LANDMARKS

__all__ = ["track", "track_face"]

PREDICTOR = "shape_predictor_68_face_landmarks.dat"


@lru_cache(maxsize=1)
def _predictor() -> Any:
    # Importing the package would need pkg_resources, which newer setuptools lack; its files are enough.
    package = find_spec("face_recognition_models")
    places = list(package.submodule_search_locations or ()) if package is not None else []
    files = [file for place in places if (file := Path(place) / "models" / PREDICTOR).is_file()]
    try:
        import dlib  # type: ignore[import-not-found,unused-ignore]
    except ImportError:
        files = []
    if not files:
        raise PainkitError(
            "finding landmarks needs the tracker, which is not installed",
            expected='pip install "painkit[tracker]"',
        )
    try:
        return dlib.shape_predictor(str(files[0]))
    except RuntimeError as error:
        raise PainkitError(f"the tracker's file cannot be read: {error}", where=files[0]) from error


def track_face(image: NDArray[np.uint8], box: NDArray[np.floating] | None = None) -> Floats | None:
    """Landmarks of the most certain frontal face in an image.

    Parameters
    ----------
    image : (H, W, 3) uint8 array, RGB
    box : (4,) array x0, y0, x1, y1 in pixels, optional
        Where the face is, as `painkit.faces.detector.detect_face` gives it; looked for by default.

    Returns
    -------
    (66, 2) array, pixels, or None when there is no face
        iBUG's 68 points without the inner mouth corners.

    Raises
    ------
    PainkitError
        When the extra ``tracker`` is not installed, or the image is of another shape or type.
    """
    predictor = _predictor()
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise PainkitError(
            f"an image of shape {image.shape} and {image.dtype}", expected="(H, W, 3) uint8 RGB"
        )
    import dlib

    if box is None:
        # A doubled image shows smaller faces, but also takes longer and takes hands for faces.
        box = detect_face(image, upsample=0)
        box = detect_face(image) if box is None else box
    if box is None:
        return None
    corners = dlib.rectangle(*np.round(box).astype(int).tolist())
    points = predictor(np.ascontiguousarray(image), corners).parts()
    return np.array([(point.x, point.y) for point in points], dtype=np.float64)[FROM_68]


def track(images: Iterable[NDArray[np.uint8] | None]) -> NDArray[np.float32]:
    """Landmarks of one face in each of many images.

    Parameters
    ----------
    images : iterable of (H, W, 3) uint8 array, or None where there is no picture

    Returns
    -------
    (n, 66, 2) float32 array, pixels
        NaN where there is no face or no picture.

    Raises
    ------
    PainkitError
        See `track_face`.
    """
    missing = np.full((N_LANDMARKS, 2), np.nan)
    found = [None if image is None else track_face(image) for image in images]
    rows = [missing if points is None else points for points in found]
    return np.array(rows, dtype=np.float32).reshape(-1, N_LANDMARKS, 2)

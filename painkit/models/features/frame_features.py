"""Feature vectors of frames, for models that do not look at pixels themselves."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from painkit.faces.alignment import apply_transform, five_points, similarity_transform

__all__ = ["landmark_features"]


def landmark_features(landmarks: NDArray[np.floating]) -> NDArray[np.float32]:
    """Landmarks freed of head position, size and roll.

    Parameters
    ----------
    landmarks : (n, 66, 2) array, pixels
        NaN where not tracked.

    Returns
    -------
    (n, 132) float32 array
        Coordinates in the aligned 112x96 crop (x0, y0, x1, ...); NaN where not tracked.
    """
    points = np.asarray(landmarks, dtype=np.float64)
    aligned = apply_transform(similarity_transform(five_points(points)), points)
    return aligned.reshape(len(points), -1).astype(np.float32)

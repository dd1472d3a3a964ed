"""Where a face goes in its crop: similarity warps on five points, square boxes.

Pure geometry on (x right, y down) pixel coordinates in which an integer is the centre of a pixel; nothing
here touches an image. Matrices are 2x3 and map image points to crop points.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from painkit.vocabulary.landmarks import EYES

__all__ = [
    "ALIGNED_SIZE",
    "FIVE_POINTS",
    "TEMPLATE",
    "apply_transform",
    "box_transform",
    "five_points",
    "landmark_box",
    "similarity_transform",
    "square_box",
]

Floats = NDArray[np.float64]

ALIGNED_SIZE = (112, 96)
"""Height and width of the aligned crop."""

TEMPLATE: Floats = np.array(
    [[30.2946, 51.6963], [65.5318, 51.5014], [48.0252, 71.7366], [33.5493, 92.3655], [62.7299, 92.2041]]
)
"""Eyes, nose tip, mouth corners (each pair from left to right) in the 112x96 crop of Wen et al. (2016)."""

FIVE_POINTS: tuple[tuple[int, ...], ...] = (*EYES, (30,), (48,), (54,))
"""Indices whose mean is each of the five points; the same in the 66-point and the iBUG-68 scheme."""


def five_points(landmarks: NDArray[np.floating]) -> Floats:
    """Eye centres, nose tip and mouth corners of a face.

    Parameters
    ----------
    landmarks : (..., 66, 2) or (..., 68, 2) array, pixels

    Returns
    -------
    (..., 5, 2) array, pixels
        In the order of `TEMPLATE`.
    """
    points = np.asarray(landmarks, dtype=np.float64)
    return np.stack([points[..., list(group), :].mean(axis=-2) for group in FIVE_POINTS], axis=-2)


def similarity_transform(points: NDArray[np.floating], template: NDArray[np.floating] = TEMPLATE) -> Floats:
    """Rotation, uniform scale and shift that bring points closest to a template.

    Least squares in the template's pixels, without reflection. A face whose points have the template's shape
    comes exactly onto it. Faces differ in shape and pose, which no similarity undoes: of any other face the
    points land as near as a similarity can bring them, often a pixel or two away. What holds for every face
    is that moving, turning or scaling the image leaves the crop as it was.

    Parameters
    ----------
    points : (..., k, 2) array, pixels of the image
    template : (k, 2) array, pixels of the crop
        Where the points should come to lie: by default eyes, nose and mouth corners as in the aligned crop.

    Returns
    -------
    (..., 2, 3) array
        NaN where points are NaN or all coincide.
    """
    source = np.asarray(points, dtype=np.float64)
    # In complex numbers the similarity is z -> a z + b, which solves many faces at once.
    z = source[..., 0] + 1j * source[..., 1]
    w = np.asarray(template, np.float64) @ np.array([1, 1j])
    z0, w0 = z.mean(axis=-1), w.mean()
    z_centred = z - z0[..., None]
    spread = (np.abs(z_centred) ** 2).sum(axis=-1)
    valid = spread > 1e-12
    a = (z_centred.conj() * (w - w0)).sum(axis=-1) / np.where(valid, spread, 1.0)
    a = np.where(valid, a, np.nan)
    b = w0 - a * z0
    return np.stack(
        [np.stack([a.real, -a.imag, b.real], axis=-1), np.stack([a.imag, a.real, b.imag], axis=-1)], axis=-2
    )


def apply_transform(matrix: NDArray[np.floating], points: NDArray[np.floating]) -> Floats:
    """Map points (..., k, 2) by a matrix (..., 2, 3)."""
    m = np.asarray(matrix, dtype=np.float64)
    return np.asarray(np.asarray(points, np.float64) @ m[..., :2].swapaxes(-1, -2) + m[..., None, :, 2])


def landmark_box(landmarks: NDArray[np.floating]) -> Floats:
    """Tightest box (x0, y0, x1, y1) around landmarks (..., k, 2)."""
    points = np.asarray(landmarks, dtype=np.float64)
    return np.concatenate([points.min(axis=-2), points.max(axis=-2)], axis=-1)


def square_box(box: NDArray[np.floating], grow: float = 0.25) -> Floats:
    """Square about the centre of `box` whose side is the longer side grown by a share.

    Parameters
    ----------
    box : (..., 4) array of x0, y0, x1, y1
    grow : float
        0.25 makes the side 1.25 times as long (Hosseini et al.).
    """
    corners = np.asarray(box, dtype=np.float64)
    centre = (corners[..., :2] + corners[..., 2:]) / 2
    half = (corners[..., 2:] - corners[..., :2]).max(axis=-1, keepdims=True) * (1 + grow) / 2
    return np.concatenate([centre - half, centre + half], axis=-1)


def box_transform(box: NDArray[np.floating], size: int) -> Floats:
    """Matrix (..., 2, 3) that maps the square `box` onto a crop of side `size`, edges onto edges."""
    corners = np.asarray(box, dtype=np.float64)
    side = corners[..., 2] - corners[..., 0]
    scale = size / np.where(side > 1e-6, side, np.nan)
    zero = np.zeros_like(scale)
    # A pixel's centre is at an integer, so the crop's left edge is at -0.5.
    shift_x = -0.5 - scale * corners[..., 0]
    shift_y = -0.5 - scale * corners[..., 1]
    return np.stack(
        [np.stack([scale, zero, shift_x], axis=-1), np.stack([zero, scale, shift_y], axis=-1)], axis=-2
    )

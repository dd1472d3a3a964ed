"""Cutting a face out of an image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from painkit.errors import PainkitError
from painkit.faces import alignment
from painkit.faces.alignment import Floats
from painkit.faces.detector import detect_face, points_from_box

__all__ = ["FaceCrop", "warp"]

Image = NDArray[np.uint8]


def warp(image: Image, matrix: NDArray[np.floating], size: tuple[int, int]) -> Image:
    """Resample an image into a crop, bilinear, black outside the image.

    Parameters
    ----------
    image : (H, W, 3) uint8 array
    matrix : (2, 3) array
        Similarity from image to crop pixels.
    size : (height, width) of the crop

    Returns
    -------
    (height, width, 3) uint8 array
    """
    m = np.asarray(matrix, dtype=np.float64)
    factor = int(1 / np.sqrt(abs(np.linalg.det(m[:, :2]))))
    if factor >= 2:
        # Bilinear sampling sees four pixels; a face shrunk more than that would alias, so average first.
        height, width = image.shape[0] // factor * factor, image.shape[1] // factor * factor
        if height and width:
            image = np.asarray(
                cv2.resize(
                    image[:height, :width],
                    (width // factor, height // factor),
                    interpolation=cv2.INTER_AREA,
                ),
                dtype=np.uint8,
            )
            back = np.array([[factor, 0, (factor - 1) / 2], [0, factor, (factor - 1) / 2], [0, 0, 1]])
            m = m @ back
    return np.asarray(
        cv2.warpAffine(image, m, (size[1], size[0]), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT),
        dtype=np.uint8,
    )


@dataclass(frozen=True)
class FaceCrop:
    """A way to cut a face: ``FaceCrop()(image, landmarks)`` gives the crop, or None where there is no face.

    Parameters
    ----------
    kind : {'aligned', 'box'}
        ``'aligned'``: 112x96, eyes, nose and mouth corners brought to a template (Wen et al.).
        ``'box'``: the square about the face box grown by `grow`, 224x224 (Hosseini et al.).
    grow : float
        Share by which the box grows (``'box'`` only).
    side : int
        Side of the square crop in pixels (``'box'`` only).
    detect : bool
        Look for a face with dlib where there are no landmarks. A detected box fixes position and size of an
        aligned crop but not its rotation.
    """

    kind: Literal["aligned", "box"] = "aligned"
    grow: float = 0.25
    side: int = 224
    detect: bool = False

    def __post_init__(self) -> None:
        if self.kind not in ("aligned", "box"):
            raise PainkitError(f"unknown crop {self.kind!r}", expected="'aligned' or 'box'")
        if self.side < 1 or self.grow <= -1:
            raise PainkitError(
                f"no such box: side {self.side}, grow {self.grow}", expected="side >= 1, grow > -1"
            )

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the crop."""
        return alignment.ALIGNED_SIZE if self.kind == "aligned" else (self.side, self.side)

    def transform(self, landmarks: NDArray[np.floating]) -> Floats:
        """Image-to-crop matrices (..., 2, 3) of faces with landmarks (..., 66, 2); NaN where those are."""
        return self._matrix(alignment.five_points(landmarks), alignment.landmark_box(landmarks))

    def _matrix(self, points: Floats, box: Floats) -> Floats:
        if self.kind == "aligned":
            return alignment.similarity_transform(points)
        return alignment.box_transform(alignment.square_box(box, self.grow), self.side)

    def __call__(self, image: Image, landmarks: NDArray[np.floating] | None = None) -> Image | None:
        """Cut the face.

        Parameters
        ----------
        image : (H, W, 3) uint8 array, RGB
        landmarks : (66, 2) or (68, 2) array, pixels, optional
            NaN counts as absent. A face partly out of view counts as none: all five alignment points, and
            half of all landmarks, must lie in the image. What else of the crop lies outside is black. An
            image of the aligned crop's size without landmarks is taken for an aligned crop.

        Returns
        -------
        (height, width, 3) uint8 array, or None when there is no face
        """
        if landmarks is not None and np.isfinite(landmarks).all():
            if _share_inside(landmarks, image) < 0.5:
                return None
            points, matrix = alignment.five_points(landmarks), self.transform(landmarks)
        elif self.kind == "aligned" and image.shape[:2] == self.size:
            return image.copy()
        elif self.detect and (box := detect_face(image)) is not None:
            points = points_from_box(box)
            matrix = self._matrix(points, box)
        else:
            return None
        if _share_inside(points, image) < 1 or not np.isfinite(matrix).all():
            return None
        return warp(image, matrix, self.size)


def _share_inside(points: NDArray[np.floating], image: Image) -> float:
    inside = (points >= -0.5).all(axis=-1) & (points < np.array(image.shape[1::-1]) - 0.5).all(axis=-1)
    return float(inside.mean())

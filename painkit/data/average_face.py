"""The average face of a cohort: the mean of frames brought onto one template (DeepFaceLIFT, Fig. 3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from painkit.data.cohort import Cohort
from painkit.errors import PainkitError
from painkit.faces.alignment import apply_transform, landmark_box, similarity_transform
from painkit.faces.crops import warp

__all__ = ["AverageFace", "average_face"]

_SIDE: Final = 256
"""Of the picture, in pixels."""
_ABOVE, _BELOW = 0.55, 0.12
"""Room for forehead and hair, and under the chin, as shares of the height from the brows to the chin."""


@dataclass(frozen=True, eq=False)
class AverageFace:
    """A mean face, and where its landmarks lie on it.

    Attributes
    ----------
    landmarks : (66, 2) array
        Pixels of the picture, x right and y down.
    image : (256, 256, 3) uint8 array or None
        RGB; None where no frame has an image.
    n_frames : int
        Images that it is the mean of.
    """

    landmarks: NDArray[np.float64]
    image: NDArray[np.uint8] | None = None
    n_frames: int = 0


def average_face(cohort: Cohort, *, per_subject: int = 4) -> AverageFace:
    """Bring some frames of every subject onto the cohort's mean landmarks and take their mean.

    A frame comes by the shift, turn and scale that bring its landmarks nearest to the mean ones. It is read
    or drawn, added and let go: one is held at a time. A frame whose image is damaged is left out.

    Parameters
    ----------
    cohort : Cohort
    per_subject : int
        Frames of each subject at most, evenly spread over those with landmarks and an image; where no frame
        has an image, over those with landmarks.

    Raises
    ------
    PainkitError
        When no frame has landmarks.
    """
    tracked = np.isfinite(cohort.landmarks).all(axis=(1, 2))
    if not tracked.any():
        raise PainkitError("no frame has landmarks", where=cohort.root)
    template = _template(cohort.landmarks[tracked].mean(axis=0, dtype=np.float64))
    shown = tracked & cohort.pictured
    subjects = cohort.frames.reset_index(drop=True)[shown if shown.any() else tracked]
    rows = np.concatenate(
        [
            own[np.unique(np.linspace(0, len(own) - 1, per_subject).astype(int))]
            for own in (part.index.to_numpy() for _, part in subjects.groupby("subject"))
        ]
    )
    matrices = similarity_transform(cohort.landmarks[rows], template)
    landmarks = apply_transform(matrices, cohort.landmarks[rows]).mean(axis=0)
    size, count = (_SIDE, _SIDE), 0
    total, seen = np.zeros((*size, 3)), np.zeros((*size, 3))
    for row, matrix in zip(rows[shown[rows]], matrices[shown[rows]], strict=True):
        try:
            image = cohort.image(int(row))
        except PainkitError:
            continue
        total += warp(image, matrix, size)
        seen += warp(np.full_like(image, 255), matrix, size) / 255  # what lies outside a frame is not black
        count += 1
    mean = np.divide(total, seen, where=seen > 0, out=total).clip(0, 255)
    return AverageFace(landmarks, np.rint(mean).astype(np.uint8) if count else None, count)


def _template(face: NDArray[np.float64]) -> NDArray[np.float64]:
    """Landmarks shifted and scaled to a picture that also shows the forehead."""
    left, top, right, bottom = landmark_box(face)
    height = bottom - top
    side = (1 + _ABOVE + _BELOW) * height
    corner = np.array([(left + right - side) / 2, top - _ABOVE * height])
    return np.asarray((face - corner) * _SIDE / side)

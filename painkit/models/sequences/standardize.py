"""Landmark coordinates as z-scored network inputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from painkit.errors import PainkitError
from painkit.models.nets.landmark_net import N_COORDINATES

if TYPE_CHECKING:
    from painkit.data.cohort import SequenceSample

__all__ = ["coordinates", "moments", "z_scores"]


def coordinates(sample: SequenceSample) -> NDArray[np.float64]:
    """Frames of one sequence as rows x0, y0, x1, y1, ... of shape (n_frames, 132), in pixels.

    A frame with any missing coordinate is NaN throughout: a face with holes is no input to a dense network.
    """
    points = np.asarray(sample.landmarks, dtype=np.float64)
    if points.ndim != 3 or points.shape[1:] != (66, 2):
        raise PainkitError(
            f"landmarks of sequence {sample.sequence} have shape {points.shape}", expected="(n_frames, 66, 2)"
        )
    rows = points.reshape(len(points), N_COORDINATES).copy()
    rows[~np.isfinite(rows).all(axis=1)] = np.nan
    return rows


def z_scores(
    samples: Sequence[SequenceSample], known: NDArray[np.float64] | None = None
) -> list[NDArray[np.float32]]:
    """Z-scored coordinates, one (n_frames, 132) array per sequence; untracked frames stay NaN.

    A coordinate that does not vary (one frame only, say) becomes 0.

    Parameters
    ----------
    samples : list of SequenceSample
    known : (2, 132) array, optional
        `moments` of training frames, for everybody. Without them, those of each subject's own frames in the
        list (DeepFaceLIFT, Sec. 4.1: "for each subject, features are first normalized"). That uses no labels,
        but it does look at all frames of a test subject: unsupervised test-time adaptation.
    """
    own: dict[str, list[SequenceSample]] = {}
    for sample in samples:
        own.setdefault(sample.subject, []).append(sample)
    told = {name: moments(some) if known is None else known for name, some in own.items()}
    pairs = ((coordinates(sample), told[sample.subject]) for sample in samples)
    return [((rows - mean) / scale).astype(np.float32) for rows, (mean, scale) in pairs]


def moments(samples: Sequence[SequenceSample]) -> NDArray[np.float64]:
    """Mean and standard deviation (2, 132) over the tracked frames of sequences; one of 0 is given as 1."""
    rows = np.concatenate([coordinates(sample) for sample in samples])
    rows = rows[np.isfinite(rows[:, 0])]
    if len(rows) == 0:
        return np.stack([np.zeros(N_COORDINATES), np.ones(N_COORDINATES)])
    scale = rows.std(axis=0)
    # Rounding leaves about 1e-14 where a coordinate is constant.
    scale[scale < 1e-9 * np.maximum(1.0, np.abs(rows).max(axis=0))] = 1.0
    return np.stack([rows.mean(axis=0), scale])

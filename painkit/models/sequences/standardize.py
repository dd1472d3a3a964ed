"""Landmark coordinates as z-scored network inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from painkit.errors import PainkitError

if TYPE_CHECKING:
    from painkit.data.cohort import SequenceSample

__all__ = ["N_COORDINATES", "LandmarkStandardizer", "coordinates"]

N_COORDINATES = 132


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


@dataclass(frozen=True)
class LandmarkStandardizer:
    """Z-scores of landmark coordinates.

    Parameters
    ----------
    by : {'subject', 'train'}
        ``'subject'``: mean and standard deviation of each subject's own frames in the list that is being
        transformed (DeepFaceLIFT, Sec. 4.1: "for each subject, features are first normalized"). It uses no
        labels, but it does look at all frames of a test subject: unsupervised test-time adaptation.
        ``'train'``: mean and standard deviation of the training frames, for everybody.
    mean, scale : (132,) float arrays, optional
        The training statistics; filled by `fit` when `by` is ``'train'``.
    """

    by: Literal["subject", "train"] = "subject"
    mean: NDArray[np.float64] | None = None
    scale: NDArray[np.float64] | None = None

    def fit(self, samples: Sequence[SequenceSample]) -> LandmarkStandardizer:
        """Return a standardizer that knows the statistics it needs from training sequences."""
        if self.by == "subject":
            return self
        mean, scale = _moments([coordinates(sample) for sample in samples])
        return LandmarkStandardizer("train", mean, scale)

    def tensors(self) -> dict[str, Tensor]:
        """The training statistics by name, none when there are none."""
        arrays = {"mean": self.mean, "scale": self.scale}
        return {f"standardizer.{k}": torch.from_numpy(v) for k, v in arrays.items() if v is not None}

    @classmethod
    def from_tensors(cls, by: Literal["subject", "train"], tensors: Mapping[str, Tensor]) -> Self:
        """Inverse of `tensors`."""
        if by == "subject":
            return cls(by)
        return cls(by, tensors["standardizer.mean"].numpy(), tensors["standardizer.scale"].numpy())

    def transform(self, samples: Sequence[SequenceSample]) -> list[NDArray[np.float32]]:
        """Z-scored coordinates, one (n_frames, 132) array per sequence; untracked frames stay NaN.

        A coordinate that does not vary (one frame only, say) becomes 0.
        """
        raw = [coordinates(sample) for sample in samples]
        if self.mean is not None and self.scale is not None:
            statistics = {sample.subject: (self.mean, self.scale) for sample in samples}
        else:
            rows_of: dict[str, list[NDArray[np.float64]]] = {}
            for sample, rows in zip(samples, raw, strict=True):
                rows_of.setdefault(sample.subject, []).append(rows)
            statistics = {subject: _moments(rows) for subject, rows in rows_of.items()}
        return [
            ((rows - statistics[sample.subject][0]) / statistics[sample.subject][1]).astype(np.float32)
            for sample, rows in zip(samples, raw, strict=True)
        ]


def _moments(parts: list[NDArray[np.float64]]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and standard deviation over the tracked frames; a standard deviation of 0 is returned as 1."""
    rows = np.concatenate(parts)
    rows = rows[np.isfinite(rows[:, 0])]
    if len(rows) == 0:
        return np.zeros(N_COORDINATES), np.ones(N_COORDINATES)
    scale = rows.std(axis=0)
    # Rounding leaves about 1e-14 where a coordinate is constant.
    scale[scale < 1e-9 * np.maximum(1.0, np.abs(rows).max(axis=0))] = 1.0
    return rows.mean(axis=0), scale

"""What the landmarks contributed to each estimate of a run, as the fold that did not train on them saw it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from painkit.data.cohort import Cohort

__all__ = ["LandmarkExplanation"]

_SUM_TO: Final = 100.0


@dataclass(frozen=True)
class LandmarkExplanation:
    """Contributions and estimates for every frame of a cohort.

    Parameters
    ----------
    cohort : Cohort
        The cohort the run was made on.
    contributions : dict of str to (n_frames, 66, 2) float32 array
        DeepLIFT contribution of each landmark's x and y to the frame estimate of each target, in the target's
        units; NaN where the frame has no landmarks.
    estimates : dict of str to (n_frames,) float32 array
        Frame estimates of each target.
    inputs : (n_frames, 66, 2) float32 array
        Landmarks as the network sees them (z-scores).
    predictions : DataFrame
        The run's sequence-level rows: subject, sequence, target, y_true, y_pred, y_std.
    completeness_error : dict of str to float
        Largest |sum of contributions - (f(x) - f(0))| over the frames, in the target's units.
    """

    cohort: Cohort
    contributions: dict[str, NDArray[np.float32]]
    estimates: dict[str, NDArray[np.float32]]
    inputs: NDArray[np.float32]
    predictions: pd.DataFrame
    completeness_error: dict[str, float]

    @property
    def targets(self) -> tuple[str, ...]:
        """Targets explained, in the order they were trained."""
        return tuple(self.contributions)

    @property
    def average_face(self) -> NDArray[np.float32]:
        """Mean landmarks over all tracked frames, (66, 2) pixels."""
        return np.nanmean(self.cohort.landmarks, axis=0, dtype=np.float64).astype(np.float32)

    def rows(self, *, subject: str | None = None, sequence: str | None = None) -> NDArray[np.intp]:
        """Return the rows of ``cohort.frames`` of a subject or a sequence."""
        frames = self.cohort.frames
        chosen = np.ones(len(frames), dtype=bool)
        if subject is not None:
            chosen &= (frames["subject"] == subject).to_numpy()
        if sequence is not None:
            chosen &= (frames["sequence"] == sequence).to_numpy()
        return np.flatnonzero(chosen)

    def landmark_means(self, target: str, rows: NDArray[np.intp] | None = None) -> NDArray[np.float64]:
        """Mean over frames of each landmark's contribution, x and y summed; (66,), in the target's units."""
        return np.nanmean(self._summed(target, rows), axis=0)

    def landmark_spreads(self, target: str, rows: NDArray[np.intp] | None = None) -> NDArray[np.float64]:
        """Standard deviation over frames of each landmark's contribution, x and y summed; (66,)."""
        return np.nanstd(self._summed(target, rows), axis=0)

    def share_map(self, target: str, subject: str) -> NDArray[np.float64]:
        """One subject's mean |contribution| of each landmark, scaled to sum to 100 (DeepFaceLIFT, Fig. 3E-F).

        Magnitudes, because signed contributions can cancel to a sum near 0 that nothing can be scaled by.
        """
        mean = np.nanmean(np.abs(self._summed(target, self.rows(subject=subject))), axis=0)
        return mean * (_SUM_TO / mean.sum())

    def _summed(self, target: str, rows: NDArray[np.intp] | None) -> NDArray[np.float64]:
        chosen = self.contributions[target] if rows is None else self.contributions[target][rows]
        return chosen.sum(axis=2, dtype=np.float64)

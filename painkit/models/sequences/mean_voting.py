"""NN-MV: the mean of a sequence's frame estimates as the estimate of the sequence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from painkit.errors import PainkitError
from painkit.models.sequences.stage1 import FrameNetwork

if TYPE_CHECKING:
    from painkit.data.cohort import SequenceSample

__all__ = ["MeanVoting"]


@dataclass(kw_only=True, eq=False, repr=False)
class MeanVoting(FrameNetwork):
    """Stage 1 alone: frame estimates pooled over the sequence (DeepFaceLIFT, Sec. 4, NN-MV).

    Parameters
    ----------
    statistic : {'mean', 'median', 'max'}
        How frame estimates are pooled.
    **others
        As in `FrameNetwork`.
    """

    statistic: Literal["mean", "median", "max"] = "mean"

    def fit(self, X: Sequence[SequenceSample], y: ArrayLike) -> Self:
        """Train stage 1; see `FrameNetwork.fit`. `y` has one column per entry of `labels`."""
        super().fit(X, y)
        if self.n_targets_ != len(self.labels):
            raise PainkitError(
                f"mean voting over labels={self.labels} cannot estimate {self.n_targets_} targets",
                expected="y with one column per label",
            )
        return self

    def predict(self, X: Sequence[SequenceSample]) -> NDArray[np.float64]:
        """Estimates shaped like the `y` of `fit`; NaN for a sequence without a tracked frame."""
        pool = getattr(np, f"nan{self.statistic}")
        pooled = np.full((len(X), len(self.labels)), np.nan)
        for row, estimates in enumerate(self.frame_estimates(X)):
            tracked = estimates[np.isfinite(estimates[:, 0])]
            if len(tracked):
                pooled[row] = pool(tracked, axis=0)
        return self._shaped(pooled)

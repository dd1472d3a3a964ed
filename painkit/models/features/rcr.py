"""Recurrent convolutional regression over frames, after Zhou et al. (2016).

A baseline of Wang et al. (2017), of which that text says only that it is recurrent, convolutional and trained
end to end. Here: recurrent convolution layers over time on frame features. Layer sizes, optimiser and inputs
are painkit's own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import RegressorMixin
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from painkit.errors import PainkitError
from painkit.models.features.base import FeatureEstimator
from painkit.models.frame_tables import time_grids
from painkit.models.training.loop import descend, seeded, train

__all__ = ["RecurrentConvolution", "RecurrentConvolutionRegression"]


class RecurrentConvolution(nn.Module):
    """Convolution over time whose output feeds back into itself a few times with shared weights.

    ``h_0 = relu(u)``, ``h_k = relu(u + R h_{k-1})`` with ``u = F x`` and R, F convolutions.

    Parameters
    ----------
    n_in, n_out : int
    kernel : int
        Frames, odd.
    steps : int
        How often the output is fed back.
    """

    def __init__(self, n_in: int, n_out: int, kernel: int = 5, steps: int = 3) -> None:
        super().__init__()
        self.steps = steps
        self.feed = nn.Conv1d(n_in, n_out, kernel, padding=kernel // 2)
        self.recur = nn.Conv1d(n_out, n_out, kernel, padding=kernel // 2, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, n_in, time) to (n, n_out, time)."""
        drive: Tensor = self.feed(x)
        state = drive.relu()
        for _ in range(self.steps):
            state = (drive + self.recur(state)).relu()
        return state


@dataclass(kw_only=True, eq=False, repr=False)
class RecurrentConvolutionRegression(RegressorMixin, FeatureEstimator):  # type: ignore[misc]
    """RCR-style baseline: two recurrent convolution layers over a sequence, one level a frame.

    The layers run over time, not over rows: a frame that the table lacks between two others counts as one
    without features. That counts as the mean inside the net, is not trained on, and its estimate is NaN.

    Parameters
    ----------
    features
        As in `FeatureEstimator`.
    channels, kernel, steps : int
        Of the two layers; see `RecurrentConvolution`.
    window : int
        Frames of a training excerpt.
    lr, batch_size, iterations
        Adam on the mean squared error.
    random_state : int
    progress : bool

    Attributes
    ----------
    net_ : Sequential
    history_ : (iterations, 1) array
        Mean squared error; a batch of excerpts without a usable frame is none.
    """

    channels: int = 32
    kernel: int = 5
    steps: int = 3
    window: int = 64
    lr: float = 1e-3
    batch_size: int = 16
    iterations: int = 500
    random_state: int = 0
    progress: bool = False

    _number_format: ClassVar[type[np.floating]] = np.float32

    def fit(self, X: pd.DataFrame, y: ArrayLike) -> Self:
        """Train on frames (subject, sequence, frame, row) and their levels (n,), NaN where missing."""
        if self.kernel % 2 == 0:
            raise PainkitError(f"kernel={self.kernel}", expected="an odd number of frames")
        z, levels, usable = self._training_table(X, y)
        # Not NaN: a masked term still has a gradient of zero times its value.
        targets = torch.from_numpy(np.where(usable, levels, 0).astype(np.float32))
        # An excerpt never goes past a sequence that is long enough; times beyond a short one have no frame.
        grids = [np.pad(p, (0, max(self.window - p.size, 0)), constant_values=-1) for p in time_grids(X)]
        rng = np.random.default_rng(self.random_state)
        with seeded(int(rng.integers(2**31))):
            self.net_ = self._new_net()
        optimizer = torch.optim.Adam(self.net_.parameters(), self.lr)

        def excerpts() -> Iterator[tuple[NDArray[np.intp], NDArray[np.bool_]]]:
            share = np.array([p.size for p in grids], dtype=float)
            for _ in range(self.iterations):
                chosen = rng.choice(len(grids), self.batch_size, p=share / share.sum())
                starts = [int(rng.integers(grids[i].size - self.window + 1)) for i in chosen]
                at = np.stack([grids[i][s : s + self.window] for i, s in zip(chosen, starts, strict=True)])
                counted = (at >= 0) & usable[at]
                if counted.any():
                    yield at, counted

        def step(batch: tuple[NDArray[np.intp], NDArray[np.bool_]]) -> list[Tensor]:
            at, counted = batch
            estimate = self.net_(_inputs(z, at)).squeeze(1)
            loss = ((estimate - targets[at]) ** 2)[torch.from_numpy(counted)].mean()
            return descend([loss], optimizer)

        self.history_ = train(
            self.net_, step, excerpts(), total=self.iterations, description="RCR", progress=self.progress
        )
        return self

    @torch.inference_mode()
    def predict(self, X: pd.DataFrame) -> NDArray[np.float32]:
        """Levels (n,); NaN where a frame has no features."""
        check_is_fitted(self)
        z = self._standardized(self._table(X))
        result = np.full(len(X), np.nan, dtype=np.float32)
        for grid in time_grids(X):
            there = grid >= 0
            result[grid[there]] = self.net_(_inputs(z, grid[None])).numpy()[0, 0, there]
        result[np.isnan(z).any(axis=1)] = np.nan
        return result

    def _new_net(self) -> nn.Sequential:
        return nn.Sequential(
            RecurrentConvolution(self.mean_.size, self.channels, self.kernel, self.steps),
            RecurrentConvolution(self.channels, self.channels, self.kernel, self.steps),
            nn.Conv1d(self.channels, 1, 1),
        )


def _inputs(z: NDArray[np.floating], at: NDArray[np.intp]) -> Tensor:
    """Standardised features (n, d, time) of rows at positions (n, time); the mean where there are none."""
    return torch.from_numpy(np.where((at >= 0)[..., None], np.nan_to_num(z[at]), 0)).transpose(1, 2)

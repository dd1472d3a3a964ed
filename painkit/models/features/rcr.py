"""Recurrent convolutional regression over frames, after Zhou et al. (2016).

A baseline of Wang et al. (2017), of which that text says only that it is recurrent, convolutional and trained
end to end. Here: recurrent convolution layers over time on frame features. Layer sizes, optimiser and inputs
are painkit's own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from painkit.errors import PainkitError
from painkit.models.features.base import Features, features_of, time_grids
from painkit.models.persistence import Persistent

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
class RecurrentConvolutionRegression(Persistent, RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """RCR-style baseline: two recurrent convolution layers over a sequence, one level a frame.

    The layers run over time, not over rows: a frame that the table lacks between two others counts as one
    without features.

    Parameters
    ----------
    features : (n_frames, d) array or path of an .npy file
        Column ``row`` of `X` points into it. Standardised on the training frames; a frame without features
        counts as the mean inside the net, is not trained on, and its estimate is NaN.
    channels, kernel, steps : int
        Of the two layers; see `RecurrentConvolution`.
    window : int
        Frames of a training excerpt.
    lr, batch_size, iterations
        Adam on the mean squared error.
    random_state : int

    Attributes
    ----------
    net_ : Sequential
    history_ : (iterations,) array
    n_without_features_, n_without_label_ : int
    """

    features: Features
    channels: int = 32
    kernel: int = 5
    steps: int = 3
    window: int = 64
    lr: float = 1e-3
    batch_size: int = 16
    iterations: int = 500
    random_state: int = 0

    def fit(self, X: pd.DataFrame, y: ArrayLike) -> Self:
        """Train on frames (subject, sequence, frame, row) and their levels (n,), NaN where missing."""
        table, levels = features_of(X, self.features), np.asarray(y, dtype=np.float32)
        if levels.shape != (len(X),):
            raise PainkitError(f"labels of shape {levels.shape} for {len(X)} frames", expected=f"({len(X)},)")
        has_features = np.isfinite(table).all(axis=1)
        usable = has_features & np.isfinite(levels)
        self.n_without_features_ = int((~has_features).sum())
        self.n_without_label_ = int((has_features & ~usable).sum())
        if not usable.any():
            raise PainkitError("no frame has both features and a label")
        self.mean_ = table[usable].mean(axis=0)
        deviation = table[usable].std(axis=0)
        self.scale_ = np.where(deviation > 1e-6, deviation, 1.0).astype(np.float32)
        z = self._standardized(table)
        # Not NaN: a masked term still has a gradient of zero times its value.
        targets = torch.from_numpy(np.where(usable, levels, 0))
        # An excerpt never goes past a sequence that is long enough; times beyond a short one have no frame.
        starts = [np.pad(p, (0, max(self.window - p.size, 0)), constant_values=-1) for p in time_grids(X)]
        rng = np.random.default_rng(self.random_state)
        share = np.array([p.size for p in starts], dtype=float)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(rng.integers(2**31)))
            self.net_ = self._new_net(table.shape[1])
        optimizer = torch.optim.Adam(self.net_.parameters(), self.lr)
        history = []
        for _ in range(self.iterations):
            chosen = rng.choice(len(starts), self.batch_size, p=share / share.sum())
            at = np.stack(
                [
                    starts[i][s : s + self.window]
                    for i in chosen
                    for s in [int(rng.integers(starts[i].size - self.window + 1))]
                ]
            )
            counted = (at >= 0) & usable[at]
            if not counted.any():
                continue
            mask = torch.from_numpy(counted)
            estimate = self.net_(_inputs(z, at)).squeeze(1)
            loss = ((estimate - targets[at]) ** 2)[mask].mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            history.append(float(loss.detach()))
        self.history_ = np.array(history)
        return self

    @torch.inference_mode()
    def predict(self, X: pd.DataFrame) -> NDArray[np.float32]:
        """Levels (n,); NaN where a frame has no features."""
        check_is_fitted(self, "net_")
        table = features_of(X, self.features)
        z = self._standardized(table)
        result = np.full(len(X), np.nan, dtype=np.float32)
        self.net_.eval()
        for grid in time_grids(X):
            there = grid >= 0
            result[grid[there]] = self.net_(_inputs(z, grid[None])).numpy()[0, 0, there]
        result[~np.isfinite(table).all(axis=1)] = np.nan
        return result

    def _standardized(self, table: NDArray[np.float32]) -> NDArray[np.float32]:
        z: NDArray[np.float32] = np.nan_to_num((table - self.mean_) / self.scale_)
        z[~np.isfinite(table).all(axis=1)] = 0
        return z

    def _new_net(self, n_features: int) -> nn.Sequential:
        return nn.Sequential(
            RecurrentConvolution(n_features, self.channels, self.kernel, self.steps),
            RecurrentConvolution(self.channels, self.channels, self.kernel, self.steps),
            nn.Conv1d(self.channels, 1, 1),
        )

    def _state(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        check_is_fitted(self, "net_")
        tensors = {f"net.{k}": v for k, v in self.net_.state_dict().items()}
        for name in ("mean_", "scale_", "history_"):
            tensors[name] = torch.from_numpy(getattr(self, name))
        counts = ("n_without_features_", "n_without_label_")
        return {name: getattr(self, name) for name in counts}, tensors

    def _restore(self, facts: dict[str, Any], tensors: dict[str, Tensor]) -> None:
        for name, value in facts.items():
            setattr(self, name, value)
        for name in ("mean_", "scale_", "history_"):
            setattr(self, name, tensors[name].numpy())
        self.net_ = self._new_net(self.mean_.size)
        self.net_.load_state_dict(
            {k.removeprefix("net."): v for k, v in tensors.items() if k.startswith("net.")}
        )


def _inputs(z: NDArray[np.float32], at: NDArray[np.intp]) -> Tensor:
    """Standardised features (n, d, time) of rows at positions (n, time); 0, the mean, where that is -1."""
    return torch.from_numpy(np.where((at >= 0)[..., None], z[at], np.float32(0))).transpose(1, 2)

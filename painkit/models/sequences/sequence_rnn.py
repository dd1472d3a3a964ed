"""RNN baseline: an LSTM over the frames of a sequence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
import torch
from numpy.random import RandomState
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_sequence

from painkit.errors import PainkitError
from painkit.models.persistence import Persistent
from painkit.models.sequences.base import check_labels, check_sequences, tracked_rows
from painkit.models.sequences.standardize import LandmarkStandardizer
from painkit.progress import tqdm

if TYPE_CHECKING:
    from painkit.data.cohort import SequenceSample

__all__ = ["SequenceRNN"]


class _LastState(nn.Module):
    """LSTM over packed frames, then a dense layer on the last hidden state."""

    def __init__(self, n_inputs: int, hidden: int, n_outputs: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(n_inputs, hidden)
        self.dense = nn.Linear(hidden, n_outputs)

    def forward(self, sequences: list[Tensor]) -> Tensor:
        _, (last, _) = self.lstm(pack_sequence(sequences, enforce_sorted=False))
        estimates: Tensor = self.dense(last[0])
        return estimates


@dataclass(kw_only=True, eq=False, repr=False)
class SequenceRNN(Persistent, BaseEstimator):  # type: ignore[misc]
    """LSTM of 36 units and a dense layer on its last state (DeepFaceLIFT, Sec. 4, RNN baseline).

    Trained by Adam on the mean squared error of the sequence's label(s), on their own scales. The paper gives
    the two layers and nothing else.

    Parameters
    ----------
    placement : {'none', 'input'}
        Personal features nowhere, or beside the landmarks of each frame.
    personal_features, standardize
        As in `FrameNetwork`.
    hidden : int
    epochs, batch_size, lr : int, int, float
        `batch_size` counts sequences.
    frame_step : int
        Every `frame_step`-th tracked frame is read, in training and prediction.
    random_state, device, progress
        As in `FrameNetwork`.
    """

    placement: Literal["none", "input"] = "none"
    personal_features: tuple[str, ...] = ("complexion", "age", "gender")
    standardize: Literal["subject", "train"] = "subject"
    hidden: int = 36
    epochs: int = 50
    batch_size: int = 20
    lr: float = 5e-3
    frame_step: int = 1
    random_state: int | RandomState | None = None
    device: str = "cpu"
    progress: bool = False

    def fit(self, X: Sequence[SequenceSample], y: ArrayLike) -> Self:
        """Train on sequences; see `FrameNetwork.fit` for `X` and `y` (one or two columns) and errors.

        Sequences with a missing label (`n_dropped_sequences_`) or without a tracked frame
        (`n_unusable_sequences_`) are left out and counted.
        """
        samples, labels = check_sequences(X), check_labels(X, y)
        self.flat_, self.n_dropped_sequences_ = labels.flat, int((~labels.usable).sum())
        samples = [sample for sample, usable in zip(samples, labels.usable, strict=True) if usable]
        self.standardizer_ = LandmarkStandardizer(self.standardize).fit(samples)
        rows = tracked_rows(samples, self.standardizer_, self._features, self.frame_step)
        targets = labels.values[labels.usable]
        seen = [i for i, r in enumerate(rows) if len(r)]
        if not seen:
            raise PainkitError(f"none of the frames of {len(rows)} training sequences has all 66 landmarks")
        self.n_unusable_sequences_ = len(rows) - len(seen)
        inputs = [torch.from_numpy(rows[i]).to(self.device) for i in seen]
        wanted = torch.from_numpy(targets[seen].astype(np.float32)).to(self.device)
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.net_ = _LastState(inputs[0].shape[1], self.hidden, wanted.shape[1])
            # Starting at the mean spares the epochs that a bias needs to climb there.
            self.net_.dense.bias.data = wanted.mean(dim=0).cpu()
        self.net_.to(self.device).train()
        generator = torch.Generator().manual_seed(seed)
        optimizer = torch.optim.Adam(self.net_.parameters(), lr=self.lr, fused=True)
        for _ in tqdm(range(self.epochs), desc="RNN", unit="epoch", leave=False, disable=not self.progress):
            for batch in torch.split(torch.randperm(len(inputs), generator=generator), self.batch_size):
                optimizer.zero_grad()
                loss = nn.functional.mse_loss(self.net_([inputs[i] for i in batch]), wanted[batch])
                torch.autograd.backward(loss)
                nn.utils.clip_grad_norm_(self.net_.parameters(), 1.0)
                optimizer.step()
        if not all(torch.isfinite(weight).all() for weight in self.net_.parameters()):
            raise PainkitError(f"the RNN diverged with lr={self.lr}", expected="a smaller lr")
        self.net_.eval()
        return self

    @property
    def _features(self) -> tuple[str, ...]:
        return self.personal_features if self.placement == "input" else ()

    def predict(self, X: Sequence[SequenceSample]) -> NDArray[np.float64]:
        """Estimates shaped like the `y` of `fit`; NaN for a sequence without a tracked frame."""
        check_is_fitted(self)
        rows = tracked_rows(check_sequences(X), self.standardizer_, self._features, self.frame_step)
        known = [i for i, r in enumerate(rows) if len(r)]
        estimates = np.full((len(rows), self.net_.dense.out_features), np.nan)
        with torch.inference_mode():
            for start in range(0, len(known), 64):
                batch = known[start : start + 64]
                outputs = self.net_([torch.from_numpy(rows[i]).to(self.device) for i in batch])
                estimates[batch] = outputs.cpu().numpy()
        return estimates[:, 0] if self.flat_ else estimates

    def _state(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        check_is_fitted(self)
        facts = {
            "flat": self.flat_,
            "n_dropped_sequences": self.n_dropped_sequences_,
            "n_unusable_sequences": self.n_unusable_sequences_,
        }
        weights = {f"net.{name}": tensor for name, tensor in self.net_.state_dict().items()}
        return facts, weights | self.standardizer_.tensors()

    def _restore(self, facts: dict[str, Any], tensors: dict[str, Tensor]) -> None:
        for name, value in facts.items():
            setattr(self, f"{name}_", value)
        self.standardizer_ = LandmarkStandardizer.from_tensors(self.standardize, tensors)
        weights = {k.removeprefix("net."): v for k, v in tensors.items() if k.startswith("net.")}
        self.net_ = _LastState(weights["lstm.weight_ih_l0"].shape[1], self.hidden, len(weights["dense.bias"]))
        self.net_.load_state_dict(weights)
        self.net_.to(self.device).eval()

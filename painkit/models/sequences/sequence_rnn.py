"""RNN baseline: an LSTM over the frames of a sequence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_sequence

from painkit.models.sequences.base import SequenceEstimator
from painkit.models.training.acceleration import choose_device, true_float32
from painkit.models.training.batches import shuffled
from painkit.models.training.loop import descend, seeded, train

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
class SequenceRNN(SequenceEstimator):
    """LSTM of 36 units and a dense layer on its last state (DeepFaceLIFT, Sec. 4, RNN baseline).

    Trained by Adam on the mean squared error of the sequence's label(s), on their own scales. The paper gives
    the two layers and nothing else.

    Parameters
    ----------
    hidden : int
    epochs, batch_size, lr : int, int, float
        `batch_size` counts sequences.
    **others
        As in `SequenceEstimator`; `frame_step` holds in training and prediction.

    Attributes
    ----------
    net_ : Module
    history_ : (n_iterations, 1) array
        Mean squared error.
    """

    placement: Literal["none", "input"] = "none"
    hidden: int = 36
    epochs: int = 50
    batch_size: int = 20
    lr: float = 5e-3

    def fit(self, X: Sequence[SequenceSample], y: ArrayLike) -> Self:
        """Train on sequences; see `FrameNetwork.fit` for `X` and `y` (one or two columns) and errors."""
        rows, labels = self._training_rows(*self._labelled_sequences(X, y))
        device = choose_device(self.device)
        inputs = [torch.from_numpy(one).to(device) for one in rows]
        targets = torch.from_numpy(labels.astype(np.float32)).to(device)
        with seeded(self.seed_):
            self.net_ = self._new_net()
            # Starting at the mean spares the epochs that a bias needs to climb there.
            self.net_.dense.bias.data = targets.mean(dim=0)
        optimizer = torch.optim.Adam(self.net_.parameters(), lr=self.lr, fused=True)

        def step(batch: Tensor) -> list[Tensor]:
            loss = nn.functional.mse_loss(self.net_([inputs[i] for i in batch]), targets[batch])
            return descend([loss], optimizer, max_norm=1.0)

        self.history_ = train(
            self.net_,
            step,
            shuffled(len(inputs), self.batch_size, self.epochs, self.seed_),
            total=self.epochs * -(-len(inputs) // self.batch_size),
            description="RNN",
            progress=self.progress,
        )
        return self

    @torch.inference_mode()
    @true_float32()
    def predict(self, X: Sequence[SequenceSample]) -> NDArray[np.float64]:
        """Estimates shaped like the `y` of `fit`; NaN for a sequence without a tracked frame."""
        check_is_fitted(self)
        rows, device = [self._tracked(one) for one in self._frame_rows(X)], choose_device(self.device)
        known = [i for i, one in enumerate(rows) if len(one)]
        estimates = np.full((len(rows), self.n_targets_), np.nan)
        for start in range(0, len(known), 64):
            batch = known[start : start + 64]
            outputs = self.net_([torch.from_numpy(rows[i]).to(device) for i in batch])
            estimates[batch] = outputs.cpu().numpy()
        return self._shaped(estimates)

    def _new_net(self) -> _LastState:
        return _LastState(self._n_inputs, self.hidden, self.n_targets_).to(choose_device(self.device))

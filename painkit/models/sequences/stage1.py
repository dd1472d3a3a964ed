"""Stage 1 of DeepFaceLIFT: a network on single frames, trained with the label of the frame's sequence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Self

import joblib
import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted
from torch import Tensor
from torch.nn import functional

from painkit import __version__
from painkit.errors import PainkitError
from painkit.kept import kept
from painkit.models.code import code_digest
from painkit.models.nets.landmark_net import N_COORDINATES, LandmarkNet, Placement
from painkit.models.persistence import read_tensors, write_tensors
from painkit.models.sequences.base import SequenceEstimator
from painkit.models.training.acceleration import choose_device, true_float32
from painkit.models.training.batches import shuffled
from painkit.models.training.loop import descend, seeded, train

if TYPE_CHECKING:
    from painkit.data.cohort import SequenceSample

__all__ = ["FrameNetwork", "fit_net"]


@dataclass(kw_only=True, eq=False, repr=False)
class FrameNetwork(SequenceEstimator):
    """Weakly supervised network: each frame carries its sequence's label (DeepFaceLIFT, Sec. 3.1).

    Base of `MeanVoting` and `DeepFaceLIFT`, which turn its frame estimates into one estimate per sequence.

    Parameters
    ----------
    labels : tuple of str
        ``('vas', 'opi')`` trains both outputs (multi-task, equal weights, mean squared error on the labels'
        own scales: VAS 0-10, OPI 0-5), ``('vas',)`` the first alone.
    epochs, batch_size, lr : int, int, float
        100, 300 (the paper's) and 1e-3 (Adam; the paper names none).
    memory : path or None
        A folder where trained networks are kept under a digest of their settings and data, so that estimators
        that need the same network (the nine settings of Table 1, mean voting) train it once.
    **others
        As in `SequenceEstimator`; estimates are always made for all frames.

    Attributes
    ----------
    net_ : LandmarkNet
    """

    labels: tuple[str, ...] = ("vas", "opi")
    epochs: int = 100
    batch_size: int = 300
    lr: float = 1e-3
    memory: str | PathLike[str] | None = None

    def fit(self, X: Sequence[SequenceSample], y: ArrayLike) -> Self:
        """Train on sequences and their labels.

        Parameters
        ----------
        X : list of SequenceSample
        y : (n,) or (n, 2) array
            VAS (0-10), or VAS and OPI (0-5). Sequences with a missing label are left out and counted.

        Raises
        ------
        PainkitError
            On labels of another shape, no complete label, missing personal features, no tracked frame, or a
            setting that is not accepted.
        """
        self._fit_net(*self._labelled_sequences(X, y))
        return self

    def _fit_net(self, samples: list[SequenceSample], values: NDArray[np.float64]) -> None:
        if len(self.labels) > self.n_targets_:
            raise PainkitError("labels=('vas', 'opi') needs both labels", expected="y of shape (n, 2)")
        rows, values = self._training_rows(samples, values)
        targets = np.repeat(values[:, : len(self.labels)], [len(one) for one in rows], axis=0)
        self.net_ = fit_net(
            np.concatenate(rows),
            targets.astype(np.float32),
            placement=self.placement,
            epochs=self.epochs,
            batch_size=self.batch_size,
            lr=self.lr,
            seed=self.seed_,
            device=self.device,
            memory=self.memory,
            progress=self.progress,
        )

    def _check_settings(self) -> None:
        super()._check_settings()
        if tuple(self.labels) not in (("vas",), ("vas", "opi")):
            raise PainkitError(f"labels={self.labels!r}", expected="('vas',) or ('vas', 'opi')")

    def _new_net(self) -> LandmarkNet:
        net = LandmarkNet(self._n_inputs - N_COORDINATES, len(self.labels), self.placement)
        return net.to(choose_device(self.device))

    def network_inputs(self, X: Sequence[SequenceSample]) -> list[NDArray[np.float32]]:
        """Rows that the network reads, one (n_frames, 132 + n_personal) array per sequence.

        z-scored coordinates x0, y0, x1, ... then the personal inputs; untracked frames have NaN coordinates.
        """
        check_is_fitted(self)
        return self._frame_rows(X)

    @torch.inference_mode()
    @true_float32()
    def frame_estimates(self, X: Sequence[SequenceSample]) -> list[NDArray[np.float64]]:
        """Estimates of every frame, one (n_frames, n_labels) array per sequence; untracked frames are NaN."""
        rows, device = self.network_inputs(X), choose_device(self.device)
        # NaN rows pass through the matrix products as NaN and touch no other row.
        inputs = torch.from_numpy(np.concatenate(rows))
        parts = [self.net_(chunk.to(device)).cpu() for chunk in torch.split(inputs, 8192)]
        estimates = torch.cat(parts).numpy().astype(np.float64)
        # ReLU may turn NaN into 0 on some devices.
        estimates[torch.isnan(inputs[:, 0]).numpy()] = np.nan
        return np.split(estimates, np.cumsum([len(r) for r in rows])[:-1])


def fit_net(
    inputs: NDArray[np.float32],
    targets: NDArray[np.float32],
    *,
    placement: Placement,
    epochs: int,
    batch_size: int,
    lr: float,
    seed: int,
    device: str = "cpu",
    memory: str | PathLike[str] | None = None,
    progress: bool = False,
) -> LandmarkNet:
    """Train a `LandmarkNet` by Adam on mean squared error, or fetch the same fit from `memory`.

    Parameters
    ----------
    inputs : (n, 132 + n_personal) float32
    targets : (n, n_outputs) float32

    Raises
    ------
    PainkitError
        When training diverges.
    """
    where = choose_device(device)
    with seeded(seed):
        net = LandmarkNet(inputs.shape[1] - N_COORDINATES, targets.shape[1], placement).to(where)

    def trained(folder: Path | None = None) -> None:
        x, y = torch.from_numpy(inputs).to(where), torch.from_numpy(targets).to(where)
        optimizer = torch.optim.Adam(net.parameters(), lr=lr, fused=True)

        def step(batch: Tensor) -> list[Tensor]:
            rows = batch.to(where)
            return descend([functional.mse_loss(net(x[rows]), y[rows])], optimizer)

        train(
            net,
            step,
            shuffled(len(x), batch_size, epochs, seed),
            total=epochs * -(-len(x) // batch_size),
            description="stage 1",
            progress=progress,
        )
        if folder is not None:
            write_tensors(folder / "net.safetensors", net.state_dict())

    if memory is None:
        trained()
    else:
        # The order of sums depends on the threads.
        where_made = (__version__, code_digest(), torch.__version__, str(device), torch.get_num_threads())
        key = joblib.hash((placement, epochs, batch_size, lr, seed, where_made, inputs, targets))
        folder = kept(memory, f"stage1-{key}", trained)
        net.load_state_dict(read_tensors(folder / "net.safetensors"))
    return net.eval()

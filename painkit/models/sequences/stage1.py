"""Stage 1 of DeepFaceLIFT: a network on single frames, trained with the label of the frame's sequence."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
import torch
from numpy.random import RandomState
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted
from skorch import NeuralNetRegressor
from skorch.callbacks import Callback
from torch import Tensor, nn

from painkit import __version__
from painkit.errors import PainkitError
from painkit.models.code import code_digest
from painkit.models.nets.landmark_net import LandmarkNet, Placement
from painkit.models.persistence import Persistent, read_tensors, write_tensors
from painkit.models.sequences.base import check_labels, check_sequences, frame_rows, personal_columns, tracked
from painkit.models.sequences.standardize import LandmarkStandardizer
from painkit.progress import tqdm

if TYPE_CHECKING:
    from painkit.data.cohort import SequenceSample

__all__ = ["FrameNetwork", "fit_net"]


@dataclass(kw_only=True, eq=False, repr=False)
class FrameNetwork(Persistent, BaseEstimator):  # type: ignore[misc]
    """Weakly supervised network: each frame carries its sequence's label (DeepFaceLIFT, Sec. 3.1).

    Base of `MeanVoting` and `DeepFaceLIFT`, which turn its frame estimates into one estimate per sequence.

    Parameters
    ----------
    placement : {'none', 'third_layer', 'input'}
        Where the one-hot personal features enter the network.
    labels : tuple of str
        ``('vas', 'opi')`` trains both outputs (multi-task, equal weights, mean squared error on the labels'
        own scales: VAS 0-10, OPI 0-5), ``('vas',)`` the first alone.
    personal_features : tuple of str
        Which of complexion, age and gender are used when `placement` is not ``'none'``.
    standardize : {'subject', 'train'}
        Whose statistics z-score the landmarks; see `LandmarkStandardizer`.
    epochs, batch_size, lr : int, int, float
        100, 300 (the paper's) and 1e-3 (Adam; the paper names none).
    frame_step : int
        Train on every `frame_step`-th tracked frame of a sequence; estimates are always made for all.
    random_state : int, RandomState or None
        Seeds the initial weights and the order of frames.
    device : str
        Torch device of the network.
    memory : path or None
        A folder where trained networks are kept under a digest of their settings and data, so that estimators
        that need the same network (the nine settings of Table 1, mean voting) train it once.
    progress : bool
        Show a bar over epochs.

    Attributes
    ----------
    net_ : LandmarkNet
    n_dropped_sequences_ : int
        Training sequences left out because a label is missing.
    n_untracked_frames_ : int
        Frames of the training sequences left out because a landmark is missing.
    """

    placement: Placement = "none"
    labels: tuple[str, ...] = ("vas", "opi")
    personal_features: tuple[str, ...] = ("complexion", "age", "gender")
    standardize: Literal["subject", "train"] = "subject"
    epochs: int = 100
    batch_size: int = 300
    lr: float = 1e-3
    frame_step: int = 1
    random_state: int | RandomState | None = None
    device: str = "cpu"
    memory: str | PathLike[str] | None = None
    progress: bool = False

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
        self._check_settings()
        samples, labels = check_sequences(X), check_labels(X, y)
        if len(self.labels) > labels.values.shape[1]:
            raise PainkitError("labels=('vas', 'opi') needs both labels", expected="y of shape (n, 2)")
        samples = [sample for sample, usable in zip(samples, labels.usable, strict=True) if usable]
        self.n_dropped_sequences_ = int((~labels.usable).sum())
        self.flat_, self.n_targets_ = labels.flat, labels.values.shape[1]
        self.seed_ = int(check_random_state(self.random_state).randint(2**31 - 1))
        self.standardizer_ = LandmarkStandardizer(self.standardize).fit(samples)
        self._fit_net(samples, labels.values[labels.usable])
        return self

    def _fit_net(self, samples: list[SequenceSample], values: NDArray[np.float64]) -> None:
        rows = self.network_inputs(samples)
        self.n_untracked_frames_ = int(sum(np.isnan(r[:, 0]).sum() for r in rows))
        kept = [tracked(r, self.frame_step) for r in rows]
        inputs = np.concatenate(kept)
        if len(inputs) == 0:
            raise PainkitError(
                f"none of the frames of {len(samples)} training sequences has all 66 landmarks"
            )
        targets = np.repeat(values[:, : len(self.labels)], [len(k) for k in kept], axis=0).astype(np.float32)
        self.net_ = fit_net(
            inputs,
            targets,
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
        for name, accepted in {
            "placement": ("none", "third_layer", "input"),
            "labels": (("vas",), ("vas", "opi")),
            "standardize": ("subject", "train"),
        }.items():
            given = getattr(self, name)
            if (tuple(given) if name == "labels" else given) not in accepted:
                raise PainkitError(f"{name}={given!r}", expected=" or ".join(map(repr, accepted)))
        for name in ("epochs", "batch_size", "frame_step"):
            if getattr(self, name) < 1:
                raise PainkitError(f"{name}={getattr(self, name)}", expected="at least 1")

    def network_inputs(self, X: Sequence[SequenceSample]) -> list[NDArray[np.float32]]:
        """Rows that the network reads, one (n_frames, 132 + n_personal) array per sequence.

        z-scored coordinates x0, y0, x1, ... then the personal inputs; untracked frames have NaN coordinates.
        """
        check_is_fitted(self)
        features = self.personal_features if self.placement != "none" else ()
        return frame_rows(check_sequences(X), self.standardizer_, features)

    def frame_estimates(self, X: Sequence[SequenceSample]) -> list[NDArray[np.float64]]:
        """Estimates of every frame, one (n_frames, n_labels) array per sequence; untracked frames are NaN."""
        rows = self.network_inputs(X)
        # NaN rows pass through the matrix products as NaN and touch no other row.
        inputs = torch.from_numpy(np.concatenate(rows))
        with torch.inference_mode():
            parts = [self.net_(chunk.to(self.device)).cpu() for chunk in torch.split(inputs, 8192)]
        estimates = torch.cat(parts).numpy().astype(np.float64)
        # ReLU may turn NaN into 0 on some devices.
        estimates[torch.isnan(inputs[:, 0]).numpy()] = np.nan
        return np.split(estimates, np.cumsum([len(r) for r in rows])[:-1])

    def _state(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        check_is_fitted(self)
        facts = {
            "flat": self.flat_,
            "n_targets": self.n_targets_,
            "seed": self.seed_,
            "n_dropped_sequences": self.n_dropped_sequences_,
            "n_untracked_frames": self.n_untracked_frames_,
        }
        tensors = {f"net.{name}": tensor for name, tensor in self.net_.state_dict().items()}
        return facts, tensors | self.standardizer_.tensors()

    def _restore(self, facts: dict[str, Any], tensors: dict[str, Tensor]) -> None:
        for name, value in facts.items():
            setattr(self, f"{name}_", value)
        self.standardizer_ = LandmarkStandardizer.from_tensors(self.standardize, tensors)
        weights = {k.removeprefix("net."): v for k, v in tensors.items() if k.startswith("net.")}
        n_personal = len(personal_columns(self.personal_features)) if self.placement != "none" else 0
        self.net_ = LandmarkNet(n_personal, len(self.labels), self.placement)
        self.net_.load_state_dict(weights)
        self.net_.to(self.device).eval()


class _Slices:
    """Batches as slices of one shuffled copy per epoch: far less work per row than a default loader."""

    def __init__(self, dataset: Any, batch_size: int, generator: torch.Generator | None = None) -> None:
        self.inputs, self.targets = dataset.X, dataset.y
        self.batch_size, self.generator = batch_size, generator

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        order = torch.randperm(len(self.inputs), generator=self.generator).to(self.inputs.device)
        inputs, targets = self.inputs[order], self.targets[order]
        yield from zip(inputs.split(self.batch_size), targets.split(self.batch_size), strict=True)


class _EpochBar(Callback):  # type: ignore[misc]
    """A bar over epochs."""

    def on_train_begin(self, net: NeuralNetRegressor, **_: object) -> None:
        self.bar = tqdm(total=net.max_epochs, desc="stage 1", unit="epoch", leave=False)

    def on_epoch_end(self, net: NeuralNetRegressor, **_: object) -> None:
        self.bar.update()

    def on_train_end(self, net: NeuralNetRegressor, **_: object) -> None:
        self.bar.close()


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
        When the weights are no longer finite after training.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = LandmarkNet(inputs.shape[1] - 132, targets.shape[1], placement)
    settings = {
        "placement": placement,
        "epochs": epochs,
        "batch_size": batch_size,
        "lr": lr,
        "seed": seed,
        "device": str(torch.device(device)),
    }
    kept = (
        None if memory is None else Path(memory) / f"stage1-{_digest(settings, inputs, targets)}.safetensors"
    )
    if kept is not None and kept.is_file():
        net.load_state_dict(read_tensors(kept))
        return net.to(device).eval()
    trainer = NeuralNetRegressor(
        net,
        criterion=nn.MSELoss,
        optimizer=torch.optim.Adam,
        optimizer__fused=True,
        lr=lr,
        max_epochs=epochs,
        batch_size=batch_size,
        iterator_train=_Slices,
        iterator_train__generator=torch.Generator().manual_seed(seed),
        train_split=None,
        device=device,
        verbose=0,
        callbacks=[_EpochBar()] if progress else None,
        callbacks__print_log=None,
    )
    trainer.fit(torch.from_numpy(inputs).to(device), torch.from_numpy(targets).to(device))
    if not all(torch.isfinite(weight).all() for weight in net.parameters()):
        raise PainkitError(f"stage 1 diverged with lr={lr}", expected="a smaller lr")
    if kept is not None:
        write_tensors(kept, net.state_dict())
    return net.eval()


def _digest(settings: dict[str, Any], *arrays: NDArray[np.float32]) -> str:
    facts = settings | {
        "painkit": __version__,
        "code": code_digest(),
        "torch": torch.__version__,
        "skorch": importlib.metadata.version("skorch"),
        "shapes": [a.shape for a in arrays],
    }
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
    for array in arrays:
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()[:32]

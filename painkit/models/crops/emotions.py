"""Eight emotions from small grey faces: what ResNet-18 learns before it sees pain (Barsoum et al. 2016)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from os import PathLike
from typing import Any, Final, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted
from torch import Tensor
from torch.nn import functional

from painkit.errors import PainkitError
from painkit.models.checks import check_settings, numbers
from painkit.models.crops.class_scores import ClassScores
from painkit.models.nets.resnet18 import InputScaling, ResNet18, to_input
from painkit.models.nets.resnet18_weights import load_resnet18_weights
from painkit.models.persistence import Persistent, write_tensors
from painkit.models.training.acceleration import Precision, choose_acceleration, true_float32
from painkit.models.training.augmentation import Augmentation
from painkit.models.training.batches import batches
from painkit.models.training.loop import descend, seeded, train
from painkit.vocabulary.classes import EMOTIONS

__all__ = ["EmotionResNet"]

_BATCH: Final = 128


@dataclass(kw_only=True, eq=False, repr=False)
class EmotionResNet(ClassScores, Persistent, BaseEstimator):  # type: ignore[misc]
    """ResNet-18 trained on FER+, whose layers `SevenLevels` starts from.

    `X` is images of `painkit.data.ferplus.EmotionImages`; `y` what its `majority` gives, or its
    `probability`: the net then learns the shares of the votes by their cross-entropy. (In its mode
    ``probability`` the published code draws an emotion by its share in each epoch, which on the average is
    the same.)

    The learning rate falls to a tenth after 60 % of the iterations, and again after 85 %.

    Parameters
    ----------
    input_size : int
        Side to which the images are enlarged: that of the crops which the layers shall see later.
    width : float
        Share of the published number of channels.
    lr, momentum, weight_decay, batch_size, iterations
        Of the stochastic gradient descent; batches run through all images in random order.
    mirror, rotation, shift : bool, degrees, share of the side
        Augmentation; rotation and shift as in the published code of FER+.
    pretrained : path, optional
        See `load_resnet18_weights`, such as of ImageNet.
    input_scaling : {'0-1', '-1-1', 'imagenet'}
        How images go in, here and wherever the layers are used; see `to_input`.
    device, precision : str
        See `choose_device`; ``'float32'`` or ``'bfloat16'``.
    random_state : int
    progress : bool

    Attributes
    ----------
    classes_ : (8,) array
        Indices of `EMOTIONS`.
    net_ : ResNet18
    history_ : (iterations, 1) array
        Cross-entropy.
    """

    input_size: int = 224
    width: float = 1.0
    lr: float = 0.02
    momentum: float = 0.9
    weight_decay: float = 1e-4
    batch_size: int = 64
    iterations: int = 10_000
    mirror: bool = True
    rotation: float = 20.0
    shift: float = 0.08
    pretrained: str | PathLike[str] | None = None
    input_scaling: InputScaling = "0-1"
    device: str = "auto"
    precision: Precision = "float32"
    random_state: int = 0
    progress: bool = False

    def fit(self, X: NDArray[np.uint8], y: ArrayLike) -> Self:
        """Train on faces and what people saw in them.

        Parameters
        ----------
        X : (n, height, width) uint8 array
            Grey; may be mapped from disk.
        y : (n,) or (n, 8) array
            Index into `EMOTIONS`, or the share of each emotion; rows with NaN are left out.

        Raises
        ------
        PainkitError
            On images or labels of another form, no labelled image, weights of another net, a setting that is
            not accepted, or divergence.
        """
        check_settings(self)
        acceleration = choose_acceleration(self.device, self.precision)
        shares = _shares(y, len(_checked(X)))
        labelled = np.flatnonzero(np.isfinite(shares).all(axis=1))
        if not labelled.size:
            raise PainkitError("no image has a label")
        if self.batch_size < 2:
            raise PainkitError(f"batch_size={self.batch_size}", expected="2 or more, which have a variance")
        rng = np.random.default_rng(self.random_state)
        seed = int(rng.integers(2**31))
        with seeded(seed):
            self.net_ = self._new_net()
        if self.pretrained is not None:
            load_resnet18_weights(self.net_, self.pretrained)
        self.classes_ = np.arange(len(EMOTIONS), dtype=np.float64)
        self.net_.to(acceleration.device)
        targets = torch.from_numpy(shares[labelled]).to(acceleration.device, torch.float32)
        optimizer = torch.optim.SGD(
            self.net_.parameters(), lr=self.lr, momentum=self.momentum, weight_decay=self.weight_decay
        )
        falls = [round(0.6 * self.iterations), round(0.85 * self.iterations)]
        schedule = torch.optim.lr_scheduler.MultiStepLR(optimizer, falls)
        augmentation = Augmentation(self.mirror, self.rotation, self.shift * self.input_size)
        generator = torch.Generator().manual_seed(seed)

        def shown() -> Iterator[tuple[Tensor, NDArray[np.intp]]]:
            for positions in batches(np.zeros(labelled.size), self.batch_size, self.iterations, rng):
                images = self._enlarged(X[labelled[positions]], acceleration.device)
                yield augmentation(images, generator), positions

        def step(batch: tuple[Tensor, NDArray[np.intp]]) -> list[Tensor]:
            images, positions = batch
            with acceleration.autocast():
                loss = functional.cross_entropy(self.net_(images).float(), targets[positions])
            terms = descend([loss], optimizer)
            schedule.step()
            return terms

        self.history_ = train(
            self.net_,
            step,
            shown(),
            total=self.iterations,
            description=type(self).__name__,
            progress=self.progress,
        )
        return self

    @torch.inference_mode()
    @true_float32()
    def decision_function(self, X: Any) -> NDArray[np.float32]:
        """Scores (n, 8) before the softmax, of images as `fit` takes them."""
        check_is_fitted(self)
        acceleration = choose_acceleration(self.device, self.precision)
        net, parts = self.net_.to(acceleration.device).eval(), [np.empty((0, len(EMOTIONS)), np.float32)]
        for start in range(0, len(_checked(X)), _BATCH):
            with acceleration.autocast():
                scores = net(self._enlarged(X[start : start + _BATCH], acceleration.device))
            parts.append(scores.float().cpu().numpy())
        return np.concatenate(parts)

    def save_backbone(self, path: str | PathLike[str]) -> None:
        """Write all layers as safetensors by torchvision's names, for ``SevenLevels(pretrained=...)``."""
        check_is_fitted(self)
        write_tensors(path, self.net_.state_dict())

    def _enlarged(self, images: NDArray[np.uint8], device: torch.device) -> Tensor:
        """Give grey images as the net takes them, in three equal channels."""
        grey = torch.from_numpy(np.array(images)).to(device)[:, None].float()
        side = (self.input_size, self.input_size)
        large = functional.interpolate(grey, side, mode="bilinear", align_corners=False)
        return to_input(large.permute(0, 2, 3, 1).expand(-1, -1, -1, 3), device, self.input_scaling)

    def _new_net(self) -> ResNet18:
        return ResNet18(len(EMOTIONS), width=self.width).to(memory_format=torch.channels_last)


def _checked(X: Any) -> NDArray[np.uint8]:
    if not isinstance(X, np.ndarray) or X.ndim != 3 or X.dtype != np.uint8:
        told = f"{X.dtype} of shape {X.shape}" if isinstance(X, np.ndarray) else type(X).__name__
        raise PainkitError(f"images are {told}", expected="an array (n, height, width) of uint8 grey values")
    return X


def _shares(y: ArrayLike, n: int) -> NDArray[np.float64]:
    """Share of each emotion (n, 8), whichever form the labels have; NaN where missing."""
    labels, k = numbers(y), len(EMOTIONS)
    known: NDArray[np.bool_] = np.isfinite(labels)
    if labels.shape == (n,):
        if not np.isin(labels[known], range(k)).all():
            raise PainkitError(
                f"labels such as {labels[known].max():g}", expected=f"numbers 0, 1, ... {k - 1}"
            )
        shares = np.full((n, k), np.nan)
        shares[known] = np.eye(k)[labels[known].astype(np.intp)]
        return shares
    given = labels[known.all(axis=-1)]
    if labels.shape != (n, k) or (given < 0).any() or not np.allclose(given.sum(axis=1), 1):
        raise PainkitError(
            f"labels of shape {labels.shape} for {n} images",
            expected=f"({n},) numbers of emotions, or ({n}, {k}) shares that sum to 1",
        )
    return labels

"""Expressions from face crops by a fine-tuned VGG-Face (Weitz et al. 2018)."""

from __future__ import annotations

from dataclasses import dataclass
from os import PathLike
from typing import Self

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn
from torch.nn import functional

from painkit.errors import PainkitError
from painkit.models.crops.base import CropEstimator
from painkit.models.crops.class_scores import ClassScores
from painkit.models.nets import vgg_face
from painkit.models.nets.vgg_face_weights import load_vgg_face_weights
from painkit.models.persistence import write_tensors
from painkit.models.training.batches import Sampling
from painkit.models.training.initial import standardize_units
from painkit.models.training.loop import descend

__all__ = ["ExpressionClassifier"]

_PIXELS = 64.0
_LOOKED_AT = 128  # training frames, for the initial weights
_FIRST_SCORES = 0.3  # spread: no class is sure yet


@dataclass(kw_only=True, eq=False, repr=False)
class ExpressionClassifier(ClassScores, CropEstimator):
    """VGG-Face fine-tuned to tell expressions apart (Weitz et al. 2018, Sec. 4).

    Without `pretrained` weights all layers are trained, from weights that give every unit mean 0 and spread 1
    on some training frames: so many layers do not learn from others.

    Parameters
    ----------
    input_size : int
        Side of the square crops in `store`; 224 is the published net.
    dropout : float
    max_norm : float, optional
        A longer gradient is cut to this norm.
    trained_layers : tuple of str
        What is trained of a pre-trained net: the layers whose names begin so.
    pretrained : path, optional
        See `painkit.models.nets.vgg_face_weights.load_vgg_face_weights`; the last layer is always new.
    **others
        As in `CropEstimator`; the rate and momentum are the usual ones of fine-tuning, the paper names none.
        Batches are uniform over the classes, since the paper balanced its data.

    Attributes
    ----------
    classes_ : (k,) float array
        Class numbers, in the order of the net's outputs.
    net_ : VGGFace
    history_ : (iterations, 1) array
        Cross-entropy.
    """

    sampling: Sampling = "uniform"
    lr: float = 1e-3
    batch_size: int = 32
    iterations: int = 2000
    input_size: int = 224
    dropout: float = 0.5
    max_norm: float | None = None
    trained_layers: tuple[str, ...] = ("conv5", "fc")

    def fit(self, X: pd.DataFrame, y: ArrayLike) -> Self:
        """Train on frames and their classes.

        Parameters
        ----------
        X : DataFrame with subject, sequence, frame, row
        y : (n,) array
            Class numbers 0, 1, ...; NaN where missing.

        Raises
        ------
        PainkitError
            When fewer than two classes occur, on labels that are no class numbers, no usable frame, a store
            of other crops, weights of another net, or divergence.
        """
        acceleration = self._acceleration()
        frames, labels = self._labelled_frames(X, y)
        if (labels < 0).any() or (labels != np.rint(labels)).any():
            raise PainkitError(f"labels such as {labels.max():g}", expected="class numbers 0, 1, ...")
        self.classes_, classes = np.unique(labels, return_inverse=True)
        if self.classes_.size < 2:
            raise PainkitError(
                f"all {labels.size} training frames are of class {labels[0]:g}",
                expected="two classes or more",
            )
        seed, rng = self._start(X, y)
        rows = frames["row"].to_numpy(dtype=np.intp)
        if self.pretrained is None:
            seen = self._open_store().batch(rng.permutation(rows)[:_LOOKED_AT])
            self.net_.eval()
            standardize_units(self.net_, vgg_face.to_input(seen, acceleration.device))
            for part in self.net_[-1].parameters():
                part.data *= _FIRST_SCORES
            # As if pixels, which spread by about 64 about their mean, came scaled: conv1_1 takes larger ones.
            self.net_.conv1_1.weight.register_hook(lambda slope: slope / _PIXELS**2)
        else:
            for name, weight in self.net_.named_parameters():
                weight.requires_grad_(name.startswith(self.trained_layers))
        targets = torch.from_numpy(classes).to(acceleration.device)
        optimizer = self._optimizer()

        def step(batch: tuple[Tensor, NDArray[np.intp]]) -> list[Tensor]:
            images, positions = batch
            with acceleration.autocast():
                loss = functional.cross_entropy(self.net_(images).float(), targets[positions])
            return descend([loss], optimizer, max_norm=self.max_norm)

        self._train(step, rows, classes, seed, rng)
        self.net_.requires_grad_(True)
        return self

    def decision_function(self, X: pd.DataFrame) -> NDArray[np.float32]:
        """Scores (n, k) before the softmax; NaN where a frame has no crop."""
        check_is_fitted(self)
        return self._over(X, self.net_)

    def save_backbone(self, path: str | PathLike[str]) -> None:
        """Write all layers as safetensors by their published names, for ``pretrained=`` elsewhere."""
        check_is_fitted(self)
        write_tensors(path, self.net_.state_dict())

    @property
    def _crop_size(self) -> tuple[int, int]:
        return self.input_size, self.input_size

    def _to_input(self, crops: NDArray[np.uint8] | Tensor, device: torch.device) -> Tensor:
        return vgg_face.to_input(crops, device)

    def _load(self, path: str | PathLike[str]) -> None:
        channels = None if self.pretrained_channels == "rgb" else self.pretrained_channels
        load_vgg_face_weights(self.net_, path, channels=channels, keep=("fc8",))

    def _new_net(self) -> vgg_face.VGGFace:
        net = vgg_face.VGGFace(
            self.classes_.size, width=self.width, input_size=self.input_size, dropout=self.dropout
        )
        for layer in net:
            if isinstance(layer, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
                nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
        if self.pretrained is not None:  # a fresh last layer on trained ones
            nn.init.normal_(next(net[-1].parameters()), std=0.01)
        return net.to(memory_format=torch.channels_last)

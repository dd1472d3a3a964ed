"""What estimators share that train a net on face crops by stochastic gradient descent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from os import PathLike
from typing import ClassVar, Literal

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from painkit.faces.alignment import ALIGNED_SIZE
from painkit.models.crops.crop_net import CropNet
from painkit.models.nets import face_net
from painkit.models.nets.weights import load_face_weights, save_face_weights
from painkit.models.training.augmentation import Augmentation
from painkit.models.training.batches import Sampling, batches
from painkit.models.training.image_batches import image_batches
from painkit.models.training.loop import seeded, train

__all__ = ["CropEstimator"]


@dataclass(kw_only=True, eq=False, repr=False)
class CropEstimator(CropNet):
    """Base of the estimators whose net has a `backbone` that is trained by stochastic gradient descent.

    A regressor takes levels as `y`, a classifier class numbers.

    Parameters
    ----------
    store : CropStore or path
        Aligned 112x96 crops; column ``row`` of `X` points into it.
    sampling : {'all', 'uniform'}
        Batches of every frame alike, or uniform over the classes that occur.
    lr, momentum, weight_decay, batch_size, iterations
        Of the descent; biases are not decayed.
    mirror, rotation, shift : bool, degrees, pixels
        Augmentation.
    pretrained : path or CropEstimator, optional
        Where the backbone starts from: weights from `save_backbone` or converted from the published model; or
        an estimator that `fit` first fits to the same training frames and labels, and to no others.
    pretrained_channels : {'rgb', 'bgr'}
        Order that weights of a file were trained in; the published Caffe model was trained on BGR.
    **others
        As in `CropNet`.

    Attributes
    ----------
    net_ : Module
    history_ : (iterations, n_terms) array
        Loss terms at each iteration.
    """

    sampling: Sampling = "all"
    lr: float = 1e-4
    momentum: float = 0.9
    weight_decay: float = 5e-4
    batch_size: int = 64
    iterations: int = 5000
    mirror: bool = True
    rotation: float = 0.0
    shift: float = 0.0
    pretrained_channels: Literal["rgb", "bgr"] = "rgb"

    _transferred: ClassVar[tuple[str, ...]] = ("backbone",)

    def save_backbone(self, path: str | PathLike[str]) -> None:
        """Write the convolution layers by their published names, for ``pretrained=`` elsewhere."""
        check_is_fitted(self)
        save_face_weights(path, self.net_.backbone)

    @property
    def _crop_size(self) -> tuple[int, int]:
        return ALIGNED_SIZE

    def _to_input(self, crops: NDArray[np.uint8] | Tensor, device: torch.device) -> Tensor:
        return face_net.to_input(crops, device)

    def _load(self, path: str | PathLike[str]) -> None:
        """Load the backbone of `net_` from a file of weights."""
        load_face_weights(self.net_.backbone, path, channels=self.pretrained_channels)

    def _optimizer(self, lr: float | None = None) -> torch.optim.SGD:
        """Stochastic gradient descent with weight decay, but not of biases, as in the released solver."""
        named = [(name, p) for name, p in self.net_.named_parameters() if p.requires_grad]
        groups = [
            {"params": [p for name, p in named if name.endswith("bias") == bias], "weight_decay": decay}
            for bias, decay in ((False, self.weight_decay), (True, 0.0))
        ]
        return torch.optim.SGD(groups, lr=self.lr if lr is None else lr, momentum=self.momentum)

    def _train(
        self,
        step: Callable[[tuple[Tensor, NDArray[np.intp]]], list[Tensor]],
        rows: NDArray[np.intp],
        classes: ArrayLike,
        seed: int,
        rng: np.random.Generator,
    ) -> None:
        """Train `net_` on rows of the store, sampled by their classes, and keep `history_`.

        The step takes images and their positions in `rows`.
        """
        device = self._acceleration().device
        images = image_batches(
            self._open_store(),
            rows,
            batches(classes, self.batch_size, self.iterations, rng, self.sampling),
            device=device,
            augmentation=Augmentation(self.mirror, self.rotation, self.shift),
            seed=seed,
            to_input=self._to_input,
        )
        with seeded(seed, device):  # dropout
            self.history_ = train(
                self.net_,
                step,
                images,
                total=self.iterations,
                description=type(self).__name__,
                progress=self.progress,
            )

"""What estimators on face crops share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from painkit.data.crop_store import CropStore
from painkit.errors import PainkitError
from painkit.faces.alignment import ALIGNED_SIZE
from painkit.models.checks import check_settings
from painkit.models.crops.estimates import estimate_rows
from painkit.models.frame_tables import COLUMNS, frame_labels, frame_rows
from painkit.models.nets import face_net
from painkit.models.nets.weights import load_face_weights, load_weights, save_face_weights
from painkit.models.persistence import Persistent
from painkit.models.training.acceleration import Acceleration, Precision, choose_acceleration
from painkit.models.training.augmentation import Augmentation
from painkit.models.training.batches import Sampling, batches
from painkit.models.training.image_batches import image_batches
from painkit.models.training.loop import seeded, train

__all__ = ["CropEstimator"]


@dataclass(kw_only=True, eq=False, repr=False)
class CropEstimator(Persistent, TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Base of the estimators on face crops: a net with a `backbone`, trained by stochastic gradient descent.

    `X` is a frame table (subject, sequence, frame, row). A subclass gives the net (`_new_net`) and writes
    `fit` from the parts below; a regressor takes levels as `y`, a classifier class numbers.

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
    width : float
        Share of the published number of channels.
    device, precision : str
        See `choose_device`; ``'float32'`` or ``'bfloat16'``.
    random_state : int
    progress : bool

    Attributes
    ----------
    net_ : Module
    history_ : (iterations, n_terms) array
        Loss terms at each iteration.
    pretrained_ : CropEstimator
        Where `pretrained` is an estimator: what it was fitted to, without its net.
    n_without_face_, n_without_label_ : int
        Training frames left out for lack of a crop, or of a label.
    """

    store: CropStore | str | PathLike[str]
    sampling: Sampling = "all"
    lr: float = 1e-4
    momentum: float = 0.9
    weight_decay: float = 5e-4
    batch_size: int = 64
    iterations: int = 5000
    mirror: bool = True
    rotation: float = 0.0
    shift: float = 0.0
    pretrained: str | PathLike[str] | CropEstimator | None = None
    pretrained_channels: Literal["rgb", "bgr"] = "rgb"
    width: float = 1.0
    device: str = "auto"
    precision: Precision = "float32"
    random_state: int = 0
    progress: bool = False

    _to_input: ClassVar[Callable[..., Tensor]] = staticmethod(face_net.to_input)
    _columns: ClassVar[tuple[str, ...]] = COLUMNS
    # Parts of the net that it hands over to an estimator whose `pretrained` it is, where that has them.
    _transferred: ClassVar[tuple[str, ...]] = ("backbone",)

    def transform(self, X: pd.DataFrame) -> NDArray[np.float32]:
        """Features (n, n_features) of frames, those the net's head sees; NaN where there is no crop."""
        check_is_fitted(self)
        return self._over(X, self.net_.embed)

    def save_backbone(self, path: str | PathLike[str]) -> None:
        """Write the convolution layers by their published names, for ``pretrained=`` elsewhere."""
        check_is_fitted(self)
        save_face_weights(path, self.net_.backbone)

    def _over(self, X: pd.DataFrame, function: Callable[[Tensor], Tensor]) -> NDArray[np.float32]:
        """Apply a function of the net to the frames of a table."""
        return self._over_rows(self._rows(X)[0], function)

    def _over_rows(self, rows: NDArray[np.intp], function: Callable[[Tensor], Tensor]) -> NDArray[np.float32]:
        store, acceleration = self._open_store(), self._acceleration()
        return estimate_rows(function, self.net_, store, rows, acceleration, self._to_input)

    def _acceleration(self) -> Acceleration:
        return choose_acceleration(self.device, self.precision)

    def _open_store(self) -> CropStore:
        store = self.store if isinstance(self.store, CropStore) else CropStore(Path(self.store))
        if (shape := store.crop_shape) != (*self._crop_size, 3):
            height, width = self._crop_size
            raise PainkitError(
                f"crops of shape {shape}", where=store.folder, expected=f"{height}x{width} crops"
            )
        return store

    @property
    def _crop_size(self) -> tuple[int, int]:
        """Height and width of the crops the net takes."""
        return ALIGNED_SIZE

    def _rows(self, X: pd.DataFrame) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
        """Rows of the store (n,) that a frame table points to, and which of them have a crop."""
        store, rows = self._open_store(), frame_rows(X, self._columns)
        if (outside := rows[(rows < 0) | (rows >= len(store))]).size:
            raise PainkitError(
                f"row {outside[0]} asked of a store of {len(store)} frames",
                where=store.folder,
                expected="a store made from the same cohort",
            )
        return rows, store.usable[rows]

    def _labelled_frames(self, X: pd.DataFrame, y: ArrayLike) -> tuple[pd.DataFrame, NDArray[np.float64]]:
        """Frames with a crop and a label, sequences in time order, and the labels; counts the others."""
        has_crop, labels = self._rows(X)[1], frame_labels(X, y)
        labelled = np.isfinite(labels)
        self.n_without_face_ = int((~has_crop).sum())
        self.n_without_label_ = int((has_crop & ~labelled).sum())
        frames = X.reset_index(drop=True)[has_crop & labelled].sort_values(["subject", "sequence", "frame"])
        if frames.empty:
            raise PainkitError("no frame has both a crop and a label")
        return frames, labels[frames.index]

    def _start(self, X: pd.DataFrame, y: ArrayLike) -> tuple[int, np.random.Generator]:
        """Make `net_` on the device, its backbone from the pre-training; give the seed and its generator."""
        check_settings(self)
        rng = np.random.default_rng(self.random_state)
        seed = int(rng.integers(2**31))
        with seeded(seed):
            self.net_ = self._new_net()
        if isinstance(self.pretrained, CropEstimator):
            first = clone(self.pretrained).fit(X, y)
            for name in first._transferred:
                if hasattr(self.net_, name):
                    weights = getattr(first.net_, name).state_dict()
                    where = f"pretrained {type(first).__name__}"
                    load_weights(getattr(self.net_, name), weights, where=where)
            del first.net_  # where training went on from; what it counted and its losses stay
            self.pretrained_ = first
        elif self.pretrained is not None:
            self._load(self.pretrained)
        self.net_.to(self._acceleration().device, memory_format=torch.channels_last)
        return seed, rng

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

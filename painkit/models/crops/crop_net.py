"""What estimators share that apply a net to face crops."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from painkit.data.crop_store import CropStore
from painkit.errors import PainkitError
from painkit.models.checks import check_settings
from painkit.models.crops.estimates import estimate_rows
from painkit.models.frame_tables import COLUMNS, frame_labels, frame_rows
from painkit.models.nets.weights import load_weights
from painkit.models.persistence import Persistent
from painkit.models.training.acceleration import Acceleration, Precision, choose_acceleration
from painkit.models.training.loop import seeded

__all__ = ["CropNet"]


@dataclass(kw_only=True, eq=False, repr=False)
class CropNet(Persistent, TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Base of the estimators on face crops: a net over the crops of a store.

    `X` is a frame table (subject, sequence, frame, row). A subclass gives the net (`_new_net`), the size of
    its crops and how they go in, and writes `fit` from the parts below.

    Parameters
    ----------
    store : CropStore or path
        Crops; column ``row`` of `X` points into it.
    pretrained : path or CropNet, optional
        Where the net starts from: a file of weights; or an estimator that `fit` first fits to the same
        training frames and labels, and to no others.
    width : float
        Share of the published number of channels.
    device, precision : str
        See `choose_device`; ``'float32'`` or ``'bfloat16'``.
    random_state : int
    progress : bool

    Attributes
    ----------
    net_ : Module
    pretrained_ : CropNet
        Where `pretrained` is an estimator: what it was fitted to, without its net.
    n_without_face_, n_without_label_ : int
        Training frames left out for lack of a crop, or of a label.
    """

    store: CropStore | str | PathLike[str]
    pretrained: str | PathLike[str] | CropNet | None = None
    width: float = 1.0
    device: str = "auto"
    precision: Precision = "float32"
    random_state: int = 0
    progress: bool = False

    _columns: ClassVar[tuple[str, ...]] = COLUMNS
    # Parts of the net that it hands over to an estimator whose `pretrained` it is, where that has them.
    _transferred: ClassVar[tuple[str, ...]] = ()

    def transform(self, X: pd.DataFrame) -> NDArray[np.float32]:
        """Features (n, n_features) of frames, those the net's head sees; NaN where there is no crop."""
        check_is_fitted(self)
        return self._over(X, self.net_.embed)

    @property
    def _crop_size(self) -> tuple[int, int]:
        """Height and width of the crops the net takes."""
        raise NotImplementedError

    def _to_input(self, crops: NDArray[np.uint8] | Tensor, device: torch.device) -> Tensor:
        """Give crops (n, height, width, 3) as the net takes them, on a device."""
        raise NotImplementedError

    def _load(self, path: str | PathLike[str]) -> None:
        """Load what `net_` starts from of a file of weights."""
        raise NotImplementedError

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
        """Make `net_` on the device, from the pre-training if any; give the seed and its generator."""
        check_settings(self)
        rng = np.random.default_rng(self.random_state)
        seed = int(rng.integers(2**31))
        with seeded(seed):
            self.net_ = self._new_net()
        if isinstance(self.pretrained, CropNet):
            common = [name for name in self.pretrained._transferred if hasattr(self.net_, name)]
            kinds = type(self.pretrained).__name__, type(self).__name__
            if not common:
                raise PainkitError(f"pretrained {kinds[0]} has no layer that {kinds[1]} has")
            first = clone(self.pretrained).fit(X, y)
            for name in common:
                weights = getattr(first.net_, name).state_dict()
                load_weights(getattr(self.net_, name), weights, where=f"pretrained {kinds[0]}")
            del first.net_  # where training went on from; what it counted and its losses stay
            self.pretrained_ = first
        elif self.pretrained is not None:
            self._load(self.pretrained)
        self.net_.to(self._acceleration().device, memory_format=torch.channels_last)
        return seed, rng

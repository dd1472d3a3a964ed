"""Pain levels from face crops by a fine-tuned verification net (Wang et al. 2017)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, RegressorMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from painkit.data.crop_store import FrameStore
from painkit.errors import PainkitError
from painkit.models.nets.face_net import PainNet
from painkit.models.nets.weights import load_face_weights
from painkit.models.persistence import Persistent
from painkit.models.training.acceleration import Precision, choose_acceleration
from painkit.models.training.augmentation import Augmentation
from painkit.models.training.batches import Sampling, Thinning, batches, thin
from painkit.models.training.loop import (
    estimate_crops,
    estimate_rows,
    parameter_groups,
    train_on_crops,
)
from painkit.models.training.losses import CentreLoss, smooth_l1

__all__ = ["ROWS", "FaceNetRegression", "crops_of"]

N_LEVELS = 6

ROWS: Mapping[str, Mapping[str, Any]] = {
    "smooth L1": {"turning_point": 1.0, "center_p": None, "sampling": "all"},
    "L1 + L1 center loss": {"turning_point": 0.0, "center_p": 1, "sampling": "all"},
    "smooth L1 + L1 center loss": {"turning_point": 1.0, "center_p": 1, "sampling": "all"},
    "smooth L1 + L2 center loss": {"turning_point": 1.0, "center_p": 2, "sampling": "all"},
    "L1 + L1 center loss + sampling": {"turning_point": 0.0, "center_p": 1, "sampling": "uniform"},
    "smooth L1 + L1 center loss + sampling": {"turning_point": 1.0, "center_p": 1, "sampling": "uniform"},
}
"""The paper's own rows, named as in `published`: ``FaceNetRegression(store=store, **ROWS[name])``."""


def crops_of(X: pd.DataFrame, store: FrameStore) -> NDArray[np.bool_]:
    """Which rows of a frame table have a crop in a store.

    Raises
    ------
    PainkitError
        When the table lacks a column or points outside the store.
    """
    missing = [c for c in ("subject", "sequence", "frame", "row") if c not in X]
    if missing:
        raise PainkitError(f"the frame table lacks {missing}", expected="subject, sequence, frame, row")
    rows = X["row"].to_numpy()
    if len(rows) and (rows.min() < 0 or rows.max() >= len(store)):
        raise PainkitError(
            f"row {rows.max()} asked of a store of {len(store)} frames",
            where=store.folder,
            expected="a store made from the same cohort",
        )
    return np.asarray(store.usable[rows])


@dataclass(kw_only=True, eq=False, repr=False)
class FaceNetRegression(Persistent, TransformerMixin, RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """Face net with a regression loss, a centre loss and level sampling (Wang et al. 2017).

    Parameters
    ----------
    store : FrameStore or path
        Aligned 112x96 crops; column ``row`` of `X` points into it.
    loss : {'smooth_l1', 'mse'}
    turning_point : float
        `t` of Eq. 2, on the scale 0-5; 0 makes it the mean absolute error.
    center_p : {None, 1, 2}
        Norm of the centre loss, None for none.
    center_weight : float
        lambda.
    center_lr : float
        Rate of `CentreLoss.learn`. The centres start at the level means of the fresh features (both ours; the
        paper says that centres learn by gradient descent and are essentially the level means).
    sampling : {'all', 'uniform'}
        Uniform over the levels 0-5 that occur, or every frame alike.
    thinning : {'collapse', 'literal', None}
        See `thin`.
    lr, momentum, weight_decay, batch_size, iterations
        Stochastic gradient descent at a constant rate; biases are not decayed. The output's bias starts at
        the mean level of what is sampled (ours), so that the first steps need not find it.
    mirror, rotation, shift : bool, degrees, pixels
        Augmentation; the paper mirrors.
    pretrained : path, optional
        Backbone weights, from `FaceVerification.save_backbone` or converted from the published model.
    pretrained_channels : {'rgb', 'bgr'}
        Order those were trained in.
    width : float
        Share of the published number of channels.
    device, precision : str
        See `choose_acceleration`.
    random_state : int
    progress : bool

    Attributes
    ----------
    net_ : PainNet
    centres_ : (6, 50) array
        NaN for levels that did not occur, or without centre loss.
    history_ : (iterations, 1 or 2) array
        Regression loss, and lambda times centre loss, at each iteration.
    n_trained_frames_, n_without_face_, n_without_label_, n_thinned_ : int
        Training frames used, and left out for lack of a crop, of a label, or by thinning.
    """

    store: FrameStore | str | PathLike[str]
    loss: Literal["smooth_l1", "mse"] = "smooth_l1"
    turning_point: float = 1.0
    center_p: Literal[1, 2] | None = None
    center_weight: float = 0.01
    center_lr: float = 0.1
    sampling: Sampling = "all"
    thinning: Thinning | None = "collapse"
    lr: float = 1e-4
    momentum: float = 0.9
    weight_decay: float = 5e-4
    batch_size: int = 64
    iterations: int = 5000
    mirror: bool = True
    rotation: float = 0.0
    shift: float = 0.0
    pretrained: str | PathLike[str] | None = None
    pretrained_channels: Literal["rgb", "bgr"] = "rgb"
    width: float = 1.0
    device: str = "auto"
    precision: Precision = "auto"
    random_state: int = 0
    progress: bool = False

    def fit(self, X: pd.DataFrame, y: ArrayLike) -> Self:
        """Train on frames and their levels.

        Parameters
        ----------
        X : DataFrame with subject, sequence, frame, row
        y : (n,) array
            Levels 0-5; NaN where missing.

        Raises
        ------
        PainkitError
            On labels outside 0-5, no usable frame, a store of other crops, weights of another net, a setting
            that is not accepted, or divergence.
        """
        if self.loss not in ("smooth_l1", "mse"):
            raise PainkitError(f"loss={self.loss!r}", expected="'smooth_l1' or 'mse'")
        acceleration = choose_acceleration(self.device, self.precision)
        rows, levels = self._training_frames(X, np.asarray(y, dtype=np.float64))
        rng = np.random.default_rng(self.random_state)
        seed = int(rng.integers(2**31))
        self.net_ = self._new_net(seed)
        if self.pretrained is not None:
            load_face_weights(self.net_.backbone, self.pretrained, channels=self.pretrained_channels)
        mean = np.unique(levels).mean() if self.sampling == "uniform" else levels.mean()
        share = np.clip(mean / (N_LEVELS - 1), 0.02, 0.98)
        torch.nn.init.constant_(self.net_.ip2.bias, float(np.log(share / (1 - share))))
        self.net_.to(acceleration.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        targets = torch.from_numpy(levels).to(acceleration.device, torch.float32)
        classes = targets.round().long()
        centre_loss = None
        if self.center_p is not None:
            centre_loss = CentreLoss(N_LEVELS, self.net_.ip1.out_features, self.center_p)
            centre_loss.to(acceleration.device)
            some = rng.permutation(rows.size)[:512]
            features = self._apply(self.net_.embed, rows[some])
            centre_loss.start_at_means(torch.from_numpy(features).to(acceleration.device), classes[some])

        def terms(images: Tensor, positions: NDArray[np.intp]) -> list[Tensor]:
            embedding = self.net_.embed(images)
            estimate, target = self.net_.head(embedding).float(), targets[positions]
            if self.loss == "mse":
                found = [((estimate - target) ** 2).mean()]
            else:
                found = [smooth_l1(estimate, target, self.turning_point)]
            if centre_loss is not None:
                found.append(self.center_weight * centre_loss(embedding.float(), classes[positions]))
                centre_loss.learn(embedding, classes[positions], self.center_lr)
            return found

        self.history_ = train_on_crops(
            self.net_,
            terms,
            self._store(),
            rows,
            batches(np.rint(levels), self.batch_size, self.iterations, rng, self.sampling),
            torch.optim.SGD(
                parameter_groups(self.net_, self.weight_decay), lr=self.lr, momentum=self.momentum
            ),
            acceleration=acceleration,
            augmentation=Augmentation(self.mirror, self.rotation, self.shift),
            seed=seed,
            progress=self.progress and self.iterations,
        )
        self.centres_ = np.full((N_LEVELS, self.net_.ip1.out_features), np.nan, dtype=np.float32)
        if centre_loss is not None:
            occur = np.unique(np.rint(levels)).astype(int)
            self.centres_[occur] = centre_loss.centres.cpu().numpy()[occur]
        return self

    def predict(self, X: pd.DataFrame) -> NDArray[np.float32]:
        """Levels (n,) on the scale 0-5; NaN where a frame has no crop."""
        return self._over(X, "predict")

    def transform(self, X: pd.DataFrame) -> NDArray[np.float32]:
        """Features (n, 50) that the centre loss acts on; NaN where a frame has no crop."""
        return self._over(X, "embed")

    def predict_crops(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Levels (n,) of crops (n, 112, 96, 3) uint8 RGB that lie in no store."""
        check_is_fitted(self, "net_")
        acceleration = choose_acceleration(self.device, self.precision)
        return estimate_crops(self.net_, self.net_, crops.__getitem__, len(crops), acceleration=acceleration)

    def _over(self, X: pd.DataFrame, what: Literal["predict", "embed"]) -> NDArray[np.float32]:
        check_is_fitted(self, "net_")
        function = self.net_ if what == "predict" else self.net_.embed
        crops_of(X, self._store())
        return self._apply(function, X["row"].to_numpy(dtype=np.intp))

    def _apply(self, function: Any, rows: NDArray[np.intp]) -> NDArray[np.float32]:
        acceleration = choose_acceleration(self.device, self.precision)
        return estimate_rows(function, self.net_, self._store(), rows, acceleration=acceleration)

    def _store(self) -> FrameStore:
        store = self.store if isinstance(self.store, FrameStore) else FrameStore(Path(self.store))
        if (shape := store.crops().shape[1:]) != (112, 96, 3):
            raise PainkitError(f"crops of shape {shape}", where=store.folder, expected="aligned 112x96 crops")
        return store

    def _training_frames(
        self, X: pd.DataFrame, y: NDArray[np.float64]
    ) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        """Rows of the store and levels to train on, thinned within sequences in time order."""
        has_face = crops_of(X, self._store())
        if y.shape != (len(X),):
            raise PainkitError(f"labels of shape {y.shape} for {len(X)} frames", expected=f"({len(X)},)")
        labelled = np.isfinite(y)
        if labelled.any() and (y[labelled].min() < 0 or y[labelled].max() > N_LEVELS - 1):
            raise PainkitError(
                f"labels from {y[labelled].min():g} to {y[labelled].max():g}", expected="pain levels 0-5"
            )
        self.n_without_face_ = int((~has_face).sum())
        self.n_without_label_ = int((has_face & ~labelled).sum())
        frames = X.reset_index(drop=True)[has_face & labelled].sort_values(["subject", "sequence", "frame"])
        if frames.empty:
            raise PainkitError("no frame has both a crop and a label")
        rows, levels = frames["row"].to_numpy(dtype=np.intp), y[frames.index]
        keep = np.arange(rows.size)
        if self.thinning is not None:
            sequences = frames.groupby(["subject", "sequence"], sort=False).ngroup().to_numpy()
            keep = thin(np.rint(levels), sequences, frames["frame"].to_numpy(), self.thinning)
        self.n_trained_frames_, self.n_thinned_ = keep.size, rows.size - keep.size
        return rows[keep], levels[keep]

    def _new_net(self, seed: int) -> PainNet:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return PainNet(self.width)

    def _state(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        check_is_fitted(self, "net_")
        counts = {k: v for k, v in vars(self).items() if k.startswith("n_") and k.endswith("_")}
        tensors = {f"net.{k}": v for k, v in self.net_.state_dict().items()}
        tensors["centres"] = torch.from_numpy(self.centres_)
        tensors["history"] = torch.from_numpy(self.history_)
        return counts, tensors

    def _restore(self, facts: dict[str, Any], tensors: dict[str, Tensor]) -> None:
        for name, value in facts.items():
            setattr(self, name, value)
        self.net_ = self._new_net(0)
        self.net_.load_state_dict(
            {k.removeprefix("net."): v for k, v in tensors.items() if k.startswith("net.")}
        )
        self.net_.to(memory_format=torch.channels_last)
        self.centres_, self.history_ = tensors["centres"].numpy(), tensors["history"].numpy()

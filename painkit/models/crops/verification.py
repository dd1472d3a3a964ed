"""Face verification: pre-training of the backbone on identities (Wen et al. 2016)."""

from __future__ import annotations

from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any, Literal, NamedTuple, Self

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted
from torch import Tensor
from torch.nn import functional

from painkit.data.crop_store import FrameStore
from painkit.errors import PainkitError
from painkit.models.nets.face_net import VerificationNet
from painkit.models.nets.weights import load_face_weights, save_face_weights
from painkit.models.persistence import Persistent
from painkit.models.training.acceleration import Precision, choose_acceleration
from painkit.models.training.augmentation import Augmentation
from painkit.models.training.batches import Sampling, batches
from painkit.models.training.loop import estimate_rows, parameter_groups, train_on_crops
from painkit.models.training.losses import CentreLoss

__all__ = ["AreaUnderCurve", "FaceVerification", "verification_auc"]


@dataclass(kw_only=True, eq=False, repr=False)
class FaceVerification(Persistent, TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Face net trained to tell identities apart by softmax and centre loss (Wen et al. 2016, Eq. 5).

    Its backbone is what `FaceNetRegression` fine-tunes.

    Parameters
    ----------
    store : FrameStore or path
        Aligned 112x96 crops; column ``row`` of `X` points into it.
    center_weight : float
        lambda of Wen et al., 0.008 there. Their centre loss carries a factor 1/2, so does ours here.
    center_lr : float
        Rate of `CentreLoss.learn`. With one image of a person in a batch, 1/8 moves their centre a quarter of
        the way to it, as Wen et al.'s moving average does with alpha = 0.5.
    sampling : {'uniform', 'all'}
        Uniform over identities, or every image alike.
    lr, momentum, weight_decay, batch_size, iterations
        Stochastic gradient descent. The rate falls to a tenth after 60 % and again after 85 % of the
        iterations.
    mirror, rotation, shift
        Augmentation.
    pretrained : path, optional
        Backbone to start from.
    pretrained_channels : {'rgb', 'bgr'}
        Order those were trained in; the published Caffe model was trained on BGR.
    width, device, precision, random_state, progress
        As in `FaceNetRegression`.

    Attributes
    ----------
    identities_ : (k,) array
        In the order of the net's outputs.
    net_ : VerificationNet
    centres_ : (k, 512 * width) array
        Centres of the identities' features.
    history_ : (iterations, 2) array
        Softmax loss, and lambda times centre loss.
    n_trained_images_, n_without_face_, n_single_ : int
        Images trained on, and left out for lack of a face, or as the only image of their identity.
    """

    store: FrameStore | str | PathLike[str]
    center_weight: float = 0.008
    center_lr: float = 0.125
    sampling: Sampling = "uniform"
    lr: float = 0.01
    momentum: float = 0.9
    weight_decay: float = 5e-4
    batch_size: int = 64
    iterations: int = 2000
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
        """Train on images and their identities.

        Parameters
        ----------
        X : DataFrame with row
        y : (n,) array of str or int
            Identity of each image. Identities with one usable image are left out and counted: there is
            nothing to pull together.

        Raises
        ------
        PainkitError
            When fewer than two identities with two images each remain, weights are of another net, or
            training diverges.
        """
        acceleration = choose_acceleration(self.device, self.precision)
        store = self._store()
        rows, names = X["row"].to_numpy(dtype=np.intp), np.asarray(y).astype(str)
        if names.shape != rows.shape:
            raise PainkitError(f"identities of shape {names.shape} for {rows.size} images")
        usable = store.usable[rows]
        self.n_without_face_ = int((~usable).sum())
        kept, counts = np.unique(names[usable], return_counts=True)
        several = usable & np.isin(names, kept[counts > 1])
        self.n_single_ = int(usable.sum() - several.sum())
        rows = rows[several]
        self.identities_, classes = np.unique(names[several], return_inverse=True)
        self.n_trained_images_ = rows.size
        if self.identities_.size < 2:
            raise PainkitError(
                f"{self.identities_.size} of {kept.size} identities have two or more usable images",
                where=store.folder,
                expected="at least 2 identities with at least 2 images each",
            )
        rng = np.random.default_rng(self.random_state)
        seed = int(rng.integers(2**31))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.net_ = VerificationNet(self.identities_.size, self.width)
        if self.pretrained is not None:
            load_face_weights(self.net_.backbone, self.pretrained, channels=self.pretrained_channels)
        self.net_.to(acceleration.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        targets = torch.from_numpy(classes).to(acceleration.device)
        centre_loss = CentreLoss(self.identities_.size, self.net_.fc5.out_features).to(acceleration.device)
        optimizer = torch.optim.SGD(
            parameter_groups(self.net_, self.weight_decay), lr=self.lr, momentum=self.momentum
        )
        schedule = torch.optim.lr_scheduler.MultiStepLR(
            optimizer, [round(0.6 * self.iterations), round(0.85 * self.iterations)]
        )

        def terms(images: Tensor, positions: NDArray[np.intp]) -> list[Tensor]:
            embedding = self.net_.embed(images)
            target = targets[positions]
            softmax = functional.cross_entropy(self.net_.head(embedding).float(), target)
            centre = self.center_weight / 2 * centre_loss(embedding.float(), target)
            centre_loss.learn(embedding, target, self.center_lr)
            return [softmax, centre]

        self.history_ = train_on_crops(
            self.net_,
            terms,
            store,
            rows,
            batches(classes, self.batch_size, self.iterations, rng, self.sampling),
            optimizer,
            schedule=schedule,
            acceleration=acceleration,
            augmentation=Augmentation(self.mirror, self.rotation, self.shift),
            seed=seed,
            progress=self.progress and self.iterations,
        )
        self.centres_ = centre_loss.centres.cpu().numpy()
        return self

    def transform(self, X: pd.DataFrame) -> NDArray[np.float32]:
        """Features (n, 512 * width) of images; NaN where there is no face. Compare them by cosine."""
        check_is_fitted(self, "net_")
        acceleration = choose_acceleration(self.device, self.precision)
        rows = X["row"].to_numpy(dtype=np.intp)
        return estimate_rows(self.net_.embed, self.net_, self._store(), rows, acceleration=acceleration)

    def save_backbone(self, path: str | PathLike[str]) -> None:
        """Write the convolution layers by their published names, for ``pretrained=`` elsewhere."""
        check_is_fitted(self, "net_")
        save_face_weights(path, self.net_.backbone)

    def _store(self) -> FrameStore:
        return self.store if isinstance(self.store, FrameStore) else FrameStore(Path(self.store))

    def _state(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        check_is_fitted(self, "net_")
        facts = {k: v for k, v in vars(self).items() if k.startswith("n_") and k.endswith("_")}
        tensors = {f"net.{k}": v for k, v in self.net_.state_dict().items()}
        tensors["centres"] = torch.from_numpy(self.centres_)
        tensors["history"] = torch.from_numpy(self.history_)
        return {"counts": facts, "identities": self.identities_.tolist()}, tensors

    def _restore(self, facts: dict[str, Any], tensors: dict[str, Tensor]) -> None:
        for name, value in facts["counts"].items():
            setattr(self, name, value)
        self.identities_ = np.array(facts["identities"])
        self.net_ = VerificationNet(self.identities_.size, self.width)
        self.net_.load_state_dict(
            {k.removeprefix("net."): v for k, v in tensors.items() if k.startswith("net.")}
        )
        self.centres_, self.history_ = tensors["centres"].numpy(), tensors["history"].numpy()


class AreaUnderCurve(NamedTuple):
    """Verification AUC, or a difference of two, with the interval of a bootstrap over identities."""

    value: float
    low: float
    high: float
    n_pairs: int
    n_identities: int
    n_left_out: int


def verification_auc(
    features: NDArray[np.floating],
    identities: ArrayLike,
    *,
    baseline: NDArray[np.floating] | None = None,
    max_pairs: int = 1_000_000,
    n_resamples: int = 300,
    level: float = 0.95,
    seed: int = 0,
) -> AreaUnderCurve:
    """Chance that two images of one person are more alike than two images of two persons.

    Likeness is the cosine of the features; 0.5 is chance.

    Parameters
    ----------
    features : (n, d) array
        NaN rows are left out and counted.
    identities : (n,) array
    baseline : (n, e) array, optional
        Features of another net for the same images. The result is then the AUC of `features` minus that of
        `baseline`, with both on the same pairs and resamples.
    max_pairs : int
        Of one person, and of two. Where there are more, so many are drawn at random.
    n_resamples : int
        Of the bootstrap. Identities are drawn, since images of one person are not independent.
    level : float
        Of the interval.
    seed : int

    Raises
    ------
    PainkitError
        When fewer than two identities have features, or none has two images.
    """
    both = [features] if baseline is None else [features, baseline]
    usable = np.logical_and.reduce([np.isfinite(one).all(axis=1) for one in both])
    names, who = np.unique(np.asarray(identities).astype(str)[usable], return_inverse=True)
    if names.size < 2 or np.bincount(who).max(initial=0) < 2:
        raise PainkitError(
            f"verification needs pairs of the same and of two persons; got {who.size} images of {names.size}",
            expected="at least 2 identities, one of them with 2 images",
        )
    rng = np.random.default_rng(seed)
    first, second = _pairs(who, max_pairs, rng)
    a, b = who[first], who[second]
    same = a == b
    ranks = [_likeness_ranks(np.asarray(one, dtype=np.float64)[usable], first, second) for one in both]

    def auc(weight: NDArray[np.floating]) -> float:
        values = [_weighted_auc(same, rank, weight) for rank in ranks]
        return values[0] if baseline is None else values[0] - values[1]

    values = []
    for _ in range(n_resamples):
        # A pair of two persons counts as often as both were drawn together, a person's own pairs as often as
        # the person was drawn. Two copies of one person are not taken for two persons.
        drawn = np.bincount(rng.integers(names.size, size=names.size), minlength=names.size)
        values.append(auc(np.where(same, drawn[a], drawn[a] * drawn[b])))
    tail = (1 - level) / 2
    low, high = np.nanquantile(values, [tail, 1 - tail]) if np.isfinite(values).any() else (np.nan, np.nan)
    return AreaUnderCurve(
        auc(np.ones(same.size)),
        float(low),
        float(high),
        int(same.size),
        int(names.size),
        int((~usable).sum()),
    )


def _pairs(
    who: NDArray[np.intp], max_pairs: int, rng: np.random.Generator
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Pairs of images of one person, and of two, at most `max_pairs` of each kind."""
    order = np.argsort(who, kind="stable")
    counts = np.bincount(who)
    own = [
        np.stack(np.triu_indices(count, 1)) + start
        for count, start in zip(counts, np.cumsum(counts) - counts, strict=True)
    ]
    same = order[np.concatenate(own, axis=1)]
    if same.shape[1] > max_pairs:
        same = same[:, np.sort(rng.choice(same.shape[1], max_pairs, replace=False))]
    if who.size * (who.size - 1) // 2 - same.shape[1] <= max_pairs:
        other = np.stack(np.triu_indices(who.size, 1))
    else:  # with replacement: among so many pairs few come twice
        other = rng.integers(who.size, size=(2, 2 * max_pairs))
    other = other[:, who[other[0]] != who[other[1]]][:, :max_pairs]
    first, second = np.concatenate([same, other], axis=1)
    return first, second


def _likeness_ranks(
    x: NDArray[np.float64], first: NDArray[np.intp], second: NDArray[np.intp]
) -> NDArray[np.intp]:
    """Dense ranks of the pairs' cosines."""
    x = x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)
    cosines = np.empty(first.size)
    for start in range(0, first.size, 65536):  # a few hundred megabytes at 512 features
        part = slice(start, start + 65536)
        cosines[part] = np.einsum("ij,ij->i", x[first[part]], x[second[part]])
    return np.unique(cosines, return_inverse=True)[1]


def _weighted_auc(same: NDArray[np.bool_], rank: NDArray[np.intp], weight: NDArray[np.floating]) -> float:
    """Share of weighted (same, different) couples of pairs in which `same` ranks higher; ties count half.

    On integer ranks, so that a bootstrap need not sort again.
    """
    positive = np.bincount(rank, weight * same)
    negative = np.bincount(rank, weight * ~same)
    total = positive.sum() * negative.sum()
    below = np.cumsum(negative) - negative / 2
    return float(positive @ below / total) if total else float("nan")

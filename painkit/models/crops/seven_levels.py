"""Seven pain levels from face crops by a ResNet-18 that knows emotions (Hosseini et al.)."""

from __future__ import annotations

from dataclasses import dataclass
from os import PathLike
from typing import ClassVar, Final, Literal, Self

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted
from torch import Tensor
from torch.nn import functional

from painkit.errors import PainkitError
from painkit.models.checks import check_settings
from painkit.models.crops.class_scores import ClassScores
from painkit.models.crops.crop_net import CropNet
from painkit.models.crops.frozen_features import FrozenFeatures
from painkit.models.nets.resnet18 import LAYERS, InputScaling, ResNet18, to_input
from painkit.models.nets.resnet18_weights import load_resnet18_weights
from painkit.models.persistence import write_tensors
from painkit.models.training.augmentation import Augmentation
from painkit.models.training.balancing import Balancing, balance
from painkit.models.training.batches import shuffled
from painkit.models.training.image_batches import image_batches
from painkit.models.training.linear_layer import train_linear
from painkit.models.training.loop import descend, train
from painkit.models.training.schedules import SCHEDULES, WORKABLE_HEAD, Schedule, ScheduleName
from painkit.models.training.views import seen

__all__ = ["N_LEVELS", "SevenLevels"]

N_LEVELS: Final = 7

_NEVER: Final = -1e4  # score of a level that was not trained: its probability is 0

# What is trained, stage by stage. The first convolution belongs to the first block.
_STAGES: Final = {
    "head": (("fc",),),
    "blocks": tuple(LAYERS[start:] for start in (6, 5, 4, 3, 0)),
    "whole": (LAYERS,),
}


@dataclass(kw_only=True, eq=False, repr=False)
class SevenLevels(ClassScores, CropNet):
    """ResNet-18 with a new last layer, fine-tuned to tell seven levels apart (Hosseini et al., Sec. III).

    Layers that are not trained stay as they are in the pre-trained net, with the means and variances of their
    batch norm; that of trained layers takes those of its batches.

    Parameters
    ----------
    store : CropStore or path
        Square crops, `input_size` pixels wide: ``FaceCrop("box", side=224)``.
    input_size : int
    mode : {'head', 'blocks', 'whole'}
        ``'head'``: the last layer alone, on features that are computed once. ``'blocks'``: first the last
        layer, then with it block after block from the last to the first, an equal share of the epochs each.
        ``'whole'``: all layers at once.
    balancing : {'published', None}
        See `balance`. It sees the training frames alone, and copies are made of them alone.
    schedule : {'published', 'workable'}
        See `SCHEDULES`, and `WORKABLE_HEAD` for the mode ``'head'``.
    lr, epochs : float, int, optional
        In place of those of `schedule`.
    momentum, weight_decay : float
        Of the descent, as published.
    batch_size : int
        The paper names none.
    pretrained : path or SevenLevels, optional
        See `load_resnet18_weights`: FER+ or ImageNet weights. Or one of another mode, that `fit` fits first.
    input_scaling : {'0-1', '-1-1', 'imagenet'}
        How the pre-trained net was shown images, see `painkit.models.nets.resnet18.to_input`.
    memory : path, optional
        Folder where features of the frozen layers are kept: all folds and epochs train on them, and all
        estimators of the same crops and weights. Those of all training frames are then computed at once, also
        of frames that `balancing` leaves out here, since other folds need them. None keeps nothing.
    **others
        As in `CropNet`. ``precision='bfloat16'`` makes features in a third of the time where the processor
        multiplies it in hardware, and other ones: 9 of 1,995 simulated frames were then called another level.

    Attributes
    ----------
    classes_ : (7,) array
        0 to 6, whether trained or not: what columns of probabilities are of. A level that was not trained has
        probability 0.
    n_trained_ : (7,) int array
        Training images of each level, copies included.
    trained_ : (m, 2) int array
        Row of the store, and view (`painkit.models.training.views.VIEWS`), of each training image.
    n_zero_sequences_, n_thinned_ : int
        Sequences without pain that were left out, and zero frames of others.
    net_ : ResNet18
    history_ : (epochs, 1) array
        Mean cross-entropy of each epoch.
    """

    input_size: int = 224
    mode: Literal["head", "blocks", "whole"] = "head"
    balancing: Balancing | None = "published"
    schedule: ScheduleName = "published"
    lr: float | None = None
    epochs: int | None = None
    momentum: float = 0.8
    weight_decay: float = 1e-4
    batch_size: int = 64
    input_scaling: InputScaling = "0-1"
    memory: str | PathLike[str] | None = None

    _transferred: ClassVar[tuple[str, ...]] = LAYERS

    def rates(self) -> NDArray[np.float64]:
        """Learning rate (epochs,) of every epoch."""
        workable_head = self.schedule == "workable" and self.mode == "head"
        named = WORKABLE_HEAD if workable_head else SCHEDULES[self.schedule]
        lr = named.lr if self.lr is None else self.lr
        return Schedule(lr, named.epochs if self.epochs is None else self.epochs).rates()

    def fit(self, X: pd.DataFrame, y: ArrayLike) -> Self:
        """Train on frames and their levels.

        Parameters
        ----------
        X : DataFrame with subject, sequence, frame, row
        y : (n,) array
            Levels 0 to 6 (`painkit.vocabulary.pain.seven_levels`); NaN where missing.

        Raises
        ------
        PainkitError
            On labels that are no levels, when fewer than two levels are left to train on, a store of other
            crops, weights of another net, a setting that is not accepted, or divergence.
        """
        self._acceleration()
        check_settings(self)
        frames, labels = self._labelled_frames(X, y)
        if (strange := labels[~np.isin(labels, range(N_LEVELS))]).size:
            raise PainkitError(f"labels such as {strange[0]:g}", expected="levels 0, 1, ... 6")
        seed, rng = self._start(X, y)
        sequences = frames.groupby(["subject", "sequence"], sort=False).ngroup()
        chosen = balance(labels, sequences, rng, self.balancing)
        levels = labels[chosen.frames].astype(np.int64)
        self.classes_ = np.arange(N_LEVELS, dtype=np.float64)
        self.n_trained_ = np.bincount(levels, minlength=N_LEVELS)
        self.n_zero_sequences_, self.n_thinned_ = chosen.n_zero_sequences, chosen.n_thinned
        if (self.n_trained_ > 0).sum() < 2:
            raise PainkitError(
                f"after balancing, {levels.size} of {labels.size} training frames are left, of level "
                f"{', '.join(map(str, np.unique(levels))) or '-'}",
                expected="two levels or more",
            )
        rows = frames["row"].to_numpy(dtype=np.int64)
        self.trained_ = np.column_stack([rows[chosen.frames], chosen.views])
        with torch.no_grad():
            self.net_.fc.bias[torch.from_numpy(self.n_trained_ == 0)] = _NEVER
        stages = _STAGES[self.mode]
        shares = np.array_split(self.rates(), len(stages))
        parts = [
            self._train_layers(layers, rates, levels, rows, seed + number)
            for number, (layers, rates) in enumerate(zip(stages, shares, strict=True))
            if rates.size
        ]
        self.net_.requires_grad_(True)
        self.history_ = np.concatenate(parts)[:, None]
        return self

    def transform(self, X: pd.DataFrame) -> NDArray[np.float32]:
        """Features (n, n_features) that the last layer sees; NaN where a frame has no crop."""
        check_is_fitted(self)
        if self.mode != "head":
            return super().transform(X)
        rows, usable = self._rows(X)
        features = np.full((rows.size, self.net_.n_features), np.nan, np.float32)
        features[usable] = self._frozen()(rows[usable], np.zeros(int(usable.sum()), np.int64))
        return features

    def decision_function(self, X: pd.DataFrame) -> NDArray[np.float32]:
        """Scores (n, 7) before the softmax; NaN where a frame has no crop."""
        features = self.transform(X)
        weight, bias = (part.detach().cpu().numpy() for part in (self.net_.fc.weight, self.net_.fc.bias))
        return np.asarray(features @ weight.T + bias)

    def save_backbone(self, path: str | PathLike[str]) -> None:
        """Write all layers as safetensors by torchvision's names, for ``pretrained=`` elsewhere."""
        check_is_fitted(self)
        write_tensors(path, self.net_.state_dict())

    @property
    def _crop_size(self) -> tuple[int, int]:
        return self.input_size, self.input_size

    def _to_input(self, crops: NDArray[np.uint8] | Tensor, device: torch.device) -> Tensor:
        return to_input(crops, device, self.input_scaling)

    def _load(self, path: str | PathLike[str]) -> None:
        load_resnet18_weights(self.net_, path)

    def _new_net(self) -> ResNet18:
        return ResNet18(N_LEVELS, width=self.width).to(memory_format=torch.channels_last)

    def _frozen(self) -> FrozenFeatures:
        """Features of all layers but the last."""
        acceleration = self._acceleration()
        return FrozenFeatures(
            self.net_.to(acceleration.device).eval(),
            self._open_store(),
            acceleration,
            self._to_input,
            self.input_scaling,
            self.memory,
            self.progress,
        )

    def _train_layers(
        self,
        layers: tuple[str, ...],
        rates: NDArray[np.float64],
        levels: NDArray[np.int64],
        rows: NDArray[np.int64],
        seed: int,
    ) -> NDArray[np.float64]:
        """Train some layers for as many epochs as there are rates; give the loss (epochs,) of each.

        `levels` are those of the images to train on, `rows` those of all frames that were given.
        """
        acceleration = self._acceleration()
        device, size = acceleration.device, self.batch_size
        targets, views = torch.from_numpy(levels).to(device), torch.from_numpy(self.trained_[:, 1])
        description = f"{type(self).__name__} {layers[0]}"
        if layers == ("fc",):
            more = rows[: None if self.memory is not None else 0]
            pairs = np.concatenate([self.trained_, np.column_stack([more, np.zeros_like(more)])])
            features = self._frozen()(*pairs.T)[: levels.size]
            return train_linear(
                self.net_.fc,
                torch.from_numpy(features).to(device),
                targets,
                rates,
                momentum=self.momentum,
                weight_decay=self.weight_decay,
                batch_size=size,
                seed=seed,
                description=description,
                progress=self.progress,
            )
        for name, weight in self.net_.named_parameters():
            weight.requires_grad_(name.startswith(layers))
        trained = [weight for weight in self.net_.parameters() if weight.requires_grad]
        optimizer = torch.optim.SGD(trained, momentum=self.momentum, weight_decay=self.weight_decay)
        sizes = np.diff([*range(0, levels.size, size), levels.size])
        if size > 1 and sizes[-1] == 1:  # of one image there is no variance
            sizes = sizes[:-1]
        rate_of = iter(np.repeat(rates, sizes.size).tolist())

        def step(batch: tuple[Tensor, NDArray[np.intp]]) -> list[Tensor]:
            images, positions = batch
            optimizer.param_groups[0]["lr"] = next(rate_of)
            with acceleration.autocast():
                features = self.net_.embed(seen(images, views[positions]))
            scores = self.net_.fc(features.float())
            return descend([functional.cross_entropy(scores, targets[positions])], optimizer)

        order = shuffled(levels.size, size, len(rates), seed)
        images = image_batches(
            self._open_store(),
            self.trained_[:, 0],
            (positions.numpy() for positions in order if len(positions) in sizes),
            device=device,
            augmentation=Augmentation(mirror=False),
            seed=seed,
            to_input=self._to_input,
        )
        losses = train(
            self.net_,
            step,
            images,
            total=sizes.size * len(rates),
            description=description,
            progress=self.progress,
        )
        return np.asarray(losses.reshape(len(rates), -1) @ sizes / sizes.sum())

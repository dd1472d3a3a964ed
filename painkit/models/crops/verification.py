"""Face verification: pre-training of the backbone on identities (Wen et al. 2016)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor
from torch.nn import functional

from painkit.errors import PainkitError
from painkit.models.crops.base import CropEstimator
from painkit.models.nets.face_net import VerificationNet
from painkit.models.training.batches import Sampling
from painkit.models.training.loop import descend
from painkit.models.training.losses import CentreLoss

__all__ = ["FaceVerification"]


@dataclass(kw_only=True, eq=False, repr=False)
class FaceVerification(CropEstimator):
    """Face net trained to tell identities apart by softmax and centre loss (Wen et al. 2016, Eq. 5).

    Its backbone is what `FaceNetRegression` fine-tunes; its features are compared by cosine. `X` need have
    no column but ``row``. The learning rate falls to a tenth after 60 % of the iterations, and again after
    85 %.

    Parameters
    ----------
    center_weight : float
        lambda of Wen et al., 0.008 there. Their centre loss carries a factor 1/2, so does ours here.
    center_lr : float
        Rate of `CentreLoss.learn`. With one image of a person in a batch, 1/8 moves their centre a quarter of
        the way to it, as Wen et al.'s moving average does with alpha = 0.5.
    **others
        As in `CropEstimator`; the classes of `sampling` are the identities.

    Attributes
    ----------
    identities_ : (k,) array
        In the order of the net's outputs.
    net_ : VerificationNet
    centres_ : (k, 512 * width) array
        Centres of the identities' features.
    history_ : (iterations, 2) array
        Softmax loss, and lambda times centre loss.
    n_trained_images_, n_single_ : int
        Images trained on, and left out as the only image of their identity.
    """

    sampling: Sampling = "uniform"
    lr: float = 0.01
    iterations: int = 2000
    center_weight: float = 0.008
    center_lr: float = 0.125

    _columns: ClassVar[tuple[str, ...]] = ("row",)

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
        acceleration = self._acceleration()
        (rows, usable), names = self._rows(X), np.asarray(y).astype(str)
        if names.shape != rows.shape:
            raise PainkitError(
                f"identities of shape {names.shape} for {rows.size} images", expected=f"({rows.size},)"
            )
        self.n_without_face_ = int((~usable).sum())
        kept, counts = np.unique(names[usable], return_counts=True)
        several = usable & np.isin(names, kept[counts > 1])
        self.n_single_ = int(usable.sum() - several.sum())
        self.identities_, classes = np.unique(names[several], return_inverse=True)
        self.n_trained_images_ = classes.size
        if self.identities_.size < 2:
            raise PainkitError(
                f"{self.identities_.size} of {kept.size} identities have two or more usable images",
                where=self._open_store().folder,
                expected="at least 2 identities with at least 2 images each",
            )
        seed, rng = self._start(X, y)
        targets = torch.from_numpy(classes).to(acceleration.device)
        centre_loss = CentreLoss(self.identities_.size, self.net_.fc5.out_features).to(acceleration.device)
        optimizer = self._optimizer()
        schedule = torch.optim.lr_scheduler.MultiStepLR(
            optimizer, [round(0.6 * self.iterations), round(0.85 * self.iterations)]
        )

        def step(batch: tuple[Tensor, NDArray[np.intp]]) -> list[Tensor]:
            images, positions = batch
            with acceleration.autocast():
                embedding, target = self.net_.embed(images), targets[positions]
                softmax = functional.cross_entropy(self.net_.head(embedding).float(), target)
                centre = self.center_weight / 2 * centre_loss(embedding.float(), target)
                centre_loss.learn(embedding, target, self.center_lr)
            terms = descend([softmax, centre], optimizer)
            schedule.step()
            return terms

        self._train(step, rows[several], classes, seed, rng)
        self.centres_ = centre_loss.centres.cpu().numpy()
        return self

    def _new_net(self) -> VerificationNet:
        net = VerificationNet(self.identities_.size, self.width)
        return net.to(memory_format=torch.channels_last)

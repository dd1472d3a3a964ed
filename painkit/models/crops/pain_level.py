"""Pain levels from face crops by a fine-tuned verification net (Wang et al. 2017)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import RegressorMixin
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from painkit.errors import PainkitError
from painkit.models.crops.base import CropEstimator
from painkit.models.nets.face_net import PainNet
from painkit.models.training.batches import Thinning, thin
from painkit.models.training.loop import descend
from painkit.models.training.losses import CentreLoss, smooth_l1

__all__ = ["FaceNetRegression", "check_levels"]

N_LEVELS = 6


@dataclass(kw_only=True, eq=False, repr=False)
class FaceNetRegression(RegressorMixin, CropEstimator):  # type: ignore[misc]
    """Face net with a regression loss, a centre loss and level sampling (Wang et al. 2017).

    The output's bias starts at the mean level of what is sampled, the centres at the level means of the fresh
    features, so that the first steps need not find them. Both are ours; the paper says that centres learn by
    gradient descent and are essentially the level means.

    Parameters
    ----------
    loss : {'smooth_l1', 'mse'}
    turning_point : float
        `t` of Eq. 2, on the scale 0-5; 0 makes it the mean absolute error.
    center_p : {None, 1, 2}
        Norm of the centre loss, None for none.
    center_weight : float
        lambda.
    center_lr : float
        Rate of `CentreLoss.learn`.
    thinning : {'collapse', 'literal', None}
        See `thin`.
    **others
        As in `CropEstimator`; the classes of `sampling` are the rounded levels 0-5, and all defaults the
        paper's.

    Attributes
    ----------
    net_ : PainNet
    centres_ : (6, 50) array
        NaN for levels that did not occur, or without centre loss.
    history_ : (iterations, 1 or 2) array
        Regression loss, and lambda times centre loss, at each iteration.
    n_trained_frames_, n_thinned_ : int
        Training frames used, and left out by thinning.
    """

    loss: Literal["smooth_l1", "mse"] = "smooth_l1"
    turning_point: float = 1.0
    center_p: Literal[1, 2] | None = None
    center_weight: float = 0.01
    center_lr: float = 0.1
    thinning: Thinning | None = "collapse"

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
        acceleration = self._acceleration()
        rows, levels = self._training_frames(X, y)
        seed, rng = self._start(X, y)
        mean = np.unique(levels).mean() if self.sampling == "uniform" else levels.mean()
        share = np.clip(mean / (N_LEVELS - 1), 0.02, 0.98)
        torch.nn.init.constant_(self.net_.ip2.bias, float(np.log(share / (1 - share))))
        targets = torch.from_numpy(levels).to(acceleration.device, torch.float32)
        classes = targets.round().long()
        centre_loss = None
        if self.center_p is not None:
            centre_loss = CentreLoss(N_LEVELS, self.net_.ip1.out_features, self.center_p)
            centre_loss.to(acceleration.device)
            some = rng.permutation(rows.size)[:512]
            features = self._over_rows(rows[some], self.net_.embed)
            centre_loss.start_at_means(torch.from_numpy(features).to(acceleration.device), classes[some])
        optimizer = self._optimizer()

        def step(batch: tuple[Tensor, NDArray[np.intp]]) -> list[Tensor]:
            images, positions = batch
            with acceleration.autocast():
                embedding = self.net_.embed(images)
                estimate, target = self.net_.head(embedding).float(), targets[positions]
                if self.loss == "mse":
                    terms = [((estimate - target) ** 2).mean()]
                else:
                    terms = [smooth_l1(estimate, target, self.turning_point)]
                if centre_loss is not None:
                    terms.append(self.center_weight * centre_loss(embedding.float(), classes[positions]))
                    centre_loss.learn(embedding, classes[positions], self.center_lr)
            return descend(terms, optimizer)

        self._train(step, rows, np.rint(levels), seed, rng)
        self.centres_ = np.full((N_LEVELS, self.net_.ip1.out_features), np.nan, dtype=np.float32)
        if centre_loss is not None:
            occur = np.unique(np.rint(levels)).astype(int)
            self.centres_[occur] = centre_loss.centres.cpu().numpy()[occur]
        return self

    def predict(self, X: pd.DataFrame) -> NDArray[np.float32]:
        """Levels (n,) on the scale 0-5; NaN where a frame has no crop."""
        check_is_fitted(self)
        return self._over(X, self.net_)

    def _training_frames(self, X: pd.DataFrame, y: ArrayLike) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        """Rows of the store and levels to train on, thinned within sequences in time order."""
        frames, levels = self._labelled_frames(X, y)
        check_levels(levels)
        keep = np.arange(levels.size)
        if self.thinning is not None:
            sequences = frames.groupby(["subject", "sequence"], sort=False).ngroup().to_numpy()
            keep = thin(np.rint(levels), sequences, frames["frame"].to_numpy(), self.thinning)
        self.n_trained_frames_, self.n_thinned_ = keep.size, levels.size - keep.size
        return frames["row"].to_numpy(dtype=np.intp)[keep], levels[keep]

    def _new_net(self) -> PainNet:
        return PainNet(self.width).to(memory_format=torch.channels_last)


def check_levels(levels: NDArray[np.float64]) -> None:
    """Refuse labels that are no pain levels 0-5."""
    if levels.min() < 0 or levels.max() > N_LEVELS - 1:
        raise PainkitError(f"labels from {levels.min():g} to {levels.max():g}", expected="pain levels 0-5")

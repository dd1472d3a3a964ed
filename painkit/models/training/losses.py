"""Regression loss with a turning point, and the centre loss (Wang et al. 2017, Eqs. 1-3)."""

from __future__ import annotations

import torch
from torch import nn

from painkit.errors import PainkitError

__all__ = ["CentreLoss", "smooth_l1"]


def smooth_l1(estimate: torch.Tensor, target: torch.Tensor, turning_point: float = 1.0) -> torch.Tensor:
    """Mean of the loss of Eq. 2, as printed.

    ``0.5 e^2`` where ``|e| < t``, else ``|e| - t + 0.5 t^2``. ``t = 0`` is the mean absolute error. Only
    ``t = 1`` has no jump in slope: just beyond `t` the slope is 1, just before it is `t`.

    Parameters
    ----------
    estimate, target : (n,) tensors
        On one scale.
    turning_point : float
        `t`, on that scale.

    Returns
    -------
    scalar tensor
    """
    if turning_point < 0:
        raise PainkitError(f"turning point {turning_point}", expected="0 or more")
    error = (estimate - target).abs()
    t = turning_point
    return torch.where(error < t, 0.5 * error**2, error - t + 0.5 * t**2).mean()


class CentreLoss(nn.Module):
    """Distance of features from the learned centre of their class, ``||x - c_y||_p^p`` (Eq. 3), batch mean.

    The loss pulls features; centres follow by `learn`, gradient descent with a rate of their own. Left to the
    net's optimizer they would hardly move: their gradient carries the loss's small weight, and that of a rare
    class also its small share of the batch.

    Parameters
    ----------
    n_classes : int
    n_features : int
    p : {1, 2}
    """

    def __init__(self, n_classes: int, n_features: int, p: int = 2) -> None:
        super().__init__()
        if p not in (1, 2):
            raise PainkitError(f"centre loss with p = {p}", expected="1 or 2")
        self.p = p
        self.centres: torch.Tensor
        self.register_buffer("centres", torch.zeros(n_classes, n_features))

    def forward(self, features: torch.Tensor, classes: torch.Tensor) -> torch.Tensor:
        """Loss of features (n, n_features) of classes (n,) int64."""
        difference = features - self.centres[classes]
        distance = difference.abs() if self.p == 1 else difference**2
        return distance.sum(dim=1).mean()

    @torch.no_grad()
    def learn(self, features: torch.Tensor, classes: torch.Tensor, rate: float) -> None:
        """Take one step of gradient descent with the centres of the classes that occur.

        What descends is each class's own mean of ``||x - c||_p^p``, so the centres go to the class means for
        ``p = 2`` and to the medians for ``p = 1``.

        Parameters
        ----------
        features : (n, n_features) tensor
        classes : (n,) int64 tensor
        rate : float
            For ``p = 2``, 0.5 moves a centre all the way to its class's mean in the batch; for ``p = 1`` no
            coordinate moves by more than `rate`.
        """
        difference = self.centres[classes] - features.float()
        gradient = difference.sign() if self.p == 1 else 2 * difference
        counts = torch.bincount(classes, minlength=len(self.centres)).clamp(min=1)
        total = torch.zeros_like(self.centres).index_add_(0, classes, gradient)
        self.centres -= rate * total / counts[:, None]

    @torch.no_grad()
    def start_at_means(self, features: torch.Tensor, classes: torch.Tensor) -> None:
        """Set each centre to the mean feature of its class; classes without a sample get the overall mean."""
        self.centres[:] = features.mean(dim=0)
        for k in torch.unique(classes):
            self.centres[k] = features[classes == k].mean(dim=0)

"""Training of a last layer on features that do not change."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from painkit.models.training.batches import shuffled
from painkit.models.training.loop import train

__all__ = ["train_linear"]


@torch.no_grad()
def train_linear(
    layer: nn.Linear,
    features: Tensor,
    classes: Tensor,
    rates: NDArray[np.float64],
    *,
    momentum: float,
    weight_decay: float,
    batch_size: int,
    seed: int,
    description: str,
    progress: bool = False,
) -> NDArray[np.float64]:
    """Descend the cross-entropy of a softmax as `torch.optim.SGD` does, at a third of its cost.

    The slope of such a layer is a product of two matrices; to look for it layer by layer and to step each
    tensor by itself takes longer than to compute it.

    Parameters
    ----------
    layer : Linear
        Trained in place.
    features : (n, d) tensor
        On the layer's device.
    classes : (n,) int64 tensor
    rates : (epochs,) array
        Learning rate of each epoch.
    momentum, weight_decay : float
    batch_size : int
    seed : int
        Of the order; see `shuffled`.
    description, progress
        Of the progress bar.

    Returns
    -------
    (epochs,) array
        Mean cross-entropy of each epoch.
    """
    n = len(features)
    # One matrix, whose last column is the bias and belongs to an input of 1.
    held = nn.ParameterList([torch.cat([layer.weight, layer.bias[:, None]], dim=1)])
    weight = held[0].data
    speed = torch.zeros_like(weight)
    inputs = torch.cat([features, features.new_ones(n, 1)], dim=1)
    targets = functional.one_hot(classes, layer.out_features).to(inputs)
    shuffled_inputs, shuffled_targets = torch.empty_like(inputs), torch.empty_like(targets)

    def batches() -> Iterator[tuple[Tensor, Tensor, float]]:
        for rate, order in zip(rates.tolist(), shuffled(n, n, len(rates), seed), strict=True):
            at = order.to(inputs.device)
            torch.index_select(inputs, 0, at, out=shuffled_inputs)
            torch.index_select(targets, 0, at, out=shuffled_targets)
            for start in range(0, n, batch_size):
                part = slice(start, start + batch_size)
                yield shuffled_inputs[part], shuffled_targets[part].T, rate

    def step(batch: tuple[Tensor, Tensor, float]) -> list[Tensor]:
        x, target, rate = batch
        shares = torch.log_softmax(weight @ x.T, dim=0)
        slope = shares.exp().sub_(target).div_(len(x))
        speed.mul_(momentum).addmm_(slope, x).add_(weight, alpha=weight_decay)
        weight.sub_(speed, alpha=rate)
        return [-(shares * target).sum()]

    losses = train(
        held,
        step,
        batches(),
        total=-(-n // batch_size) * len(rates),
        description=description,
        progress=progress,
    )
    layer.weight.copy_(weight[:, :-1])
    layer.bias.copy_(weight[:, -1])
    return np.asarray(losses.reshape(len(rates), -1).sum(axis=1) / n)

"""Initial weights that look at data: every unit starts with mean 0 and spread 1."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import torch
from torch import Tensor, nn

__all__ = ["standardize_units"]

_SMALLEST: Final = 1e-6
"""A unit that spreads less is constant, and is only centred."""


def standardize_units(layers: Iterable[nn.Module], batch: Tensor) -> Tensor:
    """Scale and centre convolutions and linear layers, in turn, by what they give on a batch.

    What each channel or unit gives then has mean 0 and standard deviation 1 over the batch (and places), so
    that slopes keep their size from layer to layer however many there are, without normalising layers
    (Kraehenbuehl et al. 2016; Mishkin and Matas 2016).

    Parameters
    ----------
    layers : iterable of Module
        In the order of the computation, each taking what the one before gives. They are changed in place.
    batch : tensor
        Of inputs, on the layers' device.

    Returns
    -------
    Tensor
        What the last layer gives.
    """
    with torch.no_grad():
        for layer in layers:
            if isinstance(layer, nn.Conv2d | nn.Linear):
                given = layer(batch)
                places = [axis for axis in range(given.ndim) if axis != 1]
                spread = given.std(dim=places, correction=0)
                scale = torch.where(spread > _SMALLEST, spread, torch.ones_like(spread))
                layer.weight /= scale.view(-1, *[1] * (layer.weight.ndim - 1))
                if layer.bias is not None:
                    layer.bias -= given.mean(dim=places)
                    layer.bias /= scale
            batch = layer(batch)
    return batch

"""The deconvnet of the face net (Zeiler and Fergus 2014): where the image feeds the bottleneck.

It runs the face net backwards from its 50 features: every convolution transposed, every max-pooling undone by
the places of the maxima (switches) that the forward pass recorded. Biases play no part. Two layers that the
original does not have:

* a residual sum hands what comes down to both of its branches, and what the two give is added, which is the
  transpose of the sum;
* a PReLU lets through what is positive, as the original does at a ReLU (``'relu'``), or is applied once more,
  with its own slopes (``'prelu'``).
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from painkit.models.nets.face_net import FEATURE_SHAPE, PainNet, Residual

__all__ = ["Deconvnet", "Encoded", "PReLURule", "brightness", "encode", "saliency_maps"]

_POOL = [2, 2]
"""Side of all poolings of the face net."""

PReLURule = Literal["relu", "prelu"]


class Encoded(NamedTuple):
    """Features of images, and what is needed to go back from them.

    Attributes
    ----------
    embedding : (n, 50) tensor
        As of `PainNet.embed`.
    switches : list of (indices, size)
        Of each max-pooling, first to last: the places of its maxima, and height and width of what it took.
    """

    embedding: Tensor
    switches: list[tuple[Tensor, torch.Size]]


def encode(net: PainNet, images: Tensor) -> Encoded:
    """Run a net up to its 50 features and record the switches of its poolings."""
    x, switches = images, []
    for layer in net.backbone:
        if isinstance(layer, nn.MaxPool2d):
            size = x.shape[-2:]
            x, places = functional.max_pool2d(x, _POOL, return_indices=True)
            switches.append((places, size))
        else:
            x = layer(x)
    return Encoded(net.ip1_relu(net.ip1(x.flatten(1))), switches)


class Deconvnet:
    """A frozen copy of a face net's weights that leads from features back to pixels.

    Gradient reaches the net that gave the features, and none reaches the copy.

    Parameters
    ----------
    net : PainNet
        Its weights are copied as they are now.
    prelu : {'relu', 'prelu'}
        What happens at a PReLU.
    """

    def __init__(self, net: PainNet, prelu: PReLURule = "relu") -> None:
        self.prelu = prelu
        self.weights = {name: weight.detach().clone() for name, weight in net.named_parameters()}
        self._layers = list(net.backbone.named_children())

    def __call__(self, encoded: Encoded) -> Tensor:
        """Lead features back to the pixels: (n, 3, height, width)."""
        switches = list(encoded.switches)
        x = self._rectified("ip1_relu", encoded.embedding) @ self.weights["ip1.weight"]
        x = x.view(len(x), -1, *FEATURE_SHAPE)
        for name, layer in reversed(self._layers):
            if isinstance(layer, nn.MaxPool2d):
                places, size = switches.pop()
                x = functional.max_unpool2d(x, places, _POOL, output_size=size)
            elif isinstance(layer, Residual):
                branch = x
                for inner, part in reversed(list(layer.named_children())):
                    branch = self._back(f"backbone.{name}.{inner}", part, branch)
                x = x + branch
            else:
                x = self._back(f"backbone.{name}", layer, x)
        return x

    def _back(self, name: str, layer: nn.Module, x: Tensor) -> Tensor:
        if isinstance(layer, nn.Conv2d):
            return functional.conv_transpose2d(
                x,
                self.weights[f"{name}.weight"],
                stride=layer.stride,
                padding=layer.padding,  # type: ignore[arg-type]
            )
        return self._rectified(name, x)

    def _rectified(self, name: str, x: Tensor) -> Tensor:
        if self.prelu == "relu":
            return functional.relu(x)
        return functional.prelu(x, self.weights[f"{name}.weight"])


def brightness(signal: Tensor) -> Tensor:
    """Saliency maps (n, height, width) from what a deconvnet gives (n, 3, height, width).

    The mean magnitude m of the three colours, as m / (m + its mean over the map): 0 where nothing comes back,
    1/2 where it is as bright as the whole on average, below 1. Maps of any scale use the same range, which
    the histograms are taken over, and one bright pixel does not darken all others.
    """
    size = signal.abs().mean(dim=1)
    return size / (size + size.mean(dim=(1, 2), keepdim=True) + torch.finfo(size.dtype).tiny)


def saliency_maps(net: PainNet, images: Tensor, prelu: PReLURule = "relu") -> Tensor:
    """Saliency (n, height, width) of the bottleneck, not squashed: mean magnitude over the colours.

    Parameters
    ----------
    net : PainNet
    images : (n, 3, 112, 96) tensor
    prelu : {'relu', 'prelu'}
    """
    return Deconvnet(net, prelu)(encode(net, images)).abs().mean(dim=1)

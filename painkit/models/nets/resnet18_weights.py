"""Weights of ResNet-18 in the forms people have them: torchvision's, and public FER+ checkpoints."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike

import torch
from torch import Tensor

from painkit.models.nets.resnet18 import ResNet18
from painkit.models.nets.weights import load_weights, read_weights

__all__ = ["load_resnet18_weights"]

# What other people's last layers, and what they put beside them, are called.
_LAST = ("fc.", "classifier.", "head.", "linear.", "last_linear.", "logits.", "output.", "alpha.", "beta.")
_COUNT = "num_batches_tracked"


def load_resnet18_weights(net: ResNet18, path: str | PathLike[str]) -> None:
    """Load all layers but the last, which stays as it is.

    Parameters
    ----------
    net : ResNet18
    path : path
        ``.pth``, ``.pt``, ``.pth.tar``, ``.safetensors`` or ``.npz``: a state dict with torchvision's names
        ``conv1.weight`` ... ``layer4.1.bn2.running_var``, also under ``state_dict``, also with one prefix in
        common (``module.``, ``backbone.``). Its last layer may be any or none. How its net takes images is
        not in the file: see `to_input`.

    Raises
    ------
    PainkitError
        When the file is missing or damaged or would need code to be run, or naming the layers that are
        missing, unexpected or of another shape. Nothing is loaded then.
    """
    tensors = _bare(read_weights(path))
    for name, tensor in net.state_dict().items():
        if name.endswith(_COUNT):  # files of old versions of torch lack it, and nothing depends on it
            tensors.setdefault(name, torch.zeros_like(tensor))
    load_weights(net, tensors, where=path, keep=("fc.",), ignore=_LAST)


def _bare(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Drop the prefix that stands before ``conv1.weight`` from every name that has it."""
    first = min((name for name in tensors if f".{name}".endswith(".conv1.weight")), key=len, default="")
    prefix = first.removesuffix("conv1.weight")
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items()}

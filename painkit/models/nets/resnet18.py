"""ResNet-18 (He et al. 2016), with layers that attribution can tell apart.

Parameters and buffers have torchvision's names, so that its weights and those of others load. Images go in as
(n, 3, H, W) RGB, made by `to_input`.
"""

from __future__ import annotations

from typing import Any, Final, Literal, Self, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torchvision.models.resnet import BasicBlock

from painkit.errors import PainkitError

__all__ = ["LAYERS", "Block", "InputScaling", "ResNet18", "to_input"]

InputScaling = Literal["0-1", "-1-1", "imagenet"]

# Mean and deviation that pixels in 0-1 are brought to.
_SCALINGS: Final = {
    "0-1": ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
    "-1-1": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
}

#: What holds weights, from the image to the scores.
LAYERS: Final = ("conv1", "bn1", "layer1", "layer2", "layer3", "layer4", "fc")


class Block(BasicBlock):  # type: ignore[misc]
    """torchvision's block, with a ReLU of its own after the sum: there one module serves twice."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.relu = nn.ReLU()  # what a layer gave must not change after it gave it
        self.relu2 = nn.ReLU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (n, channels, h, w) to (n, channels', h', w')."""
        branch = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        rectified: torch.Tensor = self.relu2(branch + (x if self.downsample is None else self.downsample(x)))
        return rectified


class ResNet18(nn.Module):
    """A convolution, eight blocks in four stages and a linear layer: (n, 3, H, W) -> (n, n_outputs) scores.

    Parameters
    ----------
    n_outputs : int
    width : float
        Share of the published number of channels in every layer, but for 8 channels that each has at least.

    Attributes
    ----------
    n_features : int
        What the last layer sees: 512 * width, at least 8.
    """

    def __init__(self, n_outputs: int = 1000, *, width: float = 1.0) -> None:
        super().__init__()
        if width <= 0 or n_outputs < 1:
            raise PainkitError(
                f"no such net: width {width}, n_outputs {n_outputs}", expected="width > 0, n_outputs >= 1"
            )
        # Where a processor has no AVX-512, the gradient of a strided convolution of 1x1 pixels that sees
        # fewer than 8 channels writes past its memory (oneDNN 3.13), and the process dies.
        channels = [max(8, round(published * width)) for published in (64, 128, 256, 512)]
        self.conv1 = nn.Conv2d(3, channels[0], 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(channels[0])
        self.relu = nn.ReLU()
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        n_in = channels[0]
        for stage, n_out in enumerate(channels, start=1):
            stride = 1 if stage == 1 else 2
            shortcut = None
            if stride > 1:
                shortcut = nn.Sequential(
                    nn.Conv2d(n_in, n_out, 1, stride=stride, bias=False), nn.BatchNorm2d(n_out)
                )
            blocks = Block(n_in, n_out, stride, shortcut), Block(n_out, n_out)
            self.add_module(f"layer{stage}", nn.Sequential(*blocks))
            n_in = n_out
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(n_in, n_outputs)
        self.n_features = n_in
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Scores (n, n_outputs) before the softmax, of images (n, 3, H, W)."""
        scores: torch.Tensor = self.fc(self.embed(x))
        return scores

    def embed(self, x: torch.Tensor) -> torch.Tensor:
        """Features (n, n_features) that the last layer sees."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        for name in ("layer1", "layer2", "layer3", "layer4"):
            x = self.get_submodule(name)(x)
        return torch.flatten(self.avgpool(x), 1)

    def train(self, mode: bool = True) -> Self:
        """Set training mode, but for batch norm whose weights are frozen: its statistics are, too."""
        super().train(mode)
        for module in self.modules():
            if isinstance(module, nn.BatchNorm2d) and not module.weight.requires_grad:
                module.eval()
        return self


def to_input(
    images: NDArray[np.uint8] | NDArray[np.floating] | torch.Tensor,
    device: torch.device | str = "cpu",
    scaling: InputScaling = "0-1",
) -> torch.Tensor:
    """Images (n, H, W, 3) RGB in 0-255 as the net takes them: (n, 3, H, W) float32, in channels-last order.

    Parameters
    ----------
    images : (n, H, W, 3) array
    device : device
    scaling : {'0-1', '-1-1', 'imagenet'}
        What the weights were trained with; ``'imagenet'`` is 0-1 less that set's mean colour, in its standard
        deviations.

    Raises
    ------
    PainkitError
        For another scaling or shape.
    """
    if scaling not in get_args(InputScaling):
        raise PainkitError(f"input_scaling={scaling!r}", expected=" or ".join(get_args(InputScaling)))
    batch = torch.as_tensor(images)
    if batch.ndim != 4 or batch.shape[3] != 3:
        raise PainkitError(f"images of shape {tuple(batch.shape)}", expected="(n, height, width, 3) RGB")
    mean, deviation = (torch.tensor(one, device=device).view(3, 1, 1) for one in _SCALINGS[scaling])
    return (batch.to(device, non_blocking=True).permute(0, 3, 1, 2).float() / 255 - mean) / deviation

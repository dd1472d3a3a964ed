"""ResNet-18 of torchvision, with layers that attribution can tell apart.

Parameters and buffers have torchvision's names, so that its weights and those of others load.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torchvision.models.resnet import BasicBlock, ResNet

__all__ = ["Block", "resnet18"]


class Block(BasicBlock):  # type: ignore[misc]
    """torchvision's block, with a ReLU of its own after the sum: there one module serves twice."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.relu2 = nn.ReLU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (n, channels, h, w) to (n, channels', h', w')."""
        branch = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        rectified: torch.Tensor = self.relu2(branch + (x if self.downsample is None else self.downsample(x)))
        return rectified


def resnet18(n_outputs: int = 1000) -> ResNet:
    """ResNet-18 (He et al. 2016), fresh: (n, 3, H, W) -> (n, n_outputs) scores before the softmax."""
    net = ResNet(Block, [2, 2, 2, 2], num_classes=n_outputs)
    for module in net.modules():
        if isinstance(module, nn.ReLU):
            module.inplace = False  # what a layer gave must not change after it gave it
    return net

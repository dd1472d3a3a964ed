"""Small nets that several files explain."""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import nn

X = torch.randn(5, 3, 8, 8, generator=torch.Generator().manual_seed(0))


def conv(n_in: int, n_out: int) -> nn.Conv2d:
    return nn.Conv2d(n_in, n_out, 3, padding=1)


def without_biases(net: nn.Module, seed: int = 0) -> nn.Module:
    """Zero biases also after batch norm is merged; weights that keep the numbers' size."""
    torch.manual_seed(seed)
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.2, 0.6)
            module.running_var.uniform_(0.5, 2)
    return net.double()


def small_net(**layers: nn.Module) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        OrderedDict(conv=conv(3, 4), relu=nn.ReLU(), **layers, flatten=nn.Flatten(), fc=nn.Linear(4 * 64, 3))
    )

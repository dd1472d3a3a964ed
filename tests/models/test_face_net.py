"""The net against numbers worked out by hand from its description."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from painkit.models.nets.face_net import FaceBackbone, PainNet, Residual, VerificationNet, to_input

# Output of every stage of a 112x96 crop: a valid 3x3 takes 2 off each side length, a pool halves it.
SHAPES = {
    "conv1a": (32, 110, 94),
    "conv1b": (64, 108, 92),
    "pool1": (64, 54, 46),
    "res2_2": (64, 54, 46),
    "conv2": (128, 52, 44),
    "pool2": (128, 26, 22),
    "res3_4": (128, 26, 22),
    "conv3": (256, 24, 20),
    "pool3": (256, 12, 10),
    "res4_10": (256, 12, 10),
    "conv4": (512, 10, 8),
    "pool4": (512, 5, 4),
    "res5_6": (512, 5, 4),
}

# Pixels of the image one unit sees: 3x3 adds 2 steps, a 2x2 pool one step; a pool doubles the step.
RECEPTIVE = {"conv1b": 5, "pool1": 6, "res2_2": 14, "conv2": 18, "pool2": 20, "res3_4": 52, "conv3": 60}
RECEPTIVE |= {"pool3": 64, "res4_10": 224, "conv4": 240, "pool4": 248, "res5_6": 440}


def test_layer_shapes() -> None:
    net, x, found = FaceBackbone(), torch.zeros(1, 3, 112, 96), {}
    with torch.inference_mode():
        for name, layer in net.named_children():
            x = layer(x)
            found[name] = tuple(x.shape[1:])
    assert {name: found[name] for name in SHAPES} == SHAPES
    assert net.n_features == 512 * 5 * 4


def test_parameter_count() -> None:
    def convolution(n_in: int, n_out: int) -> int:
        return 9 * n_in * n_out + n_out + n_out  # weights, bias, PReLU slopes

    plain = [(3, 32), (32, 64), (64, 128), (128, 256), (256, 512)]
    blocks = {64: 1, 128: 2, 256: 5, 512: 3}
    expected = sum(convolution(a, b) for a, b in plain)
    expected += sum(2 * n * convolution(c, c) for c, n in blocks.items())
    assert expected == 22_299_680
    assert sum(p.numel() for p in FaceBackbone().parameters()) == expected
    head = 512 * 5 * 4 * 50 + 50 + 50 + 50 + 1
    assert sum(p.numel() for p in PainNet().parameters()) == expected + head == 22_811_831
    identities = VerificationNet(10575)
    assert sum(p.numel() for p in identities.fc5.parameters()) == 512 * 5 * 4 * 512 + 512
    assert sum(p.numel() for p in identities.fc6.parameters()) == 512 * 10575 + 10575


@pytest.mark.parametrize(("name", "size"), RECEPTIVE.items())
def test_receptive_size(name: str, size: int) -> None:
    """The extent of the image a middle unit's gradient reaches, with all weights positive."""
    # From pool3 on one unit sees more than a crop: the convolutions run on a larger picture.
    height, width = (112, 96) if size <= 60 else (560, 544)
    net = FaceBackbone(width=1 / 32)
    for parameter in net.parameters():
        nn.init.constant_(parameter, 0.1)
    layers = list(net.named_children())
    upto = [n for n, _ in layers].index(name) + 1
    # Distinct values: a pool of equal ones would pass its gradient to one corner only.
    gradient = torch.zeros(height, width)
    for seed in range(12):
        x = torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(seed), requires_grad=True)
        y = x
        for _, layer in layers[:upto]:
            y = layer(y)
        y[0, :, y.shape[2] // 2, y.shape[3] // 2].sum().backward()
        gradient += x.grad[0].abs().sum(0)
    rows, columns = gradient.sum(1).nonzero(), gradient.sum(0).nonzero()
    assert int(rows.max() - rows.min()) + 1 == size
    assert int(columns.max() - columns.min()) + 1 == size


def test_residual_is_the_sum() -> None:
    torch.manual_seed(0)
    block = Residual(nn.Conv2d(4, 4, 3, padding=1), nn.PReLU(4))
    x = torch.randn(2, 4, 6, 5)
    torch.testing.assert_close(block(x), x + block[1](block[0](x)))


def test_output_stays_between_0_and_5() -> None:
    net = PainNet(1 / 16).eval()
    with torch.inference_mode():
        y = net(torch.randn(6, 3, 112, 96, generator=torch.Generator().manual_seed(0)) * 50)
    assert y.shape == (6,)
    assert 0 <= float(y.min()) <= float(y.max()) <= 5


@pytest.mark.parametrize(("width", "channels"), [(1.0, 512), (0.25, 128), (1 / 16, 32)])
def test_width_scales_every_layer(width: float, channels: int) -> None:
    net = FaceBackbone(width)
    assert net.n_channels == channels
    first = next(m for m in net.modules() if isinstance(m, nn.Conv2d))
    assert first.out_channels == 32 * width


def test_input_scaling_and_channel_order() -> None:
    crops = np.zeros((2, 112, 96, 3), np.uint8)
    crops[0, 3, 5] = (255, 0, 51)
    x = to_input(crops)
    assert x.shape == (2, 3, 112, 96)
    np.testing.assert_allclose(x[0, :, 3, 5].numpy(), (np.array([255, 0, 51]) - 127.5) / 128)
    assert x.is_contiguous(memory_format=torch.channels_last)

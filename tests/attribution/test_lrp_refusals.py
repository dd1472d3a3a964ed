"""Nets, images and settings that relevance propagation has no rule for are refused, with the reason."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from small_nets import X, conv, small_net, without_biases
from torch import nn
from torchvision.models import resnet18 as torchvision_resnet18

from painkit.attribution.lrp import PRESETS, Preset, lrp
from painkit.errors import PainkitError
from painkit.models.nets.vgg_face import VGGFace


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (3, "target 3 of a net with 3 outputs.*0 to 2"),
        (-1, "target -1 of a net with 3 outputs"),
        ([0, 1, 2, 0, 9], "target 9"),
        ([0, 1], r"target=\[0, 1\].*each of 5 images"),
        (1.0, "target=1.0"),
    ],
)
def test_outputs_the_net_does_not_have_are_refused(target: object, message: str) -> None:
    with pytest.raises(PainkitError, match=message):
        lrp(small_net(), X, "LRPZ", target)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (torch.zeros(2, 3, 8, 9), r"does not take images of shape \(3, 8, 9\)"),
        (torch.zeros(2, 1, 8, 8), r"does not take images of shape \(1, 8, 8\)"),
        (torch.zeros(3, 8, 8), r"images: \(3, 8, 8\)"),
        (torch.zeros(0, 3, 8, 8), r"images: \(0, 3, 8, 8\)"),
        (torch.zeros(2, 3, 8, 8, dtype=torch.uint8), "of torch.uint8"),
        (np.zeros((2, 3, 8, 8)), "images: ndarray"),
        (torch.full((2, 3, 8, 8), torch.nan), "NaN"),
    ],
)
def test_images_the_net_does_not_take_are_refused(x: torch.Tensor, message: str) -> None:
    with pytest.raises(PainkitError, match=message):
        lrp(small_net(), x, "LRPZ")


def test_images_in_0_to_1_before_vgg_face_are_told() -> None:
    net = VGGFace(3, width=1 / 64, input_size=32)
    with pytest.raises(PainkitError, match=r"images in 0-1 before VGG-Face.*vgg_face\.to_input"):
        lrp(net, torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0)), "LRPZ")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"alpha": 2, "beta": 0}, "alpha 2, beta 0.*alpha = 1 \\+ beta"),
        ({"alpha": 0.5, "beta": -0.5}, "beta -0.5"),
        ({"alpha": 2}, "beta None"),
        ({"epsilon": -1}, "epsilon -1"),
        ({"epsilon": float("nan")}, "epsilon nan"),
        ({"bias": "none"}, "bias='none'"),
    ],
)
def test_settings_that_are_no_rule_are_refused(settings: dict[str, float], message: str) -> None:
    with pytest.raises(PainkitError, match=message):
        Preset(**settings)
    with pytest.raises(PainkitError, match=message):
        replace(PRESETS["LRPZ"], **settings)


def test_unknown_presets_are_refused_by_name() -> None:
    with pytest.raises(PainkitError, match=r"no preset is called 'LRP-Z'.*LRPZ, LRPEpsilon"):
        lrp(small_net(), X, "LRP-Z")


class Functional(nn.Module):
    def __init__(self, step) -> None:
        super().__init__()
        self.conv, self.fc, self.relu, self.step = conv(3, 4), nn.Linear(4 * 64, 3), nn.ReLU(), step

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(self.step(self, self.conv(x)).flatten(1))


@pytest.mark.parametrize(
    ("step", "message"),
    [
        (lambda net, x: torch.relu(x), "a ReLU is called as a function in the net's own forward"),
        (lambda net, x: x.clamp(min=0), "a ReLU is called as a function"),
        (lambda net, x: net.relu(net.relu(x)), "the ReLU 'relu' is used 2 times"),
        (lambda net, x: net.relu(x) + x, "add is computed outside a layer"),
        (lambda net, x: net.relu(x) * 2, "mul is computed outside a layer"),
        (
            lambda net, x: nn.functional.conv2d(x, net.conv.weight[:, :1].expand(4, 4, 3, 3), padding=1),
            "convolution",
        ),
    ],
)
def test_steps_no_rule_can_reach_are_refused(step, message: str) -> None:
    with pytest.raises(PainkitError, match=message):
        lrp(Functional(step), X, "LRPZ")


def test_arranging_numbers_and_max_pooling_need_no_module() -> None:
    def step(net: Functional, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.max_pool2d(net.relu(x).permute(0, 1, 3, 2), 1).contiguous().view(x.shape)

    found = lrp(without_biases(Functional(step)), X.double(), "LRPZ")
    np.testing.assert_allclose(found.conservation_error, 0, atol=1e-10)


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (nn.GELU(), "no rule covers the GELU 'odd'"),
        (nn.Sigmoid(), "no rule covers the Sigmoid 'odd'.*before softmax or sigmoid"),
        (nn.GroupNorm(2, 4), "no rule covers the GroupNorm 'odd'"),
        (nn.BatchNorm2d(4), "no rule covers the BatchNorm2d 'odd'"),  # after a ReLU: nothing to merge into
        (nn.Upsample(scale_factor=1), "no rule covers the Upsample 'odd'"),
    ],
)
def test_layers_no_rule_covers_are_refused(layer: nn.Module, message: str) -> None:
    with pytest.raises(PainkitError, match=message):
        lrp(small_net(odd=layer), X, "LRPZ")


def test_torchvisions_own_resnet_uses_a_relu_twice() -> None:
    with pytest.raises(
        PainkitError, match=r"ReLU 'layer1.0.relu' is used 2 times.*painkit.models.nets.resnet18"
    ):
        lrp(torchvision_resnet18(num_classes=3), torch.randn(1, 3, 64, 64), "LRPZ")


def test_layers_registered_in_another_order_than_they_run_are_refused() -> None:
    class Crossed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.b, self.norm, self.a = conv(3, 3), nn.BatchNorm2d(3), conv(3, 3)
            self.fc = nn.Linear(3 * 64, 2)
            nn.init.uniform_(self.norm.running_var, 3, 9)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.fc(self.b(self.norm(self.a(x))).flatten(1))

    with pytest.raises(PainkitError, match="batch norm does not follow"):
        lrp(Crossed(), X, "LRPZ")
    crossed = Crossed()
    crossed.norm = nn.Identity()
    with pytest.raises(PainkitError, match="'a' runs first, but 'b' stands first"):
        lrp(crossed, X, "LRPZ")

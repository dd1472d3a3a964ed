"""VGG-Face and ResNet-18: their shapes by hand, their layers as attribution needs them, their input."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import nn
from torchvision.models import resnet18 as torchvision_resnet18

from painkit.errors import PainkitError
from painkit.models.nets.resnet18 import ResNet18
from painkit.models.nets.vgg_face import MEAN_RGB, VGGFace, to_input


def test_published_net_has_the_published_number_of_weights() -> None:
    with torch.device("meta"):
        net = VGGFace()
    channels = [3, 64, 64, 128, 128, 256, 256, 256, *[512] * 6]
    convolutions = sum(9 * a * b + b for a, b in pairwise(channels))
    fully = (25088 * 4096 + 4096) + (4096 * 4096 + 4096) + (4096 * 2622 + 2622)
    assert sum(p.numel() for p in net.parameters()) == convolutions + fully == 145_002_878
    assert net(torch.empty(2, 3, 224, 224, device="meta")).shape == (2, 2622)


def test_layers_have_the_published_names_and_every_relu_is_its_own() -> None:
    net = VGGFace(3, width=1 / 64, input_size=32)
    weighted = [name for name, layer in net.named_children() if list(layer.parameters())]
    stages = (2, 2, 3, 3, 3)
    assert weighted == [f"conv{s}_{i}" for s, n in enumerate(stages, 1) for i in range(1, n + 1)] + [
        "fc6", "fc7", "fc8",
    ]  # fmt: skip
    calls: list[nn.Module] = []
    for layer in net:
        layer.register_forward_hook(lambda layer, *_: calls.append(layer))
    net(torch.zeros(1, 3, 32, 32))
    relus = [layer for layer in calls if isinstance(layer, nn.ReLU)]
    assert len(relus) == len(set(relus)) == 15


@pytest.mark.parametrize("size", [32, 63, 64, 100])
def test_any_input_size_from_32_works_and_others_are_refused(size: int) -> None:
    net = VGGFace(3, width=1 / 64, input_size=size).eval()
    assert net(torch.zeros(2, 3, size, size)).shape == (2, 3)
    with pytest.raises(PainkitError, match=rf"images of shape \(2, 3, 112, 96\).*{size}, {size}"):
        net(torch.zeros(2, 3, 112, 96))


@pytest.mark.parametrize("settings", [{"input_size": 31}, {"width": 0}, {"n_outputs": 0}])
def test_nets_that_cannot_be_are_refused(settings: dict[str, int]) -> None:
    with pytest.raises(PainkitError, match="no such net"):
        VGGFace(**settings)


def test_input_is_rgb_less_the_published_mean() -> None:
    image = np.array([[[[200, 100, 50], [0, 255, 7]]]], dtype=np.uint8)
    found = to_input(image)
    assert found.shape == (1, 3, 1, 2)
    expected = image[0, 0].astype(np.float64) - [129.1863, 104.7624, 93.5940]
    np.testing.assert_allclose(found[0, :, 0].T, expected, rtol=0, atol=1e-5)
    assert torch.equal(found, to_input(image.astype(np.float32)))
    assert MEAN_RGB == (129.1863, 104.7624, 93.5940)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.full((1, 4, 4, 3), 0.7), "from 0.7 to 0.7, which look like images in 0-1.*multiply by 255"),
        (np.full((1, 4, 4, 3), -3.0), "from -3 to -3"),
        (np.full((1, 4, 4, 3), 256.0), "from 256 to 256"),
        (np.full((1, 4, 4, 3), np.nan), "from nan to nan"),
        (np.zeros((1, 3, 4, 4), np.uint8), r"shape \(1, 3, 4, 4\).*\(n, height, width, 3\)"),
        (np.zeros((4, 4, 3), np.uint8), r"shape \(4, 4, 3\)"),
    ],
)
def test_images_of_another_range_or_layout_are_refused(images: np.ndarray, message: str) -> None:
    with pytest.raises(PainkitError, match=message):
        to_input(images)


def test_black_images_are_in_range() -> None:
    assert torch.equal(to_input(np.zeros((1, 2, 2, 3))), to_input(np.zeros((1, 2, 2, 3), np.uint8)))


def test_resnet18_is_torchvisions_by_name_and_by_value() -> None:
    torch.manual_seed(0)
    theirs, ours = torchvision_resnet18(num_classes=7).eval(), ResNet18(7).eval()
    assert list(ours.state_dict()) == list(theirs.state_dict())
    ours.load_state_dict(theirs.state_dict())
    x = torch.randn(2, 3, 64, 64)
    with torch.inference_mode():
        assert torch.equal(ours(x), theirs(x))


def test_resnet18_uses_every_relu_once() -> None:
    net, calls = ResNet18(7).eval(), []
    for layer in net.modules():
        if isinstance(layer, nn.ReLU):
            layer.register_forward_hook(lambda layer, *_: calls.append(layer))
    net(torch.zeros(1, 3, 64, 64))
    assert len(calls) == len(set(calls)) == 17
    assert not any(layer.inplace for layer in calls)

"""Pixel maps of every method against what their definitions give by hand."""

from __future__ import annotations

from collections import OrderedDict

import numpy as np
import pytest
import torch
from plain_lrp import forward, neurons
from torch import nn

from painkit.attribution.lrp import PRESETS, Preset, lrp
from painkit.attribution.pixel_maps import METHODS, pixel_maps
from painkit.errors import PainkitError
from painkit.models.nets.face_net import PainNet
from painkit.models.nets.resnet18 import ResNet18
from painkit.models.nets.vgg_face import VGGFace


def small_net(seed: int = 0) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(
        OrderedDict(
            conv1=nn.Conv2d(3, 4, 3, padding=1), relu1=nn.ReLU(),
            conv2=nn.Conv2d(4, 5, 3, stride=2, padding=1), relu2=nn.ReLU(),
            flatten=nn.Flatten(), fc=nn.Linear(5 * 12, 3),
        )
    ).double()  # fmt: skip


X = torch.randn(4, 3, 8, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def scores(net: nn.Module, x: torch.Tensor) -> np.ndarray:
    with torch.inference_mode():
        return net.eval()(x).numpy()


def test_gradient_is_what_a_small_step_changes() -> None:
    net, step = small_net(), 1e-6
    found = pixel_maps(net, X, "gradient", 1)
    rng = np.random.default_rng(0)
    for _ in range(20):
        image, *pixel = (int(rng.integers(n)) for n in X.shape)
        moved = X.clone()
        moved[(image, *pixel)] += step
        slope = (scores(net, moved) - scores(net, X))[image, 1] / step
        assert found.relevance[(image, *pixel)] == pytest.approx(slope, abs=1e-5)
    times = pixel_maps(net, X, "input_x_gradient", 1)
    np.testing.assert_allclose(times.relevance, found.relevance * X.numpy())
    assert np.isnan(found.conservation_error).all()


def test_integrated_gradients_are_the_mean_gradient_on_the_way_from_zero() -> None:
    net, n = small_net(), 1000
    found = pixel_maps(net, X, "integrated_gradients", 2)
    way = [pixel_maps(net, X * (k + 0.5) / n, "gradient", 2).relevance for k in range(n)]
    theirs = X.numpy() * np.mean(way, axis=0)
    # Its 50 steps meet the kinks of the ReLUs between two of them.
    assert np.abs(found.relevance - theirs).max() < 0.03 * np.abs(theirs).max()
    difference = scores(net, X)[:, 2] - scores(net, torch.zeros_like(X))[:, 2]
    np.testing.assert_allclose(found.expected, difference)
    assert np.abs(found.conservation_error).max() < 0.02


@pytest.mark.parametrize(
    ("method", "gate"),
    [
        ("deconvnet", lambda g, x: g.clip(min=0)),
        ("guided_backpropagation", lambda g, x: g.clip(min=0) * (x > 0)),
        ("gradient", lambda g, x: g * (x > 0)),
    ],
)
def test_relus_on_the_way_back(method: str, gate) -> None:
    net = small_net()
    found = pixel_maps(net, X, method)
    for image, target, ours in zip(X.numpy(), found.target, found.relevance, strict=True):
        seen = [image]
        for layer in net:
            seen.append(forward(layer, seen[-1]))
        back = (np.arange(3) == target).astype(float)
        for layer, x in zip(reversed(net), reversed(seen[:-1]), strict=True):
            if isinstance(layer, nn.ReLU):
                back = gate(back, x)
            elif isinstance(layer, nn.Flatten):
                back = back.reshape(x.shape)
            else:
                below = np.zeros(x.size)
                for (index, weight, _), g in zip(neurons(layer, x), back.ravel(), strict=True):
                    np.add.at(below, index, weight * g)
                back = below.reshape(x.shape)
        np.testing.assert_allclose(ours, back, atol=1e-12)


def test_grad_cam_weighs_the_last_features_by_their_mean_gradient() -> None:
    net = small_net()
    found = pixel_maps(net, X, "grad_cam", 0)
    assert found.relevance.shape == (4, 1, 8, 6)
    features = net[:4](X).detach().requires_grad_()
    (gradient,) = torch.autograd.grad(net[4:](features)[:, 0].sum(), features)
    small = (gradient.mean(dim=(2, 3), keepdim=True) * features).sum(dim=1, keepdim=True).clamp(min=0)
    theirs = nn.functional.interpolate(small, (8, 6), mode="bilinear").detach().numpy()
    np.testing.assert_allclose(found.relevance, theirs, atol=1e-12)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("make", "size"),
    [
        (lambda: VGGFace(3, width=1 / 64, input_size=32), (32, 32)),
        (lambda: ResNet18(3), (32, 32)),
        (lambda: PainNet(1 / 32), (112, 96)),
    ],
    ids=["vgg", "resnet", "pain"],
)
def test_every_method_explains_every_net_and_leaves_it_as_it_was(
    make, size: tuple[int, int], method: str
) -> None:
    torch.manual_seed(0)
    net = make().train()
    x = torch.randn(3, 3, *size)
    before = {k: v.clone() for k, v in net.state_dict().items()}
    found = pixel_maps(net, x, method, memory=1)
    assert found.method == method
    assert found.relevance.shape == (3, 1 if method == "grad_cam" else 3, *size)
    assert found.heatmaps.shape == (3, *size)
    assert np.isfinite(found.relevance).all()
    assert found.relevance.dtype == np.float32
    assert net.training
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())
    assert not any(m._forward_hooks or m._forward_pre_hooks or m._backward_hooks for m in net.modules())
    promised = method in PRESETS or method == "integrated_gradients"
    assert np.isfinite(found.expected).all() == promised


def test_relevance_propagation_is_the_same_under_this_call() -> None:
    net = small_net()
    for method in ("LRPZ", Preset(epsilon=0.3)):
        np.testing.assert_array_equal(pixel_maps(net, X, method).relevance, lrp(net, X, method).relevance)


class Reused(nn.Module):
    """One ReLU for two places, and a softmax at the end."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.relu = nn.Linear(144, 5), nn.Linear(5, 3), nn.ReLU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.relu(self.b(self.relu(self.a(x.flatten(1))))).softmax(dim=1)


def test_a_method_refuses_only_what_it_would_get_wrong() -> None:
    net = Reused().double()
    for method in ("deconvnet", "guided_backpropagation", "LRPZ"):
        with pytest.raises(PainkitError, match="the ReLU 'relu' is used 2 times"):
            pixel_maps(net, X, method)
    for method in ("gradient", "input_x_gradient", "integrated_gradients"):
        assert pixel_maps(net, X, method).relevance.shape == X.shape
    with pytest.raises(PainkitError, match="no layer of the net gives a map"):
        pixel_maps(net, X, "grad_cam")


def test_unknown_methods_and_targets_are_refused() -> None:
    with pytest.raises(PainkitError, match=r"no method is called 'smoothgrad'.*gradient, input_x_gradient"):
        pixel_maps(small_net(), X, "smoothgrad")
    for method in METHODS:
        with pytest.raises(PainkitError, match="target 3 of a net with 3 outputs"):
            pixel_maps(small_net(), X, method, 3)

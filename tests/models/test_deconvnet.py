"""The deconvnet of the face net: a slow twin, zennit's rule, finite differences, the frozen copy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from plain_saliency import plain_transposed
from torch.autograd import gradcheck
from zennit.composites import LayerMapComposite
from zennit.rules import ReLUDeconvNet

from painkit.models.nets.deconvnet import Deconvnet, Encoded, brightness, encode, saliency_maps
from painkit.models.nets.face_net import PainNet, Residual


@pytest.fixture(scope="module")
def net() -> PainNet:
    """Slopes and branches differ from their start, so that every rule shows."""
    torch.manual_seed(0)
    made = PainNet(1 / 32).double().eval()
    with torch.no_grad():
        for module in made.modules():
            if isinstance(module, torch.nn.PReLU):
                module.weight.uniform_(-0.1, 0.4)
            if isinstance(module, torch.nn.Conv2d) and module.padding == (1, 1):
                module.weight *= 20
    return made


@pytest.fixture(scope="module")
def images() -> torch.Tensor:
    return torch.randn(2, 3, 112, 96, generator=torch.Generator().manual_seed(1)).double()


def test_encoding_gives_the_features_of_the_net(net: PainNet, images: torch.Tensor) -> None:
    encoded = encode(net, images)
    torch.testing.assert_close(encoded.embedding, net.embed(images), rtol=0, atol=0)
    assert [tuple(size) for _, size in encoded.switches] == [(108, 92), (52, 44), (24, 20), (10, 8)]


@pytest.mark.parametrize("prelu", ["relu", "prelu"])
def test_every_layer_goes_back_as_a_slow_twin_does(net: PainNet, images: torch.Tensor, prelu: str) -> None:
    """Layer by layer on one image, with loops in place of transposed convolutions and unpooling."""
    with torch.no_grad():
        encoded = encode(net, images[:1])
        found = Deconvnet(net, prelu)(encoded)[0].numpy()  # type: ignore[arg-type]

    def rectified(signal: np.ndarray, slopes: torch.Tensor) -> np.ndarray:
        slope = 0 if prelu == "relu" else slopes.detach().numpy().reshape(-1, *[1] * (signal.ndim - 1))
        return np.where(signal > 0, signal, slope * signal)

    def back(layers: list[torch.nn.Module], signal: np.ndarray) -> np.ndarray:
        for layer in reversed(layers):
            if isinstance(layer, torch.nn.PReLU):
                signal = rectified(signal, layer.weight)
            elif isinstance(layer, torch.nn.Conv2d):
                signal = plain_transposed(signal, layer.weight.detach().numpy(), layer.padding[0])
            elif isinstance(layer, Residual):
                signal = signal + back(list(layer), signal)
            else:
                places, size = switches.pop()
                larger = np.zeros((len(signal), size[0] * size[1]))
                for channel, at in enumerate(places[0].numpy()):
                    for i, j in np.ndindex(*at.shape):
                        larger[channel, at[i, j]] = signal[channel, i, j]
                signal = larger.reshape(-1, *size)
        return signal

    switches = list(encoded.switches)
    signal = rectified(encoded.embedding[0].numpy(), net.ip1_relu.weight) @ net.ip1.weight.detach().numpy()
    expected = back(list(net.backbone), signal.reshape(-1, 5, 4))
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9 * np.abs(expected).max())
    assert np.abs(expected).max() > 0


def test_with_rectifiers_it_is_zennits_deconvnet_of_the_features_by_their_own_values(
    net: PainNet, images: torch.Tensor
) -> None:
    x = images.clone().requires_grad_()
    composite = LayerMapComposite([((torch.nn.PReLU,), ReLUDeconvNet())])
    with composite.context(net) as hooked:
        embedding = hooked.embed(x)
        (expected,) = torch.autograd.grad((embedding * embedding.detach()).sum(), x)
    with torch.no_grad():
        found = Deconvnet(net)(encode(net, images))
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-12)


def test_without_rectifiers_and_poolings_it_is_the_transpose(net: PainNet) -> None:
    """A PReLU of slope 1 does nothing: back(e) . x = e . forward(x), biases aside."""
    linear = PainNet(1 / 32).double()
    with torch.no_grad():
        for module in linear.modules():
            if isinstance(module, torch.nn.PReLU):
                module.weight.fill_(1)
            elif isinstance(module, torch.nn.Conv2d | torch.nn.Linear):
                assert module.bias is not None
                module.bias.zero_()
        x = torch.randn(1, 3, 112, 96, generator=torch.Generator().manual_seed(3)).double()
        encoded = encode(linear, x)
        # With its switches held, the forward pass is linear, so that back(e) . x = e . e.
        signal = Deconvnet(linear, "prelu")(encoded)
    assert float((signal * x).sum()) == pytest.approx(float((encoded.embedding**2).sum()), rel=1e-9)


def loss_of(net: PainNet, decoder: Deconvnet, images: torch.Tensor) -> torch.Tensor:
    maps = brightness(decoder(encode(net, images)))
    target = torch.linspace(0, 1, maps[0].numel(), dtype=maps.dtype).reshape(maps[0].shape)
    return ((maps - target) ** 2).mean()


@pytest.mark.parametrize("prelu", ["relu", "prelu"])
def test_gradient_reaches_every_convolution_through_the_map_and_none_reaches_the_copy(
    net: PainNet, images: torch.Tensor, prelu: str
) -> None:
    decoder = Deconvnet(net, prelu)  # type: ignore[arg-type]
    net.zero_grad()
    loss_of(net, decoder, images).backward()
    for name, parameter in net.named_parameters():
        moved = parameter.grad is not None and bool(parameter.grad.any())
        assert moved == (not name.startswith("ip2")), name
    for name, weight in decoder.weights.items():
        assert weight.grad is None, name
        assert not weight.requires_grad, name
    assert not any(
        weight.untyped_storage().data_ptr() == own.untyped_storage().data_ptr()
        for weight, own in zip(decoder.weights.values(), net.parameters(), strict=True)
    )
    net.zero_grad()


def test_the_gradient_is_that_of_finite_differences_with_the_copy_held(
    net: PainNet, images: torch.Tensor
) -> None:
    """A step along the gradient of each kind of layer, in float64."""
    decoder = Deconvnet(net)
    net.zero_grad()
    loss_of(net, decoder, images).backward()
    for name in (
        "backbone.conv1a.weight",
        "backbone.res3_2.conv3_1.weight",
        "backbone.relu4.weight",
        "ip1.bias",
    ):
        parameter = net.get_parameter(name)
        assert parameter.grad is not None
        direction = parameter.grad / parameter.grad.norm()
        slope, step = float(parameter.grad.norm()), 1e-6
        with torch.no_grad():
            ends = []
            for sign in (1, -1):
                parameter += sign * step * direction
                ends.append(float(loss_of(net, decoder, images)))
                parameter -= sign * step * direction
        # A rectifier or a maximum that flips within the step is seldom and small.
        assert (ends[0] - ends[1]) / (2 * step) == pytest.approx(slope, rel=1e-3), name
    net.zero_grad()


def test_the_copy_is_of_the_weights_as_they_were(net: PainNet, images: torch.Tensor) -> None:
    changed = PainNet(1 / 32).double()
    changed.load_state_dict(net.state_dict())
    decoder = Deconvnet(changed)
    with torch.no_grad():
        encoded = encode(changed, images)
        before = decoder(encoded)
        changed.backbone.conv1b.weight *= 2  # type: ignore[union-attr]
        assert torch.equal(decoder(encoded), before)
        assert not torch.allclose(Deconvnet(changed)(encoded), before)


def test_brightness_is_between_0_and_1_whatever_the_scale_and_has_a_slope() -> None:
    signal = torch.randn(2, 3, 4, 5, generator=torch.Generator().manual_seed(0)).double()
    found = brightness(signal)
    size = signal.abs().mean(dim=1)
    torch.testing.assert_close(found, size / (size + size.mean(dim=(1, 2))[:, None, None]))
    torch.testing.assert_close(brightness(1e-9 * signal), found)
    assert gradcheck(brightness, signal.requires_grad_())
    assert not brightness(torch.zeros(1, 3, 4, 5)).any()  # nothing comes back: no NaN


def test_a_net_whose_features_are_all_negative_gives_a_dark_map(net: PainNet) -> None:
    _, switches = encode(net, torch.zeros(1, 3, 112, 96).double())
    maps = Deconvnet(net)(Encoded(-torch.ones(1, 50).double(), switches))
    assert not maps.any()
    assert saliency_maps(net, torch.zeros(1, 3, 112, 96).double()).shape == (1, 112, 96)

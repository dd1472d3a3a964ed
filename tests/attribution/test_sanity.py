"""The randomisation check: what changes with the weights, what cannot, and what is said about it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import spearmanr
from torch import nn

from painkit.attribution.pixel_maps import pixel_maps
from painkit.attribution.sanity import randomisation_check, randomisation_sentence
from painkit.errors import PainkitError
from painkit.models.nets.face_net import PainNet
from painkit.models.nets.resnet18 import ResNet18
from painkit.models.nets.vgg_face import VGGFace


def vgg() -> VGGFace:
    torch.manual_seed(0)
    net = VGGFace(3, width=1 / 16, input_size=32)
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight)
            nn.init.normal_(module.bias, std=0.05)
    return net


X = torch.randn(3, 3, 32, 32, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("method", ["LRPZ", "gradient"])
def test_maps_change_more_the_more_layers_are_shuffled(method: str) -> None:
    table = randomisation_check(vgg(), X, method)
    assert table["layer"].tolist() == [
        "fc8", "fc7", "fc6", "conv5_3", "conv5_2", "conv5_1", "conv4_3", "conv4_2", "conv4_1",
        "conv3_3", "conv3_2", "conv3_1", "conv2_2", "conv2_1", "conv1_2", "conv1_1",
    ]  # fmt: skip
    assert table["step"].tolist() == list(range(1, 17))
    assert (table["n_images"] == 3).all()
    assert abs(table["rank_correlation"].iloc[-1]) < 0.1
    assert table["rank_correlation_absolute"].iloc[-1] < table["rank_correlation_absolute"].iloc[0]
    assert "depend on what the net has learned, which" in randomisation_sentence(table)


def test_similarity_is_spearmans_over_pixels() -> None:
    net = nn.Sequential(nn.Flatten(), nn.Linear(3 * 4 * 4, 2)).double()
    x = torch.randn(2, 3, 4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    table = randomisation_check(net, x, "input_x_gradient", 0, seed=5)
    order = torch.randperm(96, generator=torch.Generator().manual_seed(5))
    shuffled = net[1].weight.detach().reshape(-1)[order].reshape(2, 48)[0].reshape(3, 4, 4)
    own = pixel_maps(net, x, "input_x_gradient", 0).heatmaps
    theirs = (x * shuffled).sum(dim=1).numpy()
    for column, change in (("rank_correlation", np.asarray), ("rank_correlation_absolute", np.abs)):
        rho = [
            spearmanr(change(a).ravel(), change(b).ravel()).statistic
            for a, b in zip(own, theirs, strict=True)
        ]
        assert table[column].item() == pytest.approx(np.mean(rho))


def test_a_map_that_weights_cannot_change_fails_and_is_said_to() -> None:
    net = nn.Sequential(nn.Conv2d(3, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(2 * 36, 2))
    for layer in (net[0], net[3]):  # all weights alike: shuffled they are what they were
        nn.init.constant_(layer.weight, 0.1)
        nn.init.constant_(layer.bias, 0.1)
    table = randomisation_check(net, X[:, :, :8, :8], "LRPZ")
    np.testing.assert_allclose(table["rank_correlation"], 1)
    assert "hardly depend on what the net has learned" in randomisation_sentence(table)


def test_slopes_and_norms_go_with_their_layer() -> None:
    layers = randomisation_check(PainNet(1 / 32), torch.randn(1, 3, 112, 96), "gradient")["layer"]
    assert layers.iloc[:3].tolist() == ["ip2", "ip1", "backbone.res5_6.conv5_6"]
    assert len(layers) == 29  # 27 convolutions and two linear layers
    layers = randomisation_check(ResNet18(2), X[:1], "gradient")["layer"]
    assert len(layers) == 21  # 20 convolutions and one linear layer
    assert not layers.str.contains("bn").any()


def test_the_net_is_left_as_it_was_and_a_seed_decides() -> None:
    net = vgg()
    before = {k: v.clone() for k, v in net.state_dict().items()}
    first, again, other = (randomisation_check(net, X, "LRPZ", seed=seed) for seed in (1, 1, 2))
    pd.testing.assert_frame_equal(first, again)
    assert not first.equals(other)
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())


def test_constant_maps_are_counted_not_compared() -> None:
    net = nn.Sequential(nn.Flatten(), nn.Linear(48, 2))
    nn.init.zeros_(net[1].weight)
    table = randomisation_check(net, X[:, :, :4, :4], "gradient", 0)
    assert table["n_images"].item() == 0
    assert np.isnan(table["rank_correlation"].item())
    assert "nothing can be compared" in randomisation_sentence(table)


def test_a_net_without_weights_is_refused() -> None:
    with pytest.raises(PainkitError, match="no convolution or linear layer"):
        randomisation_check(nn.Flatten(), X, "gradient", 0)

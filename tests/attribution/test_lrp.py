"""Relevance propagation against iNNvestigate's maps, the definitions, and what must be conserved."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch
from plain_lrp import Rule, alpha_beta_rule, epsilon_rule, flat_rule, plain_lrp, z_rule
from small_nets import X, conv, small_net, without_biases
from torch import nn
from zennit.composites import LayerMapComposite
from zennit.rules import Epsilon, Pass

from painkit.attribution.lrp import PRESETS, Preset, lrp
from painkit.attribution.lrp_rules import nonzero
from painkit.models.nets.face_net import PainNet, Residual, VerificationNet
from painkit.models.nets.resnet18 import ResNet18
from painkit.models.nets.vgg_face import VGGFace

GOLDEN = {
    "z": PRESETS["LRPZ"],
    "epsilon_1e-7": PRESETS["LRPEpsilon"],
    "preset_a_flat": PRESETS["LRPPresetAFlat"],
    "preset_b_flat": PRESETS["LRPPresetBFlat"],
    "epsilon_1e-1": Preset(epsilon=0.1),
    "preset_a": Preset(epsilon=0.1, alpha=1, beta=0),
    "preset_b": Preset(epsilon=0.1, alpha=2, beta=1),
}


@pytest.mark.parametrize("which", ["max", "min"])
@pytest.mark.parametrize(("dtype", "bound"), [(torch.float64, 1e-6), (torch.float32, 1e-3)])
def test_maps_equal_innvestigates(shared: Path, dtype: torch.dtype, bound: float, which: str) -> None:
    golden = np.load(shared / "golden" / "lrp_innvestigate.npz")
    net = nn.Sequential(
        OrderedDict(
            conv1=conv(3, 16),
            relu1=nn.ReLU(),
            conv2=conv(16, 16),
            relu2=nn.ReLU(),
            pool1=nn.MaxPool2d(2),
            conv3=conv(16, 24),
            relu3=nn.ReLU(),
            conv4=conv(24, 24),
            relu4=nn.ReLU(),
            pool2=nn.MaxPool2d(2),
            flatten=nn.Flatten(),
            fc1=nn.Linear(1536, 48),
            relu5=nn.ReLU(),
            fc2=nn.Linear(48, 32),
            relu6=nn.ReLU(),
            out=nn.Linear(32, 3),
        )
    )
    net.load_state_dict(
        {k.removeprefix("weights/"): torch.from_numpy(golden[k]) for k in golden if k.startswith("weights/")}
    )
    x = torch.from_numpy(golden["inputs"]).to(dtype)
    compared = 0
    for name, preset in GOLDEN.items():
        if f"relevance/{which}/{name}" not in golden:
            continue
        theirs = golden[f"relevance/{which}/{name}"].astype(np.float64)
        ours = lrp(net.to(dtype), x, preset, golden[f"{which}_index"])
        error = np.abs(ours.relevance - theirs).max(axis=(1, 2, 3)) / np.abs(theirs).max(axis=(1, 2, 3))
        assert error.max() < bound, (name, error)
        np.testing.assert_array_equal(ours.target, golden[f"{which}_index"])
        compared += 1
    assert compared == {"max": 7, "min": 4}[which]


def other_net(seed: int, *, bias: float, prelu: bool = False) -> nn.Sequential:
    """Strides, dilation, groups, other kernels, a layer without bias, large biases."""
    torch.manual_seed(seed)
    act = (lambda n: nn.PReLU(n, init=0.3)) if prelu else (lambda n: nn.ReLU())
    net = nn.Sequential(
        nn.Conv2d(3, 6, 5, stride=2, padding=2), act(6),
        nn.Conv2d(6, 4, (3, 1), groups=2, bias=False), act(4),
        nn.MaxPool2d(2), nn.Conv2d(4, 6, 2, padding=(1, 0), dilation=(2, 1)), act(6), nn.Flatten(),
        nn.Linear(36, 7), act(7), nn.Linear(7, 4),
    )  # fmt: skip
    for layer in net:
        if getattr(layer, "bias", None) is not None:
            nn.init.normal_(layer.bias, std=bias)
    return net.double()


RULES: dict[str, tuple[Preset, dict[str, Rule | None]]] = {
    "z": (Preset(), {"dense": z_rule, "convolution": z_rule, "first": None}),
    "epsilon": (
        Preset(epsilon=0.3),
        {"dense": epsilon_rule(0.3), "convolution": epsilon_rule(0.3), "first": None},
    ),
    "a flat": (
        PRESETS["LRPPresetAFlat"],
        {"dense": epsilon_rule(0.1), "convolution": alpha_beta_rule(1, 0), "first": flat_rule},
    ),
    "b flat": (
        PRESETS["LRPPresetBFlat"],
        {"dense": epsilon_rule(0.1), "convolution": alpha_beta_rule(2, 1), "first": flat_rule},
    ),
    "free": (
        Preset(epsilon=0.02, alpha=1.7, beta=0.7),
        {"dense": epsilon_rule(0.02), "convolution": alpha_beta_rule(1.7, 0.7), "first": None},
    ),
    "z flat": (Preset(flat=True), {"dense": z_rule, "convolution": z_rule, "first": flat_rule}),
    "split": (
        PRESETS["LRPPresetBFlatSplitBias"],
        {"dense": epsilon_rule(0.1), "convolution": alpha_beta_rule(2, 1, split=True), "first": flat_rule},
    ),
}


@pytest.mark.parametrize("prelu", [False, True])
@pytest.mark.parametrize("bias", [0.1, 2.0])
@pytest.mark.parametrize("name", RULES)
def test_maps_follow_the_definitions(name: str, bias: float, prelu: bool) -> None:
    preset, rules = RULES[name]
    net = other_net(int(10 * bias) + prelu, bias=bias, prelu=prelu)
    x = torch.randn(3, 3, 16, 12, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    found = lrp(net, x, preset)
    for image, target, ours in zip(x, found.target, found.relevance, strict=True):
        theirs = plain_lrp(net, image.numpy(), int(target), **rules)
        # zennit's own rule adds 1e-6 to every denominator, ours to none.
        bound = 1e-3 if preset.bias == "split" else 1e-9
        assert np.abs(ours - theirs).max() <= bound * np.abs(theirs).max()


NETS = {
    "vgg": (lambda: VGGFace(3, width=1 / 32, input_size=64), (3, 64, 64)),
    "resnet": (lambda: ResNet18(5), (3, 64, 64)),
    "verification": (lambda: VerificationNet(4, 1 / 16), (3, 112, 96)),
    "pain": (lambda: PainNet(1 / 16), (3, 112, 96)),
}


@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize(
    ("preset", "bound"),
    [
        ("LRPZ", 1e-10),
        ("LRPEpsilon", 1e-4),
        (Preset(alpha=1, beta=0), 1e-10),
        (Preset(alpha=1, beta=0, flat=True), 1e-10),
    ],
)
def test_relevance_sums_to_the_logit_without_biases(name: str, preset: str | Preset, bound: float) -> None:
    make, shape = NETS[name]
    net = without_biases(make())
    x = torch.randn(2, *shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    found = lrp(net, x, preset)
    assert (np.abs(found.expected) > 1e-3).all()
    np.testing.assert_allclose(found.relevance.sum(axis=(1, 2, 3)), found.expected, rtol=bound)
    assert (np.abs(found.conservation_error) <= bound).all()


def test_sums_of_the_face_net_double_relevance_where_they_are_not_modules() -> None:
    net = without_biases(VerificationNet(4, 1 / 16)).eval()
    assert sum(isinstance(module, Residual) for module in net.modules()) == 11
    x = torch.randn(1, 3, 112, 96, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    naive = LayerMapComposite([((nn.PReLU,), Pass()), ((nn.Conv2d, nn.Linear), Epsilon(nonzero))])
    with naive.context(net):
        logit = net(x.requires_grad_())[:, :1]
        (relevance,) = torch.autograd.grad(logit, x, logit.detach())
        logit = logit.detach()
    # Doubled relevance is huge on units near 0 and cancels, which costs digits.
    assert float(relevance.sum() / logit) == pytest.approx(2**11, rel=1e-2)
    found = lrp(net, x, "LRPZ", 0)
    assert found.relevance.sum() / float(logit) == pytest.approx(1)


def test_batch_norm_is_merged_and_the_scores_stay_what_they_were() -> None:
    torch.manual_seed(0)
    net = ResNet18(5).double()
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor in (module.weight.data, module.running_var):
                tensor.uniform_(0.5, 2)
            for tensor in (module.bias.data, module.running_mean):
                tensor.normal_(0, 0.3)
    x = torch.randn(2, 3, 64, 64, dtype=torch.float64)
    found = lrp(net, x, "LRPZ")
    with torch.inference_mode():
        np.testing.assert_allclose(found.logits, net.eval()(x), rtol=1e-12, atol=1e-12)


def test_pain_level_is_explained_by_the_number_before_its_sigmoid() -> None:
    torch.manual_seed(0)
    net = PainNet(1 / 16).eval()
    x = torch.randn(3, 3, 112, 96)
    found = lrp(net, x, "LRPZ")
    with torch.inference_mode():
        levels = net(x)
    np.testing.assert_allclose(5 / (1 + np.exp(-found.logits[:, 0])), levels, rtol=1e-5)
    np.testing.assert_array_equal(found.target, 0)
    np.testing.assert_array_equal(found.expected, found.logits[:, 0])


def test_the_model_is_left_as_it_was() -> None:
    net = small_net(norm=nn.BatchNorm2d(4), drop=nn.Dropout(0.5)).train()
    net.norm = nn.Identity()
    before = {k: v.clone() for k, v in net.state_dict().items()}
    x = X.clone()
    lrp(net, x, "LRPPresetBFlat")
    assert torch.equal(x, X)
    assert not x.requires_grad
    assert net.training
    assert all(p.requires_grad and p.grad is None for p in net.parameters())
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())
    for module in net.modules():
        assert not module._forward_hooks
        assert not module._forward_pre_hooks


@pytest.mark.parametrize("context", [torch.no_grad, torch.inference_mode])
def test_maps_are_the_same_wherever_they_are_asked_for(context: type) -> None:
    net = small_net()
    with context():
        found = lrp(net, X.clone(), "LRPPresetBFlat")
    np.testing.assert_array_equal(found.relevance, lrp(net, X, "LRPPresetBFlat").relevance)


def test_batches_change_nothing_but_rounding() -> None:
    net = small_net().double()
    whole = lrp(net, X.double(), "LRPPresetBFlat")
    single = lrp(net, X.double(), "LRPPresetBFlat", memory=1)
    np.testing.assert_allclose(single.relevance, whole.relevance, rtol=1e-9, atol=1e-12)
    np.testing.assert_array_equal(single.target, whole.target)


@pytest.mark.parametrize("memory", [1, 40_000, 1 << 30])
def test_batches_fit_the_memory(memory: int) -> None:
    sizes = []

    class Watched(nn.Sequential):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            sizes.append(len(x))
            return super().forward(x)

    lrp(Watched(*small_net()), X, "LRPZ", memory=memory)
    per_image = 4 * (2 * 4 * 64 + 4 * 64 + 3)  # conv, relu, flatten, fc in float32
    allowed = max(1, memory // (4 * per_image))
    assert sizes[0] == 1  # the first image alone, to look at the net
    assert max(sizes[1:]) == min(5, allowed)
    assert sum(sizes[1:]) == 5


def test_targets_may_be_one_for_all_one_for_each_or_the_highest() -> None:
    net = small_net()
    each = lrp(net, X, "LRPZ", [0, 1, 2, 0, 1])
    np.testing.assert_array_equal(each.target, [0, 1, 2, 0, 1])
    np.testing.assert_array_equal(each.expected, each.logits[np.arange(5), each.target])
    one = lrp(net, X, "LRPZ", 1)
    np.testing.assert_array_equal(one.relevance[1], each.relevance[1])
    highest = lrp(net, X, "LRPZ")
    np.testing.assert_array_equal(highest.target, each.logits.argmax(axis=1))


def test_dropout_is_off_unless_asked_for() -> None:
    net = small_net(drop=nn.Dropout(0.5)).train()
    np.testing.assert_array_equal(lrp(net, X, "LRPZ").relevance, lrp(net, X, "LRPZ").relevance)
    generator = torch.Generator().manual_seed(0)
    dropped = lrp(without_biases(net), X.double(), "LRPZ", dropout=generator)
    again = lrp(net, X.double(), "LRPZ", dropout=generator)
    assert not np.array_equal(dropped.relevance, again.relevance)
    np.testing.assert_allclose(dropped.conservation_error, 0, atol=1e-10)


@pytest.mark.parametrize(("kind", "whole"), [(nn.Dropout, False), (nn.Dropout2d, True)])
def test_dropout_drops_its_share_and_keeps_the_mean(kind: type[nn.Module], whole: bool) -> None:
    """Numbers, or whole channels: what is left is scaled so that the mean stays."""
    net = nn.Sequential(kind(0.3), nn.Flatten(), nn.Linear(40 * 25, 1, bias=False)).double()
    ones = torch.ones(200, 40, 5, 5, dtype=torch.float64)
    # The Z rule shares by weight times input: with weights of 1 the map is what is left.
    net[2].weight.data.fill_(1.0)
    left = lrp(net, ones, "LRPZ", 0, dropout=torch.Generator().manual_seed(0)).relevance
    assert {*np.unique(left.round(9))} == {0.0, round(1 / 0.7, 9)}
    assert (left == 0).mean() == pytest.approx(0.3, abs=0.02)
    same = (left == left[:, :, :1, :1]).all(axis=(2, 3)).mean()
    assert same == 1 if whole else same < 0.01

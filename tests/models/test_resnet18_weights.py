"""ResNet-18 in the files people have: what fits goes in whole, what does not is named and changes nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from painkit.errors import PainkitError
from painkit.models.nets.resnet18 import LAYERS, ResNet18, to_input
from painkit.models.nets.resnet18_weights import load_resnet18_weights

WIDTH = 1 / 16
X = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))


def net(seed: int, n_outputs: int = 7) -> ResNet18:
    """A net whose batch norm has seen something."""
    torch.manual_seed(seed)
    made = ResNet18(n_outputs, width=WIDTH)
    made.train()(torch.rand(8, 3, 64, 64))
    return made.eval()


def bare(source: ResNet18) -> dict[str, Tensor]:
    return source.state_dict()


def wrapped(source: ResNet18) -> dict[str, object]:
    """As training scripts leave it: other things beside the weights, a prefix of parallel training."""
    return {"epoch": 60, "state_dict": {f"module.{name}": t for name, t in bare(source).items()}, "best": 0.9}


def headless(source: ResNet18) -> dict[str, Tensor]:
    return {f"backbone.{name}": t for name, t in bare(source).items() if not name.startswith("fc")}


def attending(source: ResNet18) -> dict[str, Tensor]:
    """With the attention of nets over several frames, whose last layer is larger."""
    larger = {"alpha.0": torch.ones(1, 32), "beta.0": torch.ones(1, 64), "fc": torch.ones(8, 64)}
    return {**bare(source), **{f"{name}.weight": t for name, t in larger.items()}}


def old(source: ResNet18) -> dict[str, Tensor]:
    """Of torch before 0.4.1, whose batch norm did not count."""
    return {name: t for name, t in bare(source).items() if not name.endswith("num_batches_tracked")}


def save(content: object, path: Path) -> Path:
    if path.suffix == ".safetensors":
        save_file(content, path)
    else:
        torch.save(content, path)
    return path


@pytest.mark.parametrize(
    ("form", "name"),
    [
        (bare, "w.pth"),
        (bare, "w.safetensors"),
        (wrapped, "w.pth.tar"),
        (headless, "w.pt"),
        (attending, "w.pth"),
        (old, "w.pth"),
    ],
)
def test_every_form_gives_the_same_features_and_leaves_the_last_layer(
    form: Callable[[ResNet18], object], name: str, tmp_path: Path
) -> None:
    source, target = net(0, n_outputs=8), net(1)
    last = target.fc.weight.clone()
    load_resnet18_weights(target, save(form(source), tmp_path / name))
    with torch.inference_mode():
        assert torch.equal(target.embed(X), source.embed(X))
    assert torch.equal(target.fc.weight, last)


def without(*names: str) -> Callable[[dict[str, Tensor]], dict[str, Tensor]]:
    return lambda tensors: {name: t for name, t in tensors.items() if not name.startswith(names)}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (without("layer3.1", "bn1.bias"), r"missing: bn1.bias, layer3.1.bn1.bias, .* and \d+ more"),
        (without(""), r"missing: bn1.bias, .* more"),
        (lambda t: {**t, "layer1.0.se.fc.weight": torch.ones(1)}, "unexpected: layer1.0.se.fc.weight"),
        (lambda t: {**t, "layer2.2.conv1.weight": torch.ones(1)}, "unexpected: layer2.2.conv1.weight"),
        (lambda t: {**t, "prelu.weight": torch.ones(1)}, "unexpected: prelu.weight"),
        (
            lambda t: {**t, "conv1.weight": torch.ones(8, 1, 7, 7)},
            r"of another shape: conv1.weight is \(8, 1, 7, 7\), the net has \(8, 3, 7, 7\)",
        ),
        (
            lambda t: {**t, "bn1.running_var": torch.full((8,), torch.nan)},
            r"bn1.running_var holds NaN or infinity in 8 of 8 places .*finite real numbers",
        ),
    ],
)
def test_another_net_is_told_layer_by_layer_and_nothing_is_loaded(
    change: Callable[[dict[str, Tensor]], dict[str, Tensor]], told: str, tmp_path: Path
) -> None:
    target = net(1)
    before = {name: t.clone() for name, t in target.state_dict().items()}
    save(change(bare(net(0))), tmp_path / "w.pth")
    with pytest.raises(PainkitError, match=rf"w\.pth: .*{told}"):
        load_resnet18_weights(target, tmp_path / "w.pth")
    assert all(torch.equal(t, before[name]) for name, t in target.state_dict().items())


def test_what_would_need_code_to_be_run_is_refused_with_what_to_do(tmp_path: Path) -> None:
    """Scripts often keep their best score as a numpy number, and the net itself instead of its weights."""
    source = net(0)
    for number, content in enumerate(({**wrapped(source), "best": np.float64(0.9)}, source)):
        path = save(content, tmp_path / f"{number}.pth.tar")
        with pytest.raises(PainkitError, match=r"holds other objects, .*save it anew: torch\.save\("):
            load_resnet18_weights(net(1), path)
    anew = save(torch.load(tmp_path / "0.pth.tar", weights_only=False)["state_dict"], tmp_path / "new.pth")
    load_resnet18_weights(net(1), anew)


@pytest.mark.parametrize(
    ("scaling", "black", "white"),
    [
        ("0-1", [0.0, 0.0, 0.0], [1.0, 1.0, 1.0]),
        ("-1-1", [-1.0, -1.0, -1.0], [1.0, 1.0, 1.0]),
        (
            "imagenet",
            [-0.485 / 0.229, -0.456 / 0.224, -0.406 / 0.225],
            [0.515 / 0.229, 0.544 / 0.224, 0.594 / 0.225],
        ),
    ],
)
def test_input_scalings_by_their_ends(scaling: str, black: list[float], white: list[float]) -> None:
    images = np.zeros((2, 5, 4, 3), np.uint8)
    images[1] = 255
    found = to_input(images, scaling=scaling)  # type: ignore[arg-type]
    assert found.shape == (2, 3, 5, 4)
    for image, expected in zip(found, (black, white), strict=True):
        torch.testing.assert_close(image, torch.tensor(expected)[:, None, None].expand(3, 5, 4))
    with pytest.raises(PainkitError, match=r"input_scaling='0-255' \(expected 0-1 or -1-1 or imagenet"):
        to_input(images, scaling="0-255")  # type: ignore[arg-type]
    with pytest.raises(PainkitError, match=r"images of shape \(5, 4, 3\)"):
        to_input(images[0])


def test_widths_have_their_share_of_the_channels() -> None:
    channels = [len(net(0).get_submodule(f"layer{stage}")[1].conv2.weight) for stage in (1, 2, 3, 4)]
    assert channels == [8, 8, 16, 32]  # 8 at least: see ResNet18
    assert len(ResNet18(3, width=0.25).conv1.weight) == 16
    assert net(0).n_features == net(0).embed(X).shape[1] == 32
    assert ResNet18(3).n_features == 512
    with pytest.raises(PainkitError, match="no such net: width 0"):
        ResNet18(3, width=0)


def test_the_narrowest_net_trains_on_a_processor_without_avx512() -> None:
    """The process dies in oneDNN 3.13 where a strided convolution of 1x1 pixels sees 4 channels."""
    steps = """
import torch
from painkit.models.nets.resnet18 import ResNet18
torch.set_num_threads(1)
net = ResNet18(3, width=1 / 64).to(memory_format=torch.channels_last)
for _ in range(50):
    net(torch.rand(16, 3, 32, 32).to(memory_format=torch.channels_last)).sum().backward()
"""
    environment = {**os.environ, "ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2"}
    found = subprocess.run([sys.executable, "-c", steps], env=environment, capture_output=True, text=True)
    assert (found.returncode, found.stderr[:1000]) == (0, "")


def test_batch_norm_of_frozen_layers_keeps_its_statistics_in_training() -> None:
    source = net(0)
    before = {name: t.clone() for name, t in source.state_dict().items()}
    for name, weight in source.named_parameters():
        weight.requires_grad_(name.startswith(("layer4", "fc")))
    source.train()(X)
    after = source.state_dict().items()
    changed = {name.split(".")[0] for name, t in after if not torch.equal(t, before[name])}
    assert changed == {"layer4"}
    assert list(dict.fromkeys(name.split(".")[0] for name in before)) == list(LAYERS)

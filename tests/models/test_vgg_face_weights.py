"""VGG-Face from every form its weights come in gives the same net."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import scipy.io
import torch
from safetensors.torch import save_file

from painkit.errors import PainkitError
from painkit.models.nets.vgg_face import VGGFace
from painkit.models.nets.vgg_face_weights import load_vgg_face_weights

SIZE = 64  # fc6 sees 2 x 2 places, so that their order matters
WIDTH = 1 / 64


def net(seed: int, n_outputs: int = 5) -> VGGFace:
    torch.manual_seed(seed)
    return VGGFace(n_outputs, width=WIDTH, input_size=SIZE).eval()


X = torch.randn(2, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0))


def kernels(source: VGGFace, *, bgr: bool = False) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Weights (H, W, in, out) and biases by layer, index by index; fully connected ones as convolutions."""
    found = {}
    for name, layer in source.named_children():
        if not list(layer.parameters()):
            continue
        weight = layer.weight.detach().numpy()
        n_out = len(weight)
        if weight.ndim == 2:
            side = SIZE // 32 if name == "fc6" else 1
            kernel = np.empty((side, side, weight.shape[1] // side**2, n_out), np.float32)
            for h, w, c in np.ndindex(kernel.shape[:3]):  # torch flattens channel, height, width
                kernel[h, w, c] = weight[:, (c * side + h) * side + w]
        else:
            kernel = np.empty((3, 3, weight.shape[1], n_out), np.float32)
            for h, w, c in np.ndindex(kernel.shape[:3]):
                kernel[h, w, weight.shape[1] - 1 - c if bgr and name == "conv1_1" else c] = weight[:, c, h, w]
        found[name] = (kernel, layer.bias.detach().numpy())
    return found


def write_pth(path: Path, source: VGGFace) -> None:
    torch.save(source.state_dict(), path)


def write_underscored(path: Path, source: VGGFace) -> None:
    named = {re.sub("^conv", "conv_", k): v for k, v in source.state_dict().items()}
    torch.save({"state_dict": {f"module.{k}": v for k, v in named.items()}}, path)


def write_safetensors(path: Path, source: VGGFace) -> None:
    save_file(source.state_dict(), path)


def mat_layers(source: VGGFace, *, old: bool = False) -> np.ndarray:
    layers: list[dict[str, Any]] = [{"type": "input", "name": "data"}]
    for name, (kernel, bias) in kernels(source).items():
        pair = np.empty((1, 2), dtype=object)
        pair[0, 0], pair[0, 1] = kernel, bias[None]
        weights = {"filters": kernel, "biases": bias[None]} if old else {"weights": pair}
        layers += [{"type": "conv", "name": name, **weights}, {"type": "relu", "name": f"relu{name[-3:]}"}]
    found = np.empty((1, len(layers)), dtype=object)
    found[0] = layers
    return found


def write_mat(path: Path, source: VGGFace) -> None:
    scipy.io.savemat(
        path, {"layers": mat_layers(source), "meta": {"classes": ["a", "b"]}}, do_compression=True
    )


def write_mat_net(path: Path, source: VGGFace) -> None:
    scipy.io.savemat(path, {"net": {"layers": mat_layers(source, old=True), "normalization": {"x": 1.0}}})


def write_h5(
    path: Path, source: VGGFace, names: tuple[str, str] = ("{0}/{0}_W_1:0", "{0}/{0}_b_1:0")
) -> None:
    with h5py.File(path, "w") as file:
        for name, (kernel, bias) in kernels(source, bgr=True).items():
            dense = kernel.reshape(-1, kernel.shape[-1]) if name.startswith("fc") else kernel
            file[names[0].format(name)], file[names[1].format(name)] = dense, bias


def write_h5_model(path: Path, source: VGGFace) -> None:
    write_h5(path, source, ("model_weights/{0}/{0}/kernel:0", "model_weights/{0}/{0}/bias:0"))
    with h5py.File(path, "a") as file:  # a whole model, with the momentum of its training
        file["optimizer_weights/Adam/conv1_1/kernel:0"] = np.zeros((3, 3, 3, 1), np.float32)


FORMS = {
    "w.pth": write_pth,
    "underscored.pth.tar": write_underscored,
    "w.safetensors": write_safetensors,
    "w.mat": write_mat,
    "net.mat": write_mat_net,
    "w.h5": write_h5,
    "model.h5": write_h5_model,
}


@pytest.mark.parametrize("name", FORMS)
def test_every_form_gives_the_same_net(name: str, tmp_path: Path) -> None:
    source, target = net(0), net(1)
    FORMS[name](tmp_path / name, source)
    load_vgg_face_weights(target, tmp_path / name)
    assert all(torch.equal(v, target.state_dict()[k]) for k, v in source.state_dict().items())


def test_bgr_weights_see_bgr_images(tmp_path: Path) -> None:
    source, target = net(0), net(1)
    write_pth(tmp_path / "w.pth", source)
    load_vgg_face_weights(target, tmp_path / "w.pth", channels="bgr")
    with torch.inference_mode():
        torch.testing.assert_close(target(X), source(X.flip(1)))


@pytest.mark.parametrize("name", ["w.pth", "w.mat", "w.h5"])
def test_a_new_last_layer_is_kept_and_the_rest_loaded(name: str, tmp_path: Path) -> None:
    source, target = net(0), net(1, n_outputs=3)
    fresh = target.fc8.weight.clone()
    FORMS[name](tmp_path / name, source)
    with pytest.raises(PainkitError, match=r"of another shape: fc8.bias is \(5,\), the net has \(3,\)"):
        load_vgg_face_weights(target, tmp_path / name)
    load_vgg_face_weights(target, tmp_path / name, keep=("fc8",))
    assert torch.equal(target.fc8.weight, fresh)
    assert torch.equal(target.fc7.weight, source.fc7.weight)


@pytest.mark.parametrize("name", ["w.pth", "w.mat", "w.h5"])
def test_missing_and_foreign_layers_are_named_and_nothing_is_loaded(name: str, tmp_path: Path) -> None:
    source, target = net(0), net(1)
    before = {k: v.clone() for k, v in target.state_dict().items()}
    source.add_module("conv6_1", torch.nn.Conv2d(1, 1, 3))
    del source.conv3_2
    FORMS[name](tmp_path / name, source)
    with pytest.raises(
        PainkitError, match=r"missing: conv3_2.bias, conv3_2.weight; unexpected: conv6_1.bias, conv6_1.weight"
    ):
        load_vgg_face_weights(target, tmp_path / name)
    assert all(torch.equal(v, before[k]) for k, v in target.state_dict().items())


def test_another_input_size_is_another_shape(tmp_path: Path) -> None:
    write_h5(tmp_path / "w.h5", net(0))
    with pytest.raises(PainkitError, match=r"of another shape: fc6.weight"):
        load_vgg_face_weights(VGGFace(5, width=WIDTH, input_size=96), tmp_path / "w.h5")


def test_numbers_outside_the_file_are_not_read(tmp_path: Path) -> None:
    (tmp_path / "raw").write_bytes(np.ones(27, np.float32).tobytes())
    with h5py.File(tmp_path / "external.h5", "w") as file:
        file.create_dataset(
            "conv1_1/kernel", (3, 3, 3, 1), np.float32, external=[(str(tmp_path / "raw"), 0, 108)]
        )
    with h5py.File(tmp_path / "virtual.h5", "w") as file:
        layout = h5py.VirtualLayout((5,), np.float32)
        layout[:] = h5py.VirtualSource(tmp_path / "external.h5", "x", (5,))
        file.create_virtual_dataset("conv1_1/bias", layout)
    with h5py.File(tmp_path / "link.h5", "w") as file:
        file["conv1_1/bias"] = h5py.ExternalLink(str(tmp_path / "external.h5"), "conv1_1/kernel")
    for name in ("external.h5", "virtual.h5"):
        with pytest.raises(PainkitError, match="lies in another file"):
            load_vgg_face_weights(net(0), tmp_path / name)
    with pytest.raises(PainkitError, match="holds no layer"):
        load_vgg_face_weights(net(0), tmp_path / "link.h5")


@pytest.mark.parametrize("name", ["w.mat", "w.h5", "w.pth", "w.caffemodel"])
def test_files_of_something_else_are_told(name: str, tmp_path: Path) -> None:
    for content in (
        b"",
        b"nonsense" * 50,
        b"<!DOCTYPE html><html>",
        b"version https://git-lfs.github.com/spec/v1\n",
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(PainkitError, match=re.escape(name)):
            load_vgg_face_weights(net(0), tmp_path / name)
    with pytest.raises(PainkitError, match="no such file"):
        load_vgg_face_weights(net(0), tmp_path / f"absent-{name}")


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"other": 1.0}, r"has no `layers`; it holds other"),
        ({"layers": 1.0}, "holds no layer with weights"),
        ({"net": {"x": 1.0}}, "holds no layer with weights"),
        ({"net": np.array([1.0])}, "holds no layer with weights"),
    ],
)
def test_mat_files_without_layers_say_so(variables: dict[str, Any], message: str, tmp_path: Path) -> None:
    scipy.io.savemat(tmp_path / "w.mat", variables)
    with pytest.raises(PainkitError, match=message):
        load_vgg_face_weights(net(0), tmp_path / "w.mat")

"""Weight files: what fits goes in, what does not is named."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from painkit.errors import PainkitError
from painkit.models.nets.face_net import FaceBackbone, VerificationNet
from painkit.models.nets.resnet18 import ResNet18
from painkit.models.nets.weights import (
    load_face_weights,
    load_weights,
    read_weights,
    save_face_weights,
)

WIDTH = 1 / 32


def backbone(seed: int, width: float = WIDTH) -> FaceBackbone:
    torch.manual_seed(seed)
    return FaceBackbone(width).eval()


def published_names(net: torch.nn.Module) -> dict[str, np.ndarray]:
    return {".".join(k.split(".")[-2:]): v.numpy() for k, v in net.state_dict().items()}


X = torch.randn(2, 3, 112, 96, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("suffix", [".npz", ".safetensors", ".pth"])
def test_converted_weights_load_by_published_name(suffix: str, tmp_path: Path) -> None:
    source, target, path = backbone(0), backbone(1), tmp_path / f"w{suffix}"
    arrays = published_names(source)
    assert {"conv1a.weight", "relu4_10.weight", "conv5_6.bias"} <= arrays.keys()
    arrays["fc5.weight"] = np.zeros((4, 4), np.float32)  # layers on top are of no interest
    if suffix == ".npz":
        np.savez(path, **{name.replace(".", "/"): a for name, a in arrays.items()})
    elif suffix == ".safetensors":
        save_file({name: torch.from_numpy(a) for name, a in arrays.items()}, path)
    else:
        tensors = {f"module.{name}": torch.from_numpy(a) for name, a in arrays.items()}
        torch.save({"state_dict": tensors, "epoch": 3}, path)
    load_face_weights(target, path)
    with torch.inference_mode():
        assert torch.equal(target(X), source(X))


def test_bgr_weights_see_bgr_images(tmp_path: Path) -> None:
    source, target = backbone(0), backbone(1)
    save_face_weights(tmp_path / "w.safetensors", source)
    load_face_weights(target, tmp_path / "w.safetensors", channels="bgr")
    with torch.inference_mode():
        torch.testing.assert_close(target(X), source(X.flip(1)))


def test_weights_of_another_net_are_named_and_nothing_is_loaded(tmp_path: Path) -> None:
    net = backbone(0)
    before = {k: v.clone() for k, v in net.state_dict().items()}
    arrays = published_names(backbone(1))
    del arrays["conv2.bias"]
    arrays["conv9.weight"] = np.zeros(3, np.float32)
    arrays["conv3.weight"] = arrays["conv3.weight"][:1]
    np.savez(tmp_path / "w.npz", **arrays)
    with pytest.raises(
        PainkitError, match=r"missing: conv2.bias; unexpected: conv9.weight; of another shape: conv3.weight"
    ):
        load_face_weights(net, tmp_path / "w.npz")
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())


def test_weights_of_another_width_are_refused(tmp_path: Path) -> None:
    save_face_weights(tmp_path / "w.safetensors", backbone(0, 1 / 16))
    with pytest.raises(PainkitError, match=r"conv1a.bias is \(2,\), the net has \(1,\).* more"):
        load_face_weights(backbone(0), tmp_path / "w.safetensors")


def test_verification_head_is_not_part_of_the_backbone_file(tmp_path: Path) -> None:
    torch.manual_seed(0)
    save_face_weights(tmp_path / "w.safetensors", VerificationNet(7, WIDTH).backbone)
    names = read_weights(tmp_path / "w.safetensors")
    assert len(names) == 4 * 27 - 27  # weight, bias and slopes of 27 convolutions
    assert not any(name.startswith("fc") for name in names)


class Evil:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (print, ("run",))


def test_code_in_a_file_is_not_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "w.pth").write_bytes(pickle.dumps({"conv1a.weight": Evil()}))
    torch.save({"conv1a.weight": Evil()}, tmp_path / "w.pt")
    np.savez(tmp_path / "w.npz", **{"conv1a.weight": np.array([Evil()], dtype=object)})
    for name in ("w.pth", "w.pt", "w.npz"):
        with pytest.raises(PainkitError, match=name):
            read_weights(tmp_path / name)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("name", ["w.npz", "w.safetensors", "w.pth", "w.caffemodel"])
def test_files_that_hold_no_weights_are_told(name: str, tmp_path: Path) -> None:
    for content in (b"", b"nonsense" * 50):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(PainkitError, match=name):
            read_weights(tmp_path / name)
    with pytest.raises(PainkitError, match="no such file"):
        read_weights(tmp_path / "absent.npz")


@pytest.mark.parametrize("entry", ["state_dict", "model_state_dict", None])
@pytest.mark.parametrize("name", ["w.pth", "w.pth.tar"])
def test_checkpoints_are_unwrapped(entry: str | None, name: str, tmp_path: Path) -> None:
    named = {"module.conv.weight": torch.arange(6.0).reshape(2, 3)}
    torch.save(named if entry is None else {entry: named, "epoch": 3, "lr": 0.1}, tmp_path / name)
    found = read_weights(tmp_path / name)
    assert list(found) == ["conv.weight"]
    assert torch.equal(found["conv.weight"], named["module.conv.weight"])


def test_what_lies_in_place_of_weights_is_told(tmp_path: Path) -> None:
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:12\nsize 1234\n"
    page = "\n<!DOCTYPE HTML><html><head><title>Virus scan warning</title></head></html>"
    for name in ("w.pth", "w.safetensors", "w.npz"):
        (tmp_path / name).write_text(pointer)
        with pytest.raises(PainkitError, match=f"{name}: a Git LFS pointer, not the weights"):
            read_weights(tmp_path / name)
        (tmp_path / name).write_text(page)
        with pytest.raises(PainkitError, match=f"{name}: a web page, not the weights"):
            read_weights(tmp_path / name)


def test_files_that_would_need_code_say_how_to_save_anew(tmp_path: Path) -> None:
    torch.save({"state_dict": {"w": torch.zeros(2)}, "best": np.float64(0.7)}, tmp_path / "w.pth")
    with pytest.raises(PainkitError, match=r"never loaded.*save it anew: torch.save\("):
        read_weights(tmp_path / "w.pth")


@pytest.mark.parametrize(
    ("tensor", "message"),
    [
        (torch.full((2, 3), torch.nan), r"weight holds NaN or infinity in 6 of 6 places"),
        (torch.tensor([[0.0, torch.inf, 1.0], [0.0, 0.0, 1.0]]), r"weight holds NaN or infinity in 1 of 6"),
        (torch.ones(2, 3, dtype=torch.int64), "weight holds int64"),
        (torch.ones(2, 3, dtype=torch.bool), "weight holds bool"),
        (torch.ones(2, 3, dtype=torch.complex64), "weight holds complex64"),
        (torch.eye(3)[:2].to_sparse(), "weight is sparse"),
        (torch.empty(2, 3, device="meta"), "weight has no values"),
    ],
)
def test_weights_that_are_no_numbers_are_refused(tensor: torch.Tensor, message: str) -> None:
    layer = torch.nn.Linear(3, 2)
    before = layer.weight.clone()
    with pytest.raises(PainkitError, match=f"file.pth: {message}.*finite real numbers"):
        load_weights(layer, {"weight": tensor, "bias": torch.zeros(2)}, where="file.pth")
    assert torch.equal(layer.weight, before)


def test_counts_of_batch_norm_may_be_integers() -> None:
    source, target = torch.nn.BatchNorm2d(2), torch.nn.BatchNorm2d(2)
    source.num_batches_tracked += 7
    load_weights(target, source.state_dict(), where="file.pth")
    assert int(target.num_batches_tracked) == 7


def test_a_checkpoint_with_another_last_layer_loads_but_for_it(tmp_path: Path) -> None:
    torch.manual_seed(0)
    source, target = ResNet18(8), ResNet18(7)
    fresh = target.fc.weight.clone()
    wrapped = {f"module.{name}": tensor for name, tensor in source.state_dict().items()}
    torch.save({"state_dict": wrapped, "epoch": 60, "best": 0.9}, tmp_path / "ferplus.pth.tar")
    tensors = read_weights(tmp_path / "ferplus.pth.tar")
    with pytest.raises(PainkitError, match=r"of another shape: fc.bias is \(8,\), the net has \(7,\)"):
        load_weights(target, tensors, where="ferplus.pth.tar")
    load_weights(target, tensors, where="ferplus.pth.tar", keep=("fc",))
    assert torch.equal(target.fc.weight, fresh)
    assert torch.equal(target.layer4[1].bn2.running_var, source.layer4[1].bn2.running_var)


def test_files_of_real_downloads(shared: Path) -> None:
    folder = shared / "cases" / "weights"
    for name in ("checkpoint.pth.tar", "model_state_dict.pth"):
        assert "conv.weight" in read_weights(folder / name)
    for name, message in (("html.pth", "web page"), ("lfs_pointer.pth", "Git LFS pointer")):
        with pytest.raises(PainkitError, match=message):
            read_weights(folder / name)

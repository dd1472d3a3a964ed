"""Weights of nets from files a user has, read without running code from them."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from os import PathLike, fspath
from pathlib import Path
from pickle import UnpicklingError
from typing import Literal
from zipfile import BadZipFile

import numpy as np
import torch
from torch import Tensor, nn

from painkit.errors import PainkitError
from painkit.models.persistence import read_tensors, write_tensors

__all__ = [
    "WeightsFile",
    "load_face_weights",
    "load_weights",
    "read_weights",
    "refuse_stand_in",
    "save_face_weights",
]


@dataclass(frozen=True)
class WeightsFile:
    """Path of a file of weights that enters the keys of runs by what it holds, not by where it lies.

    Raises
    ------
    PainkitError
        When the file is missing.
    """

    path: str | PathLike[str]

    def __post_init__(self) -> None:
        if not Path(self.path).is_file():
            raise PainkitError("no such file of weights", where=self.path)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the content."""
        with Path(self.path).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def __fspath__(self) -> str:
        return fspath(self.path)


# What torch raises on files that are cut, changed, or hold more than tensors.
_DAMAGED = (
    UnpicklingError, RuntimeError, OSError, EOFError, ValueError, LookupError, TypeError, AttributeError,
    OverflowError, AssertionError,
)  # fmt: skip


def refuse_stand_in(file: Path) -> None:
    """Raise `PainkitError` when a file is missing, or is what downloads leave in place of weights."""
    if not file.is_file():
        raise PainkitError("no such file of weights", where=file)
    with file.open("rb") as opened:
        start = opened.read(512).lstrip().lower()
    if start.startswith(b"version https://git-lfs"):
        raise PainkitError(
            "a Git LFS pointer, not the weights", where=file, expected="the file of `git lfs pull`"
        )
    if start.startswith((b"<!doctype html", b"<html", b"<?xml")):
        raise PainkitError(
            "a web page, not the weights", where=file, expected="the file behind the download's confirmation"
        )


def read_weights(path: str | PathLike[str]) -> dict[str, Tensor]:
    """Read named tensors from a ``.safetensors``, ``.npz`` or ``.pth``/``.pt``/``.pth.tar`` file.

    A checkpoint's ``state_dict`` or ``model_state_dict`` and ``module.`` prefixes are unwrapped; ``/`` in
    names becomes ``.``.

    Raises
    ------
    PainkitError
        When the file is missing, of another kind, damaged, or would need code to be run.
    """
    file = Path(path)
    refuse_stand_in(file)
    tensors: Mapping[str, object]
    if file.suffix == ".safetensors":
        tensors = read_tensors(file)
    elif file.suffix == ".npz":
        try:
            with np.load(file, allow_pickle=False) as arrays:
                tensors = {name: torch.from_numpy(np.array(arrays[name])) for name in arrays.files}
        except (OSError, ValueError, TypeError, BadZipFile, EOFError) as error:
            raise PainkitError(f"not a readable npz file of plain arrays: {error}", where=file) from error
    elif file.suffix in (".pth", ".pt", ".tar"):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # on odd files torch warns first and refuses then
                tensors = torch.load(file, map_location="cpu", weights_only=True)
        except _DAMAGED as error:
            raise PainkitError(
                "not a file of weights alone: damaged, or it holds other objects, which are never loaded",
                where=file,
                expected="a state dict; where you trust the file, save it anew: "
                "torch.save(torch.load(file, weights_only=False)['state_dict'], new_file)",
            ) from error
        for name in ("state_dict", "model_state_dict"):
            if isinstance(tensors, dict) and isinstance(tensors.get(name), dict):
                tensors = tensors[name]
    else:
        raise PainkitError(
            f"weights cannot be read from {file.suffix or 'a file without suffix'}",
            where=file,
            expected=".safetensors, .npz, .pth, .pt or .pth.tar",
        )
    if not isinstance(tensors, dict) or not all(isinstance(v, Tensor) for v in tensors.values()):
        raise PainkitError("holds something other than named tensors", where=file)
    return {str(name).replace("/", ".").removeprefix("module."): v for name, v in tensors.items()}


def load_weights(
    module: nn.Module,
    tensors: Mapping[str, Tensor],
    *,
    where: str | PathLike[str],
    rename: Callable[[str], str] = str,
    ignore: Iterable[str] = (),
    keep: Iterable[str] = (),
) -> None:
    """Copy tensors into a module, all or none.

    Parameters
    ----------
    module : Module
    tensors : dict
    where : path
        Named in errors.
    rename : callable
        Gives the name in the file of a name in the module.
    ignore : iterable of str
        Names in the file that start so may be left over.
    keep : iterable of str
        Names that start so are not loaded: the module keeps what it has there, say a new last layer.

    Raises
    ------
    PainkitError
        Naming the layers that are missing, left over, of another shape, or hold no finite real numbers.
    """
    kept = tuple(keep)
    own = {
        rename(name): tensor
        for name, tensor in module.state_dict(keep_vars=True).items()
        if not rename(name).startswith(kept)
    }
    missing = sorted(own.keys() - tensors.keys())
    unexpected = sorted(n for n in tensors.keys() - own.keys() if not n.startswith((*ignore, *kept)))
    shapes = [
        f"{name} is {tuple(tensors[name].shape)}, the net has {tuple(own[name].shape)}"
        for name in sorted(own.keys() & tensors.keys())
        if tensors[name].shape != own[name].shape
    ]
    parts = [
        f"{what}: {', '.join(names[:6])}{f' and {len(names) - 6} more' if len(names) > 6 else ''}"
        for what, names in (("missing", missing), ("unexpected", unexpected), ("of another shape", shapes))
        if names
    ]
    if parts:
        raise PainkitError(f"weights of another net; {'; '.join(parts)}", where=where)
    for name, tensor in own.items():
        problem = _problem(tensors[name], real=tensor.is_floating_point())
        if problem:
            raise PainkitError(f"{name} {problem}", where=where, expected="finite real numbers")
    with torch.no_grad():
        for name, tensor in own.items():
            tensor.copy_(tensors[name])


def _problem(tensor: Tensor, *, real: bool) -> str | None:
    if tensor.layout != torch.strided or tensor.is_meta:
        return "is sparse" if tensor.layout != torch.strided else "has no values"
    if real and not tensor.is_floating_point():
        return f"holds {str(tensor.dtype).removeprefix('torch.')}"
    bad = int((~torch.isfinite(tensor)).sum()) if real else 0
    return f"holds NaN or infinity in {bad:,} of {tensor.numel():,} places" if bad else None


def _caffe_name(name: str) -> str:
    """``res2_2.conv2_1.weight`` is ``conv2_1.weight`` in the published model."""
    return ".".join(name.split(".")[-2:])


def load_face_weights(
    backbone: nn.Module, path: str | PathLike[str], *, channels: Literal["rgb", "bgr"] = "rgb"
) -> None:
    """Load convolution layers of the face-verification net by their published names.

    The file holds ``conv1a.weight``, ``conv1a.bias``, ``relu1a.weight``, ..., as `save_face_weights` or a
    conversion of the published Caffe model writes them; layers from ``fc`` on are not used.

    Parameters
    ----------
    backbone : FaceBackbone
    path : path
    channels : {'rgb', 'bgr'}
        Order the net was trained in. The published Caffe model was trained on BGR.

    Raises
    ------
    PainkitError
        See `load_weights`.
    """
    if channels not in ("rgb", "bgr"):
        raise PainkitError(f"channel order {channels!r}", expected="'rgb' or 'bgr'")
    tensors = read_weights(path)
    if channels == "bgr" and "conv1a.weight" in tensors:
        tensors["conv1a.weight"] = tensors["conv1a.weight"].flip(1)
    load_weights(backbone, tensors, where=path, rename=_caffe_name, ignore=("fc", "ip", "center"))


def save_face_weights(path: str | PathLike[str], backbone: nn.Module) -> None:
    """Write a backbone's layers by their published names to a safetensors file."""
    write_tensors(path, {_caffe_name(name): tensor for name, tensor in backbone.state_dict().items()})

"""Weights of VGG-Face in the forms people have them: PyTorch, MatConvNet, Keras."""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterable, Mapping
from os import PathLike
from pathlib import Path
from typing import Any, Literal

import h5py
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from painkit.data.mat_file import DamagedMat, tree, variables
from painkit.errors import PainkitError
from painkit.models.nets.vgg_face import VGGFace
from painkit.models.nets.weights import load_weights, read_weights, refuse_stand_in

__all__ = ["load_vgg_face_weights"]

LARGEST = 1 << 30  # bytes; the published net takes 580 MB

_LAYER = re.compile(r"(?:conv_?(\d_\d)|(fc\d))(?!\d)")


def load_vgg_face_weights(
    net: VGGFace,
    path: str | PathLike[str],
    *,
    channels: Literal["rgb", "bgr"] | None = None,
    keep: Iterable[str] = (),
) -> None:
    """Load VGG-Face from ``vgg_face_dag.pth``, ``vgg_face.mat``, a Keras ``.h5`` or a converted state dict.

    Parameters
    ----------
    net : VGGFace
    path : path
        ``.pth``, ``.pt``, ``.pth.tar``, ``.safetensors``, ``.npz``: a state dict of ``conv1_1.weight`` or
        ``conv_1_1.weight`` ... ``.mat``: MatConvNet's ``layers``, also inside ``net``; weights
        (H, W, in, out), fully connected layers as convolutions. ``.h5``, ``.hdf5``: Keras, weights
        (H, W, in, out) and (in, out), ``fc6`` after a channels-last flattening.
    channels : {'rgb', 'bgr'}, optional
        Order the net was trained in; by default BGR for Keras and RGB for all others, as published.
    keep : iterable of str
        Layers of the net that are not loaded, say ``("fc8",)`` when the last layer is new.

    Raises
    ------
    PainkitError
        When the file is damaged or no such file, or naming the layers that are missing, unexpected or of
        another shape. Nothing is loaded then.
    """
    if channels not in ("rgb", "bgr", None):
        raise PainkitError(f"channel order {channels!r}", expected="'rgb' or 'bgr'")
    file = Path(path)
    refuse_stand_in(file)
    if file.suffix == ".mat":
        tensors = _torch_order(_read_mat(file), net)
    elif file.suffix in (".h5", ".hdf5"):
        tensors = _torch_order(_read_h5(file), net)
        channels = channels or "bgr"
    else:
        tensors = {re.sub(r"^conv_(?=\d)", "conv", name): t for name, t in read_weights(file).items()}
    if channels == "bgr" and tensors.get("conv1_1.weight", torch.empty(0)).ndim == 4:
        tensors["conv1_1.weight"] = tensors["conv1_1.weight"].flip(1)
    load_weights(net, tensors, where=file, keep=keep)


def _torch_order(arrays: Mapping[str, NDArray[Any]], net: VGGFace) -> dict[str, Tensor]:
    """Weights (H, W, in, out) or (in, out) as torch has them, where their size is that of the net's layer."""
    own = net.state_dict()
    tensors = {}
    for name, array in arrays.items():
        if name == "fc6.weight" and array.ndim == 2 and array.shape[0] == own[name].shape[1]:
            # Rows in the order height, width, channel; torch flattens channels first.
            side = net.input_size // 32
            array = array.reshape(side, side, -1, array.shape[1])
        if name.endswith(".weight"):
            array = np.moveaxis(array, -1, 0)  # (out, H, W, in)
            array = np.moveaxis(array, -1, 1)  # (out, in, H, W)
            if array.ndim == 4 and name in own and own[name].ndim == 2:
                array = array.reshape(len(array), -1)
        tensors[name] = torch.from_numpy(np.array(array, dtype=array.dtype.newbyteorder("="), order="C"))
    return tensors


def _read_mat(file: Path) -> dict[str, NDArray[Any]]:
    expected = "a MatConvNet net of MATLAB 5 to 7: `layers` with `name` and `weights`"
    try:
        found = {matrix.name: matrix for matrix in variables(file.read_bytes(), LARGEST)}
        holder = found.get("layers") or found.get("net")
        if holder is None:
            raise PainkitError(
                f"has no `layers`; it holds {', '.join(found) or 'nothing'}", where=file, expected=expected
            )
        layers = tree(holder)
    except OSError as error:
        raise PainkitError(f"cannot be read: {error.strerror or error}", where=file) from error
    except (DamagedMat, zlib.error, struct.error) as error:
        raise PainkitError(
            f"cannot be read as MATLAB data: {error}", where=file, expected=expected
        ) from error
    if holder.name == "net":
        layers = (
            layers[0].get("layers")
            if isinstance(layers, list) and layers and isinstance(layers[0], dict)
            else None
        )
    arrays: dict[str, NDArray[Any]] = {}
    for layer in layers if isinstance(layers, list) else ():
        # A layer is a struct; in a cell array it is a list of one.
        facts = layer[0] if isinstance(layer, list) and layer else layer
        if not isinstance(facts, dict):
            continue
        name = _layer(str(facts.get("name")))
        pair = facts.get("weights") or [facts[k] for k in ("filters", "biases") if k in facts]
        if len(pair) == 2 and all(isinstance(part, np.ndarray) for part in pair) and name is not None:
            weight, bias = pair
            # MATLAB drops trailing dimensions of 1.
            arrays[f"{name}.weight"] = weight.reshape(weight.shape + (1,) * (4 - weight.ndim))
            arrays[f"{name}.bias"] = bias.ravel()
    if not arrays:
        raise PainkitError("holds no layer with weights", where=file, expected=expected)
    return arrays


def _read_h5(file: Path) -> dict[str, NDArray[Any]]:
    arrays: dict[str, NDArray[Any]] = {}

    def take(path: str, item: object) -> None:
        """Collect by the layer in the path: ``conv1_1/conv1_1_W_1:0``, ``model_weights/fc6/fc6/kernel:0``."""
        layer = next(filter(None, map(_layer, path.split("/"))), None)
        if (
            layer is None
            or not isinstance(item, h5py.Dataset)
            or not item.ndim
            or path.startswith("optimizer")
        ):
            return
        if item.external or item.is_virtual:
            raise PainkitError(
                f"{path} lies in another file", where=file, expected="all numbers in this file"
            )
        if item.size > LARGEST // 4 or item.dtype.kind not in "iuf":
            raise PainkitError(f"{path} is no layer's weights: {item.size:,} of {item.dtype}", where=file)
        arrays[f"{layer}.{'bias' if item.ndim == 1 else 'weight'}"] = np.asarray(item[()])

    try:
        with h5py.File(file, "r") as opened:
            opened.visititems(take)
    except (OSError, RuntimeError, ValueError, KeyError, TypeError, OverflowError) as error:
        raise PainkitError(f"cannot be read as HDF5: {error}", where=file, expected="a Keras file") from error
    if not arrays:
        raise PainkitError(
            "holds no layer of VGG-Face", where=file, expected="groups conv1_1 ... fc8, as Keras writes"
        )
    return arrays


def _layer(name: str) -> str | None:
    """Name in the net of a layer called so in a file: ``conv_1_1`` and ``conv1_1_W`` are ``conv1_1``."""
    match = _LAYER.match(name)
    return match and (match[2] or f"conv{match[1]}")

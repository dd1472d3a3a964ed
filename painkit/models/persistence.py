"""Fitted models on disk: tensors as safetensors, everything else as JSON; nothing is ever unpickled."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib import import_module
from os import PathLike, fspath
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from painkit import __version__
from painkit.digests import check_seal, seal
from painkit.errors import PainkitError
from painkit.files import write_atomically, write_text

__all__ = ["Persistent", "read_tensors", "write_tensors"]


def write_tensors(path: str | PathLike[str], tensors: Mapping[str, Tensor]) -> None:
    """Write named tensors to one safetensors file, whole or not at all."""
    content = save({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()})
    with write_atomically(path) as temporary:
        temporary.write_bytes(content)


def read_tensors(path: str | PathLike[str]) -> dict[str, Tensor]:
    """Read the tensors of one safetensors file.

    Raises
    ------
    PainkitError
        When the file is missing or not a safetensors file.
    """
    try:
        tensors: dict[str, Tensor] = load_file(path)
    except FileNotFoundError as error:
        raise PainkitError("the model's tensors are missing", where=path) from error
    except (SafetensorError, OSError) as error:
        raise PainkitError(f"not a readable safetensors file: {error}", where=path) from error
    return tensors


class Persistent:
    """``save`` and ``load`` for estimators.

    What is kept are the parameters and, as scikit-learn has it, every attribute whose name ends with an
    underscore: numbers and text as JSON, arrays as tensors, estimators inside by the same rule, nets by their
    weights. A class with nets gives fresh ones by `_new_net`.
    """

    def _new_net(self) -> Any:
        """Give an untrained `net_` of this estimator, from its parameters and other fitted attributes."""
        raise NotImplementedError

    def save(self, folder: str | PathLike[str]) -> Path:
        """Write the fitted model to `folder` as ``model.json``, ``model.safetensors`` and their digests.

        Raises
        ------
        PainkitError
            When a parameter cannot be kept (a generator as `random_state`), or writing fails.
        """
        check_is_fitted(self)
        tensors: dict[str, Tensor] = {}
        try:
            document = {"painkit": __version__, **_take_apart(self, "", tensors)}
            text = json.dumps(document, indent=1, default=_jsonable)
        except TypeError as error:
            raise PainkitError(f"cannot be saved: {error}", where=folder) from error
        write_tensors(Path(folder) / "model.safetensors", tensors)
        write_text(Path(folder) / "model.json", text + "\n")
        seal(folder, names=["model.json", "model.safetensors"])
        return Path(folder)

    @classmethod
    def load(cls, folder: str | PathLike[str]) -> Self:
        """Read a model that `save` wrote.

        Raises
        ------
        PainkitError
            When the folder holds no such model, one of another kind, or a damaged one.
        """
        path = Path(folder) / "model.json"
        if path.is_file():
            check_seal(folder)
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
            name = document["estimator"]
        except OSError as error:
            raise PainkitError(f"could not be read: {error.strerror}", where=path) from error
        except (ValueError, KeyError, TypeError) as error:
            raise PainkitError(f"is not a saved painkit model: {error!r}", where=path) from error
        if name != _name(cls):
            raise PainkitError(f"holds a {str(name).split('.')[-1]}", where=path, expected=cls.__name__)
        tensors = read_tensors(path.with_name("model.safetensors"))
        try:
            model: Self = _put_together(document, tensors)
        except (KeyError, TypeError, RuntimeError, ValueError, AttributeError, ImportError) as error:
            raise PainkitError(f"does not fit this version's {cls.__name__}: {error}", where=path) from error
        return model


def _name(cls: type) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"


def _take_apart(value: Any, name: str, tensors: dict[str, Tensor]) -> Any:
    """Give the JSON form of a value; its arrays and weights go into `tensors` under names that begin so."""
    if isinstance(value, Persistent):
        # A folder of kept networks belongs to the machine that trained, not to the model.
        parameters = {k: v for k, v in value.get_params(deep=False).items() if k != "memory"}  # type: ignore[attr-defined]
        fitted = {k: v for k, v in vars(value).items() if k.endswith("_")}
        return {
            "estimator": _name(type(value)),
            "parameters": {k: _take_apart(v, f"{name}{k}.", tensors) for k, v in parameters.items()},
            "fitted": {k: _take_apart(v, f"{name}{k}.", tensors) for k, v in fitted.items()},
        }
    if isinstance(value, nn.Module):
        tensors.update({name + k: tensor for k, tensor in value.state_dict().items()})
        return {"net": name}
    if isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
        tensors[name[:-1]] = torch.from_numpy(np.array(value))
        return {"array": name[:-1]}
    if isinstance(value, np.ndarray):
        return {"texts": value.astype(str).tolist()}
    if isinstance(value, list):
        return [_take_apart(one, f"{name}{i}.", tensors) for i, one in enumerate(value)]
    return value


def _put_together(form: Any, tensors: Mapping[str, Tensor]) -> Any:
    """Give back what `_take_apart` took apart, but for nets."""
    if isinstance(form, list):
        return [_put_together(one, tensors) for one in form]
    if not isinstance(form, dict):
        return form
    if "array" in form:
        return tensors[form["array"]].numpy()
    if "texts" in form:
        return np.array(form["texts"], dtype=str)
    module, _, name = form["estimator"].rpartition(".")
    if not module.startswith("painkit.models."):
        raise ValueError(f"{form['estimator']} is no estimator of painkit")
    parameters = {k: _put_together(v, tensors) for k, v in form["parameters"].items()}
    model = getattr(import_module(module), name)(
        **{k: tuple(v) if isinstance(v, list) else v for k, v in parameters.items()}
    )
    nets = {k: v["net"] for k, v in form["fitted"].items() if isinstance(v, dict) and "net" in v}
    for k, v in form["fitted"].items():
        if k not in nets:
            setattr(model, k, _put_together(v, tensors))
    for k, prefix in nets.items():
        net = model._new_net()
        weights = {n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)}
        net.load_state_dict(weights)
        setattr(model, k, net.eval())
    return model


def _jsonable(value: object) -> object:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, torch.device):
        return str(value)
    if isinstance(value, PathLike):  # features, a crop store, pre-trained weights
        return fspath(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")

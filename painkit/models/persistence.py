"""Fitted models on disk: tensors as safetensors, everything else as JSON; nothing is ever unpickled."""

from __future__ import annotations

import json
from collections.abc import Mapping
from os import PathLike, fspath
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from painkit import __version__
from painkit.errors import PainkitError
from painkit.files import write_atomically

__all__ = ["Persistent", "read_tensors", "write_tensors"]


def write_tensors(path: str | PathLike[str], tensors: Mapping[str, Tensor]) -> None:
    """Write named tensors to one safetensors file, whole or not at all."""
    with write_atomically(path) as temporary:
        save_file({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, temporary)


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
    """``save`` and ``load`` for estimators that can give and take their fitted state.

    A subclass writes `_state` (JSON-able facts, tensors) and `_restore`, its inverse.
    """

    def _state(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        raise NotImplementedError

    def _restore(self, facts: dict[str, Any], tensors: dict[str, Tensor]) -> None:
        raise NotImplementedError

    def save(self, folder: str | PathLike[str]) -> Path:
        """Write the fitted model to `folder` as ``model.json`` and ``model.safetensors``.

        Raises
        ------
        PainkitError
            When a parameter has no JSON form (a generator as `random_state`), or writing fails.
        """
        facts, tensors = self._state()
        parameters = self.get_params(deep=False)  # type: ignore[attr-defined]
        document = {
            "painkit": __version__,
            "estimator": type(self).__name__,
            # A folder of kept networks belongs to the machine that trained, not to the model.
            "parameters": {k: None if k == "memory" else v for k, v in parameters.items()},
            "fitted": facts,
        }
        try:
            text = json.dumps(document, indent=1, default=_jsonable)
        except TypeError as error:
            raise PainkitError(f"a parameter cannot be saved: {error}", where=folder) from error
        write_tensors(Path(folder) / "model.safetensors", tensors)
        # The JSON comes last: a folder that has one is complete.
        with write_atomically(Path(folder) / "model.json") as temporary:
            temporary.write_text(text + "\n", encoding="utf-8")
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
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
            name, parameters, facts = document["estimator"], document["parameters"], document["fitted"]
        except OSError as error:
            raise PainkitError(f"could not be read: {error.strerror}", where=path) from error
        except (ValueError, KeyError, TypeError) as error:
            raise PainkitError(f"is not a saved painkit model: {error!r}", where=path) from error
        if name != cls.__name__:
            raise PainkitError(f"holds a {name}", where=path, expected=cls.__name__)
        tensors = read_tensors(path.with_name("model.safetensors"))
        try:
            model = cls(**{k: tuple(v) if isinstance(v, list) else v for k, v in parameters.items()})
            model._restore(facts, tensors)
        except (KeyError, TypeError, RuntimeError, ValueError) as error:
            raise PainkitError(f"does not fit this version's {name}: {error}", where=path) from error
        return model


def _jsonable(value: object) -> object:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, torch.device):
        return str(value)
    if isinstance(value, PathLike):  # features, a frame store, pre-trained weights
        return fspath(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")

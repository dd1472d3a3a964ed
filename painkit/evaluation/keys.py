"""The key of a run: a digest of everything its result depends on."""

from __future__ import annotations

import hashlib
import importlib.metadata
import inspect
import json
import math
import os
import platform
import sys
from collections.abc import Mapping
from functools import reduce
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone

import painkit
from painkit.data.cohort import content_digest
from painkit.errors import PainkitError
from painkit.evaluation.samples import Samples
from painkit.models.code import code_digest

__all__ = ["data_digest", "describe", "digest", "machine", "seeded", "settled", "versions"]

# Parameters that say how a fit is done or shown, not what comes out; `memory` is a cache, as in scikit-learn.
_NO_EFFECT = frozenset({"memory", "n_jobs", "progress", "verbose"})
_LIBRARIES = ("numpy", "scipy", "scikit-learn", "torch", "gpytorch")


def describe(value: Any, where: str = "estimator") -> Any:
    """Turn an estimator, or a parameter of one, into JSON that is equal exactly when the settings are.

    Parameters
    ----------
    value : object
        Numbers, strings, paths, arrays, tables, lists, mappings, classes, named functions, estimators (by
        ``get_params``, nested ones too), torch devices and dtypes, and anything with a `fingerprint`.
    where : str
        Name of the parameter, for the error.

    Raises
    ------
    PainkitError
        For anything else (a lambda, a closure, a bound method, an open file, a random generator), naming the
        parameter: a setting that cannot be told from another must not share its results.
    """
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float | np.floating):
        return float(value) if math.isfinite(value) else repr(float(value))
    if isinstance(value, np.bool_ | np.integer):
        return value.item()
    if isinstance(getattr(value, "fingerprint", None), str):
        return {"class": _name(type(value), where), "fingerprint": value.fingerprint}
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, Mapping):
        return {str(k): describe(v, f"{where}[{k!r}]") for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [describe(v, f"{where}[{i}]") for i, v in enumerate(value)]
    if isinstance(value, set | frozenset):
        return sorted((describe(v, where) for v in value), key=str)
    if isinstance(value, np.ndarray) and value.dtype != object:
        content = hashlib.sha256(np.ascontiguousarray(value).tobytes()).hexdigest()
        return {"array": list(value.shape), "dtype": str(value.dtype), "sha256": content}
    if isinstance(value, pd.DataFrame | pd.Series):
        return {"table": list(value.shape), "sha256": _table_digest(value)}
    if hasattr(value, "get_params") and not isinstance(value, type):
        given = sorted(settled(value).get_params(deep=False).items())
        parameters = {k: describe(v, f"{where}.{k}") for k, v in given if k not in _NO_EFFECT}
        return {"class": _name(type(value), where), **_source(type(value)), "parameters": parameters}
    if isinstance(value, type) or inspect.isroutine(value):
        return {"name": _name(value, where), **_source(value)}
    if isinstance(value, np.ufunc) or type(value).__module__ == "torch":  # these print as what they are
        return str(value)
    raise PainkitError(
        f"{where} is {value!r}: a {type(value).__name__} cannot be digested into the key of a run",
        expected="numbers, strings, arrays, lists, mappings, named functions, classes or estimators",
    )


def settled(estimator: Any) -> Any:
    """Put in place of 'auto' the device that it means on this machine.

    A run that was begun on a CPU and goes on where there is a GPU must not mix the two.

    Parameters
    ----------
    estimator : estimator
        Its `device` is looked at; those of nested estimators, too.

    Returns
    -------
    estimator
        A clone, or the estimator itself when nothing is left to the machine.

    Raises
    ------
    PainkitError
        See `painkit.models.training.acceleration.choose_device`.
    """
    given = estimator.get_params(deep=True).items()
    auto = [name for name, value in given if name.split("__")[-1] == "device" and value == "auto"]
    if not auto:
        return estimator
    from painkit.models.training.acceleration import choose_device  # imports torch: seconds

    return clone(estimator).set_params(**dict.fromkeys(auto, str(choose_device("auto"))))


def _name(thing: Any, where: str) -> str:
    module, name = str(getattr(thing, "__module__", None)), str(thing.__qualname__)
    found = reduce(lambda at, part: getattr(at, part, None), name.split("."), sys.modules.get(module))
    # Pickle's rule. A lambda, a closure, a bound method share their name with things that act differently.
    if found is not thing:
        raise PainkitError(
            f"{where} is {thing!r}, which its name {module}.{name} does not lead to",
            expected="a function or class that can be imported by its name",
        )
    return f"{module}.{name}"


def _source(thing: Any) -> dict[str, str]:
    """Digest the code of things of the user's own; libraries and painkit are told apart by their versions."""
    if thing.__module__.split(".")[0] in ("painkit", "sklearn", "torch", "gpytorch", "numpy", "builtins"):
        return {}
    try:
        return {"source": hashlib.sha256(inspect.getsource(thing).encode()).hexdigest()[:16]}
    except (OSError, TypeError):
        return {}


def _table_digest(table: pd.DataFrame | pd.Series[Any]) -> str:
    names = list(table.columns) if isinstance(table, pd.DataFrame) else [table.name]
    content = hashlib.sha256(repr(names).encode())
    content.update(pd.util.hash_pandas_object(table, index=False).to_numpy().tobytes())
    return content.hexdigest()


def data_digest(found: Samples, fingerprint: str) -> str:
    """Digest the samples themselves, their labels, and the fingerprint of the files they came from."""
    if isinstance(found.X, pd.DataFrame):
        # Image paths are not content: the same archive elsewhere is the same data.
        inputs = [found.X.drop(columns="image", errors="ignore")]
    else:
        inputs = [array for one in found.X for array in (one.frames, one.landmarks, one.personal)]
    return content_digest(fingerprint, found.table, found.y, *inputs)


def versions() -> dict[str, str]:
    """Versions of painkit, of its code, and of the libraries that compute."""
    found = {"painkit": painkit.__version__, "painkit code": code_digest()}
    for library in _LIBRARIES:
        try:
            found[library] = importlib.metadata.version(library)
        except importlib.metadata.PackageNotFoundError:
            found[library] = "not installed"
    return found


def digest(content: Any) -> str:
    """SHA-256 of canonical JSON (sorted keys, no white space)."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def seeded(seed: int, *names: str) -> int:
    """Derive a seed below 2**31 from `seed` and names: the same on every machine, in any order."""
    return int.from_bytes(hashlib.sha256("/".join((str(seed), *names)).encode()).digest()[:4], "big") >> 1


def machine() -> dict[str, Any]:
    """Describe the machine this runs on, for the record: it is no part of the key."""
    return {
        "host": platform.node(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": platform.processor() or platform.machine(),
        "cpus": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
    }

"""Cohorts: one reader per data set or tool, manifests, the simulated cohort."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from importlib import import_module
from os import PathLike
from typing import Any

from painkit.data.cohort import Cohort, SequenceSample
from painkit.errors import PainkitError, unknown

__all__ = ["READERS", "Cohort", "SequenceSample", "load", "options_of"]

#: What `load` accepts: name -> module and function.
READERS = {
    "unbc": ("painkit.data.unbc", "read_unbc"),
    "biovid": ("painkit.data.biovid", "read_biovid"),
    "ferplus": ("painkit.data.ferplus", "read_ferplus"),
    "openface": ("painkit.data.openface", "read_openface"),
    "pyfeat": ("painkit.data.pyfeat", "read_pyfeat"),
    "identities": ("painkit.data.identities", "read_identities"),
    "simulated": ("painkit.data.simulated_tree", "read_simulated"),
}


def load(name: str, root: str | PathLike[str] | None = None, **options: Any) -> Any:
    """Read a data set.

    Parameters
    ----------
    name : str
        unbc, biovid, openface, pyfeat, simulated (each gives a `Cohort`), ferplus (gives
        `painkit.data.ferplus.EmotionImages`) or identities (`painkit.data.identities.IdentityImages`).
    root : path
        Folder of the data set; for openface and pyfeat also a single CSV file. For simulated None means:
        simulate into the user's cache folder first, once for each profile and seed.
    **options
        Of the reader; see the functions named in `READERS`.

    Returns
    -------
    Cohort, EmotionImages or IdentityImages

    Raises
    ------
    PainkitError
        For a name or an option that does not exist, and for whatever the reader cannot make sense of.
    """
    reader = _reader(name)
    accepted = options_of(name)
    unknown = sorted(set(options) - set(accepted))
    if unknown:
        raise PainkitError(
            f"the reader {name!r} has no option {unknown[0]!r}", expected=", ".join(accepted) or "none"
        )
    return reader(root, **options)


def options_of(name: str) -> list[str]:
    """Names of the options that a reader takes; `PainkitError` for a reader that does not exist."""
    return [option for option in inspect.signature(_reader(name)).parameters if option != "root"]


def _reader(name: str) -> Callable[..., Any]:
    if name not in READERS:
        raise unknown("reader", name, READERS)
    module, function = READERS[name]
    reader: Callable[..., Any] = getattr(import_module(module), function)
    return reader

"""Cohorts: one reader per data set or tool, manifests, the simulated cohort."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from importlib import import_module
from os import PathLike
from typing import Any

from painkit.data.cohort import PERSONAL_FEATURES, Cohort, SequenceSample
from painkit.errors import PainkitError

__all__ = ["PERSONAL_FEATURES", "READERS", "Cohort", "SequenceSample", "load"]

#: What `load` accepts: name -> module and function.
READERS = {
    "unbc": ("painkit.data.unbc", "read_unbc"),
    "biovid": ("painkit.data.biovid", "read_biovid"),
    "ferplus": ("painkit.data.ferplus", "read_ferplus"),
    "openface": ("painkit.data.openface", "read_openface"),
    "pyfeat": ("painkit.data.pyfeat", "read_pyfeat"),
    "simulated": ("painkit.data.simulated_tree", "read_simulated"),
}


def load(name: str, root: str | PathLike[str] | None = None, **options: Any) -> Any:
    """Read a data set.

    Parameters
    ----------
    name : str
        unbc, biovid, openface, pyfeat, simulated (each gives a `Cohort`) or ferplus (gives an
        `painkit.data.ferplus.EmotionImages`).
    root : path
        Folder of the data set; for openface and pyfeat also a single CSV file. For simulated None means:
        simulate into the user's cache folder first, once for each profile and seed.
    **options
        Of the reader; see the functions named in `READERS`.

    Returns
    -------
    Cohort or EmotionImages

    Raises
    ------
    PainkitError
        For a name or an option that does not exist, and for whatever the reader cannot make sense of.
    """
    if name not in READERS:
        raise PainkitError(f"no reader is called {name!r}", expected=", ".join(READERS))
    module, function = READERS[name]
    reader: Callable[..., Any] = getattr(import_module(module), function)
    accepted = [p.name for p in inspect.signature(reader).parameters.values() if p.name != "root"]
    unknown = sorted(set(options) - set(accepted))
    if unknown:
        raise PainkitError(f"the reader {name!r} has no option {unknown[0]!r}", expected=", ".join(accepted))
    return reader(root, **options)

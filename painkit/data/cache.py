"""Parsed cohorts kept on disk, so that the second open takes a moment.

One folder per source holds Parquet tables and one npy array under the digest of the source's listing
(`painkit.data.tree.listing_digest`).
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from painkit.data.cohort import Cohort
from painkit.errors import WriteError
from painkit.files import cache_folder
from painkit.kept import cached

__all__ = ["cached_cohort"]

#: Raise when the readers' output changes: older caches are then read anew.
VERSION = 4
_TABLES = ("subjects", "sequences", "frames", "findings")


def cached_cohort(reader: str, root: Path, digest: str, build: Callable[[], Cohort]) -> Cohort:
    """Return the cached cohort of a source, or build and keep it.

    Parameters
    ----------
    reader : str
        Name of the reader, with the options that change what it returns.
    root : Path
        Source; a cache belongs to one place.
    digest : str
        Of the source's listing. Another digest means that the source changed: it is read again.
    build : callable
        Reads the source.

    Returns
    -------
    Cohort
        With `root` as given, and otherwise equal to what `build` returns.

    Warns
    -----
    UserWarning
        When the cache cannot be written, or is damaged and is built again.

    Raises
    ------
    PainkitError
        Only what `build` raises.
    """
    source = hashlib.blake2b(f"{reader}\0{root.resolve()}".encode("utf-8", "surrogateescape"), digest_size=8)
    parent = cache_folder() / "cohorts" / source.hexdigest()
    return cached(parent, f"{digest}-{VERSION}", build=build, write=_write, read=partial(_read, root))


def _write(cohort: Cohort, folder: Path) -> None:
    try:
        for name in _TABLES:
            getattr(cohort, name).to_parquet(folder / f"{name}.parquet", compression="lz4")
    except pa.ArrowException as error:
        raise WriteError(f"could not be written: {error}", where=folder) from error
    np.save(folder / "landmarks.npy", cohort.landmarks, allow_pickle=False)
    about = {
        "name": cohort.name,
        "simulated": cohort.simulated,
        "fingerprint": cohort.fingerprint,
        "notes": list(cohort.notes),
        "units": cohort.units,
    }
    (folder / "cohort.json").write_text(json.dumps(about))
    # What lies beside it is of an older state of the source.
    for old in folder.parent.glob("[!.]*"):
        shutil.rmtree(old, ignore_errors=True)


def _read(root: Path, folder: Path) -> Cohort:
    about: dict[str, Any] = json.loads((folder / "cohort.json").read_bytes())
    about["notes"] = tuple(about["notes"])
    tables: dict[str, Any] = {name: pd.read_parquet(folder / f"{name}.parquet") for name in _TABLES}
    landmarks = np.load(folder / "landmarks.npy", allow_pickle=False)
    return Cohort(root=root, landmarks=landmarks, **about, **tables)

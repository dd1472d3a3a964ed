"""Parsed cohorts kept on disk, so that the second open takes a moment.

One folder per source holds Parquet tables and one npy array under the digest of the source's listing
(`painkit.data.tree.listing_digest`), with digests of its files: a damaged cache is noticed and built again.
"""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from painkit.data.cohort import Cohort
from painkit.errors import PainkitError
from painkit.files import cache_folder
from painkit.kept import kept

__all__ = ["cached_cohort"]

#: Raise when the readers' output changes: older caches are then read anew.
VERSION = 3
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
        When the cache cannot be written.

    Raises
    ------
    PainkitError
        Only what `build` raises: a cache that is damaged is built again.
    """
    source = hashlib.blake2b(f"{reader}\0{root.resolve()}".encode("utf-8", "surrogateescape"), digest_size=8)
    parent = cache_folder() / "cohorts" / source.hexdigest()
    key = f"{digest}-{VERSION}"
    cohort = _read(parent / key, root)
    if cohort is None:
        cohort = build()
        # What lies there is unusable or of an older state of the source, but for what another process writes.
        for old in parent.glob("*"):
            if old.name not in (f".{key}.lock", f".{key}.part"):
                shutil.rmtree(old, ignore_errors=True)
        try:
            kept(parent, key, partial(_write, cohort))
        except (PainkitError, pa.ArrowException) as error:
            # A full disk must not cost the user the cohort that was just read.
            warnings.warn(f"{parent}: the cache could not be written ({error})", stacklevel=2)
    return cohort


def _write(cohort: Cohort, folder: Path) -> None:
    for name in _TABLES:
        getattr(cohort, name).to_parquet(folder / f"{name}.parquet", compression="lz4")
    np.save(folder / "landmarks.npy", cohort.landmarks, allow_pickle=False)
    manifest = {
        "name": cohort.name,
        "simulated": cohort.simulated,
        "fingerprint": cohort.fingerprint,
        "notes": list(cohort.notes),
        "files": {path.name: _digest(path.read_bytes()) for path in folder.iterdir()},
    }
    (folder / "cohort.json").write_text(json.dumps(manifest))


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def _read(folder: Path, root: Path) -> Cohort | None:
    """Open a cache; None when there is none or it is not whole."""
    try:
        manifest = json.loads((folder / "cohort.json").read_bytes())
        contents = {name: (folder / name).read_bytes() for name in manifest["files"]}
        if any(_digest(contents[name]) != digest for name, digest in manifest["files"].items()):
            return None
        tables: dict[str, Any] = {
            name: pd.read_parquet(io.BytesIO(contents[f"{name}.parquet"])) for name in _TABLES
        }
        return Cohort(
            name=manifest["name"],
            root=root,
            simulated=manifest["simulated"],
            landmarks=np.load(io.BytesIO(contents["landmarks.npy"]), allow_pickle=False),
            fingerprint=manifest["fingerprint"],
            notes=tuple(manifest["notes"]),
            **tables,
        )
    except (OSError, ValueError, KeyError, TypeError, pa.ArrowException):
        return None

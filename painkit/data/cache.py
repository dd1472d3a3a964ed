"""Parsed cohorts kept on disk, so that the second open takes a moment.

One folder per source holds Parquet tables and one npy array under the digest of the source's listing
(`painkit.data.tree.listing_digest`). It is renamed into place when whole, with digests of its files: a
half-written or damaged cache is noticed and built again.
"""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from painkit.data.cohort import Cohort
from painkit.files import cache_folder

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
    folder = parent / f"{digest}-{VERSION}"
    cohort = _read(folder, root)
    if cohort is None:
        cohort = build()
        try:
            _write(cohort, parent, folder)
        except (OSError, pa.ArrowException) as error:
            # A full disk must not cost the user the cohort that was just read.
            warnings.warn(f"{folder}: the cache could not be written ({error})", stacklevel=2)
    return cohort


def _write(cohort: Cohort, parent: Path, folder: Path) -> None:
    parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=".new-", dir=parent))
    try:
        contents = {}
        for name in _TABLES:
            buffer = io.BytesIO()
            getattr(cohort, name).to_parquet(buffer, compression="lz4")
            contents[f"{name}.parquet"] = buffer.getbuffer()
        buffer = io.BytesIO()
        np.save(buffer, cohort.landmarks, allow_pickle=False)
        contents["landmarks.npy"] = buffer.getbuffer()
        for name, content in contents.items():
            (temporary / name).write_bytes(content)
        manifest = {
            "name": cohort.name,
            "simulated": cohort.simulated,
            "fingerprint": cohort.fingerprint,
            "notes": list(cohort.notes),
            "files": {name: _digest(content) for name, content in contents.items()},
        }
        (temporary / "cohort.json").write_text(json.dumps(manifest))
        # What lies there was unusable or is of an older state of the source.
        for old in parent.iterdir():
            if old != temporary and not old.name.startswith(".new-"):
                shutil.rmtree(old, ignore_errors=True)
        try:
            temporary.rename(folder)
        except OSError:
            if not folder.is_dir():  # Otherwise another process was first, with the same content.
                raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _digest(content: bytes | memoryview) -> str:
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def _read(folder: Path, root: Path) -> Cohort | None:
    """Open a cache; None when there is none or it is not whole."""
    try:
        manifest = json.loads((folder / "cohort.json").read_bytes())
        contents = {name: (folder / name).read_bytes() for name in manifest["files"]}
        if any(_digest(contents[name]) != digest for name, digest in manifest["files"].items()):
            return None
        tables = {name: pd.read_parquet(io.BytesIO(contents[f"{name}.parquet"])) for name in _TABLES}
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

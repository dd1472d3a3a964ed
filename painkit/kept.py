"""Costly results that are made once under a key, and read ever after."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from os import PathLike
from pathlib import Path

from filelock import FileLock

from painkit.errors import PainkitError

__all__ = ["kept"]


def kept(
    parent: str | PathLike[str], key: str, make: Callable[[Path], None], *, resumable: bool = False
) -> Path:
    """Give the folder ``parent/key``, made first where it is not there.

    It is filled beside its place and renamed when whole: a folder that is there is complete. Another process
    that wants the same key waits; the system frees the lock of one that dies, however it dies.

    Parameters
    ----------
    parent : path
    key : str
        A file name that digests everything the content depends on.
    make : callable
        Fills the folder it is given.
    resumable : bool
        A killed `make` finds what it had written and goes on; else it begins with an empty folder.

    Returns
    -------
    Path

    Raises
    ------
    PainkitError
        When the system refuses to write; and whatever `make` raises.
    """
    place = Path(parent) / key
    if place.is_dir():
        return place
    work = place.with_name(f".{key}.part")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(place.with_name(f".{key}.lock")):
            if place.is_dir():
                return place
            if not resumable:
                shutil.rmtree(work, ignore_errors=True)
            work.mkdir(exist_ok=True)
            make(work)
            work.replace(place)
    except OSError as error:
        raise PainkitError(f"could not be written: {error.strerror or error}", where=place) from error
    return place

"""Costly results that are made once under a key, and read ever after."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Callable, Collection
from contextlib import suppress
from os import PathLike
from pathlib import Path
from typing import TypeVar

from filelock import FileLock, Timeout

from painkit.digests import check_seal, seal
from painkit.errors import PainkitError, WriteError
from painkit.files import locked, refusals_told

__all__ = ["cached", "kept", "opened"]

Made = TypeVar("Made")


def kept(
    parent: str | PathLike[str],
    key: str,
    make: Callable[[Path], None],
    *,
    of: str = "",
    resumable: bool = False,
    apart: Collection[str] = (),
    needs: Collection[str] = (),
) -> Path:
    """Give the folder ``parent/key``, made first where it is not there.

    It is filled beside its place, sealed with digests of its files and renamed when whole: a folder that is
    there is complete, and is compared with its digests whenever it is given. Another process that wants the
    same key waits; the system frees the lock of one that dies, however it dies.

    Parameters
    ----------
    parent : path
    key : str
        A file name that digests everything the content depends on.
    make : callable
        Fills the folder it is given.
    of : str
        What else tells this folder from one of the same key elsewhere.
    resumable : bool
        A killed `make` finds what it had written and goes on; else it begins with an empty folder.
    apart : collection of str
        Large files, which whoever reads them checks part by part.
    needs : collection of str
        Without these in it, a folder is made anew.

    Returns
    -------
    Path

    Warns
    -----
    UserWarning
        When what is there is damaged, naming the file. It is made anew.

    Raises
    ------
    PainkitError
        When the system refuses to write; and whatever `make` raises.
    """
    place, sealed_as = Path(parent) / key, f"{of}/{key}"
    if (found := _whole(place, sealed_as, needs)) is not None:
        return found
    work = place.with_name(f".{key}.{'part' if resumable else 'new'}")
    with locked(_lock(place), place):
        if (found := _whole(place, sealed_as, needs, lock_held=True)) is not None:
            return found
        with refusals_told(place):
            _sweep(place)
            if not resumable:
                shutil.rmtree(work, ignore_errors=True)
            work.mkdir(exist_ok=True)
        make(work)
        seal(work, sealed_as, apart=apart)
        _put_away(place)
        with refusals_told(place):
            work.rename(place)
    return place


def opened(
    parent: str | PathLike[str], key: str, *, of: str = "", needs: Collection[str] = ()
) -> Path | None:
    """Give the folder that `kept` would give if it need not be made; remove a damaged one.

    Parameters
    ----------
    parent, key, of, needs
        As in `kept`.

    Warns
    -----
    UserWarning
        When what is there is damaged, naming the file.
    """
    place, sealed_as = Path(parent) / key, f"{of}/{key}"
    found = _whole(place, sealed_as, needs)
    if found is None and place.is_dir():
        with locked(_lock(place), place):
            return _whole(place, sealed_as, needs, lock_held=True)
    return found


def cached(
    parent: str | PathLike[str],
    key: str,
    *,
    build: Callable[[], Made],
    write: Callable[[Made, Path], None],
    read: Callable[[Path], Made],
) -> Made:
    """Read what is kept under a key, else build it and keep it if the system lets us.

    Parameters
    ----------
    parent, key
        As in `kept`.
    build : callable
        Makes the thing.
    write : callable
        Puts it into a folder.
    read : callable
        Gives what was written.

    Warns
    -----
    UserWarning
        When it cannot be written: a full disk must not cost the user what was built.
    """
    built: list[Made] = []

    def make(folder: Path) -> None:
        built.append(build())
        with refusals_told(Path(parent) / key):
            write(built[0], folder)

    try:
        folder = kept(parent, key, make)
    except WriteError as error:
        warnings.warn(f"the cache {error}", stacklevel=3)
        return built[0] if built else build()
    return built[0] if built else read(folder)


def _whole(place: Path, sealed_as: str, needs: Collection[str], *, lock_held: bool = False) -> Path | None:
    if not place.is_dir():
        return None
    try:
        check_seal(place, sealed_as)
    except PainkitError as error:
        if lock_held:
            _put_away(place)
            warnings.warn(f"{error}; it is made anew", stacklevel=3)
        return None
    return place if all((place / name).exists() for name in needs) else None


def _lock(place: Path) -> Path:
    return place.with_name(f".{place.name}.lock")


def _put_away(place: Path) -> None:
    """Remove a folder at once, and not bit by bit where others may look."""
    gone = place.with_name(f".{place.name}.gone")
    with refusals_told(place), suppress(FileNotFoundError):
        shutil.rmtree(gone, ignore_errors=True)
        place.rename(gone)
    shutil.rmtree(gone, ignore_errors=True)


def _sweep(place: Path) -> None:
    """Remove what killed processes left under other keys, unless somebody is at work there."""
    for left in [*place.parent.glob(".*.new"), *place.parent.glob(".*.gone")]:
        if (lock := left.with_suffix(".lock")) != _lock(place):
            with suppress(Timeout), FileLock(lock, timeout=0):
                shutil.rmtree(left, ignore_errors=True)

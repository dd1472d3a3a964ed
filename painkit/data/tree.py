"""Listing folders of many small files: names, sizes, times, without what systems leave behind."""

from __future__ import annotations

import hashlib
import os
from array import array
from collections.abc import Iterable, Mapping
from pathlib import Path

from painkit.errors import PainkitError

__all__ = ["Entry", "Listing", "existing_folder", "is_junk", "list_files", "listing_digest", "undoubled"]

#: name, bytes, modification time in ns; bytes is -1 when the system does not tell (a broken link).
Entry = tuple[str, int, int]
#: folder relative to the listed one ("" for itself) -> its files, sorted by name
Listing = dict[str, list[Entry]]

_JUNK = {"__MACOSX", "Thumbs.db", "desktop.ini"}
_DEPTH = 6


def is_junk(name: str) -> bool:
    """Whether a name is a system's litter (``.DS_Store``, ``._*``, ``__MACOSX``), never data."""
    return name.startswith(".") or name in _JUNK


def existing_folder(root: str | os.PathLike[str] | None, holds: str) -> Path:
    """Return `root` as a folder that exists and is not empty, or raise `PainkitError`."""
    if root is None:
        raise PainkitError("no folder was given", expected=f"the folder that holds {holds}")
    path = Path(root)
    try:
        if not path.is_dir():
            what = "is a file" if path.exists() else "does not exist"
            raise PainkitError(what, where=path, expected=f"the folder that holds {holds}")
        empty = all(is_junk(name) for name in os.listdir(path))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise PainkitError(f"could not be opened: {reason}", where=root) from error
    if empty:
        raise PainkitError("the folder is empty", where=path, expected=f"the folder that holds {holds}")
    return path


def undoubled(parent: Path, name: str) -> Path | None:
    """Folder `name` in `parent`, past the doubling that zip copies have (``Images/Images``)."""
    folder = parent / name
    if not folder.is_dir():
        return None
    while (folder / name).is_dir():
        folder = folder / name
    return folder


def list_files(folder: Path) -> Listing:
    """List all files below a folder.

    Raises
    ------
    PainkitError
        When a folder cannot be opened.
    """
    listing: Listing = {}
    pending = [("", 0)]
    # In one thread: more of them only hand the interpreter lock to and fro (measured: half as fast again).
    while pending:
        relative, depth = pending.pop()
        inner = _scan(os.path.join(folder, relative), relative, listing)
        if depth < _DEPTH:  # A link to a parent folder must not go on for ever.
            pending += [(f"{relative}/{name}" if relative else name, depth + 1) for name in inner]
    return listing


def _scan(path: str, relative: str, into: Listing) -> list[str]:
    """Add the files of one folder to a listing; return the names of its folders, sorted."""
    files: list[Entry] = []
    folders = []
    try:
        with os.scandir(path) as entries:
            for entry in entries:
                name = entry.name
                if name[0] == "." or name in _JUNK:  # is_junk without the call
                    continue
                if entry.is_dir():
                    folders.append(name)
                    continue
                try:
                    status = entry.stat()
                    files.append((name, status.st_size, status.st_mtime_ns))
                except OSError:
                    files.append((name, -1, 0))
    except OSError as error:
        raise PainkitError(
            f"the folder could not be opened: {error.strerror or error}", where=path
        ) from error
    if files:
        files.sort()
        into[relative] = files
    return sorted(folders)


def listing_digest(listings: Mapping[str, Listing], extra: Iterable[str] = ()) -> str:
    """Digest of all names, sizes and times.

    A file that is added, removed, renamed, or written to changes it. A change that keeps a file's size and
    its modification time to the nanosecond (a tool that restores times) goes unseen.
    """
    digest = hashlib.blake2b(repr(sorted(extra)).encode(), digest_size=16)
    for kind in sorted(listings):
        for folder in sorted(listings[kind]):
            # Columns at once: a fifth of the time of one update per file.
            names, sizes, times = zip(*listings[kind][folder], strict=True)
            text = "\0".join((kind, folder, str(len(names)), *names))
            digest.update(text.encode("utf-8", "surrogateescape"))
            digest.update(array("q", sizes))
            digest.update(array("q", times))
    return digest.hexdigest()

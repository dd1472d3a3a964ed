"""Listing folders of many small files: names, sizes, times, without what systems leave behind."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from array import array
from collections.abc import Iterable, Mapping
from pathlib import Path

from painkit.errors import PainkitError

__all__ = [
    "Entry",
    "Listing",
    "existing_folder",
    "is_junk",
    "list_files",
    "listing_digest",
    "named_like",
    "refuse_unprintable",
    "undoubled",
    "why_no_file",
]

#: name, bytes, modification time in ns; bytes is -1 for what is no readable file (a broken link, a pipe).
Entry = tuple[str, int, int]
#: folder relative to the listed one ("" for itself) -> its files, sorted by name
Listing = dict[str, list[Entry]]
#: path and why it is not in the listing
Odd = tuple[str, str]

_FORMAT = stat.S_IFMT(0o777777)
_JUNK = {"__MACOSX", "Thumbs.db", "desktop.ini"}


def is_junk(name: str) -> bool:
    """Whether a name is a system's litter (``.DS_Store``, ``._*``, ``__MACOSX``), never data."""
    return name.startswith(".") or name in _JUNK


def existing_folder(root: str | os.PathLike[str] | None, holds: str) -> Path:
    """Return `root` as a folder that exists and is not empty, or raise `PainkitError`."""
    if root is None:
        raise PainkitError("no folder was given", expected=f"the folder that holds {holds}")
    path = Path(root)
    refuse_unprintable(path)
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


def refuse_unprintable(path: Path) -> None:
    """Raise `PainkitError` for a path that is not UTF-8: no table could hold what lies there."""
    shown = _printable(str(path))
    if shown != str(path):
        raise PainkitError("the name is not UTF-8", where=shown, expected="a path in UTF-8")


def named_like(parent: Path, name: str) -> Path | None:
    """Folder `name` in `parent`, else the one whose name differs in case, spaces, ``_`` and ``-`` alone.

    Raises
    ------
    PainkitError
        When there are several of those.
    """
    if (parent / name).is_dir():
        return parent / name
    try:
        with os.scandir(parent) as entries:
            alike = sorted(e.name for e in entries if _letters(e.name) == _letters(name) and e.is_dir())
    except OSError:
        return None
    if len(alike) > 1:
        raise PainkitError(
            f"holds {' and '.join(alike)}", where=parent, expected=f"one folder, called {name}"
        )
    return parent / alike[0] if alike else None


def _letters(name: str) -> str:
    return re.sub(r"[\s_-]", "", name).casefold()


def undoubled(parent: Path, name: str) -> Path | None:
    """Folder `name` in `parent` (`named_like`), past the doubling of zip copies (``Images/Images``)."""
    folder = named_like(parent, name)
    while folder is not None:
        inner = named_like(folder, name)
        if inner is None or os.path.samefile(inner, folder):
            break
        folder = inner
    return folder


def list_files(folder: Path, odd: list[Odd] | None = None) -> Listing:
    """List all files below a folder.

    Parameters
    ----------
    folder : path
    odd : list, optional
        Filled with what is left out: names that are not UTF-8, folders that cannot be opened or lie, by a
        link, within themselves. None: an error instead of a folder that cannot be opened.

    Raises
    ------
    PainkitError
        When the folder cannot be opened.
    """
    listing: Listing = {}
    left_out: list[Odd] = []
    try:
        own = folder.stat()
    except OSError as error:
        raise _closed(str(folder), error) from error
    pending: list[tuple[str, tuple[tuple[int, int], ...]]] = [("", ((own.st_dev, own.st_ino),))]
    # In one thread: more of them only hand the interpreter lock to and fro (measured: half as fast again).
    while pending:
        relative, above = pending.pop()
        path = os.path.join(folder, relative) if relative else str(folder)
        try:
            inner = _scan(path, relative, above[-1][0], listing, left_out)
        except OSError as error:
            if odd is None or not relative:
                raise _closed(path, error) from error
            left_out.append((path, f"the folder could not be opened: {error.strerror or error}"))
            continue
        for name, identity in inner:
            if identity in above:
                left_out.append((f"{path}/{name}", "a link to a folder that it lies in was not followed"))
            else:
                pending.append((f"{relative}/{name}" if relative else name, (*above, identity)))
    if odd is not None:
        odd += sorted(left_out)
    return listing


def _closed(path: str, error: OSError) -> PainkitError:
    return PainkitError(f"the folder could not be opened: {error.strerror or error}", where=path)


def _scan(
    path: str, relative: str, device: int, into: Listing, left_out: list[Odd]
) -> list[tuple[str, tuple[int, int]]]:
    """Add the files of one folder to a listing; return names and identities of its folders, sorted."""
    files: list[Entry] = []
    folders = []
    with os.scandir(path) as entries:
        for entry in entries:
            name = entry.name
            if name[0] == "." or name in _JUNK:  # is_junk without the call
                continue
            if not name.isascii() and _printable(name) != name:
                left_out.append((_printable(f"{path}/{name}"), "the name is not UTF-8; it was left out"))
                continue
            try:
                if entry.is_dir():
                    linked = entry.stat() if entry.is_symlink() else None
                    identity = (linked.st_dev, linked.st_ino) if linked else (device, entry.inode())
                    folders.append((name, identity))
                    continue
                status = entry.stat()
                size = status.st_size if status.st_mode & _FORMAT == stat.S_IFREG else -1  # a file
                files.append((name, size, status.st_mtime_ns))
            except OSError:
                files.append((name, -1, 0))
    if files:
        files.sort()
        into[relative] = files
    return sorted(folders)


def _printable(name: str) -> str:
    r"""Show the bytes of a name that are not UTF-8 as ``\xNN``."""
    return os.fsencode(name).decode(errors="backslashreplace")


def why_no_file(path: str | os.PathLike[str]) -> PainkitError:
    """Tell why an entry of a listing has no size: it is broken, or no file."""
    try:
        os.stat(path)
    except OSError as error:
        return PainkitError(f"could not be read: {error.strerror or error}", where=path)
    return PainkitError("is a pipe, socket or device", where=path, expected="a file")


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
            digest.update(text.encode())
            digest.update(array("q", sizes))
            digest.update(array("q", times))
    return digest.hexdigest()

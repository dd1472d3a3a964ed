"""Names of files, where caches lie, reading files that are files, and writing files whole or not at all."""

from __future__ import annotations

import glob
import hashlib
import os
import re
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from filelock import FileLock
from platformdirs import user_cache_path

from painkit.errors import PainkitError, WriteError

__all__ = [
    "cache_folder",
    "file_name",
    "locked",
    "open_at_once",
    "read_file",
    "refusals_told",
    "umask",
    "write_atomically",
    "write_text",
]

#: No table, image or label of the data sets comes near.
LIMIT_BYTES = 1 << 31

# Small letters alone, since file systems may not tell them from capitals; no dot at either end.
_PLAIN = re.compile(r"[a-z0-9_](?:[a-z0-9_. -]{0,98}[a-z0-9_-])?")
_RESERVED = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)(?:\..*)?")  # devices, to Windows


def file_name(name: str) -> str:
    """Turn any name that data carry (a subject, a fold) into a file name that every file system takes.

    Two names never give one file name. One of small letters, digits, ``_``, ``-`` and, within, spaces and
    dots stays as it is; of any other, what is readable is followed by a digest.

    Parameters
    ----------
    name : str
        Anything, also what is not valid Unicode.

    Returns
    -------
    str
        At most 100 ASCII characters.
    """
    if _PLAIN.fullmatch(name) and not _RESERVED.fullmatch(name):
        return name
    digest = hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()
    readable = re.sub(r"[^A-Za-z0-9_-]+", "_", name)[:40]
    return f"{readable}~{digest}"  # no plain name holds a ~


def cache_folder() -> Path:
    """Where caches lie: ``$PAINKIT_CACHE``, else the system's place for a user's caches."""
    given = os.environ.get("PAINKIT_CACHE")
    return Path(given).expanduser() if given else user_cache_path("painkit", appauthor=False)


def umask() -> int:
    """The user's mask of rights for new files, which Python's temporary files do not heed."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


@contextmanager
def refusals_told(path: str | os.PathLike[str], consequence: str = "") -> Iterator[None]:
    """Raise a `WriteError` that names `path` where the system refuses something in the block."""
    try:
        yield
    except OSError as error:
        raise WriteError(
            f"could not be written: {error.strerror or error}{consequence}", where=path
        ) from error


@contextmanager
def locked(lock: Path, what: str | os.PathLike[str]) -> Iterator[None]:
    """Wait for other processes that hold a lock, and hold it; the system frees it when its holder dies.

    Parameters
    ----------
    lock : Path
        A file of its own; it stays.
    what : path
        What is locked, for the error.

    Raises
    ------
    WriteError
        When the system refuses the lock.
    """
    with ExitStack() as held:
        with refusals_told(what):
            lock.parent.mkdir(parents=True, exist_ok=True)
            held.enter_context(FileLock(lock))
        yield


@contextmanager
def write_atomically(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary path beside `path` and rename it over `path` when the block ends well.

    What killed processes left of earlier attempts at the same file is removed.

    Parameters
    ----------
    path : path
        Where the finished file shall lie; its folder is made.

    Yields
    ------
    Path
        Write here. If the block raises, this file is removed and `path` is as it was.

    Raises
    ------
    WriteError
        When the system refuses to write (disk full, no permission), naming the file.
    """
    target = Path(path)
    with refusals_told(target, "; nothing was changed"):
        target.parent.mkdir(parents=True, exist_ok=True)
        # The suffix is kept because some writers choose the format by it.
        prefix, suffix = f".{target.stem[:40]}-", target.suffix
        for left in target.parent.glob(f"{glob.escape(prefix)}????????{glob.escape(suffix)}"):
            _remove_if_nobody_writes(left)
        with _temporary(target.parent, prefix, suffix) as temporary:
            yield temporary
            temporary.chmod(0o666 & ~umask())
            temporary.replace(target)


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write a text file in UTF-8, as `write_atomically` does; lines end as they do in `text`."""
    with write_atomically(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="")


if sys.platform == "win32":

    @contextmanager
    def _temporary(folder: Path, prefix: str, suffix: str) -> Iterator[Path]:
        handle, name = tempfile.mkstemp(prefix=prefix, suffix=suffix, dir=folder)
        os.close(handle)  # or it could not be renamed
        try:
            yield Path(name)
        finally:
            Path(name).unlink(missing_ok=True)

    def _remove_if_nobody_writes(left: Path) -> None:
        pass  # cannot be told

else:
    import fcntl

    @contextmanager
    def _temporary(folder: Path, prefix: str, suffix: str) -> Iterator[Path]:
        """Make a file and hold its lock; the system lets go when the process ends, however it ends."""
        while True:
            handle, name = tempfile.mkstemp(prefix=prefix, suffix=suffix, dir=folder)
            try:
                with suppress(OSError):  # a file system without locks
                    fcntl.flock(handle, fcntl.LOCK_EX)
                if not os.path.exists(name):  # taken for a leftover before it was locked
                    continue
                yield Path(name)
                return
            finally:
                Path(name).unlink(missing_ok=True)
                os.close(handle)

    def _remove_if_nobody_writes(left: Path) -> None:
        with suppress(OSError):
            handle = os.open(left, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                left.unlink(missing_ok=True)
            finally:
                os.close(handle)


def read_file(path: str | os.PathLike[str], limit: int = LIMIT_BYTES) -> bytes:
    """Read a file whole.

    Raises
    ------
    PainkitError
        When the system refuses, for what is no file (a pipe would hang, a device never ends), and for more
        than `limit` bytes.
    """
    try:
        with open(path, "rb", opener=open_at_once) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise PainkitError("is a pipe, socket or device", where=path, expected="a file")
            content = file.read(limit + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise PainkitError(f"could not be read: {reason}", where=path) from error
    if len(content) > limit:
        raise PainkitError("is too large", where=path, expected=f"at most {limit:,} bytes")
    return content


def ends_in_line(path: str | os.PathLike[str]) -> bool:
    """Whether a text file, which can be read, ends with an end of line; one that was cut off seldom does."""
    with open(path, "rb", opener=open_at_once) as file:
        file.seek(max(os.fstat(file.fileno()).st_size - 1, 0))
        return file.read(1).isspace()


def open_at_once(path: str, flags: int) -> int:
    """Open without waiting for somebody to write into a pipe; an `opener` of `open`."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))

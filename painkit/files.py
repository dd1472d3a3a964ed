"""Where caches lie, reading files that are files, and writing files whole or not at all."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from platformdirs import user_cache_path

from painkit.errors import PainkitError

__all__ = ["cache_folder", "read_file", "write_atomically"]

#: No table, image or label of the data sets comes near.
LIMIT_BYTES = 1 << 31


def cache_folder() -> Path:
    """Where caches lie: ``$PAINKIT_CACHE``, else the system's place for a user's caches."""
    given = os.environ.get("PAINKIT_CACHE")
    return Path(given).expanduser() if given else user_cache_path("painkit", appauthor=False)


@contextmanager
def write_atomically(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary path beside `path` and rename it over `path` when the block ends well.

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
    PainkitError
        When the system refuses to write (disk full, no permission), naming the file.
    """
    target = Path(path)
    temporary: Path | None = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        # The suffix is kept because some writers choose the format by it.
        handle, name = tempfile.mkstemp(prefix=f".{target.stem}-", suffix=target.suffix, dir=target.parent)
        os.close(handle)
        temporary = Path(name)
        yield temporary
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        temporary.replace(target)
    except OSError as error:
        raise PainkitError(
            f"could not be written: {error.strerror or error}; nothing was changed", where=target
        ) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


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


def open_at_once(path: str, flags: int) -> int:
    """Open without waiting for somebody to write into a pipe; an `opener` of `open`."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))

"""Where caches lie, and writing files whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from platformdirs import user_cache_path

from painkit.errors import PainkitError

__all__ = ["cache_folder", "umask", "write_atomically"]


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
        temporary.chmod(0o666 & ~umask())
        temporary.replace(target)
    except OSError as error:
        raise PainkitError(
            f"could not be written: {error.strerror or error}; nothing was changed", where=target
        ) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)

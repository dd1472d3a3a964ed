"""What painkit writes to read again carries digests: a changed byte is told, and never computed with."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection
from contextlib import suppress
from functools import partial
from os import PathLike
from pathlib import Path

from painkit.errors import PainkitError
from painkit.files import refusals_told, write_atomically

__all__ = ["break_seal", "check_seal", "digest", "read_sealed", "seal", "sign", "signed"]

_SEAL = "digests.json"
_SIGNATURE = "# blake2b "
_new = partial(hashlib.blake2b, digest_size=16)


def digest(content: bytes | memoryview) -> str:
    """32 hexadecimal digits that stand for `content`."""
    return _new(content).hexdigest()


def seal(
    folder: str | PathLike[str],
    of: str = "",
    *,
    names: Collection[str] | None = None,
    apart: Collection[str] = (),
) -> None:
    """Write the digests of the files in a folder beside them.

    Parameters
    ----------
    folder : path
    of : str
        What the folder is of: one that was put in the place of another is told from it.
    names : collection of str, optional
        Which files; default all that are not hidden, also those in folders below.
    apart : collection of str
        Files that are left out, since whoever reads them checks them bit by bit.

    Raises
    ------
    PainkitError
        When the system refuses to write.
    """
    place = Path(folder)
    if names is None:
        found = (path.relative_to(place) for path in place.rglob("*") if path.is_file())
        names = [name.as_posix() for name in found if not any(part.startswith(".") for part in name.parts)]
    with refusals_told(folder):
        digests = {name: _of_file(place / name) for name in sorted({*names} - {*apart, _SEAL})}
    with write_atomically(place / _SEAL) as path:
        path.write_bytes(_text(of, digests))


def check_seal(folder: str | PathLike[str], of: str = "") -> None:
    """Compare the files of a folder with its digests.

    Raises
    ------
    PainkitError
        Naming the first file that is not as it was written.
    """
    for name in (digests := _digests(Path(folder), of)):
        path = Path(folder) / name
        try:
            same = path.is_file() and _of_file(path) == digests[name]
        except (OSError, ValueError):
            same = False
        if not same:
            raise _changed(path)


def read_sealed(folder: str | PathLike[str], name: str, of: str = "") -> bytes:
    """Read a file of a folder, and compare it with its digest.

    Raises
    ------
    PainkitError
        When the file is not as it was written.
    """
    path = Path(folder) / name
    try:
        content = path.read_bytes() if path.is_file() else b""
    except OSError as error:
        raise PainkitError(f"could not be read: {error.strerror or error}", where=path) from error
    if _digests(Path(folder), of).get(name) != digest(content):
        raise _changed(path)
    return content


def break_seal(folder: str | PathLike[str]) -> None:
    """Let a folder in which damage was found be told as damaged from now on."""
    with suppress(OSError):
        (Path(folder) / _SEAL).unlink(missing_ok=True)


def sign(text: str) -> str:
    """Add a last line, a comment to YAML, that holds the digest of those above it."""
    return f"{text}{_SIGNATURE}{digest(text.encode())}\n"


def signed(content: bytes) -> bool:
    """Whether a text is as `sign` gave it."""
    text, mark, told = content.rpartition(_SIGNATURE.encode())
    return bool(mark) and told == f"{digest(text)}\n".encode()


def _of_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, _new).hexdigest()


def _digests(folder: Path, of: str) -> dict[str, str]:
    path = folder / _SEAL
    try:
        content = path.read_bytes() if path.is_file() else b""
        found = json.loads(content)
        digests = {str(name): str(told) for name, told in found["files"].items()}
        if content != _text(found["of"], digests):
            raise _changed(path)
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise _changed(path) from None
    if found["of"] != of:
        raise PainkitError(f"is of {found['of']!r}", where=folder, expected=repr(of))
    return digests


def _text(of: str, digests: dict[str, str]) -> bytes:
    return json.dumps({"of": of, "files": digests}, indent=1).encode()


def _changed(path: Path) -> PainkitError:
    return PainkitError("is damaged, or was changed since it was written", where=path)

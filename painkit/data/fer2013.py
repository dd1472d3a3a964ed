"""The table of FER2013's images (Goodfellow et al. 2013), under both names and layouts that it goes by."""

from __future__ import annotations

import stat
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from painkit.errors import PainkitError
from painkit.files import open_at_once
from painkit.progress import reading

__all__ = ["SIDE", "find_table", "read_pixels"]

#: Images are 48 x 48 pixels.
SIDE = 48
_NAMES = ("fer2013.csv", "icml_face_data.csv")
_COLUMNS = ("emotion", "pixels", "Usage")


def find_table(folder: Path) -> Path | None:
    """Path of ``fer2013.csv``, else of ``icml_face_data.csv``; None when neither is there."""
    for name in _NAMES:
        path = folder / name
        try:
            if not stat.S_ISREG(path.stat().st_mode):
                raise PainkitError("is no file", where=path, expected="a CSV file")
        except FileNotFoundError:
            continue
        except OSError as error:
            raise PainkitError(f"could not be read: {error.strerror or error}", where=path) from error
        return path
    return None


def read_pixels(path: Path, usage: NDArray[np.str_], progress: bool) -> NDArray[np.uint8]:
    """Read the images of all rows: (n, 48, 48) uint8 grey.

    Parameters
    ----------
    path : path
        Columns emotion, pixels (2304 grey values) and Usage in any order; cells may be quoted, a byte order
        mark and blank lines at the end are passed over.
    usage : (n,) str
        Usage of the rows of ``fer2013new.csv``, which must be the same.
    progress : bool
        Show a progress bar when on a terminal.

    Raises
    ------
    PainkitError
        When the file is damaged or belongs to other votes, naming its line.
    """
    pixels = np.empty((len(usage), SIDE, SIDE), np.uint8)
    row = 0
    try:
        with open(path, "rb", opener=open_at_once) as file:
            header = file.readline().removeprefix(b"\xef\xbb\xbf")
            names = [cell.decode("ascii", "replace") for cell in _cells(header)]
            if sorted(names) != sorted(_COLUMNS):
                expected = ",".join(_COLUMNS)
                raise PainkitError("the header differs", where=path, line=1, expected=expected)
            lines = reading(file, len(usage), "images", "image", progress)
            ended = False
            for line_number, line in enumerate(lines, start=2):
                ended = ended or line.isspace()
                if line.isspace():
                    continue
                if ended or row == len(usage):
                    what = "a row after a blank one" if ended else "more rows than fer2013new.csv"
                    raise PainkitError(what, where=path, line=line_number, expected=f"{len(usage)} rows")
                pixels[row] = _row(line, names, str(usage[row]), path, line_number)
                row += 1
    except OSError as error:
        raise PainkitError(f"could not be read: {error.strerror or error}", where=path) from error
    if row != len(usage):
        expected = f"{len(usage)} as in fer2013new.csv"
        raise PainkitError(f"ends after {row} rows", where=path, line=row + 1, expected=expected)
    return pixels


def _row(line: bytes, names: list[str], usage: str, path: Path, line_number: int) -> NDArray[np.uint8]:
    cells = _cells(line)
    values = _grey_values(cells[names.index("pixels")]) if len(cells) == len(names) else None
    cut = names[-1] == "pixels" and not line.endswith(b"\n")
    if values is None or cut:
        what = "the row is damaged" if values is None else "the row ends within a number"
        expected = f"{','.join(names)} with 2304 grey values from 0 to 255"
        raise PainkitError(what, where=path, line=line_number, expected=expected)
    if cells[names.index("Usage")].decode("ascii", "replace") != usage:
        what = "Usage differs from that in fer2013new.csv: the files do not belong together"
        raise PainkitError(what, where=path, line=line_number, expected=usage)
    return values


def _cells(line: bytes) -> list[bytes]:
    return [cell.strip() for cell in line.replace(b'"', b"").split(b",")]


def _grey_values(text: bytes) -> NDArray[np.uint8] | None:
    try:
        # As fast as numpy.fromstring, which besides hides what it could not read.
        values = bytes(map(int, text.split()))
    except ValueError:
        return None
    return np.frombuffer(values, np.uint8).reshape(SIDE, SIDE) if len(values) == SIDE * SIDE else None

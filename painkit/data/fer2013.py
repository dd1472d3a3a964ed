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
_COLUMNS = {"emotion", "pixels", "Usage"}


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
    row = -1
    try:
        with open(path, "rb", opener=open_at_once) as file:
            names = [
                cell.decode("ascii", "replace")
                for cell in _cells(file.readline().removeprefix(b"\xef\xbb\xbf"))
            ]
            if set(names) != _COLUMNS or len(names) != len(_COLUMNS):
                raise PainkitError("the header differs", where=path, line=1, expected="emotion,pixels,Usage")
            of_pixels, of_usage = names.index("pixels"), names.index("Usage")
            blank = False
            for number, line in enumerate(reading(file, len(usage), "images", "image", progress), start=2):
                blank = blank or line.isspace()
                if blank:
                    if not line.isspace():
                        raise PainkitError("a row after a blank one", where=path, line=number)
                    continue
                row = number - 2
                if row == len(usage):
                    raise PainkitError(
                        "more rows than fer2013new.csv", where=path, line=number, expected=f"{row} rows"
                    )
                cells = _cells(line)
                values = _grey_values(cells[of_pixels]) if len(cells) == len(names) else None
                cut = of_pixels == len(names) - 1 and not line.endswith(b"\n")
                if values is None or cut:
                    raise PainkitError(
                        "the row ends within a number" if cut else "the row is damaged",
                        where=path,
                        line=number,
                        expected=f"{','.join(names)} with 2304 grey values from 0 to 255",
                    )
                if cells[of_usage].decode("ascii", "replace") != usage[row]:
                    raise PainkitError(
                        "Usage differs from that in fer2013new.csv: the files do not belong together",
                        where=path,
                        line=number,
                        expected=str(usage[row]),
                    )
                pixels[row] = values
    except OSError as error:
        raise PainkitError(f"could not be read: {error.strerror or error}", where=path) from error
    if row + 1 != len(usage):
        raise PainkitError(
            f"ends after {row + 1} rows",
            where=path,
            line=row + 2,
            expected=f"{len(usage)} as in fer2013new.csv",
        )
    return pixels


def _cells(line: bytes) -> list[bytes]:
    return [cell.strip() for cell in line.replace(b'"', b"").split(b",")]


def _grey_values(text: bytes) -> NDArray[np.uint8] | None:
    try:
        # As fast as numpy.fromstring, which besides hides what it could not read.
        values = bytes(map(int, text.split()))
    except ValueError:
        return None
    return np.frombuffer(values, np.uint8).reshape(SIDE, SIDE) if len(values) == SIDE * SIDE else None

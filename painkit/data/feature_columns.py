"""Columns of the tables of OpenFace and py-feat: numbers, frames, landmarks."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from painkit.data.csv_table import refuse, require
from painkit.data.landmark_checks import FACE_PIXELS, far_points, small_faces, torn_faces
from painkit.errors import PainkitError
from painkit.vocabulary.landmarks import FROM_68, OTHER_SCHEMES

__all__ = [
    "POINTS",
    "flags",
    "frame_numbers",
    "has_landmarks",
    "numbers",
    "points_66",
    "refuse_other_tool",
    "values_within",
]

#: Columns of the 68 landmarks, in pixels.
POINTS = tuple(f"{axis}_{k}" for axis in "xy" for k in range(68))
_EXPECTED = "the 68 landmarks of iBUG in pixels, x_0 to x_67 and y_0 to y_67"
_COORDINATE = re.compile(r"[xy]_(\d{1,4})", re.ASCII)
# What only one of the tools writes, by the name of its reader.
_OWN_COLUMN = {
    "openface": re.compile(r"success|AU\d\d_[rc]", re.ASCII),
    "pyfeat": re.compile(r"FaceScore|FaceRect\w+|AU\d\d", re.ASCII),
}
_TOOL = {"openface": "OpenFace", "pyfeat": "py-feat"}


def refuse_other_tool(table: pd.DataFrame, path: Path, reader: str) -> None:
    """Refuse a table of the other tool: landmarks are called alike in both, so that it would be half read.

    Raises
    ------
    PainkitError
        When no column is as `reader` ("openface", "pyfeat") needs it, and some are as the other one does.
    """
    (other,) = _TOOL.keys() - {reader}
    writes = {name: any(map(own.fullmatch, table.columns)) for name, own in _OWN_COLUMN.items()}
    if writes[other] and not writes[reader]:
        raise PainkitError(
            f"this is a table of {_TOOL[other]}",
            where=path,
            line=1,
            expected=f'one of {_TOOL[reader]}; "{other}" reads this one',
        )


def has_landmarks(table: pd.DataFrame, path: Path) -> bool:
    """Whether a table has columns of landmarks.

    Raises
    ------
    PainkitError
        When they are of another scheme, naming it, or when some are missing.
    """
    found = [match for match in map(_COORDINATE.fullmatch, table.columns) if match]
    if not found:
        return False
    n = 1 + max(int(match[1]) for match in found)
    if n != 68:
        scheme = f" ({OTHER_SCHEMES[n]})" if n in OTHER_SCHEMES else ""
        raise PainkitError(f"has {n} landmarks a face{scheme}", where=path, line=1, expected=_EXPECTED)
    require(table, POINTS, path)
    return True


def frame_numbers(table: pd.DataFrame, path: Path) -> NDArray[np.int64]:
    """Give the column ``frame`` as whole numbers, as they stand in the file.

    Raises
    ------
    PainkitError
        When there is no row, or a number that is none.
    """
    frames = numbers(table, "frame", path)
    if not len(frames):
        raise PainkitError("has no row", where=path, line=2, expected="a row for each frame")
    wrong = ~((frames >= 0) & (frames == np.floor(frames)) & (frames < 2**53))
    refuse(table["frame"], wrong, path, "a whole number")
    return frames.astype(np.int64)


def numbers(table: pd.DataFrame, column: str, path: Path) -> NDArray[np.float64]:
    """Give one text column as numbers; what tools write for none (``-nan(ind)``, ``-1.#IND``) becomes NaN.

    Raises
    ------
    PainkitError
        For a cell that is neither, naming its line.
    """
    cells = table[column]
    values: NDArray[np.float64] = pd.to_numeric(cells, errors="coerce").to_numpy(
        dtype=np.float64, na_value=np.nan
    )
    unknown = np.isnan(values)
    if unknown.any():
        known = cells.str.contains(r"^[+-]?(?:nan|1\.#)", case=False, na=True).to_numpy(dtype=bool)
        refuse(cells, unknown & ~known, path, "a number, with a point before its decimals")
    return values


def values_within(
    table: pd.DataFrame, column: str, path: Path, tracked: NDArray[np.bool_], high: int
) -> NDArray[np.float64]:
    """Give a column from 0 to `high`, NaN where not tracked; `PainkitError` names the line of what is not."""
    values = np.where(tracked, numbers(table, column, path), np.nan)
    refuse(table[column], (values < 0) | (values > high), path, f"a number from 0 to {high}")
    return values


def flags(table: pd.DataFrame, column: str, path: Path) -> NDArray[np.bool_]:
    """Give a column of 0 and 1, or of True and False, as truth; an empty cell is false."""
    cells = table[column].str.casefold().replace({"true": "1", "false": "0"}).rename(column)
    values = numbers(cells.to_frame(), column, path)
    refuse(table[column], ~np.isin(values, (0, 1)) & ~np.isnan(values), path, "0 or 1")
    return np.asarray(values == 1)


def points_66(
    table: pd.DataFrame, path: Path, tracked: NDArray[np.bool_]
) -> tuple[NDArray[np.float32], list[tuple[int, str]]]:
    """Columns x_0 ... x_67, y_0 ... y_67 as (n, 66, 2) pixels: without the inner mouth corners.

    Landmarks that no face has are masked in the rows that are tracked.

    Returns
    -------
    (n, 66, 2) float32
    list of (row, str)
        What is wrong with the landmarks of each row that was masked.

    Raises
    ------
    PainkitError
        When every face is as small as in normalized coordinates.
    """
    axes = [np.stack([numbers(table, f"{axis}_{k}", path) for k in FROM_68], axis=1) for axis in "xy"]
    points = np.stack(axes, axis=2)
    rows = np.flatnonzero(tracked & ~np.isnan(points).any(axis=(1, 2)))
    faces = points[rows]
    small = small_faces(faces)
    if len(rows) and small.all():
        what = f"chin and nose root are less than {FACE_PIXELS} pixels apart in every row: wrong scale"
        raise PainkitError(what, where=path, line=int(rows[0]) + 2, expected=_EXPECTED)
    far = far_points(faces).any(axis=1)
    faces[far] = 0
    torn = torn_faces(faces)
    masked: list[tuple[int, str]] = []
    for reason, wrong in (
        ("a landmark far outside any image", far),
        ("chin and nose root on one spot", small & ~far),
        ("a landmark far from all others", torn & ~far & ~small),
    ):
        masked += [(row, reason) for row in rows[wrong].tolist()]
    points[[row for row, _ in masked]] = np.nan
    points[~np.isfinite(points) | (np.abs(points) > np.finfo(np.float32).max)] = np.nan
    return points.astype(np.float32), sorted(masked)

"""Readers of the archive's small text files: strict, and fast for many files at once."""

from __future__ import annotations

import math
import os
import re

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from painkit.errors import PainkitError

__all__ = ["LIMIT_BYTES", "parse_action_units", "parse_number", "parse_points", "read_bytes", "stack_points"]

#: A label or landmark file beyond this is no label or landmark file (66 points take 2 kB).
LIMIT_BYTES = 1 << 20
#: Pixels; no camera of the archives comes near, a wrong unit or a broken exponent does.
LIMIT_PIXELS = 1e5
# float() alone would also take "1_0", "nan" and "infinity".
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)

Where = str | os.PathLike[str] | None


def read_bytes(path: str | os.PathLike[str]) -> bytes:
    """Read one small file whole; `PainkitError` names the file when the system refuses."""
    try:
        handle = os.open(path, os.O_RDONLY)
        try:
            # Straight system calls: over 145,000 files this is a third of open().read()'s time.
            data = os.read(handle, LIMIT_BYTES + 1)
        finally:
            os.close(handle)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise PainkitError(f"could not be read: {reason}", where=path) from error
    if len(data) > LIMIT_BYTES:
        raise PainkitError("is too large", where=path, expected=f"a text file below {LIMIT_BYTES} bytes")
    return data


def _rows(data: bytes, where: Where) -> list[tuple[int, list[float]]]:
    """Numbers of each line that is not blank, with its 1-based line number."""
    try:
        text = data.decode("ascii")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise PainkitError(
            f"holds byte 0x{data[error.start]:02x}, it is not text",
            where=where,
            line=line,
            expected="numbers",
        ) from None
    rows = []
    for number, line_text in enumerate(text.split("\n"), start=1):
        words = line_text.split()
        for word in words:
            if not _NUMBER.fullmatch(word):
                raise PainkitError(
                    f"{word[:40]!r} is not a finite number", where=where, line=number, expected="numbers"
                )
        if words:
            values = [float(word) for word in words]
            if not all(map(math.isfinite, values)):
                raise PainkitError("a number overflows", where=where, line=number, expected="numbers")
            rows.append((number, values))
    return rows


def parse_number(data: bytes, low: float, high: float, where: Where = None) -> float:
    """Read the one number of a label file.

    Parameters
    ----------
    data : bytes
        Content, such as ``b"   2.0000000e+00\\n"``.
    low, high : float
        The label's scale, both ends included.
    where : path, optional
        Named in errors.

    Raises
    ------
    PainkitError
        For anything but one finite number on the scale.
    """
    expected = f"one number from {low:g} to {high:g}"
    try:
        # The common case at a tenth of the price; whatever it refuses is told properly below.
        value = float(data) if b"_" not in data else math.nan
    except ValueError:
        value = math.nan
    if low <= value <= high:
        return value
    rows = _rows(data, where)
    if not rows:
        raise PainkitError("is empty", where=where, expected=expected)
    if len(rows) > 1 or len(rows[0][1]) > 1:
        count = sum(len(row) for _, row in rows)
        line = rows[1][0] if len(rows[0][1]) == 1 else rows[0][0]
        raise PainkitError(f"holds {count} numbers", where=where, line=line, expected=expected)
    line, (value,) = rows[0]
    raise PainkitError(f"{value:g} is out of range", where=where, line=line, expected=expected)


def parse_action_units(data: bytes, where: Where = None) -> dict[int, float]:
    """Read a FACS file: action unit to intensity.

    Parameters
    ----------
    data : bytes
        Rows of four numbers: unit, intensity (1 to 5), two unused. No row at all means that the frame was
        coded and shows no unit. Code 0 is dropped. Unit 43 (eyes closed) has no intensity: a row means 1.

    Raises
    ------
    PainkitError
        For another shape, a code that is no unit, or an intensity off the scale.
    """
    units: dict[int, float] = {}
    for line, values in _rows(data, where):
        if len(values) != 4:
            raise PainkitError(
                f"{len(values)} numbers in the row",
                where=where,
                line=line,
                expected="four: unit, intensity and two more",
            )
        code, intensity = values[0], values[1]
        if not (0 <= code < 100 and code == int(code)):
            raise PainkitError(
                f"{code:g} is no action unit", where=where, line=line, expected="a whole number below 100"
            )
        if code == 0:
            continue
        if code == 43:
            intensity = 1.0
        elif not 1 <= intensity <= 5:
            raise PainkitError(
                f"intensity {intensity:g} of AU{code:g} is out of range",
                where=where,
                line=line,
                expected="1 to 5",
            )
        # A unit coded for both sides of the face counts once, with its stronger side.
        units[int(code)] = max(intensity, units.get(int(code), 0.0))
    return units


def parse_points(data: bytes, n_points: int = 66, where: Where = None) -> NDArray[np.float32]:
    """Read one landmark file strictly: `n_points` lines ``x y`` in pixels, any white space.

    Returns
    -------
    (n_points, 2) float32

    Raises
    ------
    PainkitError
        Naming the line that is wrong: other shapes, other scales, anything that is not a finite number.
    """
    expected = f"{n_points} lines 'x y' in pixels"
    rows = _rows(data, where)
    for line, values in rows:
        if len(values) != 2:
            raise PainkitError(
                f"{len(values)} numbers in the line", where=where, line=line, expected=expected
            )
    if len(rows) != n_points:
        line = rows[-1][0] if rows else None
        raise PainkitError(f"holds {len(rows)} points", where=where, line=line, expected=expected)
    points = np.array([values for _, values in rows])
    far = np.flatnonzero(np.abs(points).max(axis=1) >= LIMIT_PIXELS)
    if len(far):
        raise PainkitError(
            "the point lies far outside any image", where=where, line=rows[far[0]][0], expected=expected
        )
    if np.ptp(points, axis=0).max() < 4:
        raise PainkitError(
            "the face is less than 4 pixels wide and high: wrong scale", where=where, expected=expected
        )
    return points.astype(np.float32)


def stack_points(files: list[bytes], n_points: int = 66) -> NDArray[np.float32] | None:
    """Read many landmark files in one go.

    The text is split and converted by Arrow outside the interpreter lock, so that threads help.

    Returns
    -------
    (len(files), n_points, 2) float32, or None
        None when any file is not exactly as `parse_points` wants it: then read them singly to learn which.
    """
    if not files:
        return np.empty((0, n_points, 2), np.float32)
    try:
        lines = pc.split_pattern(pc.ascii_trim_whitespace(pa.array(files, pa.string())), "\n")
        if pc.min_max(pc.list_value_length(lines)).as_py() != {"min": n_points, "max": n_points}:
            return None
        words = pc.ascii_split_whitespace(pc.ascii_trim_whitespace(lines.flatten()))
        if pc.min_max(pc.list_value_length(words)).as_py() != {"min": 2, "max": 2}:
            return None
        values = pc.cast(words.flatten(), pa.float32()).to_numpy()
    except pa.ArrowException:
        return None
    points: NDArray[np.float32] = values.reshape(len(files), n_points, 2)
    # Written so that NaN fails too.
    sound = np.abs(points).max() < LIMIT_PIXELS and np.ptp(points, axis=1).max(axis=1).min() >= 4
    return points if sound else None

"""Readers of the archive's small text files: strict, and fast for many files at once."""

from __future__ import annotations

import math
import os
import re
from collections import Counter

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from painkit.data.fixed_width import fixed_width_rows
from painkit.data.landmark_checks import FACE_PIXELS, LIMIT_PIXELS, far_points, small_faces, torn_faces
from painkit.errors import PainkitError
from painkit.vocabulary.landmarks import N_LANDMARKS

__all__ = [
    "cut_files",
    "cut_off",
    "parse_action_units",
    "parse_number",
    "parse_points",
    "read_bytes",
    "stack_action_units",
    "stack_numbers",
    "stack_points",
    "stack_rows",
]

#: A label or landmark file beyond this is no label or landmark file (66 points take 2 kB).
LIMIT_BYTES = 1 << 20
_CHUNK = 8192
_BLANK = ord(" ")  # ends of lines come before it
# Opening a pipe must not wait for somebody to write into it.
_READ_AT_ONCE = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)
# float() alone would also take "1_0", "nan" and "infinity".
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)

Where = str | os.PathLike[str] | None


def read_bytes(path: str | os.PathLike[str]) -> bytes:
    """Read one small file whole; `PainkitError` names the file when the system refuses.

    That it is a file, no pipe or device, the listing must have told.
    """
    try:
        handle = os.open(path, _READ_AT_ONCE)
        try:
            # Straight system calls: over 145,000 files this is a third of open().read()'s time.
            data = os.read(handle, _CHUNK)
            while len(data) % _CHUNK == 0 and 0 < len(data) <= LIMIT_BYTES:
                more = os.read(handle, _CHUNK)
                if not more:
                    break
                data += more
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
    r"""Read the one number of a label file.

    Parameters
    ----------
    data : bytes
        Content, such as ``b"   2.0000000e+00\n"``.
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
        if code not in (0, 43) and not 1 <= intensity <= 5:
            raise PainkitError(
                f"intensity {intensity:g} of AU{code:g} is out of range",
                where=where,
                line=line,
                expected="1 to 5",
            )
        _add_unit(units, int(code), intensity)
    return units


def _add_unit(units: dict[int, float], code: int, intensity: float) -> None:
    """Code 0 is no unit; 43 has no intensity; a unit coded for both sides counts with its stronger one."""
    if code:
        units[code] = 1.0 if code == 43 else max(intensity, units.get(code, 0.0))


def parse_points(data: bytes, where: Where = None) -> NDArray[np.float32]:
    """Read one landmark file strictly: 66 lines ``x y`` in pixels, any white space.

    Returns
    -------
    (66, 2) float32

    Raises
    ------
    PainkitError
        Naming the line that is wrong: other shapes, other scales, anything that is not a finite number.
    """
    expected = f"{N_LANDMARKS} lines 'x y' in pixels"
    rows = _rows(data, where)
    for line, values in rows:
        if len(values) != 2:
            raise PainkitError(
                f"{len(values)} numbers in the line", where=where, line=line, expected=expected
            )
    if len(rows) != N_LANDMARKS:
        last = rows[-1][0] if rows else None
        raise PainkitError(f"holds {len(rows)} points", where=where, line=last, expected=expected)
    points = np.array([values for _, values in rows])
    far = np.flatnonzero(far_points(points[None])[0])
    if len(far):
        line = rows[far[0]][0]
        raise PainkitError("a point far outside any image", where=where, line=line, expected=expected)
    points = points.astype(np.float32)
    if small_faces(points[None])[0]:
        what = f"chin and nose root are less than {FACE_PIXELS} pixels apart: wrong scale"
        raise PainkitError(what, where=where, expected=expected)
    if torn_faces(points[None])[0]:
        from_centre = np.abs(points - np.median(points, axis=0)).max(axis=1)
        line = rows[int(from_centre.argmax())][0]
        raise PainkitError("a point far from all others", where=where, line=line, expected=expected)
    return points


def cut_files(files: list[bytes]) -> list[int]:
    """Find the files that seem cut off within their last number, where they still read as numbers.

    ``1.0000000e+01`` reads as 1 when it is cut. Suspect is a last number without its end of line, where most
    of the other files end theirs; and, where they do not either, one with fewer digits than all its
    neighbours: the other numbers of its file, or the last ones of the other files.

    Parameters
    ----------
    files : list of bytes
        Contents of files of one kind. Empty ones do not count.

    Returns
    -------
    list of int
        Indices of those that seem cut.
    """
    unended = [i for i, data in enumerate(files) if data and data[-1] > _BLANK]
    if 2 * len(unended) <= sum(map(bool, files)):
        return unended
    lasts = {i: files[i].split() for i in unended}
    digits = {i: [_digits(word) for word in words] for i, words in lasts.items()}
    others = Counter(counts[-1] for counts in digits.values())
    cut = []
    for i, counts in digits.items():
        near = set(counts[:-1]) or {n for n in others if others[n] > (n == counts[-1])}
        if len(near) == 1 and counts[-1] < min(near):
            cut.append(i)
    return cut


def cut_off(where: Where) -> PainkitError:
    """Tell of a file that `cut_files` found."""
    what = "ends within a line: its last number may have lost digits"
    return PainkitError(what, where=where, expected="an end of line, as its neighbours have")


def _digits(word: bytes) -> int:
    return sum(48 <= byte <= 57 for byte in word)


def stack_rows(files: list[bytes], width: int) -> tuple[NDArray[np.float32], NDArray[np.int64]] | None:
    """Read many files of rows of `width` numbers in one go.

    Text that is not of the archive's fixed width is split and converted by Arrow.

    Returns
    -------
    (n_rows, width) float32 and (len(files),) rows of each file, or None
        None when any file holds something else, an empty one included: read them singly to learn which.
    """
    if not files:
        return np.empty((0, width), np.float32), np.empty(0, np.int64)
    fixed = fixed_width_rows(files, width)
    if fixed is not None:
        return fixed
    try:
        lines = pc.split_pattern(pc.ascii_trim_whitespace(pa.array(files, pa.string())), "\n")
        words = pc.ascii_split_whitespace(pc.ascii_trim_whitespace(lines.flatten()))
        if pc.min_max(pc.list_value_length(words)).as_py() != {"min": width, "max": width}:
            return None
        values = pc.cast(words.flatten(), pa.float32()).to_numpy()
        if not np.isfinite(values).all():
            return None
        return values.reshape(-1, width), pc.list_value_length(lines).to_numpy().astype(np.int64)
    except pa.ArrowException:
        return None


def stack_numbers(files: list[bytes], low: float, high: float) -> NDArray[np.float64] | None:
    """Read many label files in one go: (len(files),) numbers, or None if `parse_number` refuses any."""
    stack = stack_rows(files, 1)
    if stack is None or len(stack[0]) != len(files):
        return None
    values = stack[0][:, 0].astype(np.float64)
    return values if ((values >= low) & (values <= high)).all() else None


def stack_action_units(files: list[bytes]) -> list[dict[int, float]] | None:
    """Read many FACS files that are not empty in one go, or None if `parse_action_units` refuses any."""
    stack = stack_rows(files, 4)
    if stack is None:
        return None
    codes, intensities = stack[0][:, 0], stack[0][:, 1]
    graded = (codes != 0) & (codes != 43)
    sound = (codes >= 0) & (codes < 100) & (codes == np.floor(codes))
    sound &= ~graded | ((intensities >= 1) & (intensities <= 5))
    if not sound.all():
        return None
    units: list[dict[int, float]] = [{} for _ in files]
    owners = np.repeat(np.arange(len(files)), stack[1])
    for owner, code, intensity in zip(owners.tolist(), codes.tolist(), intensities.tolist(), strict=True):
        _add_unit(units[owner], int(code), intensity)
    return units


def stack_points(files: list[bytes]) -> NDArray[np.float32] | None:
    """Read many landmark files in one go: (len(files), 66, 2), or None if `parse_points` refuses any."""
    stack = stack_rows(files, 2)
    if stack is None or not (stack[1] == N_LANDMARKS).all():
        return None
    points: NDArray[np.float32] = stack[0].reshape(len(files), N_LANDMARKS, 2)
    if len(files) and not (stack[0].min() > -LIMIT_PIXELS and stack[0].max() < LIMIT_PIXELS):
        return None
    return None if small_faces(points).any() or torn_faces(points).any() else points

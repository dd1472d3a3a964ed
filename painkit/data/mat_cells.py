"""Cell arrays of number vectors from MATLAB 5 files.

scipy.io.loadmat reads them too, but a damaged file can take the whole process down inside its compiled
parser (segmentation fault), which no handler catches. This subset of the format is small enough to be read
with every length checked.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from painkit.errors import PainkitError
from painkit.files import read_file

__all__ = ["count_arrays", "read_cells"]

_Data = TypeVar("_Data", bytes, memoryview)

MATRIX, COMPRESSED = 14, 15
NUMBERS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
NUMERIC = ("double", "single", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64")
CLASSES = {1: "cell", 2: "struct", 3: "object", 4: "char", 5: "sparse", **dict(enumerate(NUMERIC, 6))}
LARGEST = 1 << 28  # bytes; a compressed element that grows past this is no table of predictions


class _Damaged(ValueError):
    """The bytes do not follow the format; the message says where."""


@dataclass(frozen=True)
class _Matrix:
    """One array: its name, class, dimensions, and the elements that hold its content."""

    name: str
    kind: str
    shape: tuple[int, ...]
    complex: bool
    order: str
    content: list[tuple[int, bytes]]


def read_cells(file: Path, names: list[str]) -> dict[str, list[NDArray[np.float64]]]:
    """Read cell arrays whose cells are vectors of numbers.

    Parameters
    ----------
    file : path
        MATLAB version 5 to 7 (not 7.3).
    names : list of str
        Variables that must be there.

    Returns
    -------
    dict of str to list of (n,) float arrays
        One array per cell, in column order.

    Raises
    ------
    PainkitError
        When the file is damaged or no such file, a variable is missing or no cell array, or a cell is not a
        vector of real numbers.
    """
    expected = "a MATLAB 5 to 7 file with cell arrays " + " and ".join(names)
    try:
        found = {matrix.name: matrix for matrix in _variables(read_file(file))}
        missing = [name for name in names if name not in found]
        if missing:
            held = ", ".join(f"{name} ({matrix.kind})" for name, matrix in found.items()) or "nothing"
            raise PainkitError(
                f"has no variable {' and '.join(missing)}; it holds {held}",
                where=file,
                expected=" and ".join(names),
            )
        return {name: _cells(found[name], name, file) for name in names}
    except (_Damaged, zlib.error, struct.error) as error:
        raise PainkitError(
            f"cannot be read as MATLAB data: {error}", where=file, expected=expected
        ) from error


def count_arrays(file: Path) -> int:
    """Count the arrays of a file of any size, without keeping what is in them.

    Raises
    ------
    PainkitError
        When the file is not whole or no such file.
    """
    count = 0
    try:
        data = read_file(file)
        for kind, body in _elements(memoryview(data)[128:], _byte_order(data[:128])):
            if kind == COMPRESSED:
                inflate = zlib.decompressobj()
                for at in range(0, len(body), 1 << 16):
                    inflate.decompress(body[at : at + (1 << 16)])
                if not inflate.eof:
                    raise _Damaged("a compressed element is cut off")
            count += kind in (MATRIX, COMPRESSED)
    except (_Damaged, zlib.error) as error:
        raise PainkitError(
            f"cannot be read as MATLAB data: {error}", where=file, expected="a MATLAB 5 to 7 file"
        ) from error
    return count


def _byte_order(header: bytes) -> str:
    if header[:10] == b"MATLAB 7.3":
        raise _Damaged("it is version 7.3; save it again with -v7")
    order = {b"IM": "<", b"MI": ">"}.get(header[126:128])
    if order is None:
        raise _Damaged("its first 128 bytes are no MATLAB 5 header")
    return order


def _variables(data: bytes) -> Iterator[_Matrix]:
    order = _byte_order(data[:128])
    for kind, body in _elements(data[128:], order):
        if kind == COMPRESSED:
            inflate = zlib.decompressobj()
            inner = inflate.decompress(body, LARGEST)
            if not inflate.eof:
                raise _Damaged("a compressed element is cut off or too large")
            kind, body = next(_elements(inner, order), (0, b""))
        if kind == MATRIX:
            yield _matrix(body, order)


def _elements(data: _Data, order: str) -> Iterator[tuple[int, _Data]]:
    """Yield type and content of one data element after the other."""
    at = 0
    while at < len(data):
        if len(data) - at < 8:
            raise _Damaged(f"{len(data) - at} stray bytes after an element")
        kind, size = struct.unpack_from(f"{order}II", data, at)
        start, padded = at + 8, -(-size // 8) * 8
        if kind >> 16:  # a small element keeps up to four bytes inside its tag
            kind, size, start, padded = kind & 0xFFFF, kind >> 16, at + 4, 4
        if size > min(padded, len(data) - start):
            raise _Damaged(f"an element of {size:,} bytes where {len(data) - start:,} are left")
        yield kind, data[start : start + size]
        at = start + (size if kind == COMPRESSED else padded)


def _matrix(body: bytes, order: str) -> _Matrix:
    parts = list(_elements(body, order))
    if len(parts) < 3 or len(parts[0][1]) != 8 or not parts[1][1] or len(parts[1][1]) % 4:
        raise _Damaged("an array without readable flags, dimensions and name")
    (_, flags), (_, sizes), (_, name), *content = parts
    word = int.from_bytes(flags[:4], "little" if order == "<" else "big")
    shape = struct.unpack(f"{order}{len(sizes) // 4}i", sizes)
    if min(shape) < 0:
        raise _Damaged(f"an array of shape {shape}")
    kind = CLASSES.get(word & 0xFF, f"class {word & 0xFF}")
    return _Matrix(name.decode("latin-1"), kind, shape, bool(word & 0x800), order, content)


def _cells(matrix: _Matrix, name: str, file: Path) -> list[NDArray[np.float64]]:
    count = math.prod(matrix.shape)
    if matrix.kind != "cell" or not count:
        raise PainkitError(
            f"{name} is {matrix.kind} of shape {matrix.shape}", where=file, expected="one cell per subject"
        )
    if count != len(matrix.content) or any(code != MATRIX for code, _ in matrix.content):
        raise _Damaged(f"{name} has {len(matrix.content)} of its {count:,} cells")
    vectors = []
    for number, (_, body) in enumerate(matrix.content, 1):
        cell = _matrix(body, matrix.order)
        if cell.kind not in NUMERIC or cell.complex or len(cell.shape) != 2 or min(cell.shape) != 1:
            shown = f"{'complex ' if cell.complex else ''}{cell.kind} of shape {cell.shape}"
            raise PainkitError(
                f"{name}, cell {number}: {shown}", where=file, expected="a vector of numbers, one per frame"
            )
        code, data = cell.content[0] if cell.content else (0, b"")
        # MATLAB stores numbers in the smallest type that holds them, whatever their class.
        kind = np.dtype(matrix.order + NUMBERS[code]) if code in NUMBERS else None
        if kind is None or len(data) != max(cell.shape) * kind.itemsize:
            raise _Damaged(f"{name}, cell {number}: {len(data)} bytes for {max(cell.shape)} numbers")
        vectors.append(np.frombuffer(data, kind).astype(np.float64))
    return vectors

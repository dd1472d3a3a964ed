"""The MATLAB 5 file format, read with every length checked.

scipy.io.loadmat reads it too, but a damaged file can take the whole process down inside its compiled parser
(segmentation fault), which no handler catches. The subset that predictions and weights need is small.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "COMPRESSED",
    "MATRIX",
    "NUMERIC",
    "DamagedMat",
    "Matrix",
    "byte_order",
    "cells",
    "elements",
    "numbers",
    "tree",
    "variables",
]

MATRIX, COMPRESSED = 14, 15
NUMBERS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
TEXT = NUMBERS | {16: "u1", 17: "u2"}
NUMERIC = ("double", "single", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64")
CLASSES = {1: "cell", 2: "struct", 3: "object", 4: "char", 5: "sparse", **dict(enumerate(NUMERIC, 6))}
DEEPEST = 16  # arrays in arrays


class DamagedMat(ValueError):
    """The bytes do not follow the format; the message says where."""


@dataclass(frozen=True)
class Matrix:
    """One array: its name, class, dimensions, and the elements that hold its content."""

    name: str
    kind: str
    shape: tuple[int, ...]
    complex: bool
    order: str
    content: list[tuple[int, memoryview]]


def byte_order(header: memoryview | bytes) -> str:
    """``<`` or ``>`` by the first 128 bytes of a file."""
    if bytes(header[:10]) == b"MATLAB 7.3":
        raise DamagedMat("it is version 7.3; save it again with -v7")
    order = {b"IM": "<", b"MI": ">"}.get(bytes(header[126:128]))
    if order is None:
        raise DamagedMat("its first 128 bytes are no MATLAB 5 header")
    return order


def variables(data: bytes, largest: int) -> Iterator[Matrix]:
    """Yield a file's arrays, none of more than `largest` bytes when decompressed."""
    view = memoryview(data)
    order = byte_order(view[:128])
    for kind, body in elements(view[128:], order):
        if kind == COMPRESSED:
            inflate = zlib.decompressobj()
            inner = memoryview(inflate.decompress(body, largest))
            if not inflate.eof:
                raise DamagedMat("a compressed element is cut off or too large")
            kind, body = next(elements(inner, order), (0, inner[:0]))
        if kind == MATRIX:
            yield _matrix(body, order)


def elements(data: memoryview, order: str) -> Iterator[tuple[int, memoryview]]:
    """Yield type and content of one data element after the other."""
    at = 0
    while at < len(data):
        if len(data) - at < 8:
            raise DamagedMat(f"{len(data) - at} stray bytes after an element")
        kind, size = struct.unpack_from(f"{order}II", data, at)
        start, padded = at + 8, -(-size // 8) * 8
        if kind >> 16:  # a small element keeps up to four bytes inside its tag
            kind, size, start, padded = kind & 0xFFFF, kind >> 16, at + 4, 4
        if size > min(padded, len(data) - start):
            raise DamagedMat(f"an element of {size:,} bytes where {len(data) - start:,} are left")
        yield kind, data[start : start + size]
        at = start + (size if kind == COMPRESSED else padded)


def _matrix(body: memoryview, order: str) -> Matrix:
    parts = list(elements(body, order))
    if len(parts) < 3 or len(parts[0][1]) != 8 or not parts[1][1] or len(parts[1][1]) % 4:
        raise DamagedMat("an array without readable flags, dimensions and name")
    (_, flags), (_, sizes), (_, name), *content = parts
    word = int.from_bytes(flags[:4], "little" if order == "<" else "big")
    shape = struct.unpack(f"{order}{len(sizes) // 4}i", sizes)
    if min(shape) < 0 or len(shape) > 32:
        raise DamagedMat(f"an array of shape {shape}")
    kind = CLASSES.get(word & 0xFF, f"class {word & 0xFF}")
    return Matrix(bytes(name).decode("latin-1"), kind, shape, bool(word & 0x800), order, content)


def cells(matrix: Matrix) -> list[Matrix]:
    """Arrays in a cell array, in column order."""
    count = math.prod(matrix.shape)
    if count != len(matrix.content) or any(code != MATRIX for code, _ in matrix.content):
        raise DamagedMat(f"{matrix.name or 'a cell array'} has {len(matrix.content)} of its {count:,} cells")
    # An empty cell may be no array at all.
    empty = Matrix("", "double", (0, 0), False, matrix.order, [])
    return [_matrix(body, matrix.order) if body else empty for _, body in matrix.content]


def numbers(matrix: Matrix) -> NDArray[Any]:
    """Real numbers of a numeric array in its shape: a view of the file's bytes, in their type there."""
    count = math.prod(matrix.shape)
    code, data = matrix.content[0] if matrix.content else (9, memoryview(b""))
    # MATLAB stores numbers in the smallest type that holds them, whatever their class.
    kind = np.dtype(matrix.order + NUMBERS[code]) if code in NUMBERS else None
    if kind is None or len(data) != count * kind.itemsize:
        raise DamagedMat(f"{len(data)} bytes for {count:,} numbers")
    return np.frombuffer(data, kind).reshape(matrix.shape, order="F")


def tree(matrix: Matrix, depth: int = 0) -> Any:
    """An array with all that is in it.

    Cells are lists, structs lists of dicts, text is str, numbers are arrays. What is none of these (objects,
    sparse and complex numbers) is None.
    """
    if depth > DEEPEST:
        raise DamagedMat(f"arrays inside arrays more than {DEEPEST} deep")
    if matrix.kind == "cell":
        return [tree(cell, depth + 1) for cell in cells(matrix)]
    if matrix.kind == "struct":
        names, content = _field_names(matrix), matrix.content[2:]
        count = math.prod(matrix.shape) if names else 0
        if len(content) != count * len(names):
            raise DamagedMat(f"a struct with {len(content)} of its {count * len(names):,} values")
        values = [
            tree(value, depth + 1)
            for value in cells(Matrix(matrix.name, "cell", (len(content),), False, matrix.order, content))
        ]
        step = len(names)
        return [dict(zip(names, values[i * step : (i + 1) * step], strict=True)) for i in range(count)]
    if matrix.kind == "char":
        code, data = matrix.content[0] if matrix.content else (1, memoryview(b""))
        if code not in TEXT or len(data) % np.dtype(TEXT[code]).itemsize:
            raise DamagedMat("text that cannot be read")
        return "".join(map(chr, np.frombuffer(data, np.dtype(matrix.order + TEXT[code])).astype(np.uint16)))
    return numbers(matrix) if matrix.kind in NUMERIC and not matrix.complex else None


def _field_names(matrix: Matrix) -> list[str]:
    if len(matrix.content) < 2 or len(matrix.content[0][1]) != 4:
        raise DamagedMat("a struct without readable field names")
    (_, size), (_, data) = matrix.content[:2]
    length = int.from_bytes(size, "little" if matrix.order == "<" else "big")
    if not 0 < length <= len(data) + 1 or len(data) % length:
        raise DamagedMat("a struct without readable field names")
    packed = bytes(data)
    return [packed[i : i + length].split(b"\0")[0].decode("latin-1") for i in range(0, len(packed), length)]

"""Cell arrays of number vectors from MATLAB 5 files."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from painkit.data.mat_file import (
    COMPRESSED,
    MATRIX,
    NUMERIC,
    DamagedMat,
    Matrix,
    byte_order,
    cells,
    elements,
    numbers,
    variables,
)
from painkit.errors import PainkitError
from painkit.files import read_file

__all__ = ["count_arrays", "read_cells"]

LARGEST = 1 << 28  # bytes; a compressed element that grows past this is no table of predictions


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
        found = {matrix.name: matrix for matrix in variables(read_file(file), LARGEST)}
        missing = [name for name in names if name not in found]
        if missing:
            held = ", ".join(f"{name} ({matrix.kind})" for name, matrix in found.items()) or "nothing"
            raise PainkitError(
                f"has no variable {' and '.join(missing)}; it holds {held}",
                where=file,
                expected=" and ".join(names),
            )
        return {name: _vectors(found[name], name, file) for name in names}
    except (DamagedMat, zlib.error, struct.error) as error:
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
        data = memoryview(read_file(file))
        for kind, body in elements(data[128:], byte_order(data[:128])):
            if kind == COMPRESSED:
                inflate = zlib.decompressobj()
                for at in range(0, len(body), 1 << 16):
                    inflate.decompress(body[at : at + (1 << 16)])
                if not inflate.eof:
                    raise DamagedMat("a compressed element is cut off")
            count += kind in (MATRIX, COMPRESSED)
    except (DamagedMat, zlib.error) as error:
        raise PainkitError(
            f"cannot be read as MATLAB data: {error}", where=file, expected="a MATLAB 5 to 7 file"
        ) from error
    return count


def _vectors(matrix: Matrix, name: str, file: Path) -> list[NDArray[np.float64]]:
    if matrix.kind != "cell" or not matrix.content:
        raise PainkitError(
            f"{name} is {matrix.kind} of shape {matrix.shape}", where=file, expected="one cell per subject"
        )
    vectors = []
    for number, cell in enumerate(cells(matrix), 1):
        if cell.kind not in NUMERIC or cell.complex or len(cell.shape) != 2 or min(cell.shape) != 1:
            shown = f"{'complex ' if cell.complex else ''}{cell.kind} of shape {cell.shape}"
            raise PainkitError(
                f"{name}, cell {number}: {shown}", where=file, expected="a vector of numbers, one per frame"
            )
        try:
            vectors.append(numbers(cell).ravel().astype(np.float64))
        except DamagedMat as error:
            raise DamagedMat(f"{name}, cell {number}: {error}") from error
    return vectors

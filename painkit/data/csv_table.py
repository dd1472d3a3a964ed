"""Tables in CSV files, as texts."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import ArrayLike
from pyarrow import csv

from painkit.errors import PainkitError
from painkit.files import read_file

__all__ = ["read_csv", "read_rows", "refuse", "require"]


def read_csv(path: Path, *, required: Iterable[str] = (), sep: str = ",") -> pd.DataFrame:
    """Read a table with some columns; of columns of one name the first is kept.

    Raises
    ------
    PainkitError
        As `read_rows` does, and when a required column is missing.
    """
    table = read_rows(path, sep=sep)
    table = table.loc[:, ~table.columns.duplicated()]
    require(table, required, path)
    return table


def require(table: pd.DataFrame, columns: Iterable[str], path: Path) -> None:
    """Raise `PainkitError` when a table lacks some columns."""
    wanted = list(columns)
    absent = [name for name in wanted if name not in table.columns]
    if absent:
        shown = [
            ", ".join(names[:5]) + (f" ... ({len(names)} in all)" if len(names) > 5 else "")
            for names in (absent, wanted)
        ]
        raise PainkitError(
            f"has no column {shown[0]}", where=path, line=1, expected=f"the columns {shown[1]}"
        )


def read_rows(path: Path, *, sep: str = ",", expected: str = "a CSV file") -> pd.DataFrame:
    """Read a table of texts: names and cells without surrounding spaces, blank cells missing.

    A byte order mark is passed over, and so are blank rows at the end.

    Raises
    ------
    PainkitError
        When the file is not UTF-8 text, has no header, is separated otherwise, has a row that is longer or
        shorter than the header, or a blank row before the last; naming the line.
    """
    data = read_file(path).rstrip(b"\r\n ")
    if not data:
        raise PainkitError("is empty", where=path, expected=expected)
    try:
        data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise PainkitError("is not UTF-8 text", where=path, line=line, expected=expected) from error
    header = data.split(b"\n", 1)[0].decode()
    other = next((mark for mark in ";\t,|" if mark in header and sep not in header), None)
    if other is not None:
        raise PainkitError(f"is separated by {other!r}", where=path, line=1, expected=repr(sep))
    ragged: list[csv.InvalidRow] = []

    def refuse(row: csv.InvalidRow) -> str:
        ragged.append(row)
        return "error"

    try:
        cells = csv.read_csv(
            pa.py_buffer(data + b"\n"),
            # The header is read as a row, since a name may stand twice. Threads do not count rows.
            read_options=csv.ReadOptions(autogenerate_column_names=True, use_threads=False),
            parse_options=csv.ParseOptions(
                delimiter=sep, ignore_empty_lines=False, invalid_row_handler=refuse
            ),
            convert_options=csv.ConvertOptions(
                column_types={f"f{k}": pa.string() for k in range(header.count(sep) + 1)}
            ),
        )
        columns = [_stripped(column.combine_chunks()) for column in cells.columns]
    except pa.ArrowException as error:
        if not ragged:
            what = f"could not be read as a table: {error}"
            raise PainkitError(what, where=path, expected=expected) from error
        raise PainkitError(
            f"{ragged[0].actual_columns} cells in the row",
            where=path,
            line=ragged[0].number,
            expected=f"{ragged[0].expected_columns} as in the header, and no {sep!r} within a number",
        ) from error
    names = [column[0].as_py() or "" for column in columns]
    table = pa.table(columns, names=list(map(str, range(len(names))))).to_pandas()[1:]
    told = np.flatnonzero(table.notna().any(axis=1))
    if len(told) and len(told) <= told[-1]:
        line = int(np.setdiff1d(np.arange(told[-1]), told)[0]) + 2
        raise PainkitError("a blank row", where=path, line=line, expected="no gap between rows")
    kept: pd.DataFrame = table[: len(told)].set_axis(names, axis=1).reset_index(drop=True)
    return kept


def _stripped(column: pa.Array) -> pa.Array:
    """Texts without surrounding spaces, missing where nothing is left."""
    texts = pc.utf8_trim_whitespace(column)
    return pc.if_else(pc.equal(texts, ""), None, texts)


def refuse(cells: pd.Series[Any], wrong: ArrayLike, path: Path, expected: str) -> None:
    """Raise `PainkitError` for the first cell of a column that is wrong, naming its line."""
    mask = np.asarray(wrong, dtype=bool)
    if mask.any():
        row = int(mask.argmax())
        cell = cells.iloc[row]
        told = "empty" if pd.isna(cell) else repr(str(cell)[:40])
        raise PainkitError(f"{cells.name} is {told}", where=path, line=row + 2, expected=expected)

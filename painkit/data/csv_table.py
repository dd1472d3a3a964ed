"""Tables in CSV files, as texts."""

from __future__ import annotations

import csv
import io
import warnings
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from painkit.errors import PainkitError

__all__ = ["read_csv", "refuse_empty"]


def read_csv(path: Path, *, required: Iterable[str] = (), sep: str = ",") -> pd.DataFrame:
    """Read a table of texts: header stripped, cells as text, empty cells missing.

    Raises
    ------
    PainkitError
        When the file cannot be read as a table, or a required column is missing.
    """
    try:
        data = path.read_bytes()
        with warnings.catch_warnings(action="error"):  # pandas only warns of rows that are too long
            table = pd.read_csv(
                io.BytesIO(data),
                sep=sep,
                dtype="str",
                skipinitialspace=True,
                index_col=False,
                keep_default_na=False,
                na_values=[""],
            )
        # pandas fills a row that is too short: a file that was cut off would go unseen.
        last = data.rstrip().rsplit(b"\n", 1)[-1].decode()
        n_fields = len(next(csv.reader([last], delimiter=sep), []))
    except (OSError, ValueError, OverflowError, Warning, csv.Error) as error:
        reason = " ".join(str(error).split())
        raise PainkitError(
            f"could not be read as a table: {reason}", where=path, expected="a CSV file"
        ) from error
    if len(table) and n_fields < len(table.columns) and '"' not in last:
        raise PainkitError(
            f"the last row ends after {n_fields} of {len(table.columns)} fields",
            where=path,
            line=data.rstrip().count(b"\n") + 1,
            expected="a whole file",
        )
    table.columns = [str(name).strip() for name in table.columns]
    wanted = list(required)
    absent = [name for name in wanted if name not in table.columns]
    if absent:
        shown = [
            ", ".join(names[:5]) + (f" ... ({len(names)} in all)" if len(names) > 5 else "")
            for names in (absent, wanted)
        ]
        raise PainkitError(
            f"has no column {shown[0]}", where=path, line=1, expected=f"the columns {shown[1]}"
        )
    return table


def refuse_empty(table: pd.DataFrame, column: str, path: Path) -> None:
    """Raise `PainkitError` for the first empty cell of a column, naming its line."""
    empty = table[column].isna().to_numpy()
    if empty.any():
        line = int(empty.argmax()) + 2
        raise PainkitError(f"{column} is empty", where=path, line=line, expected="a value")

"""The optional table of subjects beside a copy of the archive."""

from __future__ import annotations

import csv
import io
import warnings
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from painkit.data.cohort import AGES, COMPLEXIONS, GENDERS
from painkit.data.tables import subjects_table
from painkit.errors import PainkitError

__all__ = ["read_subjects"]

_ACCEPTED = {"gender": GENDERS, "age": AGES, "complexion": COMPLEXIONS}


def read_subjects(path: Path, ids: Iterable[str]) -> pd.DataFrame:
    """Personal features of the given subjects from a CSV file, all unknown where there is none.

    Parameters
    ----------
    path : Path
        CSV with the columns subject, gender (female, male), age (young, middle-aged, elderly) and complexion
        (pale-fair, fair-olive, olive-dark); empty cells are unknown, rows of other subjects are left out.
    ids : iterable of str
        Subjects of the cohort.

    Raises
    ------
    PainkitError
        For a missing column, a subject listed twice, or a value that is not in the list.
    """
    table = subjects_table(ids)
    if not path.exists():
        return table
    given = read_csv(path, required=("subject", *_ACCEPTED))
    if given["subject"].duplicated().any():
        line = int(given["subject"].duplicated().to_numpy().argmax()) + 2
        raise PainkitError("a subject is listed twice", where=path, line=line, expected="one row for each")
    for column, accepted in _ACCEPTED.items():
        wrong = given[column].notna() & ~given[column].isin(accepted)
        if wrong.any():
            row = int(wrong.to_numpy().argmax())
            raise PainkitError(
                f"{column} is {given[column].iloc[row]!r}",
                where=path,
                line=row + 2,
                expected=", ".join(accepted),
            )
    return table[["subject"]].merge(given[["subject", *_ACCEPTED]], on="subject", how="left")


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

"""A user's own table of folds: read, checked, and taken apart into what each fold trains on and tests."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from painkit.data.csv_table import read_csv, refuse
from painkit.errors import PainkitError

__all__ = ["COLUMNS", "FoldTable", "Parts", "read_folds"]

COLUMNS: Final = ("subject", "sequence", "frame", "fold")

_SET_COLUMNS: Final = ("set", "split")
_SETS: Final = {
    "train": ("train", "training"),
    "validation": ("validation", "val", "valid", "dev"),
    "test": ("test", "testing"),
}


@dataclass(frozen=True)
class Parts:
    """Rows of one fold: what is learned from, settings are chosen by, and is tested."""

    fold: str
    train: NDArray[np.intp]
    validation: NDArray[np.intp]
    test: NDArray[np.intp]

    @property
    def seen(self) -> NDArray[np.intp]:
        """Rows that a model, or the choice of its settings, has seen."""
        return np.concatenate([self.train, self.validation])


@dataclass(frozen=True)
class FoldTable:
    """A checked table of folds.

    Attributes
    ----------
    path : Path
    rows : DataFrame
        subject, sequence, fold (str), frame (Int64; <NA> throughout where samples are whole sequences; of a
        copy, the frame it was made from), copy (bool).
    parts : list of Parts
        In the order of the folds' names.
    stated : bool
        Whether the table says itself what is trained on; else each fold is tested by a model of the others.
    """

    path: Path
    rows: pd.DataFrame
    parts: list[Parts]
    stated: bool

    @property
    def whole_sequences(self) -> bool:
        """Whether samples are whole sequences."""
        return bool(self.rows["frame"].isna().all())


def read_folds(path: Path) -> FoldTable:
    """Read a CSV file of folds.

    Columns subject, sequence, frame (a whole number; empty throughout where samples are whole sequences) and
    fold; each fold is tested by a model that is trained on all others. If the table has a column set, or
    split (train, validation, test), that says what each fold does with its rows, and fold may be missing.
    Column source_frame marks augmented copies: the frame of the same sequence that a row was made from.

    Raises
    ------
    PainkitError
        When the file is no such table, naming the line where there is one.
    """
    if not path.is_file():
        raise PainkitError("is a folder" if path.is_dir() else "is not there", where=path, expected="a file")
    cells = read_csv(path)
    stated = [name for name in _SET_COLUMNS if name in cells]
    if len(stated) > 1:
        raise PainkitError("has the columns set and split", where=path, line=1, expected="one of them")
    if stated and "fold" not in cells:
        cells["fold"] = "all"
    _require(cells, path)
    if cells.empty:
        raise PainkitError("has no rows", where=path, expected="one row a sample")
    for name in ("subject", "sequence", "fold"):
        refuse(cells[name], cells[name].isna(), path, f"a {name} in each row")
    frame = _frames(cells["frame"], path, "a whole number in each row, or in none")
    if frame.isna().any() and not frame.isna().all():
        refuse(cells["frame"], frame.isna(), path, "a whole number in each row, or in none")
    rows = cells[["subject", "sequence", "fold"]].assign(frame=frame, copy=False)
    if "source_frame" in cells:
        source = _frames(cells["source_frame"], path, "the frame that the row is a copy of, or nothing")
        rows["copy"] = source.notna()
        lost = rows["copy"] & frame.isna()
        refuse(cells["source_frame"], lost, path, "nothing, since the samples are whole sequences")
        rows["frame"] = source.fillna(frame)
    names = _sets(cells[stated[0]], path) if stated else None
    return FoldTable(path, rows, _parts(rows["fold"], names, path), bool(stated))


def _require(cells: pd.DataFrame, path: Path) -> None:
    absent = [name for name in COLUMNS if name not in cells]
    if not absent:
        return
    by_lower = {str(name).lower(): str(name) for name in cells if name not in COLUMNS}
    near = [by_lower[match[0]] for name in absent if (match := get_close_matches(name, by_lower, 1))]
    meant = f"; did you mean {', '.join(map(repr, near))}?" if near else ""
    raise PainkitError(
        f"has no column {', '.join(absent)}{meant}", where=path, line=1, expected=", ".join(COLUMNS)
    )


def _frames(cells: pd.Series[str], path: Path, expected: str) -> pd.Series[int]:
    """Whole numbers, <NA> where a cell is empty."""
    numbers = pd.to_numeric(cells, errors="coerce").astype(float)
    # Beyond 2**53 neighbouring numbers are one.
    whole = np.isfinite(numbers) & (numbers == np.rint(numbers)) & (numbers.abs() < 2**53)
    refuse(cells, cells.notna() & ~whole, path, expected)
    return numbers.astype("Int64")


def _sets(cells: pd.Series[str], path: Path) -> NDArray[np.object_]:
    """Set of each row: train, validation or test."""
    known = {alias: name for name, aliases in _SETS.items() for alias in aliases}
    named = cells.str.lower().map(known)
    refuse(cells, named.isna(), path, ", ".join(_SETS))
    return named.to_numpy(object)


def _parts(folds: pd.Series[str], sets: NDArray[np.object_] | None, path: Path) -> list[Parts]:
    numbers = pd.to_numeric(folds, errors="coerce")
    order = folds.drop_duplicates()
    if numbers.notna().all():
        order = order.loc[numbers.loc[order.index].sort_values(kind="stable").index]
    else:
        order = order.sort_values()
    if sets is None:
        if len(order) < 2:
            raise PainkitError(
                f"all rows are of fold {order.iloc[0]!r}",
                where=path,
                expected="two folds or more, or a column set with train and test",
            )
        none = np.empty(0, dtype=np.intp)
        return [
            Parts(str(name), np.flatnonzero(folds != name), none, np.flatnonzero(folds == name))
            for name in order
        ]
    parts = []
    for name in order:
        of_fold = (folds == name).to_numpy()
        rows = {one: np.flatnonzero(of_fold & (sets == one)) for one in _SETS}
        if lacking := [one for one in ("train", "test") if not len(rows[one])]:
            raise PainkitError(
                f"fold {name!r} has no {' and no '.join(lacking)} rows",
                where=path,
                expected="rows of both in each fold",
            )
        parts.append(Parts(str(name), **rows))
    return parts

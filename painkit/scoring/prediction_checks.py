"""What a table of predictions has to hold before it is scored, told row by row."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from painkit.errors import PainkitError
from painkit.vocabulary.scales import SCALES, known_scale, scale_of

__all__ = ["REQUIRED", "check_predictions"]

REQUIRED = ("subject", "sequence", "frame", "y_true", "y_pred")


@dataclass(frozen=True)
class _Source:
    """The file, to name rows the way its reader counts them."""

    file: Path
    table: pd.DataFrame

    @property
    def is_csv(self) -> bool:
        return self.file.suffix.lower() == ".csv"

    def place(self, row: int) -> str:
        if self.file.suffix.lower() == ".mat":  # its rows are cells and what is in them
            return "subject {subject}, sequence {sequence}, frame {frame}".format(**self.table.loc[row])
        return f"line {row + 2}" if self.is_csv else f"row {row + 1}"

    def refuse(self, row: int, what: str, expected: str) -> PainkitError:
        if self.is_csv:
            return PainkitError(what, where=self.file, line=row + 2, expected=expected)
        return PainkitError(f"{self.place(row)}: {what}", where=self.file, expected=expected)


def check_predictions(table: pd.DataFrame, file: Path, scale: str | None) -> pd.DataFrame:
    """Give every column its type and refuse the first row that cannot be scored.

    Parameters
    ----------
    table : DataFrame
        As read, a fresh range index.
    file : path
        Where it was read, for the wording.
    scale : str, optional
        Key of the scale of y_true, instead of the target column.

    Returns
    -------
    DataFrame
        See `painkit.scoring.prediction_files.read_predictions`.

    Raises
    ------
    PainkitError
        Missing or doubled columns, no rows, a missing or infinite number, an empty name, a frame that is no
        integer, an unknown target, a label off its scale, a negative y_std, a row that stands twice.
    """
    source = _Source(file, table)
    missing = [name for name in REQUIRED if name not in table]
    if missing:
        raise PainkitError(
            f"has no column {', '.join(missing)}; it has {', '.join(map(str, table.columns[:12])) or 'none'}",
            where=file,
            line=1 if source.is_csv else None,
            expected=", ".join(REQUIRED),
        )
    if table.columns.has_duplicates:
        twice = table.columns[table.columns.duplicated()][0]
        raise PainkitError(f"column {twice!r} stands twice", where=file, expected="every column once")
    if table.empty:
        raise PainkitError("has no rows", where=file, expected="one row per frame or sequence")
    out = table.copy()
    _check_numbers(out, source)
    _check_names(out, source)
    _check_targets(out, source, scale)
    _check_labels(out, source)
    return out


def _check_numbers(out: pd.DataFrame, source: _Source) -> None:
    for name in ("y_true", "y_pred", *out.filter(regex=r"^(y_std|p_\d+)$").columns):
        numbers = _numbers(out[name])
        bad = np.flatnonzero(~np.isfinite(numbers))
        if bad.size:
            raise source.refuse(bad[0], f"{name} is {str(out[name].iloc[bad[0]])!r}", "a finite number")
        out[name] = numbers
    if "y_std" in out and (negative := np.flatnonzero(out["y_std"] < 0)).size:
        raise source.refuse(int(negative[0]), "y_std is negative", "a standard deviation")


def _check_names(out: pd.DataFrame, source: _Source) -> None:
    for name in ("subject", "sequence", *(["fold"] if "fold" in out else [])):
        text = _text(out[name])
        empty = np.flatnonzero(text == "")
        if empty.size:
            raise source.refuse(empty[0], f"{name} is empty", "a name")
        out[name] = text
    text = _text(out["frame"])
    frame = _numbers(text)
    gone = text.str.lower().isin(["", "nan", "<na>", "na", "none"]).to_numpy()
    bad = np.flatnonzero(~gone & ~(np.isfinite(frame) & (frame == np.floor(frame)) & (np.abs(frame) < 2**53)))
    if bad.size:
        given = text.iloc[bad[0]]
        raise source.refuse(bad[0], f"frame is {given!r}", "an integer, or empty for a whole sequence")
    out["frame"] = pd.array(np.where(gone, 0, frame).astype(np.int64), dtype="Int64")
    out.loc[gone, "frame"] = pd.NA


def _check_targets(out: pd.DataFrame, source: _Source, scale: str | None) -> None:
    out["assumed"] = scale is None and "target" not in out
    if scale is not None:
        out["target"] = scale_of(scale).key
    elif "target" not in out:
        out["target"] = "vas" if out["frame"].isna().all() else "level"
    else:
        given = out["target"]
        out["target"] = _text(given).str.lower()
        strange = [target for target in out["target"].unique() if known_scale(str(target)) is None]
        unknown = np.flatnonzero(out["target"].isin(strange))
        if unknown.size:
            raise source.refuse(unknown[0], f"target is {str(given.iloc[unknown[0]])!r}", ", ".join(SCALES))


def _check_labels(out: pd.DataFrame, source: _Source) -> None:
    for key, rows in out.groupby("target", sort=False):
        known = scale_of(str(key))
        off = np.flatnonzero((rows["y_true"] < known.low) | (rows["y_true"] > known.high))
        if off.size:
            raise source.refuse(
                int(rows.index[off[0]]),
                f"y_true is {rows['y_true'].iloc[off[0]]:g}, which is not on the scale {known.label}",
                f"{known.low} to {known.high}, or another scale named",
            )
    keys = ["subject", "sequence", "frame", "target"]
    numbers = out.groupby(keys, dropna=False, sort=False).ngroup().to_numpy()
    firsts = np.unique(numbers, return_index=True)[1]
    if len(firsts) < len(out):
        row = int(np.setdiff1d(np.arange(len(out)), firsts)[0])
        first = int(firsts[numbers[row]])
        raise source.refuse(
            row, f"the same subject, sequence and frame as {source.place(first)}", "every row once"
        )


def _text(column: pd.Series[Any]) -> pd.Series[Any]:
    return column.astype("string").fillna("").str.strip().astype(object)


def _numbers(column: pd.Series[Any]) -> NDArray[np.float64]:
    return pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)

"""Columns every cohort has, and how readers collect findings."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pandas as pd

from painkit.errors import PainkitError
from painkit.vocabulary.action_units import ACTION_UNITS

__all__ = [
    "FINDING_COLUMNS",
    "Finding",
    "empty_frames",
    "findings_table",
    "subjects_table",
    "unreadable",
]

FINDING_COLUMNS = ("kind", "subject", "sequence", "frame", "path", "message")

#: kind, subject, sequence, frame (None: not about one frame), path, message
Finding = tuple[str, str | None, str | None, int | None, str | None, str]


def unreadable(
    subject: str | None, sequence: str | None, frame: int | None, path: str, error: PainkitError
) -> Finding:
    """Turn the error of one file into a finding; the path stands in its own column."""
    line = "" if error.line is None else f"line {error.line}: "
    expected = "" if error.expected is None else f" (expected {error.expected})"
    return ("unreadable", subject, sequence, frame, path, f"{line}{error.what}{expected}")


def findings_table(findings: Iterable[Finding]) -> pd.DataFrame:
    """Turn findings into the table a cohort carries, in the order found."""
    rows = list(findings)
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(FINDING_COLUMNS)
    dtypes: dict[str, Any] = dict.fromkeys(FINDING_COLUMNS, "str") | {"frame": "Int64"}
    return pd.DataFrame(
        {
            name: pd.Series(list(column), dtype=dtypes[name])
            for name, column in zip(FINDING_COLUMNS, columns, strict=True)
        }
    )


def subjects_table(ids: Iterable[str]) -> pd.DataFrame:
    """Subjects of whom nothing but the name is known."""
    names = pd.Series(sorted(set(ids)), dtype="str")
    unknown = pd.Series([None] * len(names), dtype="str")
    return pd.DataFrame({"subject": names, "gender": unknown, "age": unknown, "complexion": unknown})


def empty_frames() -> pd.DataFrame:
    """Frame table of a data set whose frames are not on disk as files (videos)."""
    columns: dict[str, Any] = {"subject": "str", "sequence": "str", "frame": "int64", "pspi": "float64"}
    columns |= {f"AU{n}": "float64" for n in ACTION_UNITS}
    columns |= {"tracked": "bool", "black": "bool", "image": "str"}
    return pd.DataFrame({name: pd.Series([], dtype=dtype) for name, dtype in columns.items()})

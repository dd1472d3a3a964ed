"""Columns every cohort has, and how readers collect findings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from painkit.errors import PainkitError

__all__ = [
    "ACTION_UNITS",
    "FINDING_COLUMNS",
    "INNER_MOUTH_CORNERS",
    "LABEL_SCALES",
    "PSPI_SCALE",
    "Finding",
    "empty_frames",
    "findings_table",
    "prkachin_solomon",
    "subjects_table",
    "unreadable",
]

#: Action units coded in UNBC-McMaster; other readers add columns for further units.
ACTION_UNITS = (4, 6, 7, 9, 10, 12, 15, 20, 25, 26, 27, 43, 50)

#: Lowest and highest PSPI of a frame.
PSPI_SCALE = (0, 16)
#: Labels of a sequence: lowest and highest value. OPI is called OPR in the archive.
LABEL_SCALES = {"vas": (0, 10), "opi": (0, 5), "aff": (0, 15), "sen": (0, 15)}

#: Points of the 68-point iBUG scheme that the 66-point scheme of the archive lacks.
INNER_MOUTH_CORNERS = (60, 64)

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


def prkachin_solomon(units: Mapping[str, Any] | pd.DataFrame) -> NDArray[np.float64]:
    """PSPI of columns AU4 ... AU43 (Prkachin and Solomon 2008), NaN where a unit is not coded."""
    au = {n: np.asarray(units[f"AU{n}"], dtype=float) for n in (4, 6, 7, 9, 10, 43)}
    return np.asarray(au[4] + np.maximum(au[6], au[7]) + np.maximum(au[9], au[10]) + au[43])


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

"""OpenFace 2 (Baltrusaitis et al. 2018) and older OpenFace CSV files."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from painkit.data.cohort import Cohort
from painkit.data.csv_table import read_csv, refuse
from painkit.data.feature_files import (
    POINTS,
    Recording,
    csv_files,
    frame_numbers,
    numbers,
    points_66,
    recordings_to_cohort,
    subjects_of,
)
from painkit.vocabulary.pain import PSPI_UNITS, pspi

__all__ = ["read_openface"]

_NOTE = (
    "PSPI is a proxy, not a label: it is computed from OpenFace's estimated intensities, and AU45 (blink, "
    "1 where present) stands in for AU43 (eyes closed), which OpenFace does not estimate."
)


def read_openface(root: str | os.PathLike[str], *, min_confidence: float = 0.0) -> Cohort:
    """Read one CSV file of OpenFace, or every one below a folder (a file is a sequence).

    The sequence is called like the file. The subject is what a column ``subject`` says (a file about several
    has a sequence of each), else the path of the file's folder below `root`, else (for a single file, or a
    file at the top) the file.

    Parameters
    ----------
    root : path
    min_confidence : float
        Frames tracked with less are masked as well; 0 to 1.

    Returns
    -------
    Cohort
        Units on OpenFace's scale of 0 to 5. `pspi` and AU43 are proxies, as its `notes` say; NaN where a unit
        that they need is not in the file. Rows with success 0 carry numbers; they are masked.

    Raises
    ------
    PainkitError
        For a file that is no such table, or an action unit off its scale, naming column or line.
    """
    files = csv_files(root, "OpenFace")
    base = Path(root)
    recordings = [part for path in files for part in _recordings(path, base, min_confidence)]
    return recordings_to_cohort("openface", base, recordings, [_NOTE])


def _recordings(path: Path, base: Path, min_confidence: float) -> list[Recording]:
    table = read_csv(path, required=("frame", "success", *POINTS))
    success = numbers(table, "success", path) == 1
    confidence = numbers(table, "confidence", path) if "confidence" in table else np.where(success, 1.0, 0.0)
    tracked = success & ~(confidence < min_confidence)
    units = {}
    for column in table.columns:
        if len(column) == 6 and column.startswith("AU") and column.endswith("_r") and column[2:4].isdigit():
            units[int(column[2:4])] = _values(table, column, path, tracked, 5)
    blink = _values(table, "AU45_c", path, tracked, 1) if "AU45_c" in table else None
    if blink is None and 45 in units:
        blink = np.where(np.isnan(units[45]), np.nan, units[45] >= 1)
    empty = np.full(len(table), np.nan)
    units[43] = empty if blink is None else blink
    whole = Recording(
        subject="",
        sequence=path.stem,
        path=path,
        frames=frame_numbers(table, path),
        pspi=pspi({unit: units.get(int(unit[2:]), empty) for unit in PSPI_UNITS}),
        units=units,
        points=points_66(table, path),
        tracked=tracked,
        confidence=confidence,
    )
    return [replace(whole.take(rows), subject=subject) for subject, rows in subjects_of(table, path, base)]


def _values(
    table: pd.DataFrame, column: str, path: Path, tracked: NDArray[np.bool_], high: int
) -> NDArray[np.float64]:
    """Give a column from 0 to `high`, NaN where not tracked."""
    values = np.where(tracked, numbers(table, column, path), np.nan)
    refuse(table[column], (values < 0) | (values > high), path, f"a number from 0 to {high}")
    return values

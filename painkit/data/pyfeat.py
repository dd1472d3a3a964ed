"""py-feat (Cheong et al. 2023) Fex CSV files."""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np
import pandas as pd

from painkit.data.cohort import Cohort
from painkit.data.csv_table import read_csv, require
from painkit.data.feature_columns import (
    POINTS,
    frame_numbers,
    has_landmarks,
    numbers,
    points_66,
    refuse_other_tool,
    values_within,
)
from painkit.data.feature_files import FeatureRows, Reading, recordings_to_cohort, table_files
from painkit.data.feature_parts import Columns, folder_subject, parts_of

__all__ = ["read_pyfeat"]

_NOTES = (
    "Action units are py-feat's detector outputs from 0 to 1, not intensities from 0 to 5.",
    "PSPI is missing: it is defined on intensities, which py-feat does not estimate.",
    "py-feat's unit models 'xgb' and 'svm' were trained on UNBC-McMaster: as features on that archive they "
    "have seen the people of every test fold.",
)
_NO_43 = "AU43 (eyes closed) is missing: these files have no column for it."


def read_pyfeat(
    root: str | os.PathLike[str],
    *,
    min_score: float = 0.0,
    video: str | None = None,
    subject: str | None = None,
) -> Cohort:
    """Read one Fex CSV file, or every one below a folder.

    A file is a sequence, called like the file, unless it shows several people (column ``Identity``), or
    several recordings (column ``input``) or people that a column names: each is a sequence then, and so are
    images of one folder. The subject is what a column such as ``subject`` says, else the path of the file's
    folder below `root`, else the file.

    Parameters
    ----------
    root : path
    min_score : float
        Faces detected with a lower FaceScore are masked as well; 0 to 1.
    video, subject : str, optional
        Columns that name the recording and the person, where they are not called as is usual: ``input``,
        ``video``, ``filename``, ``session`` and the like; ``subject``, ``participant_id`` and the like.

    Returns
    -------
    Cohort
        Frames whose face or landmarks were not found, or are such as no face has, are masked; `pspi` is NaN
        and `notes` say why. A file that is no such table, or damaged, is left out with a finding.

    Raises
    ------
    PainkitError
        When not one file can be read, naming column or line: landmarks of another scheme, a unit off its
        scale, frames that stand twice or whose count starts again, and the like.
    """
    reading = Reading()
    files = table_files(root, "py-feat", (".csv",), reading.findings)
    base = Path(root)
    columns = Columns("Identity", video, subject)
    for path in files:
        with reading.file(path):
            table = read_csv(path)
            refuse_other_tool(table, path, "pyfeat")
            rows = _rows(table, path, min_score)
            own = folder_subject(path, base, path.stem)
            reading.add(rows, parts_of(table, rows.frames, path, own, path.stem, columns), path)
    coded = any(np.isfinite(part.units[43]).any() for part in reading.recordings)
    notes = _NOTES if coded else (*_NOTES, _NO_43)
    return recordings_to_cohort("pyfeat", base, reading, notes, units="detected")


def _rows(table: pd.DataFrame, path: Path, min_score: float) -> FeatureRows:
    has_landmarks(table, path)
    require(table, ("frame", *POINTS), path)
    frames = frame_numbers(table, path)
    score = numbers(table, "FaceScore", path) if "FaceScore" in table else np.ones(len(table))
    tracked = np.isfinite(score) & (score >= min_score)
    units = {43: np.full(len(table), np.nan)}
    for column in table.columns:
        if re.fullmatch(r"AU\d\d", column, re.ASCII):
            units[int(column[2:])] = values_within(table, column, path, tracked, 1)
    points, masked = points_66(table, path, tracked)
    return FeatureRows(frames, np.full(len(table), np.nan), units, points, tracked, masked)

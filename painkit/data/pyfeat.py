"""py-feat (Cheong et al. 2023) Fex CSV files."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from painkit.data.cohort import Cohort
from painkit.data.csv_table import read_csv
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

__all__ = ["read_pyfeat"]

_NOTES = (
    "Action units are py-feat's detector outputs from 0 to 1, not intensities from 0 to 5.",
    "PSPI is missing: it is defined on intensities, which py-feat does not estimate.",
)
_NO_43 = "AU43 (eyes closed) is missing: these files have no column for it."


def read_pyfeat(root: str | os.PathLike[str], *, min_score: float = 0.0) -> Cohort:
    """Read one Fex CSV file, or every one below a folder.

    A file is a sequence, called like the file; a file about several inputs (column ``input``) has one
    sequence for each. The subject is what a column ``subject`` says (a file about several has sequences of
    each), else the path of the file's folder below `root`, else the file.

    Parameters
    ----------
    root : path
    min_score : float
        Faces detected with a lower FaceScore are masked as well; 0 to 1.

    Returns
    -------
    Cohort
        Frames whose face or landmarks were not found are masked; `pspi` is NaN and `notes` say why.

    Raises
    ------
    PainkitError
        For a file that is no such table, naming column or line.
    """
    base = Path(root) if root is not None else Path()
    recordings = [part for path in csv_files(root, "py-feat") for part in _recordings(path, base, min_score)]
    coded = any(np.isfinite(part.units[43]).any() for part in recordings)
    return recordings_to_cohort("pyfeat", base, recordings, _NOTES if coded else (*_NOTES, _NO_43))


def _recordings(path: Path, base: Path, min_score: float) -> list[Recording]:
    table = read_csv(path, required=("frame", *POINTS))
    frames = frame_numbers(table, path)
    score = numbers(table, "FaceScore", path) if "FaceScore" in table else np.ones(len(table))
    tracked = np.isfinite(score) & (score >= min_score)
    units = {43: np.full(len(table), np.nan)}
    for column in table.columns:
        if re.fullmatch(r"AU\d\d", column, re.ASCII):
            units[int(column[2:])] = np.where(tracked, numbers(table, column, path), np.nan)
    whole = Recording(
        subject="",
        sequence=path.stem,
        path=path,
        frames=frames,
        pspi=np.full(len(table), np.nan),
        units=units,
        points=points_66(table, path),
        tracked=tracked,
        confidence=score,
    )
    inputs = (table["input"].fillna("") if "input" in table else pd.Series([""] * len(table))).to_numpy()
    several = len(set(inputs)) > 1
    recordings = []
    for subject, own in subjects_of(table, path, base):
        for name in dict.fromkeys(inputs[own]):
            # Inputs are paths of whichever system the tool ran on.
            stem = re.split(r"[/\\]", str(name))[-1].rsplit(".", 1)[0]
            sequence = f"{path.stem}/{stem}" if several else path.stem
            rows = own[inputs[own] == name]
            recordings.append(replace(whole.take(rows), subject=subject, sequence=sequence))
    return recordings

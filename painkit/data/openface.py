"""OpenFace 2 (Baltrusaitis et al. 2018), older OpenFace, and CLNF files as of DAIC-WOZ."""

from __future__ import annotations

import os
import re
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from painkit.data.cohort import Cohort
from painkit.data.csv_table import read_csv, require
from painkit.data.feature_columns import (
    POINTS,
    flags,
    frame_numbers,
    has_landmarks,
    numbers,
    points_66,
    refuse_other_tool,
    values_within,
)
from painkit.data.feature_files import FeatureRows, Reading, recordings_to_cohort, table_files
from painkit.data.feature_parts import Columns, folder_subject, parts_of
from painkit.data.openface_images import add_images, is_of_image
from painkit.errors import PainkitError
from painkit.vocabulary.pain import PSPI_UNITS, pspi

__all__ = ["read_openface"]

_NOTE = (
    "PSPI is a proxy, not a label: it is computed from OpenFace's estimated intensities, and AU45 (blink, "
    "1 where present) stands in for AU43 (eyes closed), which OpenFace does not estimate."
)
# The two files that CLNF, OpenFace's predecessor, writes for a video.
_LANDMARKS, _UNITS = "_clnf_features.txt", "_clnf_aus.txt"
_INTENSITY = re.compile(r"AU(\d\d)_r", re.ASCII)


def read_openface(
    root: str | os.PathLike[str],
    *,
    min_confidence: float = 0.0,
    video: str | None = None,
    subject: str | None = None,
) -> Cohort:
    """Read one file of OpenFace, or every one below a folder.

    A file is a sequence, called like the file, unless it shows several faces (column ``face_id``), or several
    recordings or people that a column names: each is a sequence then. The subject is what a column such as
    ``subject`` says, else the path of the file's folder below `root`, else (for a single file, or a file at
    the top) the file. FaceLandmarkImg writes a file an image: a folder of them is a sequence.

    Parameters
    ----------
    root : path
        CSV files; of CLNF (DAIC-WOZ) ``*_CLNF_features.txt`` with ``*_CLNF_AUs.txt`` beside it.
    min_confidence : float
        Frames tracked with less are masked as well; 0 to 1.
    video, subject : str, optional
        Columns that name the recording and the person, where they are not called as is usual: ``video``,
        ``filename``, ``input``, ``session`` and the like; ``subject``, ``participant_id`` and the like.

    Returns
    -------
    Cohort
        Units on OpenFace's scale of 0 to 5. `pspi` and AU43 are proxies, as its `notes` say; NaN where a unit
        that they need is not in the file. Rows with success 0 carry numbers; they are masked, and so are
        landmarks that no face has. A file without landmarks (``-aus``) has units, and no tracked frame. A
        file that is no such table, or damaged, is left out with a finding.

    Raises
    ------
    PainkitError
        When not one file can be read, naming column or line: landmarks of another scheme, an action unit off
        its scale, frames that stand twice or whose count starts again, and the like.
    """
    reading = Reading()
    files = table_files(root, "OpenFace", (".csv", _LANDMARKS, _UNITS), reading.findings)
    base = Path(root)
    columns = Columns("face_id", video, subject)
    images: dict[Path, list[tuple[Path, pd.DataFrame]]] = {}
    for path in files:
        with reading.file(path):
            name = re.sub(f"({_LANDMARKS}|{_UNITS})$", "", path.name, flags=re.IGNORECASE)
            if name != path.name:
                table = _clnf(path, files)
            else:
                name, table = path.stem, read_csv(path)
            if table is None:
                continue  # read with its landmarks
            refuse_other_tool(table, path, "openface")
            if is_of_image(table):
                images.setdefault(path.parent, []).append((path, table))
                continue
            rows = _rows(table, path, min_confidence)
            own = folder_subject(path, base, name)
            reading.add(rows, parts_of(table, rows.frames, path, own, name, columns), path)
    for folder, tables in images.items():
        add_images(folder, tables, base, partial(_rows, min_confidence=min_confidence), reading)
    return recordings_to_cohort("openface", base, reading, [_NOTE])


def _clnf(path: Path, files: list[Path]) -> pd.DataFrame | None:
    """Landmarks of CLNF with the units beside them, or units alone; columns are called as of OpenFace."""
    twins = {other.name.casefold(): other for other in files if other.parent == path.parent}
    own = path.name.casefold()
    if own.endswith(_UNITS):
        return None if own.replace(_UNITS, _LANDMARKS) in twins else read_csv(path)
    table = read_csv(path)
    table.columns = [re.sub(r"^([xy])(\d+)$", r"\1_\2", name) for name in table.columns]
    beside = twins.get(own.replace(_LANDMARKS, _UNITS))
    if beside is None:
        return table
    units = read_csv(beside, required=["frame"])
    require(table, ["frame"], path)
    if list(units["frame"]) != list(table["frame"]):
        raise PainkitError(f"its frames are not those of {beside.name}", where=path, expected="the same rows")
    return pd.concat([table, units.drop(columns=[name for name in units if name in table])], axis=1)


def _rows(table: pd.DataFrame, path: Path, min_confidence: float) -> FeatureRows:
    with_landmarks = has_landmarks(table, path)
    intensities = [match for match in map(_INTENSITY.fullmatch, table.columns) if match]
    require(table, ("frame", "success", *(() if with_landmarks or intensities else POINTS)), path)
    frames = frame_numbers(table, path)
    tracked = flags(table, "success", path)
    if "confidence" in table:
        tracked &= ~(numbers(table, "confidence", path) < min_confidence)
    units = {int(match[1]): values_within(table, match[0], path, tracked, 5) for match in intensities}
    blink = values_within(table, "AU45_c", path, tracked, 1) if "AU45_c" in table else None
    if blink is None and 45 in units:
        blink = np.where(np.isnan(units[45]), np.nan, units[45] >= 1)
    empty = np.full(len(table), np.nan)
    units[43] = empty if blink is None else blink
    points, masked = points_66(table, path, tracked) if with_landmarks else (None, [])
    return FeatureRows(
        frames=frames,
        pspi=pspi({unit: units.get(int(unit[2:]), empty) for unit in PSPI_UNITS}),
        units=units,
        points=points,
        tracked=tracked,
        masked=masked,
    )

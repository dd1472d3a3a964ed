"""BioVid Heat Pain Database (Walter et al. 2013): index of part A, and of part D by a user's table."""

from __future__ import annotations

import os
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd

from painkit.data.cohort import Cohort, content_digest
from painkit.data.csv_table import read_csv, refuse
from painkit.data.tables import Finding, findings_table, frames_table, subjects_table, unreadable
from painkit.data.tree import existing_folder, undoubled
from painkit.data.video import announced_frames
from painkit.errors import PainkitError
from painkit.progress import reading
from painkit.simulation.marker import simulation_notes
from painkit.vocabulary.classes import STIMULI
from painkit.vocabulary.personal import AGES
from painkit.vocabulary.scales import SEQUENCE_LABELS

__all__ = ["NON_REACTIVE", "SAMPLE_NAME", "read_biovid"]

SAMPLE_NAME = re.compile(
    r"(?P<subject>\d{6}_(?P<sex>[mw])_(?P<age>\d{2}))-(?P<label>BL1|PA[1-4])-\d{3}", re.ASCII
)
#: Subjects often excluded because they show no reaction to the heat.
NON_REACTIVE = frozenset(
    {
        "082315_w_60",
        "082414_m_64",
        "082909_m_47",
        "083009_w_42",
        "083013_w_47",
        "083109_m_60",
        "083114_w_55",
        "091914_m_46",
        "092009_m_54",
        "092014_m_56",
        "092509_w_51",
        "092714_m_64",
        "100514_w_51",
        "100914_m_39",
        "101114_w_37",
        "101209_w_61",
        "101809_m_59",
        "101916_m_40",
        "111313_m_64",
        "120614_w_61",
    }
)
_COLUMNS = ("subject_id", "subject_name", "class_id", "class_name", "sample_id", "sample_name")
_HOLDS = "starting_point/samples.csv and video/ of BioVid part A"
_NOTE = "Videos are indexed, not decoded: `frames` is empty, n_frames is what the files' headers announce."


def read_biovid(
    root: str | os.PathLike[str],
    *,
    part: str = "A",
    table: str | os.PathLike[str] | None = None,
    progress: bool = True,
    jobs: int = 2,
) -> Cohort:
    """Index the videos of BioVid, opening each but decoding none.

    Parameters
    ----------
    root : path
        Folder of the part.
    part : str
        "A" (heat pain) or "D" (posed expressions).
    table : path, optional
        Index of the videos. Part A: ``starting_point/samples.csv`` (TAB separated) unless given. Part D has
        none of its own: a CSV file with the columns subject, class, path (of the video, relative to
        `root`); ``videos.csv`` in `root` unless given.
    progress : bool
        Show a progress bar when on a terminal.
    jobs : int
        Threads that open videos.

    Returns
    -------
    Cohort
        A row of `sequences` per video, with class, class_id (part A), video (path relative to `root`), and
        n_frames (missing where the video is, or where its header does not tell). `subjects` has gender,
        age_years, age (young to 35, middle-aged to 50, elderly) and non_reactive, from the name. `frames` is
        empty. A listed video that is not there, or that is no video, is a finding.

    Raises
    ------
    PainkitError
        When the index is missing or damaged, naming its line.
    """
    folder = existing_folder(root, _HOLDS if part == "A" else "the videos of BioVid part D")
    if part == "A":
        sequences = _part_a(folder, None if table is None else Path(table))
    elif part == "D":
        path = folder / "videos.csv" if table is None else Path(table)
        if not path.is_file():
            raise PainkitError(
                "part D needs a table of its videos",
                where=path,
                expected="a CSV file with the columns subject, class, path",
            )
        sequences = _part_d(path)
    else:
        raise PainkitError(f"BioVid part {part!r} is not read", expected="A or D")
    findings: list[Finding] = []
    lengths: list[int | None] = []
    paths = [folder / video for video in sequences["video"]]
    with ThreadPoolExecutor(jobs) as pool:
        found = reading(pool.map(_length, paths), len(paths), "videos", "video", progress)
        for subject, sequence, path, length in zip(
            sequences["subject"], sequences["sequence"], paths, found, strict=True
        ):
            lengths.append(length if isinstance(length, int) else None)
            if isinstance(length, PainkitError):
                findings.append(
                    unreadable(subject, sequence, None, str(path), length)
                    if os.path.exists(path)
                    else ("missing", subject, sequence, None, str(path), "the video is not there")
                )
    sequences["n_frames"] = pd.array(lengths, dtype="Int64")
    notes = simulation_notes(folder)
    subjects = _subjects(sequences["subject"])
    return Cohort(
        name="simulated" if notes else "biovid",
        root=folder,
        simulated=bool(notes),
        subjects=subjects,
        sequences=sequences,
        frames=frames_table([], np.nan),
        landmarks=np.empty((0, 66, 2), np.float32),
        findings=findings_table(findings),
        fingerprint=content_digest(part, subjects, sequences),
        notes=(*notes, _NOTE),
    )


def _length(path: Path) -> int | PainkitError | None:
    try:
        return announced_frames(path)
    except PainkitError as error:
        return error


def _part_a(folder: Path, table: Path | None) -> pd.DataFrame:
    base = undoubled(folder, "starting_point")
    path = table if table is not None else (base or folder / "starting_point") / "samples.csv"
    index = _listed(path, _COLUMNS, "\t")
    matches = [SAMPLE_NAME.fullmatch(str(name)) for name in index["sample_name"]]
    names = index["sample_name"]
    refuse(names, [match is None for match in matches], path, "a name such as 071309_w_21-PA4-024")
    refuse(names, names.duplicated(), path, "one that is not listed before")
    # A list of some classes may number just these anew, in their order; what a class is, its name says.
    listed = [label for label in STIMULI if (index["class_name"] == label).any()]
    renumbered = index["class_id"].max() == str(len(listed) - 1)
    numbers = {label: str(n) for n, label in enumerate(listed if renumbered else STIMULI)}
    for row, (match, subject, class_id, class_name) in enumerate(
        zip(matches, index["subject_name"], index["class_id"], index["class_name"], strict=True)
    ):
        assert match is not None
        # The path of the video, sex, age and class all rest on these four telling the same.
        told = (subject, class_name, class_id)
        if told != (match["subject"], match["label"], numbers.get(match["label"])):
            raise PainkitError(
                f"subject, class and class_id {told} do not fit the sample {match[0]}",
                where=path,
                line=row + 2,
            )
    video = undoubled(folder, "video") or folder / "video"
    inside = video.relative_to(folder).as_posix()
    classes = {"class": index["class_name"], "class_id": index["class_name"].map(STIMULI.index)}
    paths = inside + "/" + index["subject_name"] + "/" + index["sample_name"] + ".mp4"
    return _sequences(index["subject_name"], index["sample_name"], **classes, video=paths)


def _part_d(path: Path) -> pd.DataFrame:
    index = _listed(path, ("subject", "class", "path"))
    for column in ("subject", "class", "path"):
        refuse(index[column], index[column].isna(), path, "a value")
    refuse(index["path"], index["path"].duplicated(), path, "one that is not listed before")
    names = index["path"].str.replace(r"\.[^./\\]*$", "", regex=True)
    return _sequences(index["subject"], names, **{"class": index["class"]}, video=index["path"])


def _listed(path: Path, columns: tuple[str, ...], sep: str = ",") -> pd.DataFrame:
    index = read_csv(path, required=columns, sep=sep)
    if not len(index):
        raise PainkitError("lists no video", where=path, line=2, expected="a row for each video")
    return index


def _sequences(subject: pd.Series, sequence: pd.Series, **told: pd.Series) -> pd.DataFrame:
    labels = dict.fromkeys(SEQUENCE_LABELS, np.nan)
    table = pd.DataFrame({"subject": subject, "sequence": sequence, "n_frames": pd.NA, **labels, **told})
    return table.sort_values(["subject", "sequence"], ignore_index=True)


def _subjects(names: pd.Series) -> pd.DataFrame:
    """Sex and age stand in the name (071309_w_21); part D subjects may be called otherwise."""
    table = subjects_table(names)
    told = table["subject"].str.extract(r"^\d{6}_([mw])_(\d{2})$")
    years = pd.to_numeric(told[1])
    table["gender"] = told[0].map({"w": "female", "m": "male"}).astype("str")
    ages = pd.cut(years, [0, 35, 50, 200], labels=AGES)
    table["age"] = ages.astype("object").astype("str")
    table["age_years"] = years.astype("Float64").astype("Int64")
    table["non_reactive"] = table["subject"].isin(NON_REACTIVE)
    return table

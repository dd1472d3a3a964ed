"""Whom and which recording each row of a tool's table is about."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from painkit.data.csv_table import refuse, require
from painkit.data.images import IMAGE_ENDINGS
from painkit.data.tables import Finding
from painkit.errors import PainkitError

__all__ = ["Columns", "Part", "Parts", "digits_of", "folder_subject", "parts_of"]

# Columns that name the recording or the person, in any case and without _ and -.
_VIDEOS = {
    f"{what}{part}" for what in ("video", "clip", "file", "input") for part in ("", "name", "file", "path")
}
_VIDEOS |= {
    f"{what}{part}" for what in ("video", "clip", "recording", "session", "trial") for part in ("", "id")
}
_VIDEOS |= {"sequence", "sequenceid", "source"}
_SUBJECTS = {f"{what}{part}" for what in ("subject", "participant", "patient") for part in ("", "id", "name")}
_ADVICE = "one row a frame; a table of several recordings needs a column that names them (option video=...)"
_FACES = (
    "Files that show several faces have a sequence for each. The ids are the tracker's: whether two are one "
    "person only you know, so all of a file count as one subject unless a column 'subject' tells."
)
_RECORDINGS = (
    "Files that hold several recordings count as one subject each: whether they show one person only you "
    "know; a column 'subject' tells."
)


@dataclass(frozen=True)
class Columns:
    """Names of the columns that tell rows apart.

    Attributes
    ----------
    identity : str
        Of the faces within a frame, where the tool writes one.
    video, subject : str or None
        Given by the user; None: whichever of the usual names is there.
    """

    identity: str
    video: str | None = None
    subject: str | None = None


@dataclass(frozen=True)
class Part:
    """One sequence of a table: its name, its rows in the order of their frames, and the frames."""

    subject: str
    sequence: str
    rows: NDArray[np.intp]
    frames: NDArray[np.int64]


@dataclass(frozen=True)
class Parts:
    """Sequences of a table, what was odd, and what a reader of results must know."""

    parts: list[Part]
    findings: list[Finding]
    notes: set[str]


def folder_subject(path: Path, base: Path, name: str) -> str:
    """Path of the folder of a file (or of a folder of images) below `base`, or `name` where there is none."""
    folder = "." if path == base else path.parent.relative_to(base).as_posix()
    return name if folder == "." else folder


def parts_of(
    table: pd.DataFrame, frames: NDArray[np.int64], path: Path, subject: str, name: str, columns: Columns
) -> Parts:
    """Share the rows of a table out to sequences: one for each subject, recording and face.

    A recording is what a column such as ``video`` or ``input`` names. Images of one folder are a recording,
    and the numbers at the end of their names are its frames.

    Parameters
    ----------
    table : DataFrame
    frames : (n,) int
        Column ``frame``.
    path : Path
        The file, named in errors.
    subject, name : str
        What the subject and the sequence are called where no column tells.
    columns : Columns

    Raises
    ------
    PainkitError
        For a column that is not there; an empty cell where the subject stands; frames of one face that stand
        twice, or whose count starts again.
    """
    subjects = _subjects(table, path, columns.subject) or [subject] * len(table)
    names, images = _recordings(table, path, columns.video)
    faces = table[columns.identity] if columns.identity in table else pd.Series([None] * len(table))
    groups: dict[tuple[str, str], list[int]] = {}
    for row, key in enumerate(zip(subjects, names, strict=True)):
        groups.setdefault(key, []).append(row)
    parts: list[Part] = []
    findings: list[Finding] = []
    notes: set[str] = set()
    if len(set(names)) > 1 and not _matching(table, _SUBJECTS, columns.subject, path):
        notes.add(_RECORDINGS)
    for (own_subject, own_name), of_group in groups.items():
        rows = np.array(of_group)
        of_images = images.iloc[rows]
        numbers = frames[rows] if of_images.isna().any() else _image_numbers(list(of_images), frames[rows])
        own = faces.iloc[rows].reset_index(drop=True)
        ids = list(dict.fromkeys(own.dropna()))
        intervals = []
        for face in ids if len(ids) > 1 else [None]:
            # Rows without an identity show no face; where there is one person, they are frames of that one.
            of_face = np.arange(len(rows)) if face is None else np.flatnonzero(own == face)
            label = [] if face is None else [face if columns.identity == "Identity" else f"face_{face}"]
            chosen = _in_order(rows[of_face], numbers[of_face], path, sort=not of_images.isna().any())
            sequence = "/".join([name, *([own_name] if own_name else []), *label])
            parts.append(Part(own_subject, sequence, *chosen))
            intervals.append((int(chosen[1][0]), int(chosen[1][-1]), str(face)))
        if len(ids) > 1:
            findings += _lost_faces(intervals, columns.identity, own_subject, path)
            notes.add(_FACES)
            nobody = int(own.isna().sum())
            if nobody:
                message = f"rows without {columns.identity} were left out: {nobody} of {len(rows)}"
                findings.append(("unexpected", own_subject, None, None, str(path), message))
    return Parts(parts, findings, notes)


def _matching(table: pd.DataFrame, usual: Iterable[str], given: str | None, path: Path) -> list[str]:
    if given is not None:
        require(table, [given], path)
        return [given]
    return [name for name in table.columns if re.sub(r"[\s_-]", "", name).casefold() in usual]


def _subjects(table: pd.DataFrame, path: Path, given: str | None) -> list[str]:
    """Subject of each row; none where no column tells."""
    found = _matching(table, _SUBJECTS, given, path)
    for name in found:
        refuse(table[name], table[name].isna(), path, "a name")
    if found and len(table[found].drop_duplicates()) > table[found[0]].nunique():
        what = f"columns {' and '.join(found)} tell people apart differently"
        raise PainkitError(
            what, where=path, line=1, expected=f"option subject={found[0]!r} or another of them"
        )
    return list(table[found[0]]) if found else []


def _recordings(table: pd.DataFrame, path: Path, given: str | None) -> tuple[list[str], pd.Series[str]]:
    """Name of each row's recording ("" where there is but one), and the image that it is about, if any."""
    names = [""] * len(table)
    images = pd.Series([None] * len(table), dtype="str")
    for column in _matching(table, _VIDEOS, given, path):
        cells = table[column].fillna("")
        if cells.nunique() < 2:
            continue
        # Paths are of whichever system the tool ran on.
        pieces = [re.split(r"[/\\]", cell) for cell in cells]
        is_image = cells.str.casefold().str.endswith(IMAGE_ENDINGS)
        images = images.where(~is_image, cells)
        places = [
            "/".join(p[:-1]) if image else "/".join(p) for p, image in zip(pieces, is_image, strict=True)
        ]
        if len(set(places)) > 1:
            short = _short_names(places)
            own = [short[place] for place in places]
            names = [f"{name}/{more}" if name else more for name, more in zip(names, own, strict=True)]
    return names, images


def _short_names(places: Sequence[str]) -> dict[str, str]:
    """Last part of each path without its ending; whole paths where that would give two one name."""
    whole = list(dict.fromkeys(places))
    short = [re.sub(r"(?<=.)\.\w{1,5}$", "", place.rsplit("/", 1)[-1]) for place in whole]
    return dict(zip(whole, short if len(set(short)) == len(whole) and all(short) else whole, strict=True))


def _image_numbers(images: list[str], frames: NDArray[np.int64]) -> NDArray[np.int64]:
    """Frame of each image of one folder: as named, else as the tool counted, else its place by name."""
    named = digits_of(images)
    if named is not None:
        return np.array(named, np.int64)
    order = {image: place for place, image in enumerate(sorted(set(images)))}
    counts = frames.tolist()
    if len(set(zip(images, counts, strict=True))) == len(order) == len(set(counts)):
        return frames
    return np.array([order[image] for image in images], np.int64)


def digits_of(images: Sequence[str]) -> list[int] | None:
    """Numbers at the end of the names of images of one folder; None unless all have one."""
    numbers = []
    for image in images:
        *above, name = re.split(r"[/\\]", image)
        stem = name.rsplit(".", 1)[0]
        if above and above[-1] and stem.startswith(above[-1]):
            stem = stem[len(above[-1]) :]  # sequence ll042t1 has frames ll042t1001, ll042t1002, ...
        match = re.search(r"\d{1,9}$", stem, re.ASCII)
        if match is None:
            return None
        numbers.append(int(match[0]))
    return numbers


def _in_order(
    rows: NDArray[np.intp], frames: NDArray[np.int64], path: Path, *, sort: bool
) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
    """Rows and frames in the order of the frames; `PainkitError` for frames that no one recording has."""
    order = np.argsort(frames, kind="stable")
    repeated = np.flatnonzero(np.diff(frames[order]) == 0)
    if len(repeated):
        first, again = rows[order[repeated[0]]], rows[order[repeated[0] + 1]]
        what = f"frame {frames[order[repeated[0]]]} stands a second time, first in line {first + 2}"
        raise PainkitError(what, where=path, line=int(again) + 2, expected=_ADVICE)
    back = np.flatnonzero(np.diff(frames) < 0)
    if len(back) and not sort:
        what = f"frame {frames[back[0] + 1]} follows frame {frames[back[0]]}: the count starts again"
        raise PainkitError(what, where=path, line=int(rows[back[0] + 1]) + 2, expected=_ADVICE)
    return rows[order], frames[order]


def _lost_faces(
    intervals: list[tuple[int, int, str]], identity: str, subject: str, path: Path
) -> list[Finding]:
    """Tell of faces that begin after another has ended: it may be the same one, found again."""
    findings: list[Finding] = []
    for first, _, face in intervals:
        before = [(last, other) for _, last, other in intervals if last < first]
        if before:
            last, other = max(before)
            message = (
                f"{identity} {face} begins with frame {first}, {identity} {other} ended with frame {last}: "
                "the tracker may have lost one person and found them again; they are two sequences"
            )
            findings.append(("identity", subject, None, None, str(path), message))
    return findings

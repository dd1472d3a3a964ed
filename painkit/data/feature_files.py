"""What OpenFace and py-feat files have in common: CSV tables with a row per frame and 68 points."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from painkit.data.cohort import Cohort, content_digest
from painkit.data.csv_table import refuse
from painkit.data.tables import Finding, findings_table, frames_table, subjects_table
from painkit.data.tree import is_junk
from painkit.errors import PainkitError
from painkit.vocabulary.landmarks import FROM_68
from painkit.vocabulary.scales import SEQUENCE_LABELS

__all__ = [
    "POINTS",
    "Recording",
    "csv_files",
    "frame_numbers",
    "numbers",
    "points_66",
    "recordings_to_cohort",
    "subjects_of",
]

#: Columns of the 68 landmarks, in pixels.
POINTS = tuple(f"{axis}_{k}" for axis in "xy" for k in range(68))
_NESTED = "where several show one person, a column 'subject' in the files must say so, or folds share people."


@dataclass
class Recording:
    """One sequence as a tool's file tells it; rows need not be sorted yet."""

    subject: str
    sequence: str
    path: Path
    frames: NDArray[np.int64]
    pspi: NDArray[np.float64]
    units: dict[int, NDArray[np.float64]]
    points: NDArray[np.float32]  # (n, 66, 2)
    tracked: NDArray[np.bool_]
    confidence: NDArray[np.float64]
    findings: list[Finding] = field(default_factory=list)

    def take(self, rows: NDArray[np.intp]) -> Recording:
        """Keep some rows, in this order."""
        return replace(
            self,
            frames=self.frames[rows],
            pspi=self.pspi[rows],
            units={unit: values[rows] for unit, values in self.units.items()},
            points=self.points[rows],
            tracked=self.tracked[rows],
            confidence=self.confidence[rows],
            findings=[*self.findings],
        )


def csv_files(root: str | os.PathLike[str] | None, tool: str) -> list[Path]:
    """List a CSV file itself, or all CSV files below a folder."""
    expected = f"a CSV file of {tool} or a folder of them"
    if root is None:
        raise PainkitError("no file or folder was given", expected=expected)
    path = Path(root)
    try:
        if path.is_file():
            return [path]
        if not path.is_dir():
            raise PainkitError("does not exist", where=path, expected=expected)
        inside = sorted(path.rglob("*.csv"))
        files = [p for p in inside if p.is_file() and not any(is_junk(n) for n in p.relative_to(path).parts)]
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise PainkitError(f"could not be opened: {reason}", where=root, expected=expected) from error
    if not files:
        raise PainkitError("the folder holds no CSV file", where=path, expected=expected)
    return files


def subjects_of(table: pd.DataFrame, path: Path, base: Path) -> Iterator[tuple[str, NDArray[np.intp]]]:
    """Tell the subjects of a file and the rows of each.

    A column ``subject`` tells them. Without it, all rows are of one: the path of the file's folder below
    `base`, or the file's name where there is none.

    Raises
    ------
    PainkitError
        When the column has an empty cell, naming its line.
    """
    if "subject" in table:
        refuse(table["subject"], table["subject"].isna(), path, "a name")
        for subject in table["subject"].unique():
            yield str(subject), np.flatnonzero(table["subject"] == subject)
        return
    folder = "." if path == base else path.parent.relative_to(base).as_posix()
    yield path.stem if folder == "." else folder, np.arange(len(table))


def frame_numbers(table: pd.DataFrame, path: Path) -> NDArray[np.int64]:
    """Give the column ``frame`` as whole numbers, as they stand in the file.

    Raises
    ------
    PainkitError
        When there is no row, or a number that is none.
    """
    frames = numbers(table, "frame", path)
    if not len(frames):
        raise PainkitError("has no row", where=path, line=2, expected="a row for each frame")
    wrong = ~((frames >= 0) & (frames == np.floor(frames)) & (frames < 2**53))
    refuse(table["frame"], wrong, path, "a whole number")
    return frames.astype(np.int64)


def numbers(table: pd.DataFrame, column: str, path: Path) -> NDArray[np.float64]:
    """Give one text column as numbers; what tools write for "not a number" (``-nan(ind)``) becomes NaN.

    Raises
    ------
    PainkitError
        For a cell that is neither, naming its line.
    """
    cells = table[column]
    values = pd.to_numeric(cells, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    unknown = np.isnan(values)
    if unknown.any():
        known = cells.str.contains(r"^[+-]?(?:nan|inf)", case=False, na=True).to_numpy(dtype=bool)
        refuse(cells, unknown & ~known, path, "a number")
    return np.where(np.isfinite(values), values, np.nan)


def points_66(table: pd.DataFrame, path: Path) -> NDArray[np.float32]:
    """Columns x_0 ... x_67, y_0 ... y_67 (pixels) as (n, 66, 2): without the inner mouth corners."""
    axes = [np.stack([numbers(table, f"{axis}_{k}", path) for k in FROM_68], axis=1) for axis in "xy"]
    return np.stack(axes, axis=2).astype(np.float32)


def one_face_a_frame(recording: Recording) -> Recording:
    """Sort by frame and keep, of several faces in a frame, the one detected most surely."""
    worst = np.nan_to_num(recording.confidence, nan=-np.inf)
    order = np.lexsort((-worst, ~recording.tracked, recording.frames))
    frames = recording.frames[order]
    first = np.append(True, frames[1:] != frames[:-1]) if len(frames) else np.zeros(0, bool)
    keep = order[first]
    left_out = len(order) - len(keep)
    if left_out:
        message = f"{left_out} further faces in frames with several; the one detected most surely was kept"
        recording.findings.append(
            ("duplicate", recording.subject, recording.sequence, None, str(recording.path), message)
        )
    return recording.take(keep)


def recordings_to_cohort(
    name: str,
    root: Path,
    recordings: Iterable[Recording],
    notes: Iterable[str],
) -> Cohort:
    """Put the recordings of a tool together.

    Landmarks of frames whose tracking failed are masked and counted, a finding for each recording. Subjects
    that are folders in folders are told in a note: whether ``p1/s1`` and ``p1/s2`` show one person or two,
    only the user knows.
    """
    parts = sorted(map(one_face_a_frame, recordings), key=lambda part: (part.subject, part.sequence))
    seen: dict[tuple[str, str], Path] = {}
    findings: list[Finding] = []
    for part in parts:
        key = (part.subject, part.sequence)
        if key in seen:
            raise PainkitError(
                f"two recordings are called {part.subject}/{part.sequence}",
                where=part.path,
                expected=f"another name than in {seen[key]}",
            )
        seen[key] = part.path
        findings += part.findings
        part.tracked &= ~np.isnan(part.points).any(axis=(1, 2))
        part.points[~part.tracked] = np.nan
        failed = int((~part.tracked).sum())
        if failed:
            message = f"tracking failed in {failed} of {len(part.tracked)} frames; their landmarks are masked"
            findings.append(("not_tracked", *key, None, str(part.path), message))
    frames = frames_table(parts, np.nan)
    frames["tracked"] = np.concatenate([part.tracked for part in parts])
    landmarks = np.concatenate([part.points for part in parts])
    subjects = subjects_table(part.subject for part in parts)
    nested = subjects["subject"][subjects["subject"].str.contains("/")].tolist()
    if nested:
        notes = [*notes, f"{len(nested)} subjects are folders in folders, such as {nested[0]!r}; {_NESTED}"]
    sequences = pd.DataFrame(
        {
            "subject": pd.Series([part.subject for part in parts], dtype="str"),
            "sequence": pd.Series([part.sequence for part in parts], dtype="str"),
            "n_frames": [len(part.frames) for part in parts],
            **dict.fromkeys(SEQUENCE_LABELS, np.nan),
        }
    )
    return Cohort(
        name=name,
        root=root,
        simulated=False,
        subjects=subjects,
        sequences=sequences,
        frames=frames,
        landmarks=landmarks,
        findings=findings_table(findings),
        fingerprint=content_digest(subjects, sequences, frames, landmarks),
        notes=tuple(notes),
    )

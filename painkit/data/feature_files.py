"""What OpenFace and py-feat have in common: tables with a row per frame, one of them or a folder."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from painkit.data.cohort import Cohort, content_digest
from painkit.data.feature_parts import Parts
from painkit.data.tables import Finding, findings_table, frames_table, subjects_table
from painkit.data.tree import list_files, refuse_unprintable, why_no_file
from painkit.errors import PainkitError
from painkit.files import ends_in_line
from painkit.vocabulary.landmarks import N_LANDMARKS
from painkit.vocabulary.scales import SEQUENCE_LABELS

__all__ = ["FeatureRows", "Reading", "recordings_to_cohort", "table_files"]

_NESTED = "where several show one person, a column 'subject' in the files must say so, or folds share people."


@dataclass
class FeatureRows:
    """All rows of a table; `points` is None without landmarks, `masked` tells rows that lost them and why."""

    frames: NDArray[np.int64]
    pspi: NDArray[np.float64]
    units: dict[int, NDArray[np.float64]]
    points: NDArray[np.float32] | None  # (n, 66, 2)
    tracked: NDArray[np.bool_]
    masked: list[tuple[int, str]] = field(default_factory=list)


@dataclass(kw_only=True)
class Recording(FeatureRows):
    """One sequence, sorted by frame."""

    subject: str
    sequence: str
    path: Path


@dataclass
class Reading:
    """What the files gave so far."""

    recordings: list[Recording] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    notes: set[str] = field(default_factory=set)
    errors: list[PainkitError] = field(default_factory=list)

    def add(self, rows: FeatureRows, parts: Parts, path: Path, images: Sequence[Path] = ()) -> None:
        """Add the sequences of a table, or of tables that hold one row each (`images`)."""
        self.findings += parts.findings
        for row, reason in rows.masked:
            where, line = (images[row], 2) if images else (path, row + 2)
            message = f"line {line}: {reason}; the landmarks are masked"
            self.findings.append(("unreadable", None, None, None, str(where), message))
        if path.is_file() and not ends_in_line(path):
            message = "the file ends within a line: the last number of its last row may have lost digits"
            self.findings.append(("unended", None, None, None, str(path), message))
        self.notes |= parts.notes
        for part in parts.parts:
            points, tracked = None, np.zeros(len(part.rows), bool)
            if rows.points is not None:
                points = rows.points[part.rows]
                tracked = rows.tracked[part.rows] & ~np.isnan(points).any(axis=(1, 2))
                points[~tracked] = np.nan
            units = {unit: values[part.rows] for unit, values in rows.units.items()}
            own = (part.frames, rows.pspi[part.rows], units, points, tracked)
            self.recordings.append(Recording(*own, subject=part.subject, sequence=part.sequence, path=path))

    @contextmanager
    def file(self, path: Path) -> Iterator[None]:
        """Leave a file out, with a finding, when the block raises `PainkitError`."""
        try:
            yield
        except PainkitError as error:
            self.leave_out(path, error)

    def leave_out(self, path: Path, error: PainkitError) -> None:
        """Note a file that is no table of the tool, or damaged."""
        self.errors.append(error)
        line = "" if error.line is None else f"line {error.line}: "
        expected = "" if error.expected is None else f" (expected {error.expected})"
        # A header of another kind: a table of something else.
        kind = "unexpected" if error.line == 1 else "unreadable"
        message = f"the file was left out: {line}{error.what}{expected}"
        self.findings.append((kind, None, None, None, str(path), message))


def table_files(
    root: str | os.PathLike[str] | None, tool: str, endings: tuple[str, ...], findings: list[Finding]
) -> list[Path]:
    """List a file itself, or all files below a folder whose names end so, in any case.

    Raises
    ------
    PainkitError
        When there is none.
    """
    expected = f"a CSV file of {tool} or a folder of them"
    if root is None:
        raise PainkitError("no file or folder was given", expected=expected)
    path = Path(root)
    refuse_unprintable(path)
    try:
        if path.is_file():
            return [path]
        if not path.is_dir():
            if path.exists():
                raise why_no_file(path)
            raise PainkitError("does not exist", where=path, expected=expected)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise PainkitError(f"could not be opened: {reason}", where=root, expected=expected) from error
    odd: list[tuple[str, str]] = []
    listing = list_files(path, odd)
    findings += [("unexpected", None, None, None, place, why) for place, why in odd]
    files = [
        path / place / name
        for place, entries in listing.items()
        for name, _, _ in entries
        if name.casefold().endswith(endings)
    ]
    if not files:
        raise PainkitError("the folder holds no CSV file", where=path, expected=expected)
    return sorted(files)


def recordings_to_cohort(
    name: str, root: Path, reading: Reading, notes: Iterable[str], *, units: str = "intensity"
) -> Cohort:
    """Put the recordings of a tool together.

    Frames whose tracking failed are counted, a finding for each recording. Subjects that are folders in
    folders are told in a note: whether ``p1/s1`` and ``p1/s2`` show one person or two, only the user knows.

    Raises
    ------
    PainkitError
        When no file gave any recording, or two recordings have one name.
    """
    if not reading.recordings:
        first, *more = reading.errors
        others = f"; nor could any of {len(more)} other files be read" if more else ""
        raise PainkitError(
            f"{first.what}{others}", where=first.where, line=first.line, expected=first.expected
        )
    parts = sorted(reading.recordings, key=lambda part: (part.subject, part.sequence))
    seen: dict[tuple[str, str], Path] = {}
    findings = [*reading.findings]
    for part in parts:
        key = (part.subject, part.sequence)
        if key in seen:
            raise PainkitError(
                f"two recordings are called {part.subject}/{part.sequence}",
                where=part.path,
                expected=f"another name than in {seen[key]}",
            )
        seen[key] = part.path
        failed = int((~part.tracked).sum())
        if part.points is None:
            message = "the file has no landmarks, only action units: no frame counts as tracked"
            findings.append(("missing", *key, None, str(part.path), message))
        elif failed:
            message = f"tracking failed in {failed} of {len(part.tracked)} frames; their landmarks are masked"
            findings.append(("not_tracked", *key, None, str(part.path), message))
    frames = frames_table(parts, np.nan)
    frames["tracked"] = np.concatenate([part.tracked for part in parts])
    none = np.full((len(frames), N_LANDMARKS, 2), np.nan, np.float32)
    landmarks = np.concatenate([none[: len(p.frames)] if p.points is None else p.points for p in parts])
    subjects = subjects_table(part.subject for part in parts)
    notes = [*notes, *sorted(reading.notes)]
    nested = subjects["subject"][subjects["subject"].str.contains("/")].tolist()
    if nested:
        notes.append(f"{len(nested)} subjects are folders in folders, such as {nested[0]!r}; {_NESTED}")
    if reading.errors:
        notes.append(f"Files left out, as the findings say: {len(reading.errors)}.")
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
        units=units,
    )

"""Columns every cohort has, and how readers collect findings."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from painkit.errors import PainkitError
from painkit.vocabulary.action_units import ACTION_UNITS

__all__ = [
    "FINDING_COLUMNS",
    "Finding",
    "FramesOfSequence",
    "condensed",
    "findings_table",
    "frames_table",
    "subjects_table",
    "unreadable",
]

FINDING_COLUMNS = ("kind", "subject", "sequence", "frame", "path", "message")

# Findings that are told one by one; more of one kind have one cause and are told once, with their count.
_MANY = 100
# Words with a number in them, and paths.
_VARIES = re.compile(r"\S*(?:\d|/)\S*")

#: kind, subject, sequence, frame (None: not about one frame), path, message
Finding = tuple[str, str | None, str | None, int | None, str | None, str]


def unreadable(
    subject: str | None, sequence: str | None, frame: int | None, path: str, error: PainkitError
) -> Finding:
    """Turn the error of one file into a finding; the path stands in its own column."""
    line = "" if error.line is None else f"line {error.line}: "
    expected = "" if error.expected is None else f" (expected {error.expected})"
    return ("unreadable", subject, sequence, frame, path, f"{line}{error.what}{expected}")


def condensed(findings: Iterable[Finding]) -> list[Finding]:
    """Tell more than `_MANY` findings of one kind, alike but for numbers and names, as one with a count.

    It stands where the first stood, with the first's path; a subject and a sequence only where all agree.
    """
    every = list(findings)
    keys = [(finding[0], _VARIES.sub("#", finding[5])) for finding in every]
    groups: dict[tuple[str, str], list[Finding]] = {}
    for key, finding in zip(keys, every, strict=True):
        groups.setdefault(key, []).append(finding)
    told: list[Finding] = []
    for key, finding in zip(keys, every, strict=True):
        group = groups[key]
        if len(group) <= _MANY:
            told.append(finding)
        elif finding is group[0]:
            told.append(_together(group))
    return told


def _together(group: list[Finding]) -> Finding:
    kind, subject, sequence, _, path, message = group[0]
    n_sequences = len({finding[1:3] for finding in group})
    among = f" in {n_sequences:,} sequences" if n_sequences > 1 else ""
    return (
        kind,
        subject if len({finding[1] for finding in group}) == 1 else None,
        sequence if n_sequences == 1 else None,
        None,
        path,
        f"{message} (the first of {len(group):,} alike{among})",
    )


def findings_table(findings: Iterable[Finding]) -> pd.DataFrame:
    """Turn findings into the table a cohort carries, those alike together (see `condensed`)."""
    rows = condensed(findings)
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


class FramesOfSequence(Protocol):
    """One sequence, as a reader has read it."""

    subject: str
    sequence: str
    frames: NDArray[np.int64]
    pspi: NDArray[np.float64]
    units: dict[int, NDArray[np.float64]]


def frames_table(parts: Sequence[FramesOfSequence], absent: float) -> pd.DataFrame:
    """Put the frames of sequences together: none black, none tracked, none with an image as yet.

    Parameters
    ----------
    parts : sequence
        Of no sequence: the frame table of a data set whose frames are not on disk as files (videos).
    absent : float
        Intensity of a unit that a sequence does not tell.
    """
    lengths = [len(part.frames) for part in parts]
    columns: dict[str, Any] = {
        "subject": pd.Series(np.repeat([part.subject for part in parts], lengths), dtype="str"),
        "sequence": pd.Series(np.repeat([part.sequence for part in parts], lengths), dtype="str"),
        "frame": np.concatenate([np.empty(0, np.int64), *(part.frames for part in parts)]),
        "pspi": np.concatenate([np.empty(0), *(part.pspi for part in parts)]),
    }
    for unit in sorted(set(ACTION_UNITS).union(*(part.units for part in parts))):
        told = (part.units.get(unit, np.full(len(part.frames), absent)) for part in parts)
        columns[f"AU{unit}"] = np.concatenate([np.empty(0), *told])
    columns |= dict.fromkeys(("tracked", "black"), np.zeros(sum(lengths), dtype=bool))
    columns["image"] = pd.Series([None] * sum(lengths), dtype="str")
    return pd.DataFrame(columns)

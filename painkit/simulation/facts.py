"""The summary counts that a simulated cohort meets exactly."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Facts", "SubjectFacts", "facts"]


@dataclass(frozen=True)
class SubjectFacts:
    """Counts of one subject; black frames are not among them.

    Parameters
    ----------
    subject : str
        Folder name, as ``042-ll042``.
    sequences : dict of str to int
        Frames in every sequence.
    level_counts : tuple of int
        Frames at the levels 0 to 5 (PSPI 0, 1, 2, 3, 4-5, 6+).
    all_zero_sequences : int
        Sequences whose frames are all at level 0.
    """

    subject: str
    sequences: dict[str, int]
    level_counts: tuple[int, ...]
    all_zero_sequences: int


@dataclass(frozen=True)
class Facts:
    """Counts of a cohort.

    Parameters
    ----------
    subjects : tuple of SubjectFacts
        Sorted by subject, their sequences by name.
    black : dict of str to int
        Black frames at the start of a sequence, beyond the lengths that `subjects` give.
    pspi_histogram : ndarray, shape (16,)
        Frames at PSPI 0 to 15, black ones included at 0.
    vas_histogram : ndarray, shape (11,)
        Sequences at VAS 0 to 10.
    opi_histogram : ndarray, shape (6,)
        Sequences at OPI 0 to 5.
    """

    subjects: tuple[SubjectFacts, ...]
    black: dict[str, int]
    pspi_histogram: NDArray[np.int64]
    vas_histogram: NDArray[np.int64]
    opi_histogram: NDArray[np.int64]


@cache
def facts(profile: str) -> Facts:
    """Counts for a profile: those of UNBC-McMaster for ``demo`` and ``full``, a few frames for ``smoke``."""
    name = "smoke_facts.json" if profile == "smoke" else "unbc_facts.json"
    raw: dict[str, Any] = json.loads(files(__package__).joinpath(name).read_text("utf-8"))
    subjects = (
        SubjectFacts(
            subject, dict(sorted(s["sequences"].items())), tuple(s["level_counts"]), s["all_zero_sequences"]
        )
        for subject, s in sorted(raw["subjects"].items())
    )
    histograms = {key: np.asarray(value) for key, value in raw.items() if key.endswith("_histogram")}
    return Facts(tuple(subjects), raw["black"], **histograms)

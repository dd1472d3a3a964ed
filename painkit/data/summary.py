"""What a cohort holds, as text and as a notebook page."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

import pandas as pd

from painkit.vocabulary.scales import SCALES, SEQUENCE_LABELS

if TYPE_CHECKING:
    from painkit.data.cohort import Cohort

__all__ = ["CohortSummary", "cohort_sentences", "findings_by_kind", "summarize"]


@dataclass(frozen=True)
class CohortSummary:
    """Title, counted facts and notes of a cohort; prints as text, shows as HTML.

    Attributes
    ----------
    title : str
    facts : dict
        What is counted to what was found.
    notes : tuple of str
    """

    title: str
    facts: dict[str, str]
    notes: tuple[str, ...]

    def __str__(self) -> str:
        width = max(map(len, self.facts), default=0)
        lines = [self.title, *(f"  {name:<{width}}  {value}" for name, value in self.facts.items())]
        return "\n".join([*lines, *(f"  Note: {note}" for note in self.notes)])

    def _repr_html_(self) -> str:
        rows = "".join(
            f'<tr><th scope="row" style="text-align:left">{escape(name)}</th>'
            f'<td style="text-align:left">{escape(value)}</td></tr>'
            for name, value in self.facts.items()
        )
        notes = "".join(f"<li>{escape(note)}</li>" for note in self.notes)
        return (
            f"<div><p><strong>{escape(self.title)}</strong></p>"
            f"<table><caption>What the cohort holds</caption>{rows}</table>"
            f"{f'<ul>{notes}</ul>' if notes else ''}</div>"
        )


def summarize(cohort: Cohort) -> CohortSummary:
    """Count what a cohort holds; see `Cohort.summary`."""
    frames, sequences, subjects = cohort.frames, cohort.sequences, cohort.subjects
    title = f"Cohort {cohort.name} read from {cohort.root}"
    if cohort.simulated:
        title = f"SIMULATED cohort (no real person) read from {cohort.root}"
    facts = {"Subjects": _with_counts(subjects, "gender"), "Sequences": f"{len(sequences):,}"}
    n = len(frames)
    if n:
        black, lost = int(frames["black"].sum()), int((~frames["tracked"]).sum())
        facts["Frames"] = f"{n:,} ({black:,} black)"
        facts["Landmarks"] = f"{n - lost:,} frames tracked, {lost:,} not (NaN)"
        facts["Images"] = f"{int(frames['image'].notna().sum()):,} of {n:,} frames"
        coded = frames["pspi"].dropna()
        facts[_scale("pspi")] = (
            f"{len(coded):,} frames labelled, mean {coded.mean():.3f}, {100 * (coded == 0).mean():.1f} % zero"
            if len(coded)
            else "no frame labelled"
        )
    else:
        facts["Frames"] = "not on disk as single files"
    for column in SEQUENCE_LABELS:
        known = sequences[column].dropna()
        if len(known):
            facts[_scale(column)] = (
                f"{len(known):,} of {len(sequences):,} sequences labelled, mean {known.mean():.3f}"
            )
    kinds = cohort.findings["kind"].value_counts()
    facts["Findings"] = ", ".join(f"{count:,} {kind}" for kind, count in kinds.items()) or "none"
    facts["Fingerprint"] = cohort.fingerprint
    return CohortSummary(title, facts, cohort.notes)


def findings_by_kind(cohort: Cohort) -> pd.DataFrame:
    """Count the findings of each kind: kind, findings, example."""
    groups = cohort.findings.groupby("kind")["message"]
    return groups.agg(findings="size", example="first").reset_index()


def cohort_sentences(cohort: Cohort) -> list[str]:
    """Say what there is of people, recordings, tracked faces and pain; and what its reader must know.

    Parameters
    ----------
    cohort : Cohort
        With frames.
    """
    frames, n = cohort.frames, len(cohort.frames)
    holds = ", ".join(
        f"{count:,} {thing}{'' if count == 1 else 's'}"
        for count, thing in (
            (len(cohort.subjects), "subject"),
            (len(cohort.sequences), "sequence"),
            (n, "frame"),
        )
    )
    told = [f"{holds}: landmarks of {100 * frames['tracked'].mean():.1f} % of the frames."]
    coded = frames["pspi"].dropna()
    if len(coded):
        peak = frames.iloc[int(frames["pspi"].argmax())]
        told.append(
            f"{_scale('pspi')}: mean {coded.mean():.2f}, 0 in {100 * (coded == 0).mean():.1f} % of "
            f"{len(coded):,} frames; the highest, {round(peak['pspi'], 2):g}, is of {peak['subject']}, "
            f"{peak['sequence']}, frame {peak['frame']}."
        )
    return told if cohort.simulated else [*told, *cohort.notes]


def _scale(label: str) -> str:
    return f"{label.upper()}, {SCALES[label].low}-{SCALES[label].high}"


def _with_counts(table: pd.DataFrame, column: str) -> str:
    counts = table[column].value_counts().sort_index()
    known = ", ".join(f"{count} {value}" for value, count in counts.items())
    return f"{len(table):,}{f' ({known})' if known else ''}"

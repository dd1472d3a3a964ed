"""What a table of folds leaks, before any model is trained."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from rich.console import RenderableType
from rich.markup import escape
from rich.table import Table

from painkit.errors import PainkitError
from painkit.evaluation.fold_table import FoldTable, read_folds
from painkit.evaluation.near_copies import near_in_time
from painkit.printed import Printed

__all__ = ["FoldReport", "audit_folds"]

_SHOWN = 40  # so many folds are printed


@dataclass(frozen=True, eq=False)
class FoldReport(Printed):
    """What an audit of folds found; prints itself with rich.

    Attributes
    ----------
    file : str
    about : str
        Counts, and how the folds are understood.
    leaks : DataFrame
        kind, folds (in how many), test_rows (how many), example: what training shares with test, from the
        least to the worst. All kinds are listed, those that were not found with 0.
    folds : DataFrame
        fold, train, validation, test (rows), test_subjects, test_sequences, and the test rows of each kind.
    notes : tuple of str
        What is no leak but should be known.
    """

    file: str
    about: str
    leaks: pd.DataFrame
    folds: pd.DataFrame
    notes: tuple[str, ...]

    @property
    def leaky(self) -> bool:
        """Whether training shares anything with test."""
        return bool((self.leaks["test_rows"] > 0).any())

    @property
    def verdict(self) -> str:
        """What was found, in a sentence or two."""
        if not self.leaky:
            return "No leak found: in no fold does training share a subject, a sequence or a frame with test."
        worst = self.leaks[self.leaks["test_rows"] > 0].iloc[-1]
        return (
            f"These folds leak: {worst['kind']} in {worst['folds']} of {len(self.folds)} folds "
            f"({worst['test_rows']:,} of {int(self.folds['test'].sum()):,} test rows). Scores from them say "
            "nothing about people the model has not seen; let each subject be in one fold alone."
        )

    def to_json(self) -> str:
        """The report for machines: file, leaky, verdict, about, notes, leaks, folds."""
        return json.dumps(
            {
                "file": self.file,
                "leaky": self.leaky,
                "verdict": self.verdict,
                "about": self.about,
                "notes": list(self.notes),
                "leaks": json.loads(self.leaks.to_json(orient="records")),
                "folds": json.loads(self.folds.to_json(orient="records")),
            },
            indent=1,
        )

    def _renderables(self) -> Iterator[RenderableType]:
        word = "[bold red]LEAKS[/]" if self.leaky else "[bold green]no leak[/]"
        yield f"[bold]{escape(self.file)}[/]: {word}"
        yield escape(self.about)
        leaks = Table()
        leaks.add_column("shared by training and test")
        leaks.add_column("folds", justify="right")
        leaks.add_column("test rows", justify="right")
        leaks.add_column("the first of them", overflow="fold")
        for kind, folds, rows, example in self.leaks.itertuples(index=False):
            leaks.add_row(
                escape(kind), f"{folds:,}", f"{rows:,}", escape(example), style="red" if rows else None
            )
        yield leaks
        yield self._fold_table()
        if len(self.folds) > _SHOWN:
            yield f"and {len(self.folds) - _SHOWN} folds more"
        yield from (escape(note) for note in self.notes)
        yield f"[bold]{escape(self.verdict)}[/]"

    def _fold_table(self) -> Table:
        nothing = {kind for kind, _, rows, _ in self.leaks.itertuples(index=False) if not rows}
        if not self.folds["validation"].any():
            nothing.add("validation")
        shown = [str(name) for name in self.folds if name not in nothing]
        table = Table()
        table.add_column("fold", overflow="fold")
        for name in shown[1:]:
            table.add_column(name.replace("_", " "), justify="right")
        for values in self.folds[shown].head(_SHOWN).itertuples(index=False):
            table.add_row(escape(str(values[0])), *(f"{n:,}" for n in values[1:]))
        return table


def audit_folds(path: Path, *, near: int = 5) -> FoldReport:
    """Find what a table of folds leaks.

    Parameters
    ----------
    path : Path
        See `painkit.evaluation.fold_table.read_folds`.
    near : int
        A test frame with a training frame of its own sequence at most so many frames away is told.

    Raises
    ------
    PainkitError
        When the file is no table of folds, or `near` is no number of frames.
    """
    if near < 1:
        raise PainkitError(f"near is {near}", expected="1 frame or more")
    table = read_folds(path)
    rows = table.rows
    kinds = _kinds(table, near)
    leaks = [
        {
            "kind": kind,
            "folds": sum(bool(mask.any()) for mask in masks),
            "test_rows": sum(int(mask.sum()) for mask in masks),
            "example": _example(table, masks),
        }
        for kind, masks in kinds.items()
    ]
    folds = [
        {
            "fold": part.fold,
            "train": len(part.train),
            "validation": len(part.validation),
            "test": len(part.test),
            "test_subjects": rows["subject"].iloc[part.test].nunique(),
            "test_sequences": rows.iloc[part.test].groupby(["subject", "sequence"]).ngroups,
            **{kind: int(masks[i].sum()) for kind, masks in kinds.items()},
        }
        for i, part in enumerate(table.parts)
    ]
    understood = "as its column says" if table.stated else "each tested by a model trained on the others"
    about = (
        f"{len(rows):,} rows, {rows['subject'].nunique():,} subjects, "
        f"{rows.groupby(['subject', 'sequence']).ngroups:,} sequences, {len(folds):,} folds, {understood}"
    )
    return FoldReport(str(path), about, pd.DataFrame(leaks), pd.DataFrame(folds), tuple(_notes(table)))


def _kinds(table: FoldTable, near: int) -> dict[str, list[NDArray[np.bool_]]]:
    """Which test rows of each fold share what with what the fold has seen, from the least to the worst."""
    rows = table.rows
    subject = rows.groupby("subject", sort=False).ngroup().to_numpy()
    sequence = rows.groupby(["subject", "sequence"], sort=False).ngroup().to_numpy()
    copy = rows["copy"].to_numpy()
    found: dict[str, list[NDArray[np.bool_]]] = {"subjects": [], "sequences": []}
    if not table.whole_sequences:
        found |= {f"frames at most {near} apart": [], "copies of frames": [], "frames": []}
    for part in table.parts:
        seen, test = part.seen, part.test
        found["subjects"].append(np.isin(subject[test], subject[seen]))
        found["sequences"].append(np.isin(sequence[test], sequence[seen]))
        if table.whole_sequences:
            continue
        found[f"frames at most {near} apart"].append(near_in_time(rows, seen, test, near))
        same, own = near_in_time(rows, seen[~copy[seen]], test, 0), copy[test]
        of_copies = near_in_time(rows, seen[copy[seen]], test, 0)
        found["copies of frames"].append(of_copies | (own & same))
        found["frames"].append(same & ~own)
    return found


def _example(table: FoldTable, masks: list[NDArray[np.bool_]]) -> str:
    for part, mask in zip(table.parts, masks, strict=True):
        if mask.any():
            at = part.test[int(mask.argmax())]
            row = table.rows.iloc[at]
            frame = "" if pd.isna(row["frame"]) else f", frame {row['frame']}"
            return f"fold {part.fold}, line {at + 2}: {row['subject']}, {row['sequence']}{frame}"
    return ""


def _notes(table: FoldTable) -> Iterator[str]:
    rows = table.rows
    tested = pd.concat([rows.iloc[part.test].assign(fold=part.fold) for part in table.parts])
    for unit, keys in (("subjects", ["subject"]), ("sequences", ["subject", "sequence"])):
        in_folds = tested.groupby(keys)["fold"].nunique()
        if scattered := int((in_folds > 1).sum()):
            yield f"{scattered:,} of {len(in_folds):,} {unit} are tested in more than one fold."
    alone = tested.groupby("fold", sort=False)["subject"].nunique()
    alone = alone[alone == 1]
    if len(alone) and not (len(alone) == len(table.parts) == rows["subject"].nunique()):
        named = ", ".join(alone.index[:5]) + (", ..." if len(alone) > 5 else "")
        yield (
            f"{len(alone):,} of {len(table.parts):,} folds test one subject alone ({named}): "
            "a value per fold is then one person's."
        )
    keys = ["fold", "subject", "sequence", "copy", "frame"]
    twice = tested[~tested["copy"]].duplicated(keys)
    if twice.any():
        yield f"{int(twice.sum()):,} test rows stand twice in their fold and count twice."
    if shared := sum(
        bool(set(rows["subject"].iloc[part.train]) & set(rows["subject"].iloc[part.validation]))
        for part in table.parts
    ):
        yield (
            f"Training and validation share subjects in {shared:,} folds: "
            "settings are not chosen for people the model has not seen."
        )
    alike = rows["subject"].drop_duplicates().groupby(lambda i: _plain(rows["subject"][i])).agg(list)
    for names in alike[alike.map(len) > 1][:5]:
        yield f"Are {', '.join(names)} one subject? Their names differ in case, spaces or leading zeros only."


def _plain(name: str) -> str:
    return "".join(name.casefold().split()).lstrip("0")

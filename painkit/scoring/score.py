"""Scoring files of predictions: every metric that applies, trivial rows, and what the papers print."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import numpy as np
import pandas as pd
from rich.console import RenderableType
from sklearn.metrics import confusion_matrix

from painkit.errors import PainkitError
from painkit.evaluation.published import published, released
from painkit.metrics import applicable_metrics, evaluate, to_classes, trivial_rows
from painkit.metrics.bootstrap import check_bootstrap
from painkit.metrics.views import Average
from painkit.printed import Printed
from painkit.scoring.prediction_files import read_predictions
from painkit.scoring.terminal_tables import section_tables
from painkit.vocabulary.scales import SCALES, Scale, scale_of

__all__ = ["ScoreReport", "Section", "score"]

COLUMNS = ["file", "kind", "row", "metric", "value", "low", "high", "average", "n", "groups", "undefined"]
COLUMNS += ["scale", "source", "note"]


@dataclass(frozen=True)
class Section:
    """Results of one target of one file.

    Attributes
    ----------
    file : str
        As given.
    scale : Scale
        Of y_true.
    scale_note : str
        That the scale is only assumed, "" where the file or the caller states it. Then no published row
        stands beside.
    counts : dict of str to int
        Rows, subjects and sequences.
    in_several_folds : int or None
        Subjects with rows in several folds, and so in train and test; None where the file states no folds.
    fold_note : str
        What that means for the numbers, "" where no subject is in several folds.
    released_as : str
        Published row that these predictions are, "" where not known.
    table : DataFrame
        The rows of `ScoreReport.table` of this section.
    confusion : (classes, classes) DataFrame or None
        Rows are y_true, columns are y_pred (rounded to the nearest level), counts of rows; None where labels
        are not integer.
    """

    file: str
    scale: Scale
    scale_note: str
    counts: dict[str, int]
    in_several_folds: int | None
    fold_note: str
    released_as: str
    table: pd.DataFrame
    confusion: pd.DataFrame | None


@dataclass(frozen=True)
class ScoreReport(Printed):
    """What `score` found; prints itself with rich.

    Attributes
    ----------
    sections : list of Section
        One per file and target.
    level : float
        Mass of the intervals.
    n_resamples : int
        Of subjects.
    seed : int
        Of the resampling.
    """

    sections: list[Section]
    level: float
    n_resamples: int
    seed: int

    @property
    def table(self) -> pd.DataFrame:
        """Tidy results.

        file, kind ("predictions", "trivial" or "published"), row, metric, value, low, high, average, n,
        groups, undefined, scale, source, note.
        """
        return pd.concat([section.table for section in self.sections], ignore_index=True)

    def to_csv(self) -> str:
        """Return `table` as comma-separated text."""
        return self.table.to_csv(index=False, lineterminator="\n")

    def to_json(self) -> str:
        """Return everything as JSON; what does not exist is null."""
        files = []
        for section in self.sections:
            results = section.table.drop(columns=["file", "scale"])
            counts, shared = section.confusion, section.in_several_folds
            files.append(
                {
                    "file": section.file,
                    "scale": section.scale.label,
                    "scale_assumed": bool(section.scale_note),
                    **section.counts,
                    "leaky": None if shared is None else shared > 0,
                    "subjects_in_several_folds": shared,
                    "released_as": section.released_as or None,
                    "confusion": None if counts is None else counts.to_numpy().tolist(),
                    "results": json.loads(results.to_json(orient="records", double_precision=15)),
                }
            )
        interval = {"level": self.level, "resamples": self.n_resamples, "unit": "subject", "seed": self.seed}
        return json.dumps({"interval": interval, "files": files}, indent=1)

    def _renderables(self) -> Iterator[RenderableType]:
        for section in self.sections:
            yield from section_tables(section, self.level)
        levels = any(one.scale.ordered and one.confusion is not None for one in self.sections)
        yield (
            f"Intervals: {self.level:.0%}, percentiles of {self.n_resamples:,} resamples of the subjects "
            f"(seed {self.seed}).\n- : does not exist, or was not published."
            f"{' Classes are estimates rounded to the nearest level.' if levels else ''}"
        )


def score(
    paths: str | PathLike[str] | Sequence[str | PathLike[str]],
    *,
    scale: str | None = None,
    n_resamples: int = 10_000,
    seed: int = 0,
    level: float = 0.95,
) -> ScoreReport:
    """Score files of predictions.

    Parameters
    ----------
    paths : path or sequence of path
        See `painkit.scoring.prediction_files.read_predictions`.
    scale : str, optional
        Key of `painkit.vocabulary.scales.SCALES` that y_true is on, over the file's target column.
    n_resamples, seed, level
        Of the intervals; see `painkit.metrics.evaluate`.

    Returns
    -------
    ScoreReport
        Every metric that applies, pooled, per subject, and per fold where folds are not subjects; the trivial
        rows; and the published rows of the same scale, unless the scale is only assumed.

    Raises
    ------
    PainkitError
        When a file cannot be scored; the others are not scored either.
    """
    given = [paths] if isinstance(paths, str | PathLike) else list(paths)
    if not given:
        raise PainkitError("no file was given", expected="at least one file of predictions")
    check_bootstrap(n_resamples, seed, level)
    tables = [(Path(path), read_predictions(path, scale)) for path in given]
    sections = []
    for path, table in tables:
        for target, rows in table.groupby("target", sort=False):
            try:
                section = _section(path, str(target), rows.reset_index(drop=True), n_resamples, seed, level)
            except PainkitError as error:
                raise PainkitError(error.what, where=path, expected=error.expected) from error
            sections.append(section)
    return ScoreReport(sections, level, n_resamples, seed)


def _section(
    path: Path, target: str, rows: pd.DataFrame, n_resamples: int, seed: int, level: float
) -> Section:
    averages: list[Average] = ["per_subject", "pooled"]
    scale = scale_of(target)
    counts = {
        "rows": len(rows),
        "subjects": len(rows["subject"].unique()),
        "sequences": len(rows[["subject", "sequence"]].drop_duplicates()),
    }
    shared = None
    if "fold" in rows:
        pairs = rows[["fold", "subject"]].drop_duplicates()
        shared = int((pairs["subject"].value_counts() > 1).sum())
        # Where every fold is a subject the mean over folds is the mean over subjects.
        if shared or 1 < len(pairs["fold"].unique()) < len(pairs):
            averages.append("per_fold")
    fold_note = _fold_note(shared, counts["subjects"])
    scale_note = _scale_note(target) if rows["assumed"].any() else ""
    told = "; ".join(filter(None, (fold_note, scale_note)))
    metrics = applicable_metrics(rows, target)

    def scored(table: pd.DataFrame, kind: str, row: str, names: list[str], note: str) -> pd.DataFrame:
        result = evaluate(table, names, averages, n_resamples=n_resamples, seed=seed, level=level)
        return result.assign(kind=kind, row=row, source="", note=note)

    parts = [scored(rows, "predictions", path.name, metrics, told)]
    for row, table in trivial_rows(rows).items():
        possible = set(applicable_metrics(table, target))
        names = [name for name in metrics if name in possible and "[" not in name]
        # The other folds hold labels of the subjects they are tested on; zeros have seen none.
        leaky = bool(shared) and row != "all zeros"
        label, note = (f"{row} (LEAKY)", told) if leaky else (row, scale_note)
        parts.append(scored(table, "trivial", label, names, note))
    released_as = released().get(path.stem, "") if path.suffix.lower() == ".mat" else ""
    if not scale_note:
        parts.append(_published_beside(target, set(metrics), released_as))
    table = pd.concat([part for part in parts if len(part)], ignore_index=True).assign(file=str(path))
    whole = dict.fromkeys(["n", "groups", "undefined"], "Int64")
    table = table.astype(whole)[COLUMNS]
    classes = None
    if "accuracy" in metrics:
        n = 1 + scale.high
        counted = confusion_matrix(rows["y_true"], to_classes(rows["y_pred"], n), labels=range(n))
        classes = pd.DataFrame(counted)
    return Section(str(path), scale, scale_note, counts, shared, fold_note, released_as, table, classes)


def _fold_note(in_several_folds: int | None, subjects: int) -> str:
    if in_several_folds is None:
        return "folds not stated: whether subjects were in train and test is not known"
    if not in_several_folds:
        return ""
    return (
        f"LEAKY: {in_several_folds} of {subjects} subjects are in several folds; "
        "says nothing about people the model has not seen"
    )


def _scale_note(target: str) -> str:
    return (
        f"scale ASSUMED to be {scale_of(target).label}, and so no published row stands beside: "
        f"name it in a column target or with --scale ({', '.join(SCALES)})"
    )


def _published_beside(target: str, metrics: set[str], released_as: str) -> pd.DataFrame:
    """Published rows of the same scale, the row that these predictions are first."""
    label = "PSPI 0-15" if target == "pspi" else scale_of(target).label
    rows = published()
    per_class = rows["row"].str.extract(r"^level (\d)$")[0].notna() & (rows["scale"] == "seven levels 0-6")
    rows.loc[per_class, "metric"] += "[" + rows.loc[per_class, "row"].str[-1] + "]"
    rows.loc[per_class, "row"] = "ResNet-18"
    rows = rows[(rows["scale"] == label) & rows["metric"].isin(metrics)]
    rows = rows.drop_duplicates(["row", "metric", "value"])
    own = (rows["row"] == released_as).to_numpy()
    rows = rows.iloc[np.argsort(~own, kind="stable")]
    return rows.assign(
        kind="published", source=rows["paper"] + ", " + rows["table"], average=rows["averaging"]
    ).drop(columns=["paper", "table", "averaging"])

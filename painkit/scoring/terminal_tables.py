"""The report of `painkit score` as tables for a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pandas as pd
from rich.console import RenderableType
from rich.markup import escape
from rich.table import Table

from painkit.metrics.statistics import SMALLER_IS_BETTER

if TYPE_CHECKING:
    from painkit.scoring.score import Section

__all__ = ["section_tables"]

TITLES = {
    "per_subject": "Mean over subjects (of the value within each subject)",
    "pooled": "Pooled over all rows",
    "per_fold": "Mean over folds (of the value within each fold)",
}
BESIDE = ("MAE", "MSE", "PCC", "ICC(3,1)", "wMAE", "wMSE", "accuracy", "AUC")


def section_tables(section: Section, level: float) -> Iterator[RenderableType]:
    """Yield a heading, one table for each averaging, the published rows and the confusion of the classes."""
    counts = ", ".join(f"{count:,} {name}" for name, count in section.counts.items())
    yield f"[bold]{escape(section.file)}[/bold]: {escape(section.scale.label)}, {counts}"
    for note in filter(None, (section.scale_note, section.fold_note)):
        yield f"[bold]{escape(note)}[/bold]"
    if section.released_as:
        yield f"released predictions of facenet_regression, row [bold]{escape(section.released_as)}[/bold]"
    whole = section.table[~section.table["metric"].str.contains("[", regex=False)]
    for average, title in TITLES.items():
        rows = whole[(whole["average"] == average) & (whole["kind"] != "published")]
        if len(rows):
            yield _metrics(rows, f"{title}, {section.scale.label}", level)
    yield from _published(whole, section)
    yield from _classes(section)


def _metrics(rows: pd.DataFrame, title: str, level: float) -> Table:
    table = _titled(title, "metric", "value", f"{level:.0%} interval", "defined")
    trivial = rows[rows["kind"] == "trivial"]
    for name in trivial["row"].unique():
        table.add_column(name, justify="right", style="dim")
    for _, row in rows[rows["kind"] == "predictions"].iterrows():
        beside = trivial[trivial["metric"] == row["metric"]].set_index("row")["value"]
        table.add_row(
            _name(row["metric"]),
            _number(row["value"]),
            "-" if pd.isna(row["low"]) else f"{_number(row['low'])} to {_number(row['high'])}",
            f"{row['groups'] - row['undefined']:.0f} of {row['groups']:.0f}",
            *(_number(beside.get(name, float("nan"))) for name in trivial["row"].unique()),
        )
    return table


def _published(whole: pd.DataFrame, section: Section) -> Iterator[Table]:
    """One table per averaging that is published on this scale, our own rows on top."""
    printed = whole[whole["kind"] == "published"]
    for average, rows in printed.groupby("average", sort=False):
        metrics = [name for name in BESIDE if name in set(rows["metric"])]
        if not metrics:
            continue
        shown = average if average in TITLES else "pooled"
        title = f"Published, {section.scale.label}, averaging {str(average).replace('_', ' ')}"
        table = _titled(title, "row", *map(_name, metrics))
        table.add_column("source", style="dim")
        ours = whole[(whole["kind"] != "published") & (whole["average"] == shown)]
        for row, values in ours.groupby("row", sort=False):
            by_metric = values.set_index("metric")["value"]
            source = f"here, {str(shown).replace('_', ' ')}"
            table.add_row(
                escape(str(row)), *(_number(by_metric.get(m, float("nan"))) for m in metrics), source
            )
        table.add_section()
        for row, values in rows[rows["metric"].isin(metrics)].groupby("row", sort=False):
            by_metric = values.set_index("metric")["value"].groupby(level=0).first()
            own = row == section.released_as
            table.add_row(
                escape(f"{row} (these predictions)" if own else str(row)),
                *(_number(by_metric.get(m, float("nan"))) for m in metrics),
                escape("; ".join(_short_sources(values["source"]))),
                style="bold" if own else None,
            )
        yield table


def _short_sources(sources: pd.Series[str]) -> list[str]:
    """Tell "paper, Table 1, 2" instead of the paper twice."""
    places: dict[str, list[str]] = {}
    for source in sources.unique():
        paper, _, place = source.partition(", ")
        places.setdefault(paper, []).append(place.removeprefix("Table "))
    return [f"{paper} {', '.join(names)}" for paper, names in places.items()]


def _classes(section: Section) -> Iterator[Table]:
    if section.confusion is None:
        return
    mine = section.table[(section.table["kind"] == "predictions") & (section.table["average"] == "pooled")]
    values = mine.set_index("metric")["value"]
    scale, metrics = section.scale, ("precision", "recall", "F1")
    what, rounded = ("Levels", " rounded") if scale.ordered else ("Classes", "")
    title = f"{what}, pooled, {scale.label}: rows y_true, columns y_pred{rounded}"
    names = scale.classes or section.confusion.columns.astype(str)
    table = _titled(title, "y_true", *names, *metrics)
    for k, (name, counts) in enumerate(zip(names, section.confusion.to_numpy(), strict=True)):
        scores = (_number(values.get(f"{metric}[{k}]", float("nan"))) for metric in metrics)
        table.add_row(name, *(f"{count:,}" for count in counts), *scores)
    yield table


def _titled(title: str, first: str, *numbers: str) -> Table:
    """An empty table with a title, a column of names and columns of numbers."""
    table = Table(first, title=escape(title), title_justify="left", title_style="bold")
    for heading in numbers:
        table.add_column(heading, justify="right")
    return table


def _name(metric: str) -> str:
    if metric.startswith("coverage"):
        return metric
    return f"{metric} {'↓' if metric in SMALLER_IS_BETTER else '↑'}"


def _number(value: float) -> str:
    return "-" if pd.isna(value) else f"{value:z.3f}"

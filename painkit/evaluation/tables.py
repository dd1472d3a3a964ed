"""Tables of results: estimates scored, questions asked of them, published values beside."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from painkit.evaluation.published import published
from painkit.metrics import compare, evaluate, trivial_rows
from painkit.metrics.trivial import TRIVIAL
from painkit.metrics.views import Average

__all__ = [
    "Scored",
    "ask",
    "comparable",
    "confusion",
    "published_beside",
    "score",
    "side_by_side",
    "stacked",
]

_KEYS = ["subject", "sequence", "frame"]
_NAMED = 5  # so many of the rows that are left out are told by name


class Scored(NamedTuple):
    """Estimates that can be compared: every table holds the same rows.

    Attributes
    ----------
    tables : dict of str to DataFrame
        Predictions of one target by name of the row; the trivial rows of the same samples are among them.
    not_estimated : str
        How many labelled samples some row has no estimate for, and which; "" for none.
    """

    tables: dict[str, pd.DataFrame]
    not_estimated: str


def comparable(tables: Mapping[str, pd.DataFrame], target: str | None = None) -> Scored:
    """Keep the labelled samples that every row has an estimate for, and add the trivial rows.

    A model has none for a sequence without a tracked frame, or for a frame without a face. Such a sample is
    left out for all rows alike, so that all are scored on the same.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        Predictions on one cohort and protocol; see `painkit.evaluation.Run`.
    target : str, optional
        Which target is kept; the only one where the tables hold one.
    """
    labelled = {
        name: table[(table["target"] == target) if target else slice(None)].dropna(subset=["y_true"])
        for name, table in tables.items()
    }
    gaps = [table.loc[~np.isfinite(table["y_pred"].astype(float)), _KEYS] for table in labelled.values()]
    gone = pd.MultiIndex.from_frame(pd.concat(gaps).drop_duplicates().sort_values(_KEYS))
    kept = {
        name: table[~pd.MultiIndex.from_frame(table[_KEYS]).isin(gone)].reset_index(drop=True)
        for name, table in labelled.items()
    }
    names = ["/".join(str(part) for part in row if not pd.isna(part)) for row in gone[:_NAMED]]
    more = f" and {len(gone) - _NAMED} more" if len(gone) > _NAMED else ""
    told = f"{len(gone)}: {', '.join(names)}{more}" if len(gone) else ""
    return Scored(kept | trivial_rows(next(iter(kept.values()))), told)


def score(
    scored: Scored,
    metrics: Sequence[str],
    average: Average,
    *,
    paper: str | None = None,
    n_resamples: int = 10_000,
    seed: int = 0,
) -> pd.DataFrame:
    """Score every row on the same samples.

    Parameters
    ----------
    scored : Scored
    metrics : sequence of str
        The trivial rows, which score no class, have no AUC.
    average : {"pooled", "per_subject", "per_fold"}
    paper : str, optional
        Whose published values stand beside; see `published_beside`.
    n_resamples, seed
        Of the subject bootstrap.

    Returns
    -------
    DataFrame
        row, what `painkit.metrics.evaluate` returns, the columns of `published_beside`, and not_estimated.
    """
    bare = [metric for metric in metrics if not metric.startswith("AUC")]
    parts = {
        name: evaluate(
            table, bare if name in TRIVIAL else metrics, average, n_resamples=n_resamples, seed=seed
        )
        for name, table in scored.tables.items()
    }
    found = stacked(parts, "row")
    found = published_beside(found, paper) if paper else found
    return found.assign(not_estimated=scored.not_estimated)


def stacked(parts: Mapping[Any, pd.DataFrame], key: str) -> pd.DataFrame:
    """Put tables below each other, the name of each in a first column called `key`."""
    found = pd.concat(list(parts.values()), keys=list(parts), names=[key])
    return found.reset_index(key).reset_index(drop=True)


def confusion(predictions: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Count the samples of each true class (rows) by the class that they are called (columns).

    Parameters
    ----------
    predictions : DataFrame
        y_true, y_pred: class numbers.
    names : sequence of str
        Of the classes 0, 1, ...
    """
    true, said = (predictions[column].astype(int) for column in ("y_true", "y_pred"))
    numbers = range(len(names))
    counts = pd.crosstab(true, said).reindex(numbers, columns=numbers, fill_value=0)
    return counts.set_axis(list(names)).set_axis(list(names), axis=1).rename_axis("true class")


def published_beside(scores: pd.DataFrame, paper: str) -> pd.DataFrame:
    """Put the values that a paper prints for the same row and metric beside ours.

    Parameters
    ----------
    scores : DataFrame
        row, metric, scale.
    paper : str
        See `painkit.evaluation.published.published`.

    Returns
    -------
    DataFrame
        With published_on_archive (NaN where the paper has none on this scale) and published_note (a value
        that the paper prints on another scale, with that scale: it is not to be compared).
    """
    printed = published(paper).dropna(subset=["value"])
    printed = printed[printed["row"].isin(set(scores["row"]))].drop_duplicates(["row", "metric", "scale"])
    same = scores[["row", "metric", "scale"]].merge(printed, how="left")
    other = printed[~printed["scale"].isin(set(scores["scale"]))].drop_duplicates(["row", "metric"])
    told = other.assign(told=[f"{v:g} on {s}" for v, s in zip(other["value"], other["scale"], strict=True)])
    notes = scores[["row", "metric"]].merge(told[["row", "metric", "told"]], how="left")
    return scores.assign(
        published_on_archive=same["value"].to_numpy(),
        published_note=notes["told"].astype(object).where(notes["told"].notna(), "").to_numpy(),
    )


def ask(
    scored: Scored,
    questions: Mapping[str, tuple[str, str]],
    metrics: Sequence[str],
    average: Average,
    *,
    n_resamples: int = 10_000,
    seed: int = 0,
) -> pd.DataFrame:
    """Ask which of two rows is better, each question as a difference paired over subjects.

    Parameters
    ----------
    scored : Scored
    questions : mapping of str to (str, str)
        The question, and the two rows in the order in which it names them. Those of rows that were not run
        are left out.
    metrics, average, n_resamples, seed
        See `score`. A metric that exists for no subject, as the correlation of a constant, is left out.

    Returns
    -------
    DataFrame
        question, row_a, row_b, what `painkit.metrics.compare` returns (difference = a - b), not_estimated.
    """
    first = ["question", "row_a", "row_b", "metric", "a", "b", "difference", "low", "high"]
    parts = [
        compare(
            scored.tables[a], scored.tables[b], metrics, average, n_resamples=n_resamples, seed=seed
        ).assign(question=question, row_a=a, row_b=b)
        for question, (a, b) in questions.items()
        if a in scored.tables and b in scored.tables
    ]
    if not parts:
        return pd.DataFrame(columns=[*first, "average", "n", "groups", "undefined", "scale", "not_estimated"])
    found = pd.concat(parts, ignore_index=True).assign(not_estimated=scored.not_estimated)
    found = found[found["undefined"] < found["groups"]].reset_index(drop=True)
    return found[[*first, *(column for column in found.columns if column not in first)]]


def side_by_side(
    scores: pd.DataFrame,
    metrics: Iterable[str] | None = None,
    *,
    by: str | Sequence[str] = "row",
    simulated: bool | None = None,
    decimals: int = 2,
) -> pd.DataFrame:
    """Lay scores out as a paper does: a line a row, each metric with its interval and the published value.

    Parameters
    ----------
    scores : DataFrame
        row, metric, scale, value, low, high, published_on_archive, published_note; the last is shown in place
        of a missing published value.
    metrics : iterable of str, optional
        Which; default all.
    by : str or sequence of str
        Column, or columns, that name a line.
    simulated : bool, optional
        Whether the values here are of a simulated cohort: the heading says so. None leaves it open.
    decimals : int

    Returns
    -------
    DataFrame
        Index `by`; columns ("MAE, VAS 0-10", "here, simulated") such as ``2.18 [1.90, 2.51]`` and ("MAE,
        VAS 0-10", "published, on the archive"). What does not exist is a dash.
    """
    here = "here, simulated" if simulated else "here"
    columns: dict[tuple[str, str], pd.Series[str]] = {}
    wanted = list(scores["metric"].unique() if metrics is None else metrics)
    for metric in wanted:
        part = scores[scores["metric"] == metric].set_index(by if isinstance(by, str) else list(by))
        heading = f"{metric}, {part['scale'].iloc[0]}"
        columns[heading, here] = part.apply(
            lambda one: (
                "-"
                if pd.isna(one["value"])
                else f"{one['value']:z.{decimals}f} [{one['low']:z.{decimals}f}, {one['high']:z.{decimals}f}]"
            ),
            axis=1,
        )
        told = part["published_on_archive"].map(
            lambda value: "" if pd.isna(value) else f"{value:z.{decimals}f}"
        )
        columns[heading, "published, on the archive"] = told.where(told != "", part["published_note"])
    return pd.DataFrame(columns)

"""Rows of a published table: named estimators, run on one protocol, laid out beside the paper's values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from sklearn.base import clone

from painkit.data.cohort import Cohort
from painkit.evaluation.protocols import Protocol
from painkit.evaluation.runs import Run, run
from painkit.progress import tqdm

__all__ = ["Row", "estimated_by_all", "run_rows", "side_by_side"]


class Row(NamedTuple):
    """An estimator and the label, or labels, it is trained on."""

    estimator: Any
    target: str | tuple[str, ...]


def run_rows(
    rows: Mapping[str, Row],
    cohort: Cohort,
    protocol: Protocol,
    out: str | Path,
    *,
    jobs: int = 1,
    scheduler: str | None = None,
    seed: int = 0,
    keep_models_of: Iterable[str] = (),
) -> dict[str, Run]:
    """Run every row on one protocol; rows whose estimators are equal are run once.

    Parameters
    ----------
    rows : mapping of str to Row
        Estimators by the name their published row carries.
    cohort : Cohort
    protocol : Protocol
    out : path
        Folder of the runs; done folds are read from it. Stage-1 networks are kept in it, too, so that
        settings that share one train it once.
    jobs, scheduler, seed
        See `painkit.evaluation.run`.
    keep_models_of : iterable of str
        Rows whose fitted models are to be kept, for explaining them.

    Returns
    -------
    dict of str to Run
    """
    kept = set(keep_models_of)
    runs: dict[str, Run] = {}
    memory = Path(out).absolute() / "stage1"
    for name, (estimator, target) in (bar := tqdm(rows.items(), desc="rows", unit="row")):
        bar.set_postfix_str(name, refresh=True)
        prepared = clone(estimator)
        if "memory" in prepared.get_params():
            prepared.set_params(memory=memory)
        runs[name] = run(
            prepared,
            cohort,
            protocol,
            target,
            out,
            jobs=jobs,
            scheduler=scheduler,
            seed=seed,
            keep_models=name in kept,
            progress="inner",
        )
    return runs


def estimated_by_all(
    tables: Mapping[str, pd.DataFrame],
) -> tuple[dict[str, pd.DataFrame], list[str]]:
    """Keep the labelled rows that every table has an estimate for: models are scored on the same rows.

    A model has none for a sequence without a tracked frame.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        Predictions of the same targets; see `painkit.evaluation.Run`.

    Returns
    -------
    dict of str to DataFrame
        The tables without unlabelled rows and without those that some table has no finite estimate for.
    list of str
        What the latter are, ``subject/sequence`` and, at frame level, ``/frame``; sorted.
    """
    keys = ["subject", "sequence", "frame"]
    labelled = {name: table.dropna(subset=["y_true"]) for name, table in tables.items()}
    gaps = [table.loc[~np.isfinite(table["y_pred"].astype(float)), keys] for table in labelled.values()]
    gone = pd.MultiIndex.from_frame(pd.concat(gaps).drop_duplicates().sort_values(keys))
    kept = {
        name: table[~pd.MultiIndex.from_frame(table[keys]).isin(gone)] for name, table in labelled.items()
    }
    return kept, ["/".join(str(part) for part in row if not pd.isna(part)) for row in gone]


def side_by_side(scores: pd.DataFrame, *, decimals: int = 2) -> pd.DataFrame:
    """Lay scores out as a paper does: a line a row, each metric with its interval and the published value.

    Parameters
    ----------
    scores : DataFrame
        row, metric, value, low, high, published, and optionally published_note, shown in place of a missing
        published value.
    decimals : int

    Returns
    -------
    DataFrame
        Index row; columns (metric, "here") such as ``2.18 [1.90, 2.51]`` and (metric, "published"). What does
        not exist is a dash.
    """
    columns: dict[tuple[str, str], pd.Series[str]] = {}
    for metric, part in scores.groupby("metric", sort=False):
        part = part.set_index("row")
        columns[str(metric), "here"] = part.apply(
            lambda one: (
                "-"
                if pd.isna(one["value"])
                else f"{one['value']:.{decimals}f} [{one['low']:.{decimals}f}, {one['high']:.{decimals}f}]"
            ),
            axis=1,
        )
        notes = part["published_note"] if "published_note" in part else pd.Series("", index=part.index)
        told = part["published"].map(lambda value: "" if pd.isna(value) else f"{value:.{decimals}f}")
        columns[str(metric), "published"] = told.where(told != "", notes)
    return pd.DataFrame(columns)

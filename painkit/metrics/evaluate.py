"""Metrics of a table of predictions, with the averaging named and an interval over subjects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from painkit.errors import PainkitError
from painkit.metrics import statistics
from painkit.metrics.bootstrap import percentile_interval, resample_weights
from painkit.metrics.calibration import BANDS, inside
from painkit.metrics.checks import Floats
from painkit.metrics.scales import SCALES, Scale, scale_of
from painkit.metrics.sums import Sums, sums_of

__all__ = ["AVERAGES", "Average", "applicable_metrics", "compare", "evaluate"]

Average = Literal["pooled", "per_subject", "per_fold"]
AVERAGES: tuple[Average, ...] = get_args(Average)
KEYS = ["subject", "sequence", "frame"]


def evaluate(
    table: pd.DataFrame,
    metrics: Sequence[str] | None = None,
    average: Average | Sequence[Average] = "pooled",
    *,
    scale: str | None = None,
    n_resamples: int = 10_000,
    seed: int = 0,
    level: float = 0.95,
) -> pd.DataFrame:
    """Score a table of predictions.

    Parameters
    ----------
    table : DataFrame
        Columns subject, y_true, y_pred; optional fold, y_std, target (the key of a scale; each target is
        scored by itself) and one score per class p_0, p_1, ... Rows whose y_true is NaN have no label, are
        left out and counted.
    metrics : sequence of str, optional
        Names of `painkit.metrics.statistics`; default `applicable_metrics`.
    average : {"pooled", "per_subject", "per_fold"} or several
        One value over all rows, or the mean over subjects or folds of the values that exist.
    scale : str, optional
        Key of `SCALES`, where the table has no target column.
    n_resamples : int
        Bootstrap resamples of subjects; 0 for none.
    seed : int
        Of the resampling.
    level : float
        Mass of the interval.

    Returns
    -------
    DataFrame
        metric, value, low, high, average, n (rows used), groups (what is averaged: subjects, folds, or 1),
        undefined (groups whose value does not exist), scale, unlabelled (rows left out), target where the
        table has one. Classes are y_pred rounded to the nearest one; precision, recall, F1 and AUC without
        a class are means over the classes where they exist.

    Raises
    ------
    PainkitError
        Missing columns, labels off their scale, missing estimates, unknown metric.
    """
    averages: list[Average] = [average] if isinstance(average, str) else list(average)
    if "target" not in table:
        return _evaluate(table, metrics, averages, scale, n_resamples, seed, level)
    parts = []
    for target, rows in table.groupby("target", sort=False):
        part = _evaluate(rows, metrics, averages, scale or str(target), n_resamples, seed, level)
        parts.append(part.assign(target=target))
    if not parts:
        raise PainkitError("the table of predictions has no rows", expected="at least one")
    return pd.concat(parts, ignore_index=True)


def compare(
    table_a: pd.DataFrame,
    table_b: pd.DataFrame,
    metrics: str | Sequence[str],
    average: Average = "pooled",
    *,
    scale: str | None = None,
    n_resamples: int = 10_000,
    seed: int = 0,
    level: float = 0.95,
) -> pd.DataFrame:
    """Difference of two tables of predictions of the same rows, a minus b, with a paired interval.

    Both are resampled with the same subjects, so what makes a subject hard for both cancels. Subjects or
    folds in which the metric exists for one table only are left out of both, and counted.

    Parameters
    ----------
    table_a, table_b : DataFrame
        As for `evaluate`, one target; same subject, sequence, frame and y_true, in any order.
    metrics : str or sequence of str
        What to compare.
    average, scale, n_resamples, seed, level
        See `evaluate`.

    Returns
    -------
    DataFrame
        metric, a, b, difference, low, high, average, n, groups, undefined, scale.

    Raises
    ------
    PainkitError
        When the rows of the tables are not the same.
    """
    a, b = _aligned(table_a, table_b)
    views = [_View.of(table, scale, average, n_resamples, seed) for table in (a, b)]
    rows = []
    for name in [metrics] if isinstance(metrics, str) else metrics:
        values = [view.values(name) for view in views]
        missing = np.isnan(values[0]) | np.isnan(values[1])
        means = [views[0].mean(np.where(missing, np.nan, value)) for value in values]
        difference = means[0] - means[1]
        low, high = percentile_interval(difference[1:], level)
        rows.append(
            {
                "metric": name,
                "a": means[0][0],
                "b": means[1][0],
                "difference": difference[0],
                "low": low,
                "high": high,
                "average": average,
                "n": len(a),
                "groups": missing.shape[1],
                "undefined": int(missing[0].sum()),
                "scale": views[0].scale_label,
            }
        )
    return pd.DataFrame(rows)


def applicable_metrics(table: pd.DataFrame, scale: str | None = None) -> list[str]:
    """Metrics that a table of one target allows.

    Errors, correlation and agreement always; weighted errors and classes where every label is an integer;
    coverage with y_std; one-vs-rest AUC with p_0, p_1, ...
    """
    true = table["y_true"].dropna().to_numpy(dtype=np.float64)
    names = list(statistics.REGRESSION)
    if n_classes := _n_classes(true, scale):
        names += [*statistics.WEIGHTED, *statistics.CLASSIFICATION, *statistics.AREAS]
        names += [f"{base}[{k}]" for base in ("precision", "recall", "F1") for k in range(n_classes)]
    if n_scores := len(_score_columns(table)):
        names += ["AUC", *(f"AUC[{k}]" for k in range(n_scores))]
    if "y_std" in table and table["y_std"].notna().any():
        names += list(statistics.COVERAGE)
    return names


def _evaluate(
    table: pd.DataFrame,
    metrics: Sequence[str] | None,
    averages: list[Average],
    scale: str | None,
    n_resamples: int,
    seed: int,
    level: float,
) -> pd.DataFrame:
    rows = []
    for average in averages:
        view = _View.of(table, scale, average, n_resamples, seed)
        for name in applicable_metrics(table, scale) if metrics is None else metrics:
            values = view.values(name)
            means = view.mean(values)
            low, high = percentile_interval(means[1:], level)
            rows.append(
                {
                    "metric": name,
                    "value": means[0],
                    "low": low,
                    "high": high,
                    "average": average,
                    "n": view.n,
                    "groups": values.shape[1],
                    "undefined": int(np.isnan(values[0]).sum()),
                    "scale": view.scale_label,
                    "unlabelled": len(table) - view.n,
                }
            )
    return pd.DataFrame(rows)


@dataclass(frozen=True)
class _View:
    """The groups of one averaging: their sums in the table itself (row 0) and in every resample."""

    groups: list[Sums]
    weights: Floats  # (1 + resamples, groups) of the mean over groups
    fixed: bool  # the groups are subjects: resampling changes their weights, not their sums
    n: int
    scale_label: str

    @classmethod
    def of(
        cls, table: pd.DataFrame, scale: str | None, average: Average, n_resamples: int, seed: int
    ) -> _View:
        if average not in AVERAGES:
            raise PainkitError(f"there is no average {average!r}", expected=", ".join(AVERAGES))
        known = SCALES.get(scale or "")
        labelled = _checked(table, known, needs_fold=average == "per_fold")
        subject, subjects = pd.factorize(labelled["subject"], sort=True)
        weights = np.ones((1, len(subjects)))
        # Resamples of one subject are all the same: no interval.
        if n_resamples and len(subjects) > 1:
            weights = np.vstack([weights, resample_weights(len(subjects), n_resamples, seed)])
        fold = (
            pd.factorize(labelled["fold"], sort=True)[0] if average == "per_fold" else np.zeros_like(subject)
        )
        cells, cell = np.unique(np.stack([fold, subject]), axis=1, return_inverse=True)
        sums = _sums(labelled, cell.ravel(), cells.shape[1], scale)
        label = known.label if known else (scale or "not stated")
        if average == "per_subject":
            return cls([sums], weights, True, len(labelled), label)
        groups, multiplicity = [], []
        for number in np.unique(cells[0]):
            in_fold = cells[0] == number
            taken = np.zeros((len(weights), cells.shape[1]))
            taken[:, in_fold] = weights[:, cells[1, in_fold]]
            groups.append(sums.pool(taken))
            # A fold whose subjects are drawn twice counts twice; with one subject a fold this is per_subject.
            multiplicity.append(taken[:, in_fold].mean(axis=1))
        return cls(groups, np.column_stack(multiplicity), False, len(labelled), label)

    def values(self, name: str) -> Floats:
        """Metric of every group: (1 + resamples, groups), or (1, groups) where `fixed`."""
        try:
            columns = [statistics.statistic(name)(sums) for sums in self.groups]
        except IndexError:
            raise PainkitError(
                f"the table does not allow {name!r}", expected="integer labels, p_0 ... or y_std, as it needs"
            ) from None
        return columns[0][None, :] if self.fixed else np.column_stack(columns)

    def mean(self, values: Floats) -> Floats:
        return statistics.mean_over(values, self.weights)


def _checked(table: pd.DataFrame, scale: Scale | None, *, needs_fold: bool) -> pd.DataFrame:
    needed = ["subject", "y_true", "y_pred", *(["fold"] if needs_fold else [])]
    missing = [column for column in needed if column not in table]
    if missing:
        raise PainkitError(
            f"the table of predictions has no column {', '.join(missing)}", expected=", ".join(needed)
        )
    labelled = table.loc[table["y_true"].notna()]
    if labelled.empty:
        raise PainkitError("the table of predictions has no labelled rows", expected="at least one")
    if labelled[needed].isna().to_numpy().any() or not np.isfinite(labelled["y_pred"].to_numpy(float)).all():
        raise PainkitError("a labelled row has no subject, fold or finite estimate", expected="all of them")
    true = labelled["y_true"].to_numpy(dtype=np.float64)
    if scale and (true.min() < scale.low or true.max() > scale.high):
        raise PainkitError(f"y_true runs from {true.min():g} to {true.max():g}", expected=scale.label)
    return labelled


def _n_classes(true: Floats, scale: str | None) -> int:
    """Classes 0..k-1 of an integer label; 0 for none."""
    if not len(true) or np.any(true != np.floor(true)) or true.min() < 0 or true.max() > 20:
        return 0
    return 1 + (scale_of(scale).high if scale in SCALES else int(true.max()))


def _score_columns(table: pd.DataFrame) -> list[str]:
    columns: list[str] = []
    while f"p_{len(columns)}" in table:
        columns.append(f"p_{len(columns)}")
    return columns


def _sums(table: pd.DataFrame, cell: NDArray[np.intp], n_cells: int, scale: str | None) -> Sums:
    true, pred = (table[name].to_numpy(dtype=np.float64) for name in ("y_true", "y_pred"))
    bands = None
    if "y_std" in table and table["y_std"].notna().all():
        std = table["y_std"].to_numpy(dtype=np.float64)
        bands = np.column_stack([inside(true, pred, std, band) for band in BANDS])
    tasks = [(true > 0, pred)]
    tasks += [(true == k, table[p].to_numpy(dtype=np.float64)) for k, p in enumerate(_score_columns(table))]
    return sums_of(true, pred, cell, n_cells, n_classes=_n_classes(true, scale), inside=bands, tasks=tasks)


def _aligned(table_a: pd.DataFrame, table_b: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    keys = [key for key in KEYS if key in table_a and key in table_b]
    tables = []
    for table in (table_a, table_b):
        labelled = table.loc[table["y_true"].notna()].sort_values(keys, kind="stable").reset_index(drop=True)
        if labelled.duplicated(keys).any():
            raise PainkitError(
                "a row stands twice in a table", expected=f"one row for each {', '.join(keys)}"
            )
        tables.append(labelled)
    a, b = tables
    same = len(a) == len(b) and all(
        np.array_equal(a[key].astype("string").fillna(""), b[key].astype("string").fillna("")) for key in keys
    )
    if not same or not np.array_equal(a["y_true"].to_numpy(float), b["y_true"].to_numpy(float)):
        raise PainkitError(
            f"the tables do not hold the same rows ({len(a)} and {len(b)} labelled)",
            expected=f"equal {', '.join(keys)} and y_true",
        )
    return a, b

"""Metrics of a table of predictions, with the averaging named and an interval over subjects."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from painkit.errors import PainkitError
from painkit.metrics.bootstrap import check_bootstrap, percentile_interval
from painkit.metrics.views import Average, Resampled

__all__ = ["evaluate"]


def evaluate(
    table: pd.DataFrame,
    metrics: str | Sequence[str] | None = None,
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
    metrics : str or sequence of str, optional
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
        Missing columns, labels off their scale, missing or infinite labels, estimates or scores, scores that
        are not one for each class, unknown metric, a bootstrap that cannot be drawn.
    """
    check_bootstrap(n_resamples, seed, level)
    averages: list[Average] = [average] if isinstance(average, str) else list(average)
    names = [metrics] if isinstance(metrics, str) else metrics
    if "target" not in table:
        return _evaluate(table, names, averages, scale, n_resamples, seed, level)
    parts = []
    for target, rows in table.groupby("target", sort=False):
        part = _evaluate(rows, names, averages, scale or str(target), n_resamples, seed, level)
        parts.append(part.assign(target=target))
    if not parts:
        raise PainkitError("the table of predictions has no rows", expected="at least one")
    return pd.concat(parts, ignore_index=True)


def _evaluate(
    table: pd.DataFrame,
    metrics: Sequence[str] | None,
    averages: list[Average],
    scale: str | None,
    n_resamples: int,
    seed: int,
    level: float,
) -> pd.DataFrame:
    resampled = Resampled(table, scale, n_resamples, seed)
    names = resampled.allowed if metrics is None else metrics
    for name in names:
        resampled.require(name)
    rows = []
    for average in averages:
        view = resampled.view(average)
        for name in names:
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
                    "n": len(resampled.labelled),
                    "groups": values.shape[1],
                    "undefined": int(np.isnan(values[0]).sum()),
                    "scale": resampled.scale_label,
                    "unlabelled": len(table) - len(resampled.labelled),
                }
            )
    return pd.DataFrame(rows)

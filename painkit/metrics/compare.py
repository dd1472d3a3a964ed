"""Which of two sets of predictions is better, and how sure is that?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from painkit.errors import PainkitError
from painkit.metrics.bootstrap import check_bootstrap, percentile_interval
from painkit.metrics.views import Average, Resampled

__all__ = ["compare"]

KEYS = ("subject", "sequence", "frame")


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
        When the rows of the tables are not the same, or are of several targets; and as `evaluate`.
    """
    check_bootstrap(n_resamples, seed, level)
    a, b = _aligned(table_a, table_b)
    names = [metrics] if isinstance(metrics, str) else list(metrics)
    resampled = [Resampled(table, scale or _target(a), n_resamples, seed) for table in (a, b)]
    views = [one.view(average) for one in resampled]
    rows = []
    for name in names:
        for one in resampled:
            one.require(name)
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
                "scale": resampled[0].scale_label,
            }
        )
    return pd.DataFrame(rows)


def _target(table: pd.DataFrame) -> str | None:
    """Scale that the target column names."""
    if "target" not in table:
        return None
    targets = table["target"].unique()
    if len(targets) != 1:
        raise PainkitError(f"the tables hold {len(targets)} targets", expected="one; compare them one by one")
    return str(targets[0])


def _aligned(table_a: pd.DataFrame, table_b: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    keys = [key for key in KEYS if key in table_a and key in table_b]
    _target(pd.concat([table_a, table_b]))
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

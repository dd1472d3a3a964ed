"""Intervals over subjects: resampling sums against resampling rows.

`pytest benchmarks/bench_bootstrap.py` prints both; the loop over resamples is timed on a few and scaled up.
"""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
import pytest
from scipy.stats import pearsonr
from sklearn.metrics import mean_absolute_error, mean_squared_error
from sklearn.utils.class_weight import compute_sample_weight

from painkit.metrics import evaluate

METRICS = ["MAE", "MSE", "PCC", "ICC(3,1)", "wMAE", "wMSE"]
SUBJECTS, FRAMES, RESAMPLES, LOOPED = 25, 48_391, 10_000, 10


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    true = rng.choice(6, FRAMES, p=[0.827, 0.06, 0.049, 0.029, 0.022, 0.013]).astype(float)
    table = pd.DataFrame({"y_true": true, "y_pred": np.clip(0.6 * true + rng.normal(0, 0.7, FRAMES), 0, 5)})
    return table.assign(subject=np.sort(rng.integers(SUBJECTS, size=FRAMES)))


def loop_over_resamples(table, count):
    """Concatenate the rows of the drawn subjects and compute every metric, as one would write it first."""
    parts = [rows for _, rows in table.groupby("subject")]
    draws = np.random.default_rng(0).integers(SUBJECTS, size=(count, SUBJECTS))
    values = []
    for draw in draws:
        rows = pd.concat([parts[i] for i in draw])
        true, pred = rows["y_true"].to_numpy(), rows["y_pred"].to_numpy()
        between, residual = (np.var((true + sign * pred) / 2**0.5, ddof=1) for sign in (1, -1))
        weights = compute_sample_weight("balanced", true)
        values.append(
            [
                mean_absolute_error(true, pred),
                mean_squared_error(true, pred),
                pearsonr(true, pred).statistic,
                (between - residual) / (between + residual),
                mean_absolute_error(true, pred, sample_weight=weights),
                mean_squared_error(true, pred, sample_weight=weights),
            ]
        )
    return np.array(values)


def test_ten_thousand_resamples(benchmark, table):
    found = benchmark.pedantic(
        evaluate,
        args=(table, METRICS, ["pooled", "per_subject"]),
        kwargs={"scale": "level", "n_resamples": RESAMPLES},
        rounds=3,
    )
    start = time.perf_counter()
    loop_over_resamples(table, LOOPED)
    looped = (time.perf_counter() - start) * RESAMPLES / LOOPED
    ours = benchmark.stats.stats.min
    benchmark.extra_info["loop_seconds"] = looped
    benchmark.extra_info["ratio"] = looped / ours
    print(f"\n{ours:.2f} s; pooled alone in a loop: {looped:.0f} s; ratio {looped / ours:.0f}")
    assert len(found) == 2 * len(METRICS)
    assert looped / ours > 20  # typically well above 100

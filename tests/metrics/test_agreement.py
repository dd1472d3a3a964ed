"""ICC against the worked example of Shrout and Fleiss, an analysis of variance written out, and pingouin."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from painkit.errors import PainkitError
from painkit.metrics import icc, icc_of_ratings
from painkit.metrics.agreement import ICC_KINDS

# Shrout and Fleiss 1979, Table 2: six targets, four judges; results in Table 4.
RATINGS = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]
PUBLISHED = {"1,1": 0.17, "2,1": 0.29, "3,1": 0.71, "1,k": 0.44, "2,k": 0.62, "3,k": 0.91}


@pytest.mark.parametrize("kind", ICC_KINDS)
def test_shrout_fleiss_example(kind):
    assert round(icc_of_ratings(RATINGS, kind), 2) == PUBLISHED[kind]


# pingouin still passes what pandas has deprecated; this is pingouin's to mend.
@pytest.mark.filterwarnings("ignore:The inplace keyword:DeprecationWarning")
@pytest.mark.parametrize("raters", [2, 5])
def test_equals_pingouin(raters):
    import pingouin

    ratings = np.random.default_rng(raters).normal(size=(30, raters)) + np.arange(30)[:, None] / 10
    long = pd.DataFrame(ratings).rename_axis("target").reset_index()
    long = long.melt("target", var_name="rater", value_name="score")
    theirs = pingouin.intraclass_corr(long, targets="target", raters="rater", ratings="score")["ICC"]
    np.testing.assert_allclose([icc_of_ratings(ratings, kind) for kind in ICC_KINDS], theirs, rtol=1e-9)


def slow_icc(ratings, kind):
    """Sums of squares of the two-way table, one cell after another."""
    n, k = len(ratings), len(ratings[0])
    grand = sum(map(sum, ratings)) / (n * k)
    rows = [sum(row) / k for row in ratings]
    columns = [sum(row[j] for row in ratings) / n for j in range(k)]
    bms = k * sum((row - grand) ** 2 for row in rows) / (n - 1)
    jms = n * sum((column - grand) ** 2 for column in columns) / (k - 1)
    ems = sum((ratings[i][j] - rows[i] - columns[j] + grand) ** 2 for i in range(n) for j in range(k)) / (
        (n - 1) * (k - 1)
    )
    wms = sum((ratings[i][j] - rows[i]) ** 2 for i in range(n) for j in range(k)) / (n * (k - 1))
    return {
        "1,1": lambda: (bms - wms) / (bms + (k - 1) * wms),
        "2,1": lambda: (bms - ems) / (bms + (k - 1) * ems + k * (jms - ems) / n),
        "3,1": lambda: (bms - ems) / (bms + (k - 1) * ems),
        "1,k": lambda: (bms - wms) / bms,
        "2,k": lambda: (bms - ems) / (bms + (jms - ems) / n),
        "3,k": lambda: (bms - ems) / bms,
    }[kind]()


@pytest.mark.parametrize("kind", ICC_KINDS)
def test_equals_the_analysis_of_variance_written_out(kind):
    rng = np.random.default_rng(3)
    true = rng.integers(0, 6, 40).astype(float)
    pred = true * 0.5 + rng.normal(size=40)
    expected = slow_icc([list(pair) for pair in zip(true, pred, strict=True)], kind)
    assert icc(true, pred, kind) == pytest.approx(expected, rel=1e-12)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10_000), st.floats(-5, 5))
def test_only_case_3_forgives_an_offset(seed, offset):
    rng = np.random.default_rng(seed)
    true, noise = rng.normal(size=(2, 20))
    pred = true + noise
    assert icc(true, pred + offset, "3,1") == pytest.approx(icc(true, pred, "3,1"), abs=1e-9)
    assert icc(true, true + offset, "1,1") <= 1 + 1e-12
    # Symmetric in the two raters, and 3,1 is bounded by the correlation it generalises.
    assert icc(true, pred, "2,1") == pytest.approx(icc(pred, true, "2,1"), rel=1e-9)
    assert abs(icc(true, pred, "3,1")) <= abs(np.corrcoef(true, pred)[0, 1]) + 1e-9


def test_undefined_is_nan_and_a_constant_estimate_agrees_with_nothing():
    assert np.isnan(icc([1.0], [1.0]))
    assert np.isnan(icc([2, 2, 2], [1, 1, 1]))
    assert icc([0, 3, 7, 1], [3.25] * 4, "3,1") == pytest.approx(0, abs=1e-12)  # Liu et al. 2017, Sec. 4


def test_unknown_kind_names_those_that_exist():
    with pytest.raises(PainkitError, match=r"ICC\(4,1\).*\(3,1\)"):
        icc([1, 2], [1, 2], "4,1")

"""What single metrics are: textbook values, other libraries, what does not exist, and properties."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from plain_metrics import CLASSES, PLAIN, icc
from scipy.stats import pearsonr
from sklearn import metrics as sklearn_metrics

from painkit.errors import PainkitError
from painkit.metrics import evaluate, to_classes

LEVELS = hnp.arrays(np.float64, st.integers(2, 40), elements=st.integers(0, 5).map(float))
# Shrout and Fleiss 1979, Table 2: six targets, four judges; results in Table 4.
RATINGS = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]
PUBLISHED = {"1,1": 0.17, "2,1": 0.29, "3,1": 0.71, "1,k": 0.44, "2,k": 0.62, "3,k": 0.91}


def values(true, pred, names=None, **columns):
    """Metrics of all rows, by name."""
    table = pd.DataFrame({"subject": "s", "y_true": true, "y_pred": pred, **columns})
    scale = "level" if any("[" in name for name in names or ()) else None
    return evaluate(table, names, scale=scale, n_resamples=0).set_index("metric")["value"]


@pytest.mark.parametrize("kind", PUBLISHED)
def test_the_plain_intraclass_correlation_gives_the_worked_example(kind):
    assert round(icc(RATINGS, kind), 2) == PUBLISHED[kind]


# pingouin still passes what pandas has deprecated; this is pingouin's to mend.
@pytest.mark.filterwarnings("ignore:The inplace keyword:DeprecationWarning")
def test_intraclass_correlations_are_pingouin_s():
    import pingouin

    rng = np.random.default_rng(2)
    ratings = rng.normal(size=(30, 2)) + np.arange(30)[:, None] / 10
    long = pd.DataFrame(ratings).rename_axis("target").reset_index()
    long = long.melt("target", var_name="rater", value_name="score")
    theirs = pingouin.intraclass_corr(long, targets="target", raters="rater", ratings="score")["ICC"]
    np.testing.assert_allclose(values(*ratings.T, [f"ICC({kind})" for kind in PUBLISHED]), theirs, rtol=1e-9)


def test_the_other_metrics_are_scipy_s_and_scikit_learn_s():
    rng = np.random.default_rng(7)
    true = rng.integers(0, CLASSES, 200).astype(float)
    pred = true * 0.8 + rng.normal(size=200)
    logits = rng.normal(size=(200, CLASSES)) + 2 * np.eye(CLASSES)[true.astype(int)]
    logits[:20] = logits[0]  # ties
    scores = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    ours = values(true, pred, **{f"p_{k}": scores[:, k] for k in range(CLASSES)})
    called = to_classes(pred, CLASSES)
    expected = {
        "MAE": sklearn_metrics.mean_absolute_error(true, pred),
        "MSE": sklearn_metrics.mean_squared_error(true, pred),
        "RMSE": sklearn_metrics.root_mean_squared_error(true, pred),
        "PCC": pearsonr(true, pred).statistic,
        "accuracy": sklearn_metrics.accuracy_score(true, called),
        "quadratic kappa": sklearn_metrics.cohen_kappa_score(true, called, weights="quadratic"),
        "AUC": sklearn_metrics.roc_auc_score(true, scores, multi_class="ovr"),
        "AUC pain": sklearn_metrics.roc_auc_score(true > 0, pred),
    }
    by_class = sklearn_metrics.precision_recall_fscore_support(true, called)
    for name, theirs in zip(("precision", "recall", "F1"), by_class, strict=False):
        expected |= {name: theirs.mean()} | {f"{name}[{k}]": theirs[k] for k in range(CLASSES)}
    assert ours[list(expected)].to_dict() == pytest.approx(expected, rel=1e-12)


def test_what_does_not_exist_is_nan_and_never_zero():
    assert np.isnan(values([0, 0, 0], [1, 2, 3])["PCC"])
    assert np.isnan(values([0.1] * 3, [1, 2, 3])["PCC"])  # the mean of three 0.1 is not 0.1
    assert values([1], [1]).filter(regex=r"PCC|ICC").isna().all()
    assert values([2, 2, 2], [1, 1, 1]).filter(like="ICC").isna().all()
    assert np.isnan(values([2, 2], [2, 2])["quadratic kappa"])
    found = values(
        [0, 1], [0, 0], [f"{name}[{k}]" for name in ("precision", "recall", "F1") for k in range(3)]
    )
    np.testing.assert_array_equal(found, [0.5, np.nan, np.nan, 1, 0, np.nan, 2 / 3, 0, np.nan])
    assert values([0, 0], [0, 0], p_0=[1, 0], p_1=[0, 1]).filter(like="AUC").isna().all()


def test_a_constant_estimate_agrees_with_nothing():
    # Liu et al. 2017, Sec. 4.
    assert values([0, 3, 7, 1], [3.25] * 4)["ICC(3,1)"] == pytest.approx(0, abs=1e-12)


def test_rounding_to_classes_sends_halves_up_and_outliers_to_the_ends():
    assert to_classes([-3, 0.49, 0.5, 1.5, 2.5, 99], 6).tolist() == [0, 0, 1, 2, 3, 5]
    with pytest.raises(PainkitError, match="y_pred has 1 missing or infinite"):
        to_classes([0.2, np.nan], 6)
    with pytest.raises(PainkitError, match=r"y_pred has shape .* one dimension"):
        to_classes([[1]], 6)


def test_coverage_of_a_known_normal_is_the_mass_of_its_band():
    draws = np.random.default_rng(0).normal(scale=2.0, size=200_000)
    bands = ["coverage 50%", "coverage 90%"]
    # Three standard errors of a share of 200,000 draws.
    half, most = values(draws, 0.0, bands, y_std=2.0)
    assert half == pytest.approx(0.5, abs=0.0034)
    assert most == pytest.approx(0.9, abs=0.0021)
    assert values(draws, 0.0, bands, y_std=1.0)["coverage 90%"] < 0.6  # over-confident


@settings(max_examples=40)
@given(LEVELS, st.integers(0, 2**31))
def test_properties_that_hold_for_any_levels(true, seed):
    rng = np.random.default_rng(seed)
    pred = true + rng.normal(size=true.size)

    def values_of(true, pred):
        return values(true, pred, ["MAE", "MSE", "RMSE", "wMAE", "PCC"])

    found = values_of(true, pred)
    assert 0 <= found["MAE"] <= found["RMSE"] + 1e-12
    exact = values_of(true, true)
    assert exact["MSE"] == exact["wMAE"] == 0
    order = rng.permutation(true.size)
    assert values_of(true[order], pred[order])["wMAE"] == pytest.approx(found["wMAE"], rel=1e-12)
    # Repeating every row of one level changes the plain error, not the weighted one.
    again = np.concatenate([np.arange(true.size), np.flatnonzero(true == true[0])])
    assert values_of(true[again], pred[again])["wMAE"] == pytest.approx(found["wMAE"], rel=1e-12)
    if np.ptp(true) == 0:
        assert np.isnan(found["PCC"])
    else:
        assert values_of(true, 3 * pred - 2)["PCC"] == pytest.approx(found["PCC"], abs=1e-9)
        assert values_of(true, -pred)["PCC"] == pytest.approx(-found["PCC"], abs=1e-9)


@settings(max_examples=30)
@given(st.integers(0, 10_000), st.floats(-5, 5))
def test_only_case_3_forgives_an_offset(seed, offset):
    true, noise = np.random.default_rng(seed).normal(size=(2, 20))
    pred = true + noise

    def values_of(true, pred):
        return values(true, pred, ["PCC", "ICC(1,1)", "ICC(2,1)", "ICC(3,1)"])

    found = values_of(true, pred)
    assert values_of(true, pred + offset)["ICC(3,1)"] == pytest.approx(found["ICC(3,1)"], abs=1e-9)
    assert values_of(true, true + offset)["ICC(1,1)"] <= 1 + 1e-12
    # Symmetric in the two raters, and 3,1 is bounded by the correlation it generalises.
    assert found["ICC(2,1)"] == pytest.approx(values_of(pred, true)["ICC(2,1)"], rel=1e-9)
    assert abs(found["ICC(3,1)"]) <= abs(found["PCC"]) + 1e-9


def test_every_metric_of_a_table_has_a_plain_twin():
    table = {"y_std": 1.0, **{f"p_{k}": [0.0, 1.0] for k in range(CLASSES)}}
    assert set(values([0, 5], [1, 2], **table).index) == set(PLAIN)

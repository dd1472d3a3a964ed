"""Each metric against its formula written out row by row, and against scikit-learn's own."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.metrics import roc_auc_score

from painkit import metrics
from painkit.errors import PainkitError

RNG = np.random.default_rng(7)
TRUE = RNG.integers(0, 6, 200).astype(float)
PRED = TRUE * 0.8 + RNG.normal(size=200)
CLASSES = metrics.to_classes(PRED, 6).astype(float)
LEVELS = hnp.arrays(np.float64, st.integers(2, 40), elements=st.integers(0, 5).map(float))


def slow_mean_over_levels(true, pred, power):
    means = []
    for level in sorted(set(true)):
        errors = [abs(p - t) ** power for t, p in zip(true, pred, strict=True) if t == level]
        means.append(sum(errors) / len(errors))
    return sum(means) / len(means)


def slow_pcc(true, pred):
    n = len(true)
    mt, mp = sum(true) / n, sum(pred) / n
    top = sum((t - mt) * (p - mp) for t, p in zip(true, pred, strict=True))
    return top / math.sqrt(sum((t - mt) ** 2 for t in true) * sum((p - mp) ** 2 for p in pred))


def slow_kappa(true, pred, k):
    n = len(true)
    seen = sum((t - p) ** 2 for t, p in zip(true, pred, strict=True)) / n
    chance = sum((t - p) ** 2 for t in true for p in pred) / n**2
    return 1 - seen / chance


def slow_auc(positive, score):
    wins = [
        (a > b) + (a == b) / 2
        for a, x in zip(score, positive, strict=True)
        if x
        for b, y in zip(score, positive, strict=True)
        if not y
    ]
    return sum(wins) / len(wins)


def test_regression_and_weighted_errors_are_their_formulas():
    errors = [p - t for t, p in zip(TRUE, PRED, strict=True)]
    assert metrics.mae(TRUE, PRED) == pytest.approx(sum(map(abs, errors)) / 200, rel=1e-12)
    assert metrics.mse(TRUE, PRED) == pytest.approx(sum(e * e for e in errors) / 200, rel=1e-12)
    assert metrics.rmse(TRUE, PRED) == pytest.approx(math.sqrt(sum(e * e for e in errors) / 200), rel=1e-12)
    assert metrics.pcc(TRUE, PRED) == pytest.approx(slow_pcc(TRUE, PRED), rel=1e-12)
    assert metrics.wmae(TRUE, PRED) == pytest.approx(slow_mean_over_levels(TRUE, PRED, 1), rel=1e-12)
    assert metrics.wmse(TRUE, PRED) == pytest.approx(slow_mean_over_levels(TRUE, PRED, 2), rel=1e-12)


def test_classification_is_its_formulas():
    pairs = list(zip(TRUE, CLASSES, strict=True))
    assert metrics.accuracy(TRUE, CLASSES) == sum(t == p for t, p in pairs) / 200
    assert metrics.quadratic_kappa(TRUE, CLASSES, 6) == pytest.approx(slow_kappa(TRUE, CLASSES, 6), rel=1e-12)
    counts = metrics.confusion(TRUE, CLASSES, 6)
    for k in range(6):
        hits = sum(t == p == k for t, p in pairs)
        called, real = sum(p == k for _, p in pairs), sum(t == k for t, _ in pairs)
        assert counts[k].tolist() == [sum(t == k and p == j for t, p in pairs) for j in range(6)]
        assert metrics.precision(TRUE, CLASSES, 6)[k] == pytest.approx(hits / called, rel=1e-12)
        assert metrics.recall(TRUE, CLASSES, 6)[k] == pytest.approx(hits / real, rel=1e-12)
        assert metrics.f1(TRUE, CLASSES, 6)[k] == pytest.approx(2 * hits / (called + real), rel=1e-12)


def test_one_vs_rest_auc_counts_pairs_and_its_macro_is_sklearn_s():
    logits = RNG.normal(size=(200, 6)) + 2 * np.eye(6)[TRUE.astype(int)]
    logits[:20] = logits[0]  # ties
    scores = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    areas = metrics.auc_one_vs_rest(TRUE, scores)
    for k in range(6):
        assert areas[k] == pytest.approx(slow_auc(k == TRUE, scores[:, k]), rel=1e-12)
    assert metrics.mean_defined(areas) == pytest.approx(
        roc_auc_score(TRUE, scores, multi_class="ovr"), rel=1e-12
    )


def test_what_does_not_exist_is_nan_and_never_zero():
    assert math.isnan(metrics.pcc([0, 0, 0], [1, 2, 3]))
    assert math.isnan(metrics.pcc([0.1] * 3, [1, 2, 3]))  # the mean of three 0.1 is not 0.1
    assert math.isnan(metrics.pcc([1], [1]))
    assert math.isnan(metrics.mae([], []))
    assert math.isnan(metrics.wmse([], []))
    assert math.isnan(metrics.quadratic_kappa([2, 2], [2, 2], 6))
    np.testing.assert_array_equal(metrics.precision([0, 1], [0, 0], 3), [0.5, np.nan, np.nan])
    np.testing.assert_array_equal(metrics.recall([0, 1], [0, 0], 3), [1, 0, np.nan])
    np.testing.assert_array_equal(metrics.f1([0, 1], [0, 0], 3), [2 / 3, 0, np.nan])
    np.testing.assert_array_equal(metrics.auc_one_vs_rest([0, 0], [[1, 0], [0, 1]]), [np.nan, np.nan])
    assert math.isnan(metrics.mean_defined([np.nan]))


def test_rounding_to_classes_sends_halves_up_and_outliers_to_the_ends():
    assert metrics.to_classes([-3, 0.49, 0.5, 1.5, 2.5, 99], 6).tolist() == [0, 0, 1, 2, 3, 5]


def test_coverage_of_a_known_normal_is_the_mass_of_its_band():
    draws = np.random.default_rng(0).normal(scale=2.0, size=200_000)
    zeros, stds = np.zeros_like(draws), np.full_like(draws, 2.0)
    # Three standard errors of a share of 200,000 draws.
    assert metrics.coverage(draws, zeros, stds, 0.5) == pytest.approx(0.5, abs=0.0034)
    assert metrics.coverage(draws, zeros, stds, 0.9) == pytest.approx(0.9, abs=0.0021)
    assert metrics.coverage(draws, zeros, stds / 2, 0.9) < 0.6  # over-confident


@settings(max_examples=100, deadline=None)
@given(LEVELS, st.integers(0, 2**31))
def test_properties_that_hold_for_any_levels(true, seed):
    rng = np.random.default_rng(seed)
    pred = true + rng.normal(size=true.size)
    assert 0 <= metrics.mae(true, pred) <= metrics.rmse(true, pred) + 1e-12
    assert metrics.mse(true, true) == metrics.wmae(true, true) == 0
    order = rng.permutation(true.size)
    assert metrics.wmae(true[order], pred[order]) == pytest.approx(metrics.wmae(true, pred), rel=1e-12)
    # Repeating every row of one level changes the plain error, not the weighted one.
    again = np.concatenate([np.arange(true.size), np.flatnonzero(true == true[0])])
    assert metrics.wmae(true[again], pred[again]) == pytest.approx(metrics.wmae(true, pred), rel=1e-12)
    r = metrics.pcc(true, pred)
    if np.ptp(true) == 0:
        assert math.isnan(r)
    else:
        assert metrics.pcc(true, 3 * pred - 2) == pytest.approx(r, abs=1e-9)
        assert metrics.pcc(true, -pred) == pytest.approx(-r, abs=1e-9)


@pytest.mark.parametrize(
    ("true", "pred", "message"),
    [
        ([1, 2], [1], "2 values.* 1"),
        ([1, np.nan], [1, 2], "y_true has 1 missing.*index 1"),
        ([1, 2], [np.inf, 2], "y_pred has 1 missing.*index 0"),
        ([[1]], [[1]], "one dimension"),
        (["a"], [1], "not an array of numbers"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(true, pred, message):
    with pytest.raises(PainkitError, match=message):
        metrics.mae(true, pred)


@pytest.mark.parametrize(
    "metric", [metrics.confusion, metrics.precision, metrics.recall, metrics.f1, metrics.quadratic_kappa]
)
@pytest.mark.parametrize(
    ("true", "pred", "message"),
    [
        ([0, 7, 1], [0, 1, 1], "y_true holds 1 .*no class, 7 at index 1 first .*0-2"),
        ([0, 1, 1], [0, 1, 0.4], "y_pred holds 1 .*no class, 0.4 at index 2 first .*0-2.*to_classes"),
        ([0, 1, 1], [-1, 1, -2], "y_pred holds 2 .*no class, -1 at index 0 first"),
    ],
)
def test_every_measure_of_classes_refuses_what_is_no_class(metric, true, pred, message):
    with pytest.raises(PainkitError, match=message):
        metric(true, pred, 3)


@pytest.mark.parametrize("pred", [[0, 0.4], [0, -1]])
def test_accuracy_has_no_list_of_classes_and_refuses_what_can_be_none(pred):
    with pytest.raises(PainkitError, match=r"y_pred holds 1 .*no class"):
        metrics.accuracy([0, 1], pred)
    assert metrics.accuracy([0, 40], [0, 41]) == 0.5


@pytest.mark.parametrize(
    ("true", "scores", "message"),
    [
        ([0, 2], [[1, 0], [0, 1]], "y_true holds 1 .*no class, 2 at index 1 first .*0-1"),
        ([0, 1], [[1, 0], [0, np.nan]], "scores of class 1 has 1 missing"),
        ([0, 1], [1, 0], "shape"),
        ([0, 1, 1], [[1, 0], [0, 1]], "3 values.* 2"),
    ],
)
def test_scores_that_do_not_fit_the_classes_are_refused(true, scores, message):
    with pytest.raises(PainkitError, match=message):
        metrics.auc_one_vs_rest(true, scores)


def test_what_is_no_number_has_no_class():
    with pytest.raises(PainkitError, match="y_pred has 1 missing or infinite"):
        metrics.to_classes([0.2, np.nan], 6)


@pytest.mark.parametrize("band", [90, 1, 0, np.nan])
def test_a_band_that_is_no_share_is_refused(band):
    with pytest.raises(PainkitError, match="band"):
        metrics.coverage([0, 1], [0, 1], [1, 1], band)


def test_a_missing_standard_deviation_is_told_by_its_name():
    with pytest.raises(PainkitError, match="y_std has 1 missing"):
        metrics.coverage([0, 1], [0, 1], [1, np.nan])

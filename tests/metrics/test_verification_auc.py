"""The measure of face verification: chance that two images of one person are the more alike."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from painkit.errors import PainkitError
from painkit.metrics.verification import verification_auc


def test_auc_is_the_rank_statistic_over_all_pairs() -> None:
    rng = np.random.default_rng(0)
    who = np.repeat(np.arange(6), 4)
    features = rng.normal(size=(6, 5))[who] + rng.normal(0, 1.2, (24, 5))
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    pairs = [(i, j) for i in range(24) for j in range(i)]
    slow = roc_auc_score([who[i] == who[j] for i, j in pairs], [unit[i] @ unit[j] for i, j in pairs])
    found = verification_auc(features, who)
    assert found.value == pytest.approx(slow, abs=1e-12)
    assert found.n_pairs == len(pairs)


def test_gain_is_the_difference_on_the_same_pairs_and_people() -> None:
    rng = np.random.default_rng(3)
    who = np.repeat(np.arange(12), 5)
    weak = rng.normal(size=(12, 6))[who] + rng.normal(0, 2.0, (60, 6))
    strong = weak + 4.0 * rng.normal(size=(12, 6))[who]
    gain = verification_auc(strong, who, baseline=weak, seed=1)
    one, other = verification_auc(strong, who, seed=1), verification_auc(weak, who, seed=1)
    assert gain.value == pytest.approx(one.value - other.value, abs=1e-12)
    assert gain.low > 0
    nothing = verification_auc(weak, who, baseline=2 * weak)
    assert (nothing.value, nothing.low, nothing.high) == (0, 0, 0)


def test_pairs_drawn_at_random_estimate_the_auc_of_all_pairs() -> None:
    rng = np.random.default_rng(4)
    who = np.repeat(np.arange(40), 20)
    features = rng.normal(size=(40, 4))[who] + rng.normal(0, 1.5, (800, 4))
    every = verification_auc(features, who, n_resamples=1)
    some = verification_auc(features, who, max_pairs=5000, n_resamples=1)
    assert (every.n_pairs, some.n_pairs) == (800 * 799 // 2, 10_000)
    # The standard error of an AUC from 5,000 pairs of each kind is below 0.006.
    assert some.value == pytest.approx(every.value, abs=0.02)


def test_auc_of_equal_features_is_one_half() -> None:
    assert verification_auc(np.ones((8, 3)), np.repeat([0, 1], 4)).value == 0.5


def test_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    """Features without identity: 0.5 should lie in a 95 % interval in most of 60 sets."""
    rng = np.random.default_rng(1)
    who = np.repeat(np.arange(20), 4)
    inside = 0
    for _ in range(60):
        found = verification_auc(rng.normal(size=(80, 8)), who, n_resamples=200)
        inside += found.low <= 0.5 <= found.high
    assert inside >= 51  # 60 draws at 95 %: below 51 in fewer than one run of 1000


def test_missing_features_are_left_out_and_counted() -> None:
    features = np.random.default_rng(2).normal(size=(8, 3))
    features[[0, 5]] = np.nan
    assert verification_auc(features, np.repeat([0, 1], 4)).n_left_out == 2
    with pytest.raises(PainkitError, match="pairs of the same"):
        verification_auc(features[:4], np.arange(4))

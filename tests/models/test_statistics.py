"""The ten statistics against slow formulas."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from painkit.models.sequences.statistics import STATISTICS, sequence_statistics, statistic_names


def slowly(values: list[float]) -> list[float]:
    """Each statistic from its textbook formula, in plain Python."""
    n, ranked = len(values), sorted(values)
    mean = sum(values) / n

    def quantile(q: float) -> float:
        at = q * (n - 1)
        below = int(at)
        above = min(below + 1, n - 1)
        return ranked[below] + (at - below) * (ranked[above] - ranked[below])

    def central(order: int) -> float:
        return sum((value - mean) ** order for value in values) / n

    spread = quantile(0.75) - quantile(0.25)
    moments = [central(order) for order in (2, 3, 4, 5)]
    return [mean, quantile(0.5), ranked[0], ranked[-1], *moments, sum(values), spread]


@given(st.lists(st.floats(-10, 10), min_size=1, max_size=40))
def test_statistics_are_the_textbook_ones(values):
    np.testing.assert_allclose(sequence_statistics(values), slowly(values), rtol=1e-9, atol=1e-7)


def test_a_known_sequence():
    # 1..5: mean and median 3, variance 2, odd moments 0, fourth (16+1+0+1+16)/5, sum 15, quartiles 2 and 4.
    expected = [3, 3, 1, 5, 2, 0, 6.8, 0, 15, 2]
    np.testing.assert_allclose(sequence_statistics([1, 2, 3, 4, 5]), expected, atol=1e-12)


def test_two_labels_give_twenty_in_the_order_of_their_names():
    vas, opi = np.array([1.0, 4.0, 2.0]), np.array([0.0, 3.0, 3.0])
    both = sequence_statistics(np.stack([vas, opi], axis=1))
    named = dict(zip(statistic_names(("vas", "opi")), both, strict=True))
    assert len(named) == 20
    for name, values in (("vas", vas), ("opi", opi)):
        own = [named[f"{name}_{statistic}"] for statistic in STATISTICS]
        np.testing.assert_allclose(own, slowly(values.tolist()), atol=1e-12)


def test_untracked_frames_are_skipped_and_none_left_is_undefined():
    np.testing.assert_array_equal(sequence_statistics([1.0, np.nan, 3.0]), sequence_statistics([1.0, 3.0]))
    assert np.isnan(sequence_statistics(np.full((4, 2), np.nan))).sum() == 20
    assert np.isnan(sequence_statistics(np.empty((0, 1)))).sum() == 10


def test_one_frame_has_no_spread():
    statistics = dict(zip(STATISTICS, sequence_statistics([2.5]), strict=True))
    assert [statistics[k] for k in ("mean", "median", "min", "max", "sum")] == [2.5] * 5
    assert [statistics[k] for k in ("variance", "moment3", "moment4", "moment5", "iqr")] == pytest.approx(
        [0] * 5
    )

"""Triplets, unit sets, histograms, distances and losses against slow twins and finite differences."""

from __future__ import annotations

import numpy as np
import plain_saliency as plain
import pytest
import torch
from scipy.stats import wasserstein_distance
from torch.autograd import gradcheck
from torch.nn import functional

from painkit.errors import PainkitError
from painkit.models.training.saliency_losses import (
    earth_movers_distance,
    global_loss,
    local_loss,
    patch_values,
    soft_histogram,
)
from painkit.models.training.triplets import Triplets, mine, unit_sets
from painkit.models.training.unit_patches import PATCH_LANDMARKS, unit_histograms, unit_membership
from painkit.vocabulary.action_units import UNIT_LANDMARKS

SIGNS = {"working": 1, "as_printed": -1}


def rng(seed=0):
    return np.random.default_rng(seed)


def triplets_of(trio, gap):
    a, p, n = torch.tensor(trio).reshape(-1, 3).T
    return Triplets(a, p, n, torch.tensor(gap, dtype=torch.float64), torch.tensor(0), torch.tensor(0))


@pytest.mark.parametrize("seed", range(5))
def test_triplets_are_the_hardest_of_the_batch(seed):
    features = functional.normalize(torch.from_numpy(rng(seed).normal(size=(20, 7))))
    levels = rng(seed).choice([0, 0, 0, 1, 2, 5], 20).astype(float)
    levels[0] = 4  # a level with one frame
    found = mine(features, torch.from_numpy(levels))
    expected = plain.plain_hardest(features.numpy(), levels)
    assert torch.stack(found[:3]).T.tolist() == [list(one) for one in expected]
    assert found.gap.tolist() == [abs(levels[a] - levels[n]) for a, _, n in expected]
    alone = sum((levels == level).sum() == 1 for level in levels)
    assert int(found.n_without_positive) == alone >= 1
    assert int(found.n_without_negative) == 0


def test_a_batch_of_one_level_or_of_single_frames_has_no_triplet_and_no_loss():
    features = functional.normalize(torch.randn(4, 3, generator=torch.Generator().manual_seed(0)))
    features.requires_grad_()
    for levels, lonely, alike in (([2, 2, 2, 2], 0, 4), ([0, 1, 2, 3], 4, 0)):
        found = mine(features, torch.tensor(levels))
        assert (len(found.anchor), int(found.n_without_positive), int(found.n_without_negative)) == (
            0,
            lonely,
            alike,
        )
        loss = global_loss(features, found)
        loss.backward()
        assert float(loss.detach()) == 0
        assert not features.grad.any()


@pytest.mark.parametrize("seed", range(5))
def test_units_are_divided_as_equations_1_and_3_say(seed):
    values = rng(seed).integers(0, 4, (9, 6)).astype(float)
    values[rng(seed).random(values.shape) < 0.1] = np.nan
    trio = [tuple(rng(seed + k).permutation(9)[:3]) for k in range(8)]
    found = unit_sets(torch.from_numpy(values), triplets_of(trio, [1] * 8), alpha=1.0)
    for t, (a, p, n) in enumerate(trio):
        relevant, irrelevant, weight = plain.plain_sets(values[a], values[p], values[n], 1.0)
        assert torch.nonzero(found.relevant[t])[:, 0].tolist() == relevant
        assert torch.nonzero(found.irrelevant[t])[:, 0].tolist() == irrelevant
        expected = [weight.get(k, 0) for k in range(6)]
        np.testing.assert_allclose(found.weight[t], expected, atol=1e-12)


def test_the_threshold_itself_counts_as_a_difference():
    values = torch.tensor([[0.0, 0, 0], [0, 0, 1], [1, 0.5, 1]], dtype=torch.float64)
    found = unit_sets(values, triplets_of([(0, 1, 2)], [1]), alpha=1.0)
    assert found.relevant.tolist() == [[True, False, False]]
    assert found.irrelevant.tolist() == [[False, True, True]]
    # A unit without a patch in one of the three is in neither set.
    known = torch.tensor([[True, True, True], [True, True, True], [False, True, True]])
    found = unit_sets(values, triplets_of([(0, 1, 2)], [1]), alpha=1.0, known=known)
    assert not found.relevant.any()
    assert found.weight.tolist() == [[0, 0, 0]]
    assert found.irrelevant.tolist() == [[False, True, True]]


@pytest.mark.parametrize("width", [1.0, 3.0])
def test_soft_histograms_against_a_slow_twin(width):
    values = rng().random((3, 40)) * 1.2 - 0.1
    inside = rng(1).random((3, 40)) < 0.8
    found = soft_histogram(torch.from_numpy(values), torch.from_numpy(inside), 16, width)
    for row in range(3):
        expected = plain.plain_histogram(values[row][inside[row]], 16, width)
        np.testing.assert_allclose(found[row], expected, atol=1e-12)
    np.testing.assert_allclose(found.sum(dim=1), inside.sum(axis=1))
    if width == 1:  # linear interpolation keeps the mean
        centres = np.linspace(0, 1, 16)
        means = (found.numpy() * centres).sum(axis=1) / inside.sum(axis=1)
        clipped = [values[row][inside[row]].clip(0, 1).mean() for row in range(3)]
        np.testing.assert_allclose(means, clipped, atol=1e-12)


@pytest.mark.parametrize("bins", [2, 16, 64])
def test_the_distance_is_the_wasserstein_distance_of_scipy(bins):
    first, second = rng().dirichlet(np.ones(bins), (2, 10))
    found = earth_movers_distance(torch.from_numpy(first), torch.from_numpy(second))
    centres = np.linspace(0, 1, bins)
    expected = [wasserstein_distance(centres, centres, a, b) for a, b in zip(first, second, strict=True)]
    np.testing.assert_allclose(found, expected, atol=1e-12)
    ends = torch.eye(bins, dtype=torch.float64)[[0, -1]]
    assert float(earth_movers_distance(ends[0], ends[1])) == pytest.approx(1)  # normalised


@pytest.mark.parametrize("signs", SIGNS)
def test_local_losses_against_a_slow_twin(signs):
    n, k = 12, 6
    values = rng(3).integers(0, 3, (n, k)).astype(float)
    values[0] = values[1] = values[2] = 0  # an empty A
    trio = [(0, 1, 2)] + [tuple(rng(10 + t).permutation(n)[:3]) for t in range(20)]
    gap = rng(4).integers(1, 6, len(trio)).astype(float) / 8  # small, so that B takes part
    triplets = triplets_of(trio, gap)
    sets = unit_sets(torch.from_numpy(values), triplets)
    to_p, to_n = (torch.from_numpy(rng(s).random((len(trio), k))) for s in (5, 6))
    found = local_loss(to_p, to_n, sets, triplets.gap, signs)
    expected = np.zeros(2)
    for t, (a, p, m) in enumerate(trio):
        divided = plain.plain_sets(values[a], values[p], values[m], 1.0)
        told = plain.plain_local(to_p[t].numpy(), to_n[t].numpy(), *divided, gap[t], SIGNS[signs])
        expected += np.array(told) / len(trio)
    assert expected.min() > 0.01
    np.testing.assert_allclose([float(one) for one in found], expected, rtol=1e-12)
    # Empty A or B contributes 0, and no NaN.
    everything = torch.ones_like(sets.relevant)
    nothing = ~everything
    for part in (sets._replace(relevant=nothing), sets._replace(irrelevant=nothing)):
        assert all(torch.isfinite(one) for one in local_loss(to_p, to_n, part, triplets.gap, signs))
    none = local_loss(to_p, to_n, sets._replace(relevant=nothing, irrelevant=nothing), triplets.gap, signs)
    assert [float(one) for one in none] == [0, 0]


@pytest.mark.parametrize("signs", SIGNS)
def test_the_global_loss_against_a_slow_twin(signs):
    features = functional.normalize(torch.from_numpy(rng().normal(size=(10, 5))))
    trio = [tuple(rng(t).permutation(10)[:3]) for t in range(9)]
    gap = rng(1).integers(1, 6, 9).astype(float)
    found = global_loss(features, triplets_of(trio, gap), 0.2, signs)
    f = features.numpy()
    told = [plain.plain_global(*f[list(t)], o, 0.2, SIGNS[signs]) for t, o in zip(trio, gap, strict=True)]
    assert float(found) == pytest.approx(np.mean(told), rel=1e-12)


@pytest.mark.parametrize("signs", SIGNS)
def test_slopes_of_all_losses_are_those_of_finite_differences(signs):
    """From the map to the sum of A and B, and from the features to the global loss, in float64."""
    units = list(UNIT_LANDMARKS)
    levels = torch.tensor([0.0, 0, 1, 1, 0, 2])
    coded = torch.from_numpy(rng(1).integers(0, 4, (6, len(units))).astype(float))
    points = torch.from_numpy(rng(2).uniform(-2, 22, (6, len(PATCH_LANDMARKS), 2)))
    membership = unit_membership(units)
    features = torch.from_numpy(rng(3).normal(size=(6, 4))).requires_grad_()
    triplets = mine(functional.normalize(features.detach()), levels)
    triplets = triplets._replace(gap=triplets.gap / 20)  # so that B takes part, too

    def local(maps):
        found = unit_histograms(maps, points, membership, side=5)
        sets = unit_sets(coded, triplets, 1.0, found.known)
        of = [found.histograms[one] for one in triplets[:3]]
        apart = [earth_movers_distance(of[0], other) for other in of[1:]]
        return torch.stack(local_loss(*apart, sets, triplets.gap, signs))

    maps = torch.from_numpy(rng(4).random((6, 20, 20))).requires_grad_()
    assert (local(maps) > 0.001).all()
    assert gradcheck(local, maps, eps=1e-7, atol=1e-6)
    assert gradcheck(
        lambda x: global_loss(functional.normalize(x), triplets, 0.2, signs), features, atol=1e-6
    )


def test_patches_at_the_border_and_missing_landmarks():
    maps = torch.from_numpy(rng().random((1, 20, 30)))
    points = torch.tensor([[[10.4, 9.6], [0.0, 0.0], [29.0, 25.0], [torch.nan, 3.0], [90.0, 90.0]]])
    values, inside = patch_values(maps, points, 11)
    counts = [121, 36, 0, 0, 0]
    for place, (x, y) in enumerate(points[0].tolist()):
        expected = [] if np.isnan(x) else plain.plain_patch(maps[0].numpy(), x, y, 11)
        if place != 2:
            assert len(expected) == counts[place]
        assert values[0, place][inside[0, place]].tolist() == expected
    assert inside[0, 2].sum() == 6 * 0 + len(plain.plain_patch(maps[0].numpy(), 29, 25, 11))
    with pytest.raises(PainkitError, match="patches of 10 pixels"):
        patch_values(maps, points, 10)


def test_a_unit_is_known_where_any_of_its_patches_has_a_pixel():
    units = list(UNIT_LANDMARKS)
    maps = torch.from_numpy(rng().random((2, 112, 96)))
    points = torch.full((2, len(PATCH_LANDMARKS), 2), torch.nan, dtype=torch.float64)
    place = list(PATCH_LANDMARKS).index(UNIT_LANDMARKS[12][0][0])
    points[0, place] = torch.tensor([2.0, 50.0])  # the left corner of the mouth, at the border
    found = unit_histograms(maps, points, unit_membership(units))
    with_corner = [unit for unit in units if UNIT_LANDMARKS[12][0][0] in np.concatenate(UNIT_LANDMARKS[unit])]
    assert [unit for unit, known in zip(units, found.known[0].tolist(), strict=True) if known] == with_corner
    assert with_corner == [12, 20]
    assert not found.known[1].any()
    assert int(found.n_outside) == 3 * 11
    expected = plain.plain_histogram(plain.plain_patch(maps[0].numpy(), 2, 50, 11), 16, 1.0)
    np.testing.assert_allclose(found.histograms[0, units.index(12)], expected / expected.sum(), atol=1e-12)
    assert not found.histograms[1].any()


def test_patches_of_both_sides_make_one_histogram():
    unit = 6
    maps = torch.from_numpy(rng().random((1, 112, 96)))
    points = torch.from_numpy(rng(1).uniform(20, 80, (1, len(PATCH_LANDMARKS), 2)))
    found = unit_histograms(maps, points, unit_membership([unit]))
    pixels = []
    for landmark in np.concatenate(UNIT_LANDMARKS[unit]):
        x, y = points[0, list(PATCH_LANDMARKS).index(landmark)].tolist()
        pixels += plain.plain_patch(maps[0].numpy(), x, y, 11)
    expected = plain.plain_histogram(pixels, 16, 1.0)
    np.testing.assert_allclose(found.histograms[0, 0], expected / expected.sum(), atol=1e-12)


@pytest.mark.parametrize("signs", SIGNS)
def test_going_down_the_losses_moves_negatives_apart_or_as_printed_closer(signs):
    """Features and maps themselves descend: no net stands between the equations and what they do."""
    features = torch.from_numpy(rng().normal(size=(8, 4))).requires_grad_()
    levels = torch.tensor([0.0, 0, 0, 0, 3, 3, 3, 3])
    triplets = mine(functional.normalize(features.detach()), levels)
    maps = torch.from_numpy(rng(1).random((8, 30, 30))).requires_grad_()
    points = torch.from_numpy(rng(2).uniform(6, 24, (1, len(PATCH_LANDMARKS), 2))).expand(8, -1, -1)
    membership = unit_membership([4, 12])
    coded = torch.stack([levels, torch.zeros(8)], dim=1)  # AU4 goes with the level, AU12 does not

    def gaps():
        f = functional.normalize(features)
        whole = [(f[triplets.anchor] - f[other]).norm(dim=1).mean() for other in triplets[1:3]]
        found = unit_histograms(maps, points, membership)
        of = [found.histograms[one] for one in triplets[:3]]
        patch = [earth_movers_distance(of[0], other) for other in of[1:]]
        return (whole[1] - whole[0]).item(), (patch[1] - patch[0])[:, 0].mean().item(), patch, found

    before = gaps()
    for _ in range(60):
        loss = global_loss(functional.normalize(features), triplets, 0.2, signs)
        *_, patch, found = gaps()
        sets = unit_sets(coded, triplets, 1.0, found.known)
        loss = loss + sum(local_loss(*patch, sets, triplets.gap, signs))
        features.grad = maps.grad = None
        loss.backward()
        with torch.no_grad():
            features -= 0.2 * features.grad
            maps -= 5 * maps.grad
    after = gaps()
    for was, now in zip(before[:2], after[:2], strict=True):
        assert (now - was) * SIGNS[signs] > 0.05

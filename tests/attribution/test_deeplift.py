"""DeepLIFT contributions: completeness, the rescale rule by hand, and known causes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from synthetic_sequences import CAUSES, make_sequences

from painkit.attribution.deeplift import deeplift
from painkit.attribution.landmark_scores import landmark_table, rank_correlations, subject_maps, top_share
from painkit.errors import PainkitError
from painkit.models.sequences.mean_voting import MeanVoting


@pytest.fixture(scope="module")
def data():
    return make_sequences(seed=2)


@pytest.fixture(scope="module", params=["none", "third_layer", "input"])
def model(request, data):
    X, y, _ = data
    return MeanVoting(placement=request.param, epochs=8, lr=3e-3, batch_size=60, random_state=0).fit(X, y)


def rescale_by_hand(net: torch.nn.Module, x: np.ndarray, reference: np.ndarray, target: int) -> np.ndarray:
    """Multipliers from output to input, layer by layer: W for linear, (r(z) - r(z0)) / (z - z0) for ReLU."""
    layers = [*net.to_third, *net.from_third]
    joint = len(net.to_third)  # where the personal inputs join, when they do
    ins, refs = [x.astype(np.float64)], [reference.astype(np.float64)]
    late = net.placement == "third_layer"
    a, b = (v[:132] if late else v for v in (ins[0], refs[0]))
    trace = []
    for i, layer in enumerate(layers):
        if late and i == joint:
            a, b = np.concatenate([a, ins[0][132:]]), np.concatenate([b, refs[0][132:]])
        if isinstance(layer, torch.nn.Linear):
            w, bias = (p.detach().double().numpy() for p in (layer.weight, layer.bias))
            trace.append(("linear", w, None))
            a, b = w @ a + bias, w @ b + bias
        else:
            ra, rb = np.maximum(a, 0), np.maximum(b, 0)
            same = np.abs(a - b) < 1e-10
            slope = np.where(same, (a > 0).astype(float), (ra - rb) / np.where(same, 1, a - b))
            trace.append(("relu", slope, None))
            a, b = ra, rb
    m = np.eye(len(a))[target]
    late_part = np.zeros(0)
    for i in reversed(range(len(trace))):
        kind, value, _ = trace[i]
        m = m @ value if kind == "linear" else m * value
        if late and i == joint:
            m, late_part = m[:10], m[10:]
    return np.concatenate([m, late_part]) * (ins[0] - refs[0])


@pytest.mark.parametrize("reference", ["own", "zero"])
@pytest.mark.parametrize("target", ["vas", "opi"])
def test_contributions_are_those_of_the_rescale_rule(data, model, target, reference):
    X = data[0][:2]
    found = deeplift(model, X, target=target, personal_reference=reference)
    rows = np.concatenate(model.network_inputs(X))
    for i in (0, 7, len(rows) - 1):
        zero = np.zeros_like(rows[i])
        if reference == "own":
            zero[132:] = rows[i][132:]
        by_hand = rescale_by_hand(model.net_, rows[i], zero, ("vas", "opi").index(target))
        np.testing.assert_allclose(found.vectors[i].ravel(), by_hand[:132], atol=2e-5)
        np.testing.assert_allclose(found.personal[i], by_hand[132:], atol=2e-5)


def test_contributions_sum_to_the_difference_from_the_reference(data, model):
    X = data[0]
    found = deeplift(model, X, chunk=100)
    estimates = np.concatenate(model.frame_estimates(X))[:, 0]
    np.testing.assert_allclose(found.estimates, estimates, atol=1e-5)
    # float32 rounding over 132 terms of size up to about 1.
    assert np.abs(found.completeness_error).max() < 1e-4
    assert np.abs(found.estimates - found.reference).max() > 1
    assert (found.personal == 0).all()


def test_the_size_of_the_chunks_changes_nothing(data, model):
    X = data[0][:5]
    whole, parts = deeplift(model, X), deeplift(model, X, chunk=17)
    np.testing.assert_allclose(parts.vectors, whole.vectors, atol=1e-5)


def test_the_landmarks_that_cause_the_label_have_the_largest_contributions(data, model):
    found = deeplift(model, data[0])
    table = landmark_table(found)
    assert set(CAUSES) <= set(table.nlargest(6, "magnitude")["landmark"])
    truth = np.isin(np.arange(66), CAUSES).astype(float)
    assert rank_correlations(table["magnitude"], truth) > 0.3  # four tied causes among 66: at most 0.41
    # The causes move down, so it is y that counts.
    vectors = np.abs(found.vectors[:, list(CAUSES)]).mean(axis=(0, 1))
    assert vectors[1] > 3 * vectors[0]


def test_untracked_frames_have_no_contribution_and_keep_their_row(data, model):
    X = [replace(s, landmarks=s.landmarks.copy()) for s in data[0][:3]]
    X[1].landmarks[4, 3, 0] = np.nan
    found = deeplift(model, X)
    row = len(X[0].landmarks) + 4
    assert np.flatnonzero(np.isnan(found.scores[:, 0])).tolist() == [row]
    assert found.frames.loc[row].tolist() == [X[1].subject, X[1].sequence, 5]
    assert landmark_table(found)["n_frames"].unique().tolist() == [sum(len(s.landmarks) for s in X) - 1]


def test_maps_of_each_subject_sum_to_one_hundred(data, model):
    found = deeplift(model, data[0])
    for signed in (False, True):
        maps = subject_maps(found, signed=signed)
        assert maps.shape == (6, 66)
        np.testing.assert_allclose(maps.sum(axis=1), 100)
    own = np.abs(found.scores[(found.frames["subject"] == "003").to_numpy()]).mean(axis=0)
    np.testing.assert_allclose(subject_maps(found).loc["003"], 100 * own / own.sum(), rtol=1e-4)


def test_the_landmark_table_is_made_of_means_and_deviations(data, model):
    found = deeplift(model, data[0])
    table = landmark_table(found)
    subjects = found.frames["subject"].to_numpy()
    scores = found.vectors.astype(np.float64).sum(axis=2)
    for landmark in (0, 21, 65):
        column = scores[:, landmark]
        per_subject = [column[subjects == s].mean() for s in np.unique(subjects)]
        row = table.iloc[landmark]
        assert row["mean"] == pytest.approx(column.mean(), abs=1e-6)
        assert row["sd_frames"] == pytest.approx(column.std(), abs=1e-6)
        assert row["sd_subjects"] == pytest.approx(np.std(per_subject, ddof=1), abs=1e-6)
        assert row["distance"] == pytest.approx(np.hypot(*found.inputs[:, landmark].T).mean(), abs=1e-5)


def test_agreement_of_constant_maps_is_undefined_and_of_equal_ones_perfect():
    truth = np.arange(66.0)
    assert np.isnan(rank_correlations(np.ones(66), truth))
    assert rank_correlations(truth**2, truth) == pytest.approx(1.0)
    assert (top_share(truth**2, truth), top_share(-truth, truth)) == (1.0, 0.0)
    assert top_share(truth, np.roll(truth, 4)) == 0.6  # its ten highest are 60-65 and 0-3
    noisy = np.random.default_rng(0).normal(size=(2, 66))
    assert rank_correlations(*noisy) == pytest.approx(spearmanr(*noisy).statistic)


def test_an_output_that_the_network_lacks_is_refused(data):
    X, y, _ = data
    model = MeanVoting(labels=("vas",), epochs=1, random_state=0).fit(X, y[:, 0])
    with pytest.raises(PainkitError, match="target='opi'"):
        deeplift(model, X, target="opi")
    with pytest.raises(PainkitError, match="personal_reference"):
        deeplift(model, X, personal_reference="mean")

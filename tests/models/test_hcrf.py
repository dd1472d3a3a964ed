"""The hidden chain against enumeration of all paths, and the classifier around it."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GroupKFold, cross_val_predict
from synthetic_sequences import make_sequences

from painkit.errors import PainkitError
from painkit.models.sequences.hcrf import HCRF, HiddenChain

# Most tests stop the search early, for speed.
pytestmark = pytest.mark.filterwarnings("ignore:HCRF:sklearn.exceptions.ConvergenceWarning")


def by_enumeration(chain: HiddenChain, frames: torch.Tensor) -> torch.Tensor:
    """Score of each class: the sum over every path of hidden states, one path at a time."""
    scores = []
    for c in range(len(chain.state)):
        paths = []
        for path in itertools.product(range(chain.state.shape[1]), repeat=len(frames)):
            score = sum(
                chain.observation[h] @ x + chain.state[c, h] for h, x in zip(path, frames, strict=True)
            )
            score = score + sum(chain.transition[c, h, k] for h, k in itertools.pairwise(path))
            paths.append(score)
        scores.append(torch.logsumexp(torch.stack(paths), dim=0))
    return torch.stack(scores)


@pytest.fixture
def chain() -> HiddenChain:
    made = HiddenChain(4, 3, 5).double()
    generator = torch.Generator().manual_seed(0)
    for parameter in made.parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
    return made


def test_scores_are_sums_over_all_paths_for_padded_chains_of_every_length(chain):
    generator = torch.Generator().manual_seed(1)
    sequences = [torch.randn(n, 4, generator=generator, dtype=torch.float64) for n in (6, 5, 5, 3, 2, 1, 1)]
    padded = torch.nn.utils.rnn.pad_sequence(sequences, batch_first=True, padding_value=99.0)
    scores = chain(padded, torch.tensor([len(s) for s in sequences]))
    expected = torch.stack([by_enumeration(chain, s) for s in sequences])
    np.testing.assert_allclose(scores.detach(), expected.detach(), rtol=0, atol=1e-12)


def test_the_gradient_is_that_of_the_enumeration(chain):
    frames = torch.randn(5, 4, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    gradients = []
    for scores in (chain(frames[None], torch.tensor([5]))[0], by_enumeration(chain, frames)):
        loss = -torch.log_softmax(scores, dim=0)[2]
        gradients.append(torch.autograd.grad(loss, list(chain.parameters())))
    for fast, slow in zip(*gradients, strict=True):
        np.testing.assert_allclose(fast, slow, rtol=0, atol=1e-12)


def test_long_chains_neither_overflow_nor_lose_the_gradient(chain):
    frames = 50 * torch.randn(1, 700, 4, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    scores = chain(frames, torch.tensor([700]))
    gradient = torch.autograd.grad(scores.sum(), list(chain.parameters()))
    assert torch.isfinite(scores).all()
    assert all(torch.isfinite(g).all() for g in gradient)
    assert scores.max() > 10_000


@pytest.fixture(scope="module")
def data():
    return make_sequences(n_subjects=8, n_sequences=5)


def test_unseen_subjects_are_estimated_better_than_by_the_training_mean(data):
    X, y, subjects = data
    model = HCRF(random_state=0, frame_step=2, max_iter=30)
    predicted = cross_val_predict(model, X, y, groups=subjects, cv=GroupKFold(4))
    error, constant = np.abs(predicted - y).mean(axis=0), np.abs(y.mean(axis=0) - y).mean(axis=0)
    # 0.27 to 0.5 over four seeds.
    assert (error < 0.7 * constant).all()


def test_the_estimate_is_the_expectation_of_the_class_probabilities(data):
    X, y, _ = data
    model = HCRF(random_state=0, max_iter=3, placement="input").fit(X, y)
    vas, opi = model.predict_proba(X)
    assert (vas.shape, opi.shape) == ((40, 11), (40, 6))
    np.testing.assert_allclose(vas.sum(axis=1), 1)
    mean, std = model.predict(X, return_std=True)
    expected = sum(c * vas[:, c] for c in range(11))
    np.testing.assert_allclose(mean[:, 0], expected)
    np.testing.assert_allclose(
        std[:, 0] ** 2, sum((c - expected) ** 2 * vas[:, c] for c in range(11)), atol=1e-9
    )


def test_a_search_cut_short_is_told_and_remembered(data, tmp_path: Path):
    X, y, _ = data
    with pytest.warns(ConvergenceWarning, match="HCRF, VAS: .*ITERATIONS"):
        model = HCRF(random_state=0, max_iter=2).fit(X, y[:, 0])
    assert not model.converged_
    model.save(tmp_path)
    assert not HCRF.load(tmp_path).converged_


def test_enough_iterations_find_the_maximum_of_a_strongly_penalised_chain(data):
    X, y, _ = data
    model = HCRF(random_state=0, max_iter=200, frame_step=5, l2=1.0).fit(X, y)
    assert model.converged_


def test_sequences_of_one_frame_are_taken():
    X, y, _ = make_sequences(n_subjects=4, n_sequences=3, n_frames=1)
    model = HCRF(random_state=0, max_iter=20, standardize="train").fit(X, y)
    assert np.isfinite(model.predict(X)).all()
    # Without a second frame no transition can be learnt: the penalty takes its parameters to 0.
    assert all(chain.transition.abs().max() < 0.1 * chain.state.abs().max() for chain in model.net_)


def test_labels_off_the_scale_are_refused(data):
    X, y, _ = data
    with pytest.raises(PainkitError, match="VAS labels from 0 to 12"):
        HCRF().fit(X, np.where(y == 10, 12, y))

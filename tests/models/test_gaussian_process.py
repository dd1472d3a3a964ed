"""The Gaussian process against scikit-learn's, the equations, and data it cannot fit."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel

from painkit.errors import PainkitError
from painkit.models.sequences import gaussian_process
from painkit.models.sequences.gaussian_process import GaussianProcess, _Loss


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 6)) * [1, 10, 0.1, 1, 1, 1] + 5
    y = 4 + 2 * np.sin(2 * (X[:, 0] - 5)) + 0.1 * X[:, 1] + rng.normal(0, 0.3, 80)
    return X, y, rng.normal(size=(30, 6)) * [1, 10, 0.1, 1, 1, 1] + 5


@pytest.fixture(scope="module")
def fitted(data):
    X, y, _ = data
    return GaussianProcess(random_state=0).fit(X, y)


@pytest.fixture(scope="module")
def peer(fitted):
    kernel = ConstantKernel(fitted.outputscale_) * RBF(fitted.lengthscales_) + WhiteKernel(fitted.noise_)
    return GaussianProcessRegressor(kernel, alpha=0.0, optimizer=None).fit(fitted.inputs_, fitted.targets_)


def test_likelihood_mean_and_deviation_agree_with_scikit_learn(data, fitted, peer):
    X, y, new = data
    z = (new - X.mean(axis=0)) / X.std(axis=0)
    assert fitted.log_marginal_likelihood_ == pytest.approx(peer.log_marginal_likelihood_value_, abs=1e-9)
    mean, std = fitted.predict(new, return_std=True)
    their_mean, their_std = peer.predict(z, return_std=True)
    np.testing.assert_allclose(mean, their_mean + y.mean(), rtol=0, atol=1e-9)
    np.testing.assert_allclose(std, their_std, rtol=0, atol=1e-9)


def test_predictions_are_those_of_the_equations(data, fitted):
    X, y, new = data
    a, b = ((m - X.mean(axis=0)) / X.std(axis=0) / fitted.lengthscales_ for m in (X, new))

    def k(p, q):
        return fitted.outputscale_ * np.exp(-0.5 * ((p[:, None] - q[None]) ** 2).sum(axis=2))

    inverse = np.linalg.inv(k(a, a) + fitted.noise_ * np.eye(len(a)))
    mean, std = fitted.predict(new, return_std=True, noise=False)
    np.testing.assert_allclose(mean, y.mean() + k(b, a) @ inverse @ (y - y.mean()), atol=1e-9)
    np.testing.assert_allclose(std**2, np.diag(k(b, b) - k(b, a) @ inverse @ k(a, b)), atol=1e-9)
    _, noisy = fitted.predict(new, return_std=True)
    np.testing.assert_allclose(noisy**2, std**2 + fitted.noise_, atol=1e-12)


@pytest.mark.filterwarnings("ignore:The optimal value found:sklearn.exceptions.ConvergenceWarning")
def test_the_search_reaches_what_scikit_learns_search_reaches(data, fitted):
    kernel = ConstantKernel(2.0) * RBF(np.full(6, 2.4), (1e-1, 1e3)) + WhiteKernel(1.0)
    theirs = GaussianProcessRegressor(kernel, alpha=0.0, n_restarts_optimizer=2, random_state=0)
    theirs.fit(fitted.inputs_, fitted.targets_)
    # The search ends when the likelihood moves by 1e-6 per target.
    assert fitted.log_marginal_likelihood_ > theirs.log_marginal_likelihood_value_ - 0.01
    assert fitted.converged_


def test_inputs_that_matter_have_the_highest_relevance(fitted):
    assert set(np.argsort(-fitted.relevance_)[:2]) == {0, 1}
    np.testing.assert_allclose(np.exp(-fitted.relevance_), fitted.lengthscales_)


def test_bands_cover_new_draws_as_often_as_they_say():
    rng = np.random.default_rng(1)
    X = rng.uniform(-2, 2, (600, 1))
    y = np.sin(2 * X[:, 0]) + rng.normal(0, 0.5, 600)
    mean, std = (
        GaussianProcess(n_restarts=1, random_state=0).fit(X[:150], y[:150]).predict(X[150:], return_std=True)
    )
    # 450 draws: the share's own standard error is 0.024 at 50 % and 0.014 at 90 %.
    assert np.mean(np.abs(y[150:] - mean) < 0.674 * std) == pytest.approx(0.5, abs=0.08)
    assert np.mean(np.abs(y[150:] - mean) < 1.645 * std) == pytest.approx(0.9, abs=0.05)


def test_copies_predict_the_same(data, fitted):
    twin = copy.deepcopy(fitted)
    np.testing.assert_array_equal(twin.predict(data[2]), fitted.predict(data[2]))


def test_shift_and_scale_of_an_input_change_nothing(data, fitted):
    X, y, new = data
    other = GaussianProcess(random_state=0).fit(X * 7 - 3, y)
    np.testing.assert_allclose(other.predict(new * 7 - 3), fitted.predict(new), atol=1e-6)


def test_equal_targets_fall_back_to_that_value_with_unknown_spread(data):
    X, y, new = data
    with pytest.warns(ConvergenceWarning, match="all 80 targets are equal"):
        gp = GaussianProcess().fit(X, np.full_like(y, 3.0))
    mean, std = gp.predict(new, return_std=True)
    assert (mean == 3.0).all()
    assert np.isnan(std).all()
    assert (gp.fallback_, gp.converged_) == ("constant", False)
    assert np.isnan(gp.relevance_).all()


def test_a_search_cut_short_is_told(data):
    X, y, _ = data
    with pytest.warns(ConvergenceWarning, match="ITERATIONS"):
        gp = GaussianProcess(max_iter=1, n_restarts=1).fit(X, y)
    assert not gp.converged_
    assert gp.fallback_ is None


def test_targets_whose_variance_overflows_fall_back_to_their_mean(data):
    X, y, new = data
    with pytest.warns(ConvergenceWarning, match="overflows"):
        gp = GaussianProcess(random_state=0).fit(X, y * 1e200)
    assert gp.fallback_ == "constant"
    np.testing.assert_allclose(gp.predict(new), (y * 1e200).mean())


def test_a_search_without_any_covariance_predicts_the_mean_and_says_only_so(data, monkeypatch):
    X, y, new = data
    monkeypatch.setattr(
        gaussian_process, "_Loss", lambda *_: lambda x: (gaussian_process._HOPELESS, np.zeros_like(x))
    )
    with pytest.warns(ConvergenceWarning) as told:
        gp = GaussianProcess(random_state=0).fit(X, y)
    assert [str(warning.message) for warning in told] == [
        "Gaussian process: the covariance could not be factorised; the targets' mean is predicted"
    ]
    assert (gp.fallback_, gp.converged_) == ("constant", False)
    np.testing.assert_allclose(gp.predict(new), y.mean())


def test_hyperparameters_without_a_covariance_are_never_the_best(fitted):
    likelihood = _Loss(fitted.inputs_, fitted.targets_)
    loss, gradient = likelihood(np.full(8, np.nan))
    assert loss > likelihood(np.zeros(8))[0]
    assert (gradient == 0).all()


def test_the_gradient_is_that_of_finite_differences(fitted):
    likelihood, at = _Loss(fitted.inputs_, fitted.targets_), np.linspace(-1, 1, 8)
    slope = [(likelihood(at + 1e-5 * e)[0] - likelihood(at - 1e-5 * e)[0]) / 2e-5 for e in np.eye(8)]
    np.testing.assert_allclose(likelihood(at)[1], slope, atol=1e-7)


def test_constant_inputs_and_a_single_row_are_taken(data):
    X, y, _ = data
    gp = GaussianProcess(n_restarts=1, random_state=0).fit(np.hstack([X, np.full((80, 1), 9.0)]), y)
    assert np.isfinite(gp.predict(np.hstack([X, np.full((80, 1), 8.0)]))).all()
    with pytest.warns(ConvergenceWarning, match="all 1 targets"):
        one = GaussianProcess().fit(X[:1], y[:1])
    assert one.predict(X[:2]).tolist() == [y[0], y[0]]


def test_rows_with_a_missing_statistic_get_nan(data, fitted):
    new = data[2].copy()
    new[4, 2] = np.nan
    mean, std = fitted.predict(new, return_std=True)
    assert np.flatnonzero(np.isnan(mean)).tolist() == np.flatnonzero(np.isnan(std)).tolist() == [4]


def test_input_that_is_not_finite_or_does_not_match_is_refused(data):
    X, y, _ = data
    with pytest.raises(PainkitError, match="not finite"):
        GaussianProcess().fit(X, np.where(y > 4, np.nan, y))
    with pytest.raises(PainkitError, match="targets"):
        GaussianProcess().fit(X, y[:-1])

"""Exact Gaussian-process regression with an RBF-ARD kernel and Gaussian noise."""

from __future__ import annotations

import warnings
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
import torch
from numpy.random import RandomState
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import cho_solve, cholesky, solve_triangular
from scipy.optimize import minimize
from scipy.spatial.distance import cdist
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from painkit.errors import PainkitError
from painkit.models.checks import check_settings, numbers
from painkit.models.persistence import Persistent

with warnings.catch_warnings():
    # At import, linear_operator compiles by torch.jit.script, which newer versions of torch deprecate.
    warnings.simplefilter("ignore", category=FutureWarning)
    warnings.simplefilter("ignore", category=DeprecationWarning)
    import gpytorch
    from gpytorch.constraints import Positive
    from linear_operator.utils.errors import NanError, NotPSDError
    from linear_operator.utils.warnings import NumericalWarning

__all__ = ["GaussianProcess"]

# Bounds: length-scales in standard deviations of an input (1e3 switches the input off), variances in units of
# the targets' variance (less noise than 1e-4 of it would make the covariance singular).
_LENGTHSCALE, _OUTPUTSCALE, _NOISE = (1e-1, 1e3), (1e-3, 1e2), (1e-4, 1e1)
_HOPELESS = 1e25


@dataclass(kw_only=True, eq=False, repr=False)
class GaussianProcess(Persistent, RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """Gaussian process of DeepFaceLIFT's stage 2 (Sec. 3.2, Eqs. 2-6).

    Inputs are z-scored and targets centred; the covariance is
    ``outputscale * exp(-1/2 * sum(((s - s') / lengthscale)**2)) + noise``. Eq. 6 of the paper lacks the
    factor 1/2, so its length-scales are these divided by the square root of 2. Hyperparameters maximise
    the log marginal likelihood by L-BFGS from several starts; all is Cholesky in float64.

    Parameters
    ----------
    n_restarts : int
        Starts of the search, the first from length-scales ``sqrt(n_features)``, the others drawn.
    max_iter : int
        Iterations per start; 0 keeps the hyperparameters of the first start.
    random_state : int, RandomState or None

    Attributes
    ----------
    lengthscales_ : (n_features,) array
        In standard deviations of each input.
    outputscale_, noise_ : float
        Variances, in squared units of `y`.
    log_marginal_likelihood_ : float
        At these hyperparameters, of the centred targets, in nats.
    relevance_ : (n_features,) array
        ``-ln(lengthscale)``: higher is more relevant.
    converged_ : bool
    fallback_ : None or 'constant'
        ``'constant'``: all targets are equal or no covariance could be factorised; the mean of the targets
        is predicted, with their standard deviation (NaN when all are equal: no spread was ever seen).
    """

    n_restarts: int = 3
    max_iter: int = 200
    random_state: int | RandomState | None = None

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Fit to statistics `X` (n, n_features) and targets `y` (n,), all finite.

        Warns
        -----
        ConvergenceWarning
            When the search stopped early or a fallback is used; see `fallback_`.
        """
        check_settings(self)
        statistics, targets = np.asarray(X, dtype=np.float64), numbers(y)
        if statistics.ndim != 2 or targets.shape != statistics.shape[:1] or len(targets) == 0:
            raise PainkitError(
                f"inputs of shape {statistics.shape}, targets {targets.shape}", expected="(n, p) and (n,)"
            )
        if not (np.isfinite(statistics).all() and np.isfinite(targets).all()):
            raise PainkitError("inputs or targets of the Gaussian process are not finite")
        self.__dict__.pop("_factor", None)  # of a fit before
        self.n_features_in_ = statistics.shape[1]
        self.input_mean_, self.input_scale_ = statistics.mean(axis=0), statistics.std(axis=0)
        self.input_scale_[self.input_scale_ < 1e-12 * np.abs(statistics).max(axis=0, initial=1e-12)] = 1.0
        with np.errstate(over="ignore"):
            self.target_mean_, self.target_scale_ = targets.mean().item(), targets.std().item()
        self.inputs_ = (statistics - self.input_mean_) / self.input_scale_
        self.targets_ = targets - self.target_mean_
        self.fallback_: str | None = None
        if self.target_scale_ <= 1e-12 * max(1.0, abs(self.target_mean_)):
            self.target_scale_ = float("nan")
            self._predict_the_mean(f"all {len(targets)} targets are equal; their value is predicted")
        elif not np.isfinite(self.target_scale_):
            self._predict_the_mean("the targets' variance overflows; their mean is predicted")
        else:
            self._search()
        return self

    def _search(self) -> None:
        variance, n = self.target_scale_**2, self.n_features_in_
        scales = np.array([variance, variance, *np.ones(n)])
        bounds = np.log(np.array([_NOISE, _OUTPUTSCALE, *[_LENGTHSCALE] * n]) * scales[:, None])
        start = np.log(np.array([0.5, 0.5, *np.full(n, np.sqrt(n))]) * scales)
        rng = check_random_state(self.random_state)
        starts = [start, *(start + rng.uniform(-1.5, 1.5, (max(self.n_restarts, 1) - 1, n + 2)))]
        loss = _Loss(self.inputs_, self.targets_)
        # 1e-6 of the likelihood per target is far below what predictions show.
        options: Any = {"maxiter": self.max_iter, "ftol": 1e-6}
        found: list[Any] = [
            minimize(loss, np.asarray(x), jac=True, method="L-BFGS-B", bounds=bounds, options=options)
            for x in (starts if self.max_iter > 0 else [])
        ]
        best = min(found, key=lambda f: f.fun, default=None)
        logarithms, self.converged_ = (start, False) if best is None else (best.x, bool(best.success))
        value = loss(logarithms)[0]
        if value >= _HOPELESS:
            self._predict_the_mean("the covariance could not be factorised; the targets' mean is predicted")
            return
        if best is not None and not self.converged_:
            warnings.warn(f"Gaussian process: {best.message}", ConvergenceWarning, stacklevel=3)
        self.noise_, self.outputscale_, *lengthscales = np.exp(logarithms).tolist()
        self.lengthscales_ = np.array(lengthscales)
        self.log_marginal_likelihood_ = -value * len(self.targets_)

    def _predict_the_mean(self, why: str) -> None:
        self.fallback_, self.converged_ = "constant", False
        self.log_marginal_likelihood_ = self.outputscale_ = self.noise_ = float("nan")
        self.lengthscales_ = np.full(self.n_features_in_, np.nan)
        warnings.warn(f"Gaussian process: {why}", ConvergenceWarning, stacklevel=4)

    def _kernel(self, inputs: NDArray[np.float64]) -> NDArray[np.float64]:
        """Covariance of the training inputs (rows) with `inputs` (columns), without noise."""
        squared = cdist(self.inputs_ / self.lengthscales_, inputs / self.lengthscales_, "sqeuclidean")
        return np.asarray(self.outputscale_ * np.exp(-0.5 * squared))

    # gpytorch would predict, too: of 40 rows after 160 in 1.1 ms where this takes 0.05 ms (0.10 ms with the
    # standard deviation), to 5e-9 of the same. Explanations predict thousands of times.
    @cached_property
    def _factor(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Cholesky factor of the training covariance, and its inverse applied to the targets."""
        factor = cholesky(self._kernel(self.inputs_) + self.noise_ * np.eye(len(self.inputs_)), lower=True)
        return factor, cho_solve((factor, True), self.targets_)

    @property
    def relevance_(self) -> NDArray[np.float64]:
        """``-ln(lengthscale)`` per input; higher is more relevant (the paper's text says the opposite)."""
        check_is_fitted(self)
        return np.asarray(-np.log(self.lengthscales_))

    def predict(
        self, X: ArrayLike, return_std: bool = False, *, noise: bool = True
    ) -> NDArray[np.float64] | tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Posterior mean (Eq. 4) and standard deviation (root of Eq. 5).

        Parameters
        ----------
        X : (n, n_features) array
            A row with NaN gives NaN.
        return_std : bool
        noise : bool
            Add the noise variance: the spread of a new rating (default), not of the latent function.
        """
        check_is_fitted(self)
        statistics = np.asarray(X, dtype=np.float64)
        if statistics.ndim != 2 or statistics.shape[1] != self.n_features_in_:
            raise PainkitError(
                f"inputs of shape {statistics.shape}", expected=f"(n, {self.n_features_in_}), as in fit"
            )
        inputs = (statistics - self.input_mean_) / self.input_scale_
        mean, std = np.full(len(inputs), np.nan), np.full(len(inputs), np.nan)
        known = np.isfinite(inputs).all(axis=1)
        if self.fallback_ == "constant":
            mean[known], std[known] = self.target_mean_, self.target_scale_
        elif known.any():
            covariance, (factor, weights) = self._kernel(inputs[known]), self._factor
            mean[known] = self.target_mean_ + covariance.T @ weights
            if return_std:
                explained = solve_triangular(factor, covariance, lower=True)
                variance = self.outputscale_ + noise * self.noise_ - (explained**2).sum(axis=0)
                std[known] = np.sqrt(np.maximum(variance, 0.0))
        return (mean, std) if return_std else mean


class _Exact(gpytorch.models.ExactGP):  # type: ignore[misc]
    """Zero mean, scaled RBF with one length-scale per input, all hyperparameters held as logarithms."""

    def __init__(self, inputs: Tensor, targets: Tensor) -> None:
        super().__init__(
            inputs, targets, gpytorch.likelihoods.GaussianLikelihood(noise_constraint=_logarithm())
        )
        self.mean_module = gpytorch.means.ZeroMean()
        rbf = gpytorch.kernels.RBFKernel(ard_num_dims=inputs.shape[1], lengthscale_constraint=_logarithm())
        self.covar_module = gpytorch.kernels.ScaleKernel(rbf, outputscale_constraint=_logarithm())

    def forward(self, inputs: Tensor) -> Any:
        return gpytorch.distributions.MultivariateNormal(self.mean_module(inputs), self.covar_module(inputs))


def _logarithm() -> Positive:
    """A constraint whose raw parameter is the natural logarithm."""
    return Positive(transform=torch.exp, inv_transform=torch.log)


class _Loss:
    """Negative log marginal likelihood per target, and its gradient.

    Of the logarithms of noise, output scale and length-scales, in this order.
    """

    def __init__(self, inputs: NDArray[np.float64], targets: NDArray[np.float64]) -> None:
        self.model = _Exact(torch.from_numpy(inputs), torch.from_numpy(targets)).double().train()
        self.likelihood = gpytorch.mlls.ExactMarginalLogLikelihood(self.model.likelihood, self.model)
        kernel = self.model.covar_module
        noise = self.model.likelihood.noise_covar.raw_noise
        self.parameters = [noise, kernel.raw_outputscale, kernel.base_kernel.raw_lengthscale]

    def __call__(self, logarithms: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        torch.nn.utils.vector_to_parameters(torch.from_numpy(logarithms.copy()), self.parameters)
        try:
            with _exactly():
                loss = -self.likelihood(self.model(*self.model.train_inputs), self.model.train_targets)
                gradient = torch.cat([g.reshape(-1) for g in torch.autograd.grad(loss, self.parameters)])
        except (NotPSDError, NanError, RuntimeError):
            return _HOPELESS, np.zeros_like(logarithms)
        if not (torch.isfinite(loss) and torch.isfinite(gradient).all()):
            return _HOPELESS, np.zeros_like(logarithms)
        return loss.item(), gradient.numpy()


def _exactly() -> ExitStack:
    """Cholesky instead of conjugate gradients."""
    stack = ExitStack()
    stack.enter_context(warnings.catch_warnings())
    # A search may pass through covariances that need jitter; what it ends with is what counts.
    warnings.simplefilter("ignore", category=NumericalWarning)
    stack.enter_context(gpytorch.settings.fast_computations(False, False, False))
    stack.enter_context(gpytorch.settings.max_cholesky_size(10_000))
    return stack

"""Exact Gaussian-process regression with an RBF-ARD kernel and Gaussian noise."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from numpy.random import RandomState
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from painkit.errors import PainkitError

with warnings.catch_warnings():
    # At import, linear_operator compiles by torch.jit.script, which newer versions of torch deprecate.
    warnings.simplefilter("ignore", category=FutureWarning)
    warnings.simplefilter("ignore", category=DeprecationWarning)
    import gpytorch
    from gpytorch.constraints import Positive
    from linear_operator.utils.errors import NanError, NotPSDError
    from linear_operator.utils.warnings import NumericalWarning

__all__ = ["GaussianProcess"]

# Bounds of the logarithms, in units of z-scored inputs and of the targets' variance. A length-scale of 1e3
# switches an input off; noise below 1e-4 of the variance would make the covariance singular.
_BOUNDS = {"lengthscale": (1e-1, 1e3), "outputscale": (1e-3, 1e2), "noise": (1e-4, 1e1)}
_FAILURES = (NotPSDError, NanError, RuntimeError)


class _Exact(gpytorch.models.ExactGP):  # type: ignore[misc]
    def __init__(self, inputs: Tensor, targets: Tensor, likelihood: Any) -> None:
        super().__init__(inputs, targets, likelihood)
        self.mean_module = gpytorch.means.ZeroMean()
        self.covar_module = gpytorch.kernels.ScaleKernel(
            gpytorch.kernels.RBFKernel(ard_num_dims=inputs.shape[1], lengthscale_constraint=_logarithmic()),
            outputscale_constraint=_logarithmic(),
        )

    def forward(self, inputs: Tensor) -> Any:
        return gpytorch.distributions.MultivariateNormal(self.mean_module(inputs), self.covar_module(inputs))


def _logarithmic() -> Positive:
    """A constraint whose raw parameter is the natural logarithm."""
    return Positive(transform=torch.exp, inv_transform=torch.log)


@dataclass(kw_only=True, eq=False, repr=False)
class GaussianProcess(RegressorMixin, BaseEstimator):  # type: ignore[misc]
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
    fallback_ : None, 'start' or 'constant'
        ``'start'``: no search gave a finite likelihood, hyperparameters are those of the first start.
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
        statistics, targets = np.asarray(X, dtype=np.float64), np.asarray(y, dtype=np.float64)
        if statistics.ndim != 2 or targets.shape != statistics.shape[:1] or len(targets) == 0:
            raise PainkitError(
                f"inputs of shape {statistics.shape}, targets {targets.shape}", expected="(n, p) and (n,)"
            )
        if not (np.isfinite(statistics).all() and np.isfinite(targets).all()):
            raise PainkitError("inputs or targets of the Gaussian process are not finite")
        self.n_features_in_ = statistics.shape[1]
        self.input_mean_, self.input_scale_ = statistics.mean(axis=0), statistics.std(axis=0)
        self.input_scale_[self.input_scale_ < 1e-12 * np.abs(statistics).max(axis=0, initial=1e-12)] = 1.0
        with np.errstate(over="ignore"):
            self.target_mean_, self.target_scale_ = targets.mean().item(), targets.std().item()
        self.inputs_ = (statistics - self.input_mean_) / self.input_scale_
        self.targets_ = targets - self.target_mean_
        self.fallback_: str | None = None
        if not np.isfinite(self.target_scale_):
            self._fall_back("constant", "the targets' variance overflows; their mean is predicted")
            return self
        if self.target_scale_ <= 1e-12 * max(1.0, abs(self.target_mean_)):
            self._fall_back("constant", f"all {len(targets)} targets are equal; their value is predicted")
            self.target_scale_ = float("nan")
            return self
        self._search()
        return self

    def _start(self) -> dict[str, Any]:
        lengthscales = np.full(self.n_features_in_, np.sqrt(self.n_features_in_))
        variance = self.target_scale_**2
        return {"lengthscales": lengthscales, "outputscale": 0.5 * variance, "noise": 0.5 * variance}

    def _search(self) -> None:
        self._build(self._start())
        variance, n = self.target_scale_**2, self.n_features_in_
        low = np.log([_BOUNDS["noise"][0] * variance, _BOUNDS["outputscale"][0] * variance])
        high = np.log([_BOUNDS["noise"][1] * variance, _BOUNDS["outputscale"][1] * variance])
        bounds = [*zip(low, high, strict=True), *[tuple(np.log(_BOUNDS["lengthscale"]))] * n]
        start = np.log([0.5 * variance, 0.5 * variance, *self._start()["lengthscales"]])
        rng = check_random_state(self.random_state)
        starts = [start, *(start + rng.uniform(-1.5, 1.5, (max(self.n_restarts, 1) - 1, n + 2)))]
        best: Any = None
        if self.max_iter > 0:
            # 1e-6 of the likelihood per target is far below what predictions show.
            options: Any = {"maxiter": self.max_iter, "ftol": 1e-6}
            results = [
                minimize(
                    self._loss, np.asarray(x), jac=True, method="L-BFGS-B", bounds=bounds, options=options
                )
                for x in starts
            ]
            best = min((r for r in results if r.fun < _HOPELESS), key=lambda r: r.fun, default=None)
            if best is None:
                self._build(self._start())
                self._fall_back("start", "no start of the search gave a finite likelihood")
        self.converged_ = best is not None and bool(best.success)
        if best is not None:
            self._set(best.x)
            if not best.success:
                warnings.warn(f"Gaussian process: {best.message}", ConvergenceWarning, stacklevel=3)
        value = -self._loss(self._get())[0] * len(self.targets_)
        if value <= -_HOPELESS:
            self._fall_back(
                "constant", "the covariance could not be factorised; the target mean is predicted"
            )
            value = float("nan")
        self.log_marginal_likelihood_ = value
        self._read()

    def _fall_back(self, kind: str, why: str) -> None:
        self.fallback_, self.converged_ = kind, False
        self.log_marginal_likelihood_ = float("nan")
        self.lengthscales_ = np.full(self.n_features_in_, np.nan)
        self.outputscale_ = self.noise_ = float("nan")
        warnings.warn(f"Gaussian process: {why}", ConvergenceWarning, stacklevel=4)

    def _build(self, hyperparameters: Mapping[str, Any]) -> None:
        likelihood = gpytorch.likelihoods.GaussianLikelihood(noise_constraint=_logarithmic())
        self._model = _Exact(
            torch.from_numpy(self.inputs_), torch.from_numpy(self.targets_), likelihood
        ).double()
        self._model.initialize(**{
            name: torch.as_tensor(hyperparameters[key], dtype=torch.float64)
            for name, key in (
                ("covar_module.base_kernel.lengthscale", "lengthscales"),
                ("covar_module.outputscale", "outputscale"),
                ("likelihood.noise", "noise"),
            )
        })  # fmt: skip

    def _get(self) -> NDArray[np.float64]:
        raw = [p.detach().reshape(-1) for p in self._model.parameters()]
        return torch.cat(raw).numpy().copy()

    def _set(self, logarithms: NDArray[np.float64]) -> None:
        torch.nn.utils.vector_to_parameters(torch.from_numpy(logarithms.copy()), self._model.parameters())

    def _loss(self, logarithms: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        """Negative log marginal likelihood per target and its gradient in the logarithms."""
        self._set(logarithms)
        self._model.train()
        parameters = list(self._model.parameters())
        try:
            with _cholesky():
                likelihood = gpytorch.mlls.ExactMarginalLogLikelihood(self._model.likelihood, self._model)
                loss = -likelihood(self._model(*self._model.train_inputs), self._model.train_targets)
                gradient = torch.cat([g.reshape(-1) for g in torch.autograd.grad(loss, parameters)])
        except _FAILURES:
            return _HOPELESS, np.zeros_like(logarithms)
        if not (torch.isfinite(loss) and torch.isfinite(gradient).all()):
            return _HOPELESS, np.zeros_like(logarithms)
        return loss.item(), gradient.numpy()

    def _read(self) -> None:
        kernel = self._model.covar_module
        if self.fallback_ != "constant":
            self.lengthscales_ = kernel.base_kernel.lengthscale.detach().numpy().reshape(-1).copy()
            self.outputscale_ = kernel.outputscale.item()
            self.noise_ = self._model.likelihood.noise.item()

    @property
    def relevance_(self) -> NDArray[np.float64]:
        """``-ln(lengthscale)`` per input; higher is more relevant (the paper's text says the opposite)."""
        check_is_fitted(self)
        relevance: NDArray[np.float64] = -np.log(self.lengthscales_)
        return relevance

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
        inputs = (np.asarray(X, dtype=np.float64) - self.input_mean_) / self.input_scale_
        mean, std = np.full(len(inputs), np.nan), np.full(len(inputs), np.nan)
        known = np.isfinite(inputs).all(axis=1)
        if self.fallback_ == "constant":
            mean[known], std[known] = self.target_mean_, self.target_scale_
        elif known.any():
            self._model.eval()
            with torch.no_grad(), _cholesky():
                posterior = self._model(torch.from_numpy(inputs[known]))
                mean[known] = self.target_mean_ + posterior.mean.numpy()
                variance = posterior.variance.numpy() + (self.noise_ if noise else 0.0)
                std[known] = np.sqrt(np.maximum(variance, 0.0))
        return (mean, std) if return_std else mean

    def arrays(self) -> dict[str, NDArray[np.float64]]:
        """Everything fitted, as float64 arrays; `restore` takes it back."""
        check_is_fitted(self)
        return {
            name: np.atleast_1d(np.asarray(getattr(self, f"{name}_"), dtype=np.float64)) for name in _ARRAYS
        }

    def restore(
        self, arrays: Mapping[str, NDArray[np.float64]], *, converged: bool, fallback: str | None
    ) -> Self:
        """Become the fitted process that gave `arrays`."""
        for name in _ARRAYS:
            value = np.asarray(arrays[name], dtype=np.float64)
            setattr(self, f"{name}_", float(value[0]) if name in _SCALARS else value)
        self.n_features_in_ = self.inputs_.shape[1]
        self.converged_, self.fallback_ = converged, fallback
        if fallback != "constant":
            self._build(
                {name: getattr(self, f"{name}_") for name in ("lengthscales", "outputscale", "noise")}
            )
        return self

    def __getstate__(self) -> dict[str, Any]:
        # Copies cross process borders; gpytorch's caches do not have to.
        state: dict[str, Any] = super().__getstate__()
        return {key: value for key, value in state.items() if key != "_model"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if hasattr(self, "fallback_") and self.fallback_ != "constant":
            self._build({k: getattr(self, f"{k}_") for k in ("lengthscales", "outputscale", "noise")})


_HOPELESS = 1e25
_SCALARS = ("target_mean", "target_scale", "outputscale", "noise", "log_marginal_likelihood")
_ARRAYS = ("inputs", "targets", "input_mean", "input_scale", "lengthscales", *_SCALARS)


def _cholesky() -> ExitStack:
    """Exact linear algebra: no conjugate gradients, no low-rank variance, no warning on known inputs."""
    stack = ExitStack()
    stack.enter_context(warnings.catch_warnings())
    # A search may pass through covariances that need jitter; what it ends with is what counts.
    warnings.simplefilter("ignore", category=NumericalWarning)
    settings = gpytorch.settings
    stack.enter_context(settings.fast_computations(False, False, False))
    stack.enter_context(settings.fast_pred_var(False))
    stack.enter_context(settings.debug(False))
    stack.enter_context(settings.max_cholesky_size(10_000))
    return stack

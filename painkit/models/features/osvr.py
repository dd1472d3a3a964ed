"""Ordinal support vector regression (Zhao et al. 2016), a baseline of Wang et al. (2017).

A linear estimate whose training asks two things: labelled frames within a tube about their label, and
neighbouring frames in the order in which an expression rises to its apex and falls from it. The text at hand
describes neither the margins nor the solver; those are painkit's own and stated in `OrdinalSVR`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Self
from warnings import warn

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import Bounds, minimize
from sklearn.base import RegressorMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_is_fitted

from painkit.models.features.base import FeatureEstimator
from painkit.models.frame_tables import sequence_slices

__all__ = ["OrdinalSVR", "ordinal_pairs"]

# The intercept is a feature of this value, which makes its share of the penalty negligible.
_INTERCEPT = 10.0

# A larger relative duality gap is told.
_GAP = 0.01


def ordinal_pairs(levels: NDArray[np.floating]) -> NDArray[np.intp]:
    """Neighbouring frames of one sequence whose order onset, apex and offset fix.

    The apex is the highest level's first stretch. The onset is the stretch before it in which the level never
    falls, the offset the stretch after it in which it never rises. Ours: the paper takes these as annotated.

    Parameters
    ----------
    levels : (n,) array in time order

    Returns
    -------
    (k, 2) int array
        Positions (lower, higher); empty when the level never changes.
    """
    y = np.asarray(levels)
    if y.size < 2 or y.min() == y.max():
        return np.empty((0, 2), dtype=np.intp)
    first = int(np.argmax(y))
    last = first
    while last + 1 < y.size and y[last + 1] == y[first]:
        last += 1
    start, stop = first, last
    while start > 0 and y[start - 1] <= y[start]:
        start -= 1
    while stop + 1 < y.size and y[stop + 1] <= y[stop]:
        stop += 1
    rising = [(i, i + 1) for i in range(start, first)]
    falling = [(i + 1, i) for i in range(last, stop)]
    return np.array(rising + falling, dtype=np.intp).reshape(-1, 2)


@dataclass(kw_only=True, eq=False, repr=False)
class OrdinalSVR(RegressorMixin, FeatureEstimator):  # type: ignore[misc]
    """OSVR-L1 and OSVR-L2: ``f(x) = w x + b`` with a tube loss on labels and a ranking loss on order.

    Minimises ``|w|^2 / 2 + c sum l(|f(x_i) - y_i| - epsilon) + c_ordinal sum l(m_ij - f(x_j) + f(x_i))`` over
    labelled frames i and ordered neighbours (i, j) of `ordinal_pairs`, with ``l(u) = max(u, 0)`` for L1 and
    its square for L2. The margin ``m_ij`` is the two labels' difference or, where those are hidden, what a
    straight line over the onset or the offset changes by in the time between the two (ours). Neighbours are
    frames with nothing usable between them, however far apart in time: the order of two labels holds across
    frames that are missing.
    The dual, a quadratic program with bounds, is solved by L-BFGS-B.

    Parameters
    ----------
    features
        As in `FeatureEstimator`.
    norm : {1, 2}
        OSVR-L1 or OSVR-L2.
    supervision : {'all', 'keyframes'}
        Whose labels are used: every frame's, or those of each sequence's first, apex and last frame only.
    c, c_ordinal, epsilon : float
        Weights of the two losses, half width of the tube on the scale of the labels.
    clip : (float, float)
        Estimates are cut to this scale.
    max_iterations : int

    Attributes
    ----------
    coef_ : (d,) array, on standardised features
    intercept_ : float
    duality_gap_ : float
        Relative gap of the solution; 0 is exact. Above 1 % a `ConvergenceWarning` tells it.
    n_ordinal_ : int
        Ordered pairs used.
    """

    norm: Literal[1, 2] = 1
    supervision: Literal["all", "keyframes"] = "all"
    c: float = 0.01
    c_ordinal: float = 0.01
    epsilon: float = 0.1
    clip: tuple[float, float] = (0.0, 5.0)
    max_iterations: int = 5000

    def fit(self, X: pd.DataFrame, y: ArrayLike) -> Self:
        """Train on frames (subject, sequence, frame, row) and their levels (n,), NaN where missing."""
        z, levels, usable = self._training_table(X, y)
        numbers = X["frame"].to_numpy(dtype=np.float64)
        labelled: list[NDArray[np.intp]] = []
        pairs: list[NDArray[np.intp]] = []
        margin: list[NDArray[np.float64]] = []
        for positions in sequence_slices(X):
            kept = positions[usable[positions]]
            if not kept.size:
                continue
            key = kept[[0, int(np.argmax(levels[kept])), -1]]
            labelled.append(kept if self.supervision == "all" else np.unique(key))
            pairs.append(kept[ordinal_pairs(levels[kept])])
            low, high = pairs[-1].T
            step, time = levels[high] - levels[low], numbers[high] - numbers[low]
            if self.supervision == "keyframes":
                for phase in (time > 0, time < 0):
                    step[phase] = time[phase] * (step[phase].sum() / time[phase].sum()) if phase.any() else 0
            margin.append(step)
        known = np.concatenate(labelled)
        low, high = np.concatenate(pairs).T
        self.n_ordinal_ = low.size
        one = np.full((known.size, 1), _INTERCEPT)
        tube = np.hstack([z[known], one])
        order = np.hstack([z[high] - z[low], np.zeros((low.size, 1))])
        constraints = np.vstack([tube, -tube, order])
        target = levels[known]
        margins = np.concatenate([target - self.epsilon, -target - self.epsilon, *margin])
        weights = np.repeat([self.c, self.c_ordinal], [2 * known.size, low.size])
        solution = self._solve(constraints, margins, weights)
        self.coef_, self.intercept_ = solution[:-1], float(solution[-1] * _INTERCEPT)
        return self

    def _solve(
        self, a: NDArray[np.float64], m: NDArray[np.float64], c: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Minimise ``|v|^2 / 2 + sum c_k l(m_k - a_k v)`` through its dual in one multiplier a constraint."""
        ridge = np.zeros_like(c) if self.norm == 1 else 1 / (2 * c)

        def dual(alpha: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
            v = alpha @ a
            value = 0.5 * v @ v + 0.5 * alpha @ (ridge * alpha) - m @ alpha
            return float(value), a @ v + ridge * alpha - m

        upper = c if self.norm == 1 else np.full_like(c, np.inf)
        alpha, bounds, iterations = np.zeros_like(c), Bounds(np.zeros_like(c), upper), 0
        while True:
            left = self.max_iterations - iterations
            found = minimize(
                dual,
                alpha,
                jac=True,
                method="L-BFGS-B",
                bounds=bounds,
                options={"maxiter": left, "maxfun": 2 * left, "ftol": 1e-13, "gtol": 1e-8},
            )
            v: NDArray[np.float64] = found.x @ a
            slack = np.maximum(m - a @ v, 0)
            primal = float(0.5 * v @ v + c @ (slack if self.norm == 1 else slack**2))
            self.duality_gap_ = (primal + float(found.fun)) / max(abs(primal), 1e-12)
            iterations += found.nit
            # It may end too early, on one processor and not on another; begun anew from there it goes on.
            if self.duality_gap_ <= _GAP or not found.nit or iterations >= self.max_iterations:
                break
            alpha = found.x
        if self.duality_gap_ > _GAP:
            warn(
                f"OSVR-L{self.norm} has a duality gap of {self.duality_gap_:.1%} after {iterations} "
                "iterations; raise max_iterations",
                ConvergenceWarning,
                stacklevel=3,
            )
        return v

    def predict(self, X: pd.DataFrame) -> NDArray[np.float64]:
        """Levels (n,) on the scale of the labels; NaN where a frame has no features."""
        check_is_fitted(self, "coef_")
        z = self._standardized(self._table(X))
        return np.asarray(np.clip(z @ self.coef_ + self.intercept_, *self.clip))

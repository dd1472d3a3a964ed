"""An estimator that costs nothing; workers import no more than it needs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, RegressorMixin


class Noisy(RegressorMixin, BaseEstimator):
    """Gives the mean and noise from `random_state`, and can be saved."""

    def __init__(self, random_state: int | None = None) -> None:
        self.random_state = random_state

    def fit(self, X: list[Any], y: Any) -> Noisy:
        self.mean_ = float(np.mean(y))
        return self

    def predict(self, X: list[Any]) -> NDArray[np.float64]:
        return self.mean_ + np.random.default_rng(self.random_state).normal(size=len(X))

    def save(self, folder: Path) -> None:
        (Path(folder) / "mean.txt").write_text(repr(self.mean_))
        (Path(folder) / "noise.txt").write_text("x" * 5000)

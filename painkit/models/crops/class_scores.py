"""Classes and their probabilities from scores before the softmax."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import softmax
from sklearn.base import ClassifierMixin

__all__ = ["ClassScores"]


class ClassScores(ClassifierMixin):  # type: ignore[misc]
    """What classifiers on crops share that have `decision_function` and `classes_`."""

    classes_: NDArray[np.float64]

    def decision_function(self, X: Any) -> NDArray[np.float32]:
        """Scores (n, k) before the softmax; NaN where there is no crop."""
        raise NotImplementedError

    def predict_proba(self, X: pd.DataFrame) -> NDArray[np.float64]:
        """Probabilities (n, k) of the classes; NaN where a frame has no crop."""
        return np.asarray(softmax(self.decision_function(X).astype(np.float64), axis=1))

    def predict(self, X: pd.DataFrame) -> NDArray[np.float64]:
        """Class numbers (n,); NaN where a frame has no crop."""
        scores = self.decision_function(X)
        known = np.isfinite(scores).all(axis=1)
        numbers = np.full(len(scores), np.nan)
        numbers[known] = self.classes_[scores[known].argmax(axis=1)]
        return numbers

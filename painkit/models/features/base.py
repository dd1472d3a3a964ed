"""What estimators on feature vectors of frames share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator

from painkit.errors import PainkitError
from painkit.models.checks import check_settings
from painkit.models.frame_tables import Features, frame_labels, frame_rows
from painkit.models.persistence import Persistent

__all__ = ["FeatureEstimator", "TrainingTable"]


class TrainingTable(NamedTuple):
    """Standardised `features` (n, d), `labels` (n,), and which rows have both: `usable` (n,)."""

    features: NDArray[np.floating]
    labels: NDArray[np.float64]
    usable: NDArray[np.bool_]


@dataclass(kw_only=True, eq=False, repr=False)
class FeatureEstimator(Persistent, BaseEstimator):  # type: ignore[misc]
    """Base of the estimators on feature vectors of frames.

    `X` is a frame table (subject, sequence, frame, row), `y` (n,) is numbers, classes among them; NaN where
    missing.

    Parameters
    ----------
    features : (n_frames, d) array or path of an .npy file
        Column ``row`` of `X` points into it; see `painkit.models.features.frame_features`. Standardised on
        the frames that are trained on.

    Attributes
    ----------
    mean_, scale_ : (d,) arrays
        Of the features of the frames trained on.
    n_without_features_, n_without_label_ : int
        Training frames left out.
    """

    features: Features

    _number_format: ClassVar[type[np.floating]] = np.float64

    def _training_table(self, X: pd.DataFrame, y: ArrayLike) -> TrainingTable:
        check_settings(self)
        table, labels = self._table(X), frame_labels(X, y)
        has_features = np.isfinite(table).all(axis=1)
        usable = has_features & np.isfinite(labels)
        self.n_without_features_ = int((~has_features).sum())
        self.n_without_label_ = int((has_features & ~usable).sum())
        if not usable.any():
            raise PainkitError("no frame has both features and a label")
        self.mean_, deviation = table[usable].mean(axis=0), table[usable].std(axis=0)
        # Rounding leaves a little where a feature is constant.
        constant = deviation <= (1e-9 if self._number_format is np.float64 else 1e-6)
        self.scale_ = np.where(constant, self._number_format(1), deviation)
        return TrainingTable(self._standardized(table), labels, usable)

    def _standardized(self, table: NDArray[np.floating]) -> NDArray[np.floating]:
        """Features in standard deviations from their mean; NaN throughout where a frame lacks one."""
        z: NDArray[np.floating] = (table - self.mean_) / self.scale_
        z[~np.isfinite(table).all(axis=1)] = np.nan
        return z

    def _table(self, X: pd.DataFrame) -> NDArray[np.floating]:
        """Features (len(X), d) of a frame table's rows."""
        rows = frame_rows(X)
        table, where = self.features, None
        if not isinstance(table, np.ndarray):
            where = table
            try:
                table = np.load(where, mmap_mode="r")
            except (OSError, ValueError) as error:
                raise PainkitError(
                    f"features could not be read: {error}", where=where, expected="an .npy file"
                ) from error
        if table.ndim != 2 or (rows.size and (rows.min() < 0 or rows.max() >= len(table))):
            raise PainkitError(
                f"features of shape {table.shape} for frame rows up to {rows.max(initial=-1)}",
                where=where,
                expected="one row of features a frame of the cohort",
            )
        return np.asarray(table[rows], dtype=np.float32).astype(self._number_format)

"""What estimators on landmark sequences share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.random import RandomState
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state

from painkit.errors import PainkitError
from painkit.models.checks import check_settings, numbers
from painkit.models.nets.landmark_net import N_COORDINATES, Placement
from painkit.models.persistence import Persistent
from painkit.models.sequences.standardize import moments, z_scores
from painkit.models.training.acceleration import choose_device
from painkit.vocabulary.personal import PERSONAL_COLUMNS

if TYPE_CHECKING:
    from painkit.data.cohort import SequenceSample

__all__ = ["TARGETS", "SequenceEstimator"]

TARGETS = ("vas", "opi")


@dataclass(kw_only=True, eq=False, repr=False)
class SequenceEstimator(Persistent, BaseEstimator):  # type: ignore[misc]
    """Base of the estimators on landmark sequences.

    `X` is a list of `SequenceSample`; `y` is VAS 0-10 (n,), or VAS and OPI 0-5 (n, 2), NaN where missing.

    Parameters
    ----------
    placement : {'none', 'third_layer', 'input'}
        One-hot personal features nowhere, beside the net's third layer where it has one, or beside the
        landmarks of each frame.
    personal_features : tuple of str
        Which of complexion, age and gender are used when `placement` is not ``'none'``.
    standardize : {'subject', 'train'}
        Landmarks are z-scored by each subject's own frames, or by the training frames; see `z_scores`.
    frame_step : int
        Train on every `frame_step`-th tracked frame of a sequence.
    random_state : int, RandomState or None
    device : str
        See `choose_device`.
    progress : bool

    Attributes
    ----------
    seed_ : int
        What `random_state` came to.
    moments_ : (2, 132) array or None
        Mean and standard deviation of the training frames' landmarks, where `standardize` is ``'train'``.
    flat_, n_targets_ : bool, int
        Whether `y` was (n,), and its columns.
    n_dropped_sequences_, n_unusable_sequences_, n_untracked_frames_ : int
        Training sequences left out because a label is missing, or no frame is tracked; frames of the others
        left out because a landmark is missing.
    """

    placement: Placement = "none"
    personal_features: tuple[str, ...] = ("complexion", "age", "gender")
    standardize: Literal["subject", "train"] = "subject"
    frame_step: int = 1
    random_state: int | RandomState | None = None
    device: str = "cpu"
    progress: bool = False

    def _check_settings(self) -> None:
        """Refuse settings that are not accepted."""
        check_settings(self)
        choose_device(self.device)

    def _labelled_sequences(
        self, X: Sequence[SequenceSample], y: ArrayLike
    ) -> tuple[list[SequenceSample], NDArray[np.float64]]:
        """Sequences without a missing label, and labels (n, n_targets); starts what all fits have."""
        self._check_settings()
        samples = _checked(X)
        values = numbers(y)
        if values.ndim not in (1, 2) or len(values) != len(samples) or values[:1].size not in (1, 2):
            raise PainkitError(
                f"labels of shape {values.shape} for {len(samples)} sequences",
                expected=f"({len(samples)},) VAS or ({len(samples)}, 2) VAS and OPI",
            )
        self.flat_, table = values.ndim == 1, values.reshape(len(values), -1)
        self.n_targets_ = table.shape[1]
        usable = np.asarray(np.isfinite(table).all(axis=1))
        if not usable.any():
            names = " or ".join(name.upper() for name in TARGETS[: self.n_targets_])
            raise PainkitError(f"{names} is missing in each of the {len(table)} training sequences")
        self.n_dropped_sequences_ = int((~usable).sum())
        samples = [sample for sample, ok in zip(samples, usable, strict=True) if ok]
        self.moments_ = moments(samples) if self.standardize == "train" else None
        self.seed_ = int(check_random_state(self.random_state).randint(2**31 - 1))
        return samples, table[usable]

    def _training_rows(
        self, samples: list[SequenceSample], labels: NDArray[np.float64]
    ) -> tuple[list[NDArray[np.float32]], NDArray[np.float64]]:
        """Rows to train on of each sequence that has any, and their labels."""
        every = self._frame_rows(samples)
        self.n_untracked_frames_ = int(sum(np.isnan(rows[:, 0]).sum() for rows in every))
        rows = [self._tracked(one) for one in every]
        seen = [i for i, one in enumerate(rows) if len(one)]
        if not seen:
            raise PainkitError(f"none of the frames of {len(rows)} training sequences has all 66 landmarks")
        self.n_unusable_sequences_ = len(rows) - len(seen)
        return [rows[i] for i in seen], labels[seen]

    def _frame_rows(self, X: Sequence[SequenceSample]) -> list[NDArray[np.float32]]:
        """Rows of z-scored coordinates x0, y0, x1, ... and personal inputs, one array per sequence.

        Each array is (n_frames, n_inputs); the coordinates of untracked frames are NaN.
        """
        samples = _checked(X)
        personal = _personal_inputs(samples, self._used_features)
        return [
            np.hstack([rows, np.tile(own, (len(rows), 1))])
            for rows, own in zip(z_scores(samples, self.moments_), personal, strict=True)
        ]

    def _tracked(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Every `frame_step`-th of the rows that have all landmarks."""
        return rows[np.isfinite(rows[:, 0])][:: self.frame_step]

    def _shaped(self, estimates: NDArray[np.float64]) -> NDArray[np.float64]:
        """Estimates (n, n_targets) in the shape of the `y` of `fit`."""
        return estimates[:, 0] if self.flat_ else estimates

    @property
    def _used_features(self) -> tuple[str, ...]:
        return self.personal_features if self.placement != "none" else ()

    @property
    def _n_inputs(self) -> int:
        return N_COORDINATES + len(_personal_columns(self._used_features))


def _checked(X: Sequence[SequenceSample]) -> list[SequenceSample]:
    samples = list(X)
    if not samples:
        raise PainkitError("no sequences were given", expected="at least one SequenceSample")
    for sample in samples:
        if not hasattr(sample, "landmarks"):
            raise PainkitError(
                f"a {type(sample).__name__} is not a sequence", expected="Cohort.sequence_samples()"
            )
    return samples


def _personal_columns(features: Sequence[str]) -> list[int]:
    """Columns of the eight one-hot personal inputs that belong to the named features."""
    unknown = [name for name in features if name not in PERSONAL_COLUMNS]
    if unknown:
        raise PainkitError(f"unknown personal features {unknown}", expected=f"some of {[*PERSONAL_COLUMNS]}")
    return [column for name in features for column in PERSONAL_COLUMNS[name]]


def _personal_inputs(X: Sequence[SequenceSample], features: Sequence[str]) -> NDArray[np.float32]:
    """One-hot personal features (n_sequences, n_columns) of the named features."""
    columns = _personal_columns(features)
    table = np.array([np.asarray(sample.personal, dtype=np.float32)[columns] for sample in X])
    missing = sorted({s.subject for s, row in zip(X, table, strict=True) if not np.isfinite(row).all()})
    if missing:
        raise PainkitError(
            f"personal features ({', '.join(features)}) are missing for {len(missing)} subjects: "
            f"{', '.join(missing)}",
            expected="a subjects.csv with gender, age and complexion, or placement='none'",
        )
    return table.reshape(len(X), len(columns))

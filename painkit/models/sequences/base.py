"""Checks of lists of sequences and their labels, shared by the sequence-level estimators."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from painkit.errors import PainkitError
from painkit.models.sequences.standardize import LandmarkStandardizer
from painkit.vocabulary.personal import PERSONAL_COLUMNS

if TYPE_CHECKING:
    from painkit.data.cohort import SequenceSample

__all__ = [
    "TARGETS",
    "Labels",
    "check_labels",
    "check_sequences",
    "frame_rows",
    "personal_columns",
    "personal_inputs",
    "tracked",
    "tracked_rows",
]

TARGETS = ("vas", "opi")


@dataclass(frozen=True)
class Labels:
    """Sequence labels in one shape: `values` (n, n_targets), `usable` (n,) rows without a missing label."""

    values: NDArray[np.float64]
    usable: NDArray[np.bool_]
    flat: bool


def check_sequences(X: Sequence[SequenceSample]) -> list[SequenceSample]:
    """Return `X` as a list; an empty one, or something else than sequences, is an error."""
    samples = list(X)
    if not samples:
        raise PainkitError("no sequences were given", expected="at least one SequenceSample")
    for sample in samples:
        if not hasattr(sample, "landmarks"):
            raise PainkitError(
                f"a {type(sample).__name__} is not a sequence", expected="Cohort.sequence_samples()"
            )
    return samples


def check_labels(X: Sequence[SequenceSample], y: ArrayLike) -> Labels:
    """Labels beside their sequences; a row with a missing label is marked as not usable.

    Raises
    ------
    PainkitError
        When `y` is neither (n,) VAS nor (n, 2) VAS and OPI, or when no row is complete.
    """
    values = np.asarray(y, dtype=np.float64)
    if values.ndim not in (1, 2) or len(values) != len(X) or (values.ndim == 2 and values.shape[1] > 2):
        raise PainkitError(
            f"labels of shape {values.shape} for {len(X)} sequences",
            expected=f"({len(X)},) VAS or ({len(X)}, 2) VAS and OPI",
        )
    table = values.reshape(len(values), -1)
    usable: NDArray[np.bool_] = np.all(np.isfinite(table), axis=1)
    if not usable.any():
        names = " or ".join(name.upper() for name in TARGETS[: table.shape[1]])
        raise PainkitError(f"{names} is missing in each of the {len(table)} training sequences")
    return Labels(table, usable, values.ndim == 1)


def personal_columns(features: Sequence[str]) -> list[int]:
    """Columns of the eight one-hot personal inputs that belong to the named features."""
    unknown = [name for name in features if name not in PERSONAL_COLUMNS]
    if unknown:
        raise PainkitError(f"unknown personal features {unknown}", expected=f"some of {[*PERSONAL_COLUMNS]}")
    return [column for name in features for column in PERSONAL_COLUMNS[name]]


def personal_inputs(X: Sequence[SequenceSample], features: Sequence[str]) -> NDArray[np.float32]:
    """One-hot personal features (n_sequences, n_columns) of the named features.

    Raises
    ------
    PainkitError
        When a name is unknown or a subject's features are missing.
    """
    columns = personal_columns(features)
    table = np.array([np.asarray(sample.personal, dtype=np.float32)[columns] for sample in X])
    missing = sorted({s.subject for s, row in zip(X, table, strict=True) if not np.isfinite(row).all()})
    if missing:
        raise PainkitError(
            f"personal features ({', '.join(features)}) are missing for {len(missing)} subjects: "
            f"{', '.join(missing)}",
            expected="a subjects.csv with gender, age and complexion, or placement='none'",
        )
    return table.reshape(len(X), len(columns))


def frame_rows(
    X: Sequence[SequenceSample], standardizer: LandmarkStandardizer, features: Sequence[str]
) -> list[NDArray[np.float32]]:
    """Rows of z-scored coordinates followed by the named personal features, one array per sequence.

    Each array is (n_frames, 132 + n_columns); the coordinates of untracked frames are NaN.
    """
    personal = personal_inputs(X, features) if features else np.zeros((len(X), 0), dtype=np.float32)
    return [
        np.hstack([rows, np.tile(own, (len(rows), 1))])
        for rows, own in zip(standardizer.transform(X), personal, strict=True)
    ]


def tracked(rows: NDArray[np.float32], step: int = 1) -> NDArray[np.float32]:
    """Every `step`-th of the rows that have all landmarks."""
    return rows[np.isfinite(rows[:, 0])][::step]


def tracked_rows(
    X: Sequence[SequenceSample], standardizer: LandmarkStandardizer, features: Sequence[str], step: int
) -> list[NDArray[np.float32]]:
    """Every `step`-th tracked row of each sequence, as `frame_rows` makes them."""
    return [tracked(rows, step) for rows in frame_rows(X, standardizer, features)]

"""What a run trains and tests on: samples, labels, and counts of what was left out."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from painkit.errors import PainkitError
from painkit.vocabulary.landmarks import MIRROR
from painkit.vocabulary.pain import LEVELS
from painkit.vocabulary.scales import known_scale

if TYPE_CHECKING:
    from painkit.data.cohort import Cohort, SequenceSample

__all__ = ["COPY", "Samples", "samples"]

#: What the sequence of an augmented copy is called after its own name.
COPY = " (copy)"

_NOT_TARGETS = {"subject", "sequence", "frame", "n_frames", "tracked", "black", "image"}


@dataclass(frozen=True)
class Samples:
    """Samples of one kind, in the cohort's order.

    Attributes
    ----------
    unit : str
        ``"sequence"`` or ``"frame"``.
    targets : tuple of str
    table : DataFrame
        `subject`, `sequence`, `frame` (<NA> at sequence level), `row` (position in ``cohort.sequences`` or
        ``cohort.frames``).
    X : list of SequenceSample, or DataFrame
        At frame level the frames of the cohort with `row` (position in ``cohort.frames``) and `image` as a
        full path.
    y : (n, len(targets)) float64
        NaN where a label is missing.
    usable : (n,) bool
        False for rows that are neither trained nor tested on. They still take part in making the folds, so
        that folds are the same for every target.
    left_out : dict
        Counts of the rows that are not usable, by reason.
    """

    unit: str
    targets: tuple[str, ...]
    table: pd.DataFrame
    X: Any
    y: NDArray[np.float64]
    usable: NDArray[np.bool_] = field(default_factory=lambda: np.empty(0, dtype=bool))
    left_out: dict[str, int] = field(default_factory=dict)

    def labels(self, rows: NDArray[np.intp]) -> NDArray[np.float64]:
        """Labels of `rows`: (n,) for one target, (n, targets) for more."""
        return self.y[rows, 0] if len(self.targets) == 1 else self.y[rows]

    def train(self, rows: NDArray[np.intp], copies: NDArray[np.intp]) -> Any:
        """Inputs to fit on, `rows` and then augmented copies of others.

        At frame level with the action units and PSPI, which a model may learn from. A copy is a sample of its
        subject in a sequence of its own; see `painkit.evaluation.copies`.
        """
        if isinstance(self.X, pd.DataFrame):
            if not len(copies):
                return self.X.iloc[rows]
            table = self.X.iloc[np.concatenate([rows, copies])].reset_index(drop=True)
            copied = table.index >= len(rows)
            names = table["sequence"].astype(object)
            return table.assign(sequence=names.where(~copied, names + COPY))
        return [*(self.X[i] for i in rows), *(_mirrored(self.X[i]) for i in copies)]

    def test(self, rows: NDArray[np.intp]) -> Any:
        """Inputs to predict from; at frame level every coded column is taken away, so none can leak."""
        if not isinstance(self.X, pd.DataFrame):
            return [self.X[i] for i in rows]
        return self.X.iloc[rows].drop(columns=[c for c in self.X.columns if _is_label(c)])


def _mirrored(sample: SequenceSample) -> SequenceSample:
    """The sequence seen in a mirror that stands upright in the middle of its landmarks."""
    points = sample.landmarks[:, MIRROR].copy()
    if np.isfinite(points).any():
        points[..., 0] = 2 * np.nanmean(points[..., 0]) - points[..., 0]
    return replace(sample, sequence=sample.sequence + COPY, landmarks=points)


def _is_label(column: str) -> bool:
    return known_scale(column) is not None or (column.startswith("AU") and column[2:].isdigit())


def _columns(frame: pd.DataFrame) -> list[str]:
    named = [c for c in frame.columns if _classes(frame, c)]
    return [str(c) for c in (*frame.select_dtypes("number").columns, *named) if c not in _NOT_TARGETS]


def _classes(frame: pd.DataFrame, column: str) -> tuple[str, ...]:
    """Names of a column's classes in the order of their numbers; none for a column of numbers."""
    if isinstance(frame[column].dtype, pd.CategoricalDtype):
        return tuple(frame[column].cat.categories)
    numbers = pd.api.types.is_numeric_dtype(frame[column])
    scale = None if numbers else known_scale(column)
    return scale.classes if scale else ()


def _numbers(frame: pd.DataFrame, target: str) -> NDArray[np.float64]:
    """Labels of a column; of one that names classes, their numbers."""
    column, classes = frame[target], _classes(frame, target)
    if not classes:
        return np.asarray(column, np.float64)
    number = {name: float(i) for i, name in enumerate(classes)}
    strange = column[column.notna() & ~column.isin(classes)]
    if len(strange):
        raise PainkitError(f"{target} is {strange.iloc[0]!r}", expected=", ".join(classes))
    return np.asarray(column.astype(object).map(number), np.float64)


def samples(cohort: Cohort, target: str | tuple[str, ...]) -> Samples:
    """Take samples and labels of `cohort` for `target`.

    Parameters
    ----------
    cohort : Cohort
    target : str or tuple of str
        Columns of ``cohort.sequences`` (vas, opi, aff, sen), or of ``cohort.frames`` (pspi, AU4, ...), or
        ``level`` (0-5) or ``seven_levels`` (0-6), which are computed from PSPI. A column that names the
        classes of its scale (stimulus, expression, ...), or of categories, gives their numbers.

    Returns
    -------
    Samples
        Black frames, sequences without frames and rows that lack every target are not usable; rows that lack
        some targets are, with NaN.

    Raises
    ------
    PainkitError
        When a target is unknown, targets of sequences and of frames are mixed, or no row has a label.
    """
    targets = (target,) if isinstance(target, str) else tuple(target)
    per_sequence, per_frame = _columns(cohort.sequences), [*_columns(cohort.frames), *LEVELS]
    if targets and set(targets) <= set(per_sequence):
        found = _sequences(cohort, targets)
    elif targets and set(targets) <= set(per_frame):
        found = _frames(cohort, targets)
    else:
        known = f"some of {', '.join(per_sequence)} (per sequence), or of {', '.join(per_frame)} (per frame)"
        raise PainkitError(f"target {target!r} is not to be had from cohort {cohort.name}", expected=known)
    if not found.usable.any():
        raise PainkitError(f"no {found.unit} of cohort {cohort.name} has a label for {', '.join(targets)}")
    return found


def _sequences(cohort: Cohort, targets: tuple[str, ...]) -> Samples:
    table = cohort.sequences[["subject", "sequence"]].reset_index(drop=True)
    table["frame"] = pd.array([pd.NA] * len(table), dtype="Int64")
    table["row"] = np.arange(len(table))
    X = cohort.sequence_samples()
    y = np.column_stack([_numbers(cohort.sequences, target) for target in targets])
    return _without(Samples("sequence", targets, table, X, y), {"no frames": [not len(x.frames) for x in X]})


def _frames(cohort: Cohort, targets: tuple[str, ...]) -> Samples:
    X = cohort.frames.reset_index(drop=True)
    X["row"] = np.arange(len(X))
    if "image" in X:
        X["image"] = X["image"].map(lambda name: str(cohort.root / name), na_action="ignore")
    table = X[["subject", "sequence", "frame", "row"]].astype({"frame": "Int64"})
    y = np.column_stack([LEVELS[t](X["pspi"]) if t in LEVELS else _numbers(X, t) for t in targets])
    return _without(Samples("frame", targets, table, X, y), {"black frame": X["black"].to_numpy(bool)})


def _without(found: Samples, reasons: dict[str, Any]) -> Samples:
    usable, left_out = np.ones(len(found.y), dtype=bool), {}
    for reason, rows in {**reasons, "no label": np.isnan(found.y).all(axis=1)}.items():
        left_out[reason] = int((usable & rows).sum())
        usable &= np.logical_not(rows)
    return replace(found, usable=usable, left_out=left_out)

"""Protocols: which samples are tested by a model trained on which others.

Every protocol is a partition: each sample is tested exactly once, by a model trained on all folds but its
own. What a protocol promises to keep apart is checked on the actual folds, not only stated.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.model_selection import GroupKFold, KFold

from painkit.errors import PainkitError

__all__ = [
    "Fold",
    "Protocol",
    "fixed_folds",
    "leave_one_subject_out",
    "protocol_named",
    "random_frames",
    "sequence_k_fold",
    "subject_k_fold",
]

_UNITS = {
    "subjects": ["subject"],
    "sequences": ["subject", "sequence"],
    "frames": ["subject", "sequence", "frame"],
}


@dataclass(frozen=True)
class Fold:
    """One fold, as 0-based positions in the table of samples.

    Attributes
    ----------
    name : str
    train, test : int arrays
        Rows to train on and rows to test on.
    copies : int array
        Rows of which an augmented copy is trained on; see `painkit.evaluation.copies`.
    """

    name: str
    train: NDArray[np.intp]
    test: NDArray[np.intp]
    copies: NDArray[np.intp] = field(default_factory=lambda: np.empty(0, dtype=np.intp))

    @property
    def learned_from(self) -> NDArray[np.intp]:
        """Rows that are trained on, as they are or as a copy."""
        return np.concatenate([self.train, self.copies])

    def only(self, usable: NDArray[np.bool_]) -> Fold:
        """Leave out the rows where `usable` is False."""
        kept = {name: (rows := getattr(self, name))[usable[rows]] for name in ("train", "test", "copies")}
        return replace(self, **kept)


def _codes(table: pd.DataFrame, unit: str) -> NDArray[np.intp]:
    # dropna=False: at sequence level the frame is <NA>, and a frame is then its sequence.
    return np.asarray(table.groupby(_UNITS[unit], sort=True, dropna=False).ngroup(), dtype=np.intp)


def shared_units(table: pd.DataFrame, folds: Sequence[Fold]) -> dict[str, int]:
    """Count the folds whose train and test rows share a subject, a sequence or a frame; a copy is its row.

    Parameters
    ----------
    table : DataFrame
        Columns `subject`, `sequence`, `frame` (<NA> at sequence level), one row a sample.
    folds : sequence of Fold

    Returns
    -------
    dict
        Keys `subjects`, `sequences`, `frames`; values from 0 (disjoint) to ``len(folds)``.
    """
    shared = {}
    for unit in _UNITS:
        code = _codes(table, unit)
        trained = np.zeros((len(folds), code.max(initial=-1) + 1), dtype=bool)
        for row, fold in zip(trained, folds, strict=True):
            row[code[fold.learned_from]] = True
        shared[unit] = sum(bool(r[code[fold.test]].any()) for r, fold in zip(trained, folds, strict=True))
    return shared


@dataclass(frozen=True)
class Protocol(ABC):
    """Who is tested on whom; its fields are its parameters and are part of a run's key."""

    #: What train and test never share: some of "subjects", "sequences", "frames".
    disjoint: ClassVar[tuple[str, ...]] = ("subjects", "sequences", "frames")
    _title: ClassVar[str]

    @property
    def name(self) -> str:
        """Short name; that of a leaky protocol begins with LEAKY."""
        return self._title.format(self=self)

    @property
    def leaky(self) -> bool:
        """Whether a subject can be in train and test: such numbers say nothing about new people."""
        return "subjects" not in self.disjoint

    @property
    def parameters(self) -> dict[str, Any]:
        """Everything the split depends on beside the samples."""
        return {"protocol": type(self).__name__, **asdict(self)}

    @abstractmethod
    def _assign(self, table: pd.DataFrame) -> NDArray[np.object_]:
        """Name the fold in which each row of `table` is tested."""

    def splits(self, table: pd.DataFrame) -> list[Fold]:
        """Split `table` and check that what must be disjoint is.

        Parameters
        ----------
        table : DataFrame
            Columns `subject`, `sequence`, `frame` (<NA> at sequence level), one row a sample.

        Returns
        -------
        list of Fold
            Every row is in the test part of exactly one fold and in the train part of all others.

        Raises
        ------
        PainkitError
            When the cohort cannot be split this way, or train and test share what they must not.
        """
        folds = self._folds(table)
        if len(folds) < 2:
            raise PainkitError(
                f"{self.name}: {len(folds)} fold(s), so nothing is left to train on",
                expected="two or more folds",
            )
        shared = shared_units(table, folds)
        broken = [f"{unit} in {shared[unit]} of {len(folds)} folds" for unit in self.disjoint if shared[unit]]
        if broken:
            raise PainkitError(
                f"{self.name}: train and test share {', '.join(broken)}",
                expected="samples listed once, with ids that tell subjects and sequences apart",
            )
        return folds

    def _folds(self, table: pd.DataFrame) -> list[Fold]:
        names = self._assign(table)
        return [
            Fold(str(name), np.flatnonzero(names != name), np.flatnonzero(names == name))
            for name in sorted(set(names))
        ]

    def statement(self, table: pd.DataFrame, folds: Sequence[Fold]) -> str:
        """Say what train and test share, as counted on these very folds."""
        shared = shared_units(table, folds)
        apart = [unit for unit, count in shared.items() if not count]
        overlap = [f"{unit} in {count} of {len(folds)}" for unit, count in shared.items() if count]
        kept = ", no ".join(apart) or "row"
        text = f"{self.name}: in each of {len(folds)} folds train and test share no {kept}"
        if overlap:
            text += f"; they share {', '.join(overlap)} folds"
        if self.leaky:
            text += ". LEAKY, for audits only: says nothing about people the model has not seen"
        return text + "."


@dataclass(frozen=True)
class LeaveOneSubjectOut(Protocol):
    """One fold a subject."""

    _title = "leave one subject out"

    def _assign(self, table: pd.DataFrame) -> NDArray[np.object_]:
        return table["subject"].astype(str).to_numpy(object)


@dataclass(frozen=True)
class _Drawn(Protocol):
    _unit: ClassVar[str]
    k: int = 5
    seed: int = 0

    def _assign(self, table: pd.DataFrame) -> NDArray[np.object_]:
        units = _codes(table, self._unit)
        found = len(np.unique(units))
        if not 2 <= self.k <= found:
            raise PainkitError(
                f"{self.k} folds were asked of {found} {self._unit}", expected=f"2 to {found} folds"
            )
        draw, groups = (KFold, None) if self._unit == "frames" else (GroupKFold, units)
        splits = draw(self.k, shuffle=True, random_state=self.seed).split(units, groups=groups)
        names = np.empty(len(table), dtype=object)
        for i, (_, test) in enumerate(splits, start=1):
            names[test] = f"{'leaky-' if self.leaky else ''}fold-{i:0{len(str(self.k))}d}"
        return names


@dataclass(frozen=True)
class SubjectKFold(_Drawn):
    """`k` folds whose numbers of subjects differ by one at most, drawn by `seed`."""

    _title = "subject {self.k}-fold"
    _unit = "subjects"


@dataclass(frozen=True)
class FixedFolds(Protocol):
    """Folds listed by hand: subject ids, or the part before the first hyphen (064 for 064-ak064)."""

    _title = "fixed {self.n} folds"
    folds: tuple[tuple[str, ...], ...]

    @property
    def n(self) -> int:
        """Number of folds."""
        return len(self.folds)

    def _assign(self, table: pd.DataFrame) -> NDArray[np.object_]:
        listed = [subject for fold in self.folds for subject in fold]
        twice = sorted(subject for subject, count in Counter(listed).items() if count > 1)
        if twice:
            raise PainkitError(f"{self.name}: listed twice: {', '.join(twice)}", expected="disjoint folds")
        fold_of = {subject: f"fold-{i}" for i, fold in enumerate(self.folds, start=1) for subject in fold}
        subjects = table["subject"].astype(str).to_numpy(object)
        # A list that names a subject both ways is caught here: both entries would claim it.
        claims = {s: [e for e in {s, s.split("-")[0]} if e in fold_of] for s in sorted(set(subjects))}
        problems = {
            "not in the cohort": sorted(set(listed) - {e for entries in claims.values() for e in entries}),
            "in the cohort but in no fold": sorted(s for s, entries in claims.items() if not entries),
            "named in two ways": sorted(s for s, entries in claims.items() if len(entries) > 1),
        }
        told = [f"{what}: {', '.join(who)}" for what, who in problems.items() if who]
        if told:
            raise PainkitError(
                f"{self.name} do not fit this cohort; {'; '.join(told)}",
                expected="every subject in exactly one fold; for other cohorts use subject_k_fold(k)",
            )
        assigned = {s: fold_of[entries[0]] for s, entries in claims.items()}
        return np.array([assigned[s] for s in subjects], dtype=object)


@dataclass(frozen=True)
class SequenceKFold(_Drawn):
    """`k` folds of whole sequences; subjects are shared. LEAKY, for audits only."""

    disjoint = ("sequences", "frames")
    _title = "LEAKY sequence {self.k}-fold"
    _unit = "sequences"


@dataclass(frozen=True)
class RandomFrames(_Drawn):
    """`k` folds of frames drawn at random; neighbours 1/25 s apart are shared out. LEAKY, for audits only."""

    disjoint = ("frames",)
    _title = "LEAKY random frames {self.k}-fold"
    _unit = "frames"

    def _assign(self, table: pd.DataFrame) -> NDArray[np.object_]:
        if table["frame"].isna().any():
            raise PainkitError(
                f"{self.name}: these samples are whole sequences",
                expected="a target given per frame, such as pspi",
            )
        return super()._assign(table)


leave_one_subject_out = LeaveOneSubjectOut
subject_k_fold = SubjectKFold
sequence_k_fold = SequenceKFold
random_frames = RandomFrames


def fixed_folds(folds: Iterable[Iterable[str]]) -> FixedFolds:
    """Make a protocol of listed folds.

    Parameters
    ----------
    folds : iterable of iterables of str
        Subject ids, or the part of an id before its first hyphen.
    """
    return FixedFolds(tuple(tuple(map(str, fold)) for fold in folds))


def protocol_named(text: str, *, seed: int = 0, named: Mapping[str, Protocol] | None = None) -> Protocol:
    """Return the protocol that a notebook parameter or an option names.

    Parameters
    ----------
    text : str
        ``leave_one_subject_out``, ``subject_k_fold:K``, ``sequence_k_fold:K`` or ``random_frames:K`` (the
        last two are leaky: audits only), or a name in `named`.
    seed : int
        Of folds that are drawn.
    named : mapping of str to Protocol, optional
        Others, such as a paper's own folds.

    Raises
    ------
    PainkitError
        For any other text.
    """
    kind, _, count = text.partition(":")
    drawn: dict[str, type[_Drawn]] = {
        "subject_k_fold": subject_k_fold,
        "sequence_k_fold": sequence_k_fold,
        "random_frames": random_frames,
    }
    if kind in drawn and count.isdigit():
        return drawn[kind](int(count), seed)
    plain = {"leave_one_subject_out": leave_one_subject_out(), **(named or {})}
    if text in plain:
        return plain[text]
    raise PainkitError(
        f"no protocol {text!r}",
        expected=f"one of {', '.join(plain)}, {', '.join(f'{name}:K' for name in drawn)}",
    )

"""Augmented copies of training samples, made after the split as they must be, or before it: for audits.

A copy of a sequence is its mirror image, under a name of its own. A frame table points to features and crops
that are made once, so a copy of a frame repeats its row; a net that mirrors or turns crops as it trains draws
other views for the copy.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from painkit.evaluation.protocols import Fold, Protocol

__all__ = ["CopiesAfterSplit", "CopiesBeforeSplit"]


@dataclass(frozen=True)
class _Copies(Protocol):
    base: Protocol

    @property
    def parameters(self) -> dict[str, Any]:
        """Everything the split depends on beside the samples; `base` in full, fields alone name no class."""
        return {**super().parameters, "base": self.base.parameters}

    def statement(self, table: pd.DataFrame, folds: Sequence[Fold]) -> str:
        """Say what train and test share, and of how many test samples a copy is trained on."""
        known = sum(int(np.isin(fold.test, fold.copies).sum()) for fold in folds)
        n = sum(len(fold.test) for fold in folds)
        return f"{super().statement(table, folds)} Of {known} of {n} test samples a copy is trained on."

    def _assign(self, table: pd.DataFrame) -> NDArray[np.object_]:
        return self.base._assign(table)

    def _copied(self, folds: Iterable[Fold], copies: Iterable[NDArray[np.intp]]) -> list[Fold]:
        return [replace(fold, copies=own) for fold, own in zip(folds, copies, strict=True)]


@dataclass(frozen=True)
class CopiesAfterSplit(_Copies):
    """Each fold trains on its training samples and one copy of each."""

    _title = "{self.base.name}, copies of training samples"

    def _folds(self, table: pd.DataFrame) -> list[Fold]:
        folds = self.base.splits(table)
        return self._copied(folds, (fold.train for fold in folds))


@dataclass(frozen=True)
class CopiesBeforeSplit(_Copies):
    """Copies of all samples are dealt to the folds by `seed`, as if they were samples of their own.

    Each fold trains on the copies that others were dealt, of test samples, too, and on as many of them as a
    fold of `CopiesAfterSplit` on the average. Copies are not tested. LEAKY, for audits only.
    """

    disjoint = ()
    _title = "LEAKY {self.base.name}, copies dealt before the split"
    seed: int = 0

    def _folds(self, table: pd.DataFrame) -> list[Fold]:
        folds = self.base.splits(table)
        dealt = np.random.default_rng(self.seed).permutation(len(table)) % len(folds)
        return self._copied(folds, (np.flatnonzero(dealt != i) for i in range(len(folds))))

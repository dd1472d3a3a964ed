"""A table of predictions as sums: once for the table itself and once for every resample of its subjects."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from painkit.errors import PainkitError
from painkit.metrics import statistics
from painkit.metrics.bootstrap import resample_weights
from painkit.metrics.checks import Floats, finite
from painkit.metrics.sums import Sums, sums_of
from painkit.vocabulary.scales import Scale, known_scale

__all__ = ["AVERAGES", "Average", "Resampled", "View", "applicable_metrics", "is_nominal"]

Average = Literal["pooled", "per_subject", "per_fold"]
AVERAGES: tuple[Average, ...] = get_args(Average)


def applicable_metrics(table: pd.DataFrame, scale: str | None = None) -> list[str]:
    """Metrics that a table of one target allows.

    Errors, correlation and agreement; weighted errors, classes and kappa where every label is an integer,
    one-vs-rest AUC too with p_0, p_1, ...; coverage with y_std. On a nominal scale, whose classes have no
    order and no distances, only accuracy, precision, recall, F1 and AUC.

    Parameters
    ----------
    table : DataFrame
        Column y_true, and y_std and p_0, p_1, ... where there are any.
    scale : str, optional
        Key of `painkit.vocabulary.scales.SCALES`, which tells how many classes there are; default up to the
        largest label.

    Returns
    -------
    list of str
        As `painkit.metrics.statistics.statistic` takes them.

    Raises
    ------
    PainkitError
        When the columns p_0, p_1, ... have a gap.
    """
    true = table["y_true"].dropna().to_numpy(dtype=np.float64)
    nominal = is_nominal(scale)
    names = [] if nominal else list(statistics.ERRORS)
    if n_classes := _n_classes(true, scale):
        names += [] if nominal else statistics.WEIGHTED
        names += statistics.CLASSES
        names += [] if nominal else statistics.ORDERED
        names += [f"{base}[{k}]" for base in statistics.PER_CLASS for k in range(n_classes)]
        if n_scores := len(_score_columns(table)):
            names += ["AUC", *(f"AUC[{k}]" for k in range(n_scores))]
    if _has_std(table) and not nominal:
        names += statistics.COVERAGE
    return names


def is_nominal(scale: str | None) -> bool:
    """Whether the key is that of a scale whose classes have no order."""
    known = known_scale(scale)
    return known is not None and not known.ordered


@dataclass(frozen=True)
class View:
    """The groups of one averaging.

    Attributes
    ----------
    groups : list of Sums
        One of (subjects,) for per_subject; else one of (1 + resamples,) for each fold or for all rows.
    weights : (1 + resamples, groups)
        Of the mean over groups; row 0 is the table itself.
    fixed : bool
        The groups are subjects: resampling changes their weights, not their sums.
    """

    groups: list[Sums]
    weights: Floats
    fixed: bool

    def values(self, name: str) -> Floats:
        """Metric of every group: (1 + resamples, groups), or (1, groups) where `fixed`."""
        metric = statistics.statistic(name)
        if self.fixed:
            return metric(self.groups[0])[None, :]
        return np.column_stack([metric(sums) for sums in self.groups])

    def mean(self, values: Floats) -> Floats:
        """Mean over the groups whose value exists: (1 + resamples,)."""
        return statistics.mean_over(values, self.weights)


class Resampled:
    """A checked table of one target, its subjects drawn with replacement.

    Parameters
    ----------
    table : DataFrame
        See `painkit.metrics.evaluate`.
    scale : str or None
        Key of `SCALES`; another text only labels the result.
    n_resamples, seed : int
        Of the bootstrap.

    Attributes
    ----------
    labelled : DataFrame
        The rows with a label.
    scale_label : str
        As printed.
    allowed : list of str
        Metrics the table allows.
    """

    def __init__(self, table: pd.DataFrame, scale: str | None, n_resamples: int, seed: int) -> None:
        known = known_scale(scale)
        self.labelled = _checked(table, known)
        self.scale_label = known.label if known else (scale or "not stated")
        self.allowed = applicable_metrics(self.labelled, scale)
        self._n_classes = _n_classes(self.labelled["y_true"].to_numpy(dtype=np.float64), scale)
        self._subject, subjects = pd.factorize(self.labelled["subject"], sort=True)
        self._weights = np.ones((1, len(subjects)))
        # Resamples of one subject are all the same: no interval.
        if n_resamples and len(subjects) > 1:
            drawn = resample_weights(len(subjects), n_resamples, seed)
            self._weights = np.vstack([self._weights, drawn])

    def require(self, name: str) -> None:
        """Refuse a metric that the table cannot give, which is not the same as one that is undefined."""
        statistics.statistic(name)
        if name not in self.allowed:
            raise PainkitError(
                f"the table does not allow {name!r}",
                expected=", ".join(known for known in self.allowed if "[" not in known),
            )

    def view(self, average: Average) -> View:
        """Group the rows as `average` says."""
        if average not in AVERAGES:
            raise PainkitError(f"there is no average {average!r}", expected=", ".join(AVERAGES))
        if average == "per_subject":
            return View([self._by_subject], self._weights, fixed=True)
        if average == "pooled":
            return View([self._by_subject.pool(self._weights)], np.ones((len(self._weights), 1)), fixed=False)
        if "fold" not in self.labelled or self.labelled["fold"].isna().any():
            raise PainkitError("a labelled row has no fold", expected="a fold column without gaps")
        fold, _ = pd.factorize(self.labelled["fold"], sort=True)
        cells, cell = np.unique(np.stack([fold, self._subject]), axis=1, return_inverse=True)
        sums = self._sums(cell.ravel(), cells.shape[1])
        groups, multiplicity = [], []
        for number in np.unique(cells[0]):
            in_fold = cells[0] == number
            taken = np.zeros((len(self._weights), cells.shape[1]))
            taken[:, in_fold] = self._weights[:, cells[1, in_fold]]
            groups.append(sums.pool(taken))
            # A fold whose subjects are drawn twice counts twice; with one subject a fold this is per_subject.
            multiplicity.append(taken[:, in_fold].mean(axis=1))
        return View(groups, np.column_stack(multiplicity), fixed=False)

    @cached_property
    def _by_subject(self) -> Sums:
        return self._sums(self._subject, self._weights.shape[1])

    def _sums(self, cell: NDArray[np.intp], n_cells: int) -> Sums:
        table = self.labelled
        true, pred = (table[name].to_numpy(dtype=np.float64) for name in ("y_true", "y_pred"))
        std = table["y_std"].to_numpy(dtype=np.float64) if _has_std(table) else None
        scores = table[_score_columns(table)].to_numpy(dtype=np.float64)
        return sums_of(true, pred, cell, n_cells, n_classes=self._n_classes, y_std=std, scores=scores)


def _checked(table: pd.DataFrame, scale: Scale | None) -> pd.DataFrame:
    needed = ["subject", "y_true", "y_pred"]
    missing = [column for column in needed if column not in table]
    if missing:
        raise PainkitError(
            f"the table of predictions has no column {', '.join(missing)}", expected=", ".join(needed)
        )
    labelled = table.loc[table["y_true"].notna()]
    if labelled.empty:
        raise PainkitError("the table of predictions has no labelled rows", expected="at least one")
    if labelled["subject"].isna().any():
        raise PainkitError("a labelled row has no subject", expected="one for each row")
    scores = _score_columns(labelled)
    for column in ("y_true", "y_pred", *scores, *(["y_std"] if _has_std(labelled) else [])):
        finite(f"{column} of the labelled rows", labelled[column])
    if _has_std(labelled) and labelled["y_std"].min() < 0:
        raise PainkitError("y_std has negative values", expected="standard deviations")
    true = labelled["y_true"].to_numpy(dtype=np.float64)
    if scale and (true.min() < scale.low or true.max() > scale.high):
        raise PainkitError(f"y_true runs from {true.min():g} to {true.max():g}", expected=scale.label)
    if scale and not scale.ordered:
        numbered = enumerate(scale.classes, scale.low)
        for column in ("y_true", "y_pred"):
            strange = labelled[column][~labelled[column].isin(range(scale.low, scale.high + 1))]
            if len(strange):
                what = f"{column} holds {strange.iloc[0]:g}, which is no class"
                raise PainkitError(what, expected=", ".join(f"{k} {name}" for k, name in numbered))
    if scores and _n_classes(true, None) > len(scores):
        raise PainkitError(
            f"y_true goes up to {true.max():g} and the scores to {scores[-1]}",
            expected="a score for each class",
        )
    return labelled


def _n_classes(true: Floats, scale: str | None) -> int:
    """Classes 0..k-1 of an integer label; 0 for none."""
    if not len(true) or np.any(true != np.floor(true)) or true.min() < 0 or true.max() > 20:
        return 0
    known = known_scale(scale)
    return 1 + (known.high if known else int(true.max()))


def _score_columns(table: pd.DataFrame) -> list[str]:
    """Columns p_0, p_1, ... that hold anything; those of another target are empty in the rows of this one."""
    given = table.filter(regex=r"^p_\d+$").dropna(axis="columns", how="all").columns.astype(str)
    columns = [f"p_{k}" for k in range(len(given))]
    if set(given) != set(columns):
        raise PainkitError(
            f"the scores of the classes are {', '.join(given)}", expected="p_0, p_1, ... without a gap"
        )
    return columns


def _has_std(table: pd.DataFrame) -> bool:
    return "y_std" in table and bool(table["y_std"].notna().any())

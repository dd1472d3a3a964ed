"""Every metric as a function of sums, for all resamples at once: `Sums` of B groups in, (B,) out.

MAE, MSE, RMSE
    Errors, in units of the label or their square; smaller is better.
PCC
    Pearson correlation, -1 to 1; NaN where labels or estimates do not vary.
ICC(1,1) ... ICC(3,k)
    Intraclass correlation (Shrout and Fleiss 1979) of label and estimate, taken as two raters; 1 is best.
    Case 1: other raters for every target, 2: random raters, 3: fixed raters, so that a constant offset does
    not count; of one rater, or of the mean of both (k). NaN with fewer than two rows, or where neither side
    varies.
wMAE, wMSE
    Errors in which every level that occurs counts the same, however rare it is (Wang et al. 2017, Sec. 3.3).
accuracy, precision[k], recall[k], F1[k]
    Of classes, 0 to 1; NaN for a class that is never called (precision), does not occur (recall), or neither
    (F1 = 2 TP / (2 TP + FP + FN)). Without [k]: mean over the classes where they exist.
quadratic kappa
    Cohen's, with squared distances of the classes as weights (Cohen 1968), -1 to 1.
AUC[k], AUC, AUC pain
    Area under the ROC curve of class k against all others by its score p_k, 0 to 1; its mean over the classes
    where it exists; and of any pain against none, by the estimate itself.
coverage 50%, coverage 90%
    Share of labels inside the central Gaussian band of that mass; the mass itself is best, below it the model
    is over-confident.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from painkit.errors import PainkitError
from painkit.metrics.checks import Floats
from painkit.metrics.sums import BANDS, Sums

__all__ = [
    "CLASSES",
    "COVERAGE",
    "ERRORS",
    "ORDERED",
    "PER_CLASS",
    "SMALLER_IS_BETTER",
    "WEIGHTED",
    "mean_over",
    "statistic",
]

SMALLER_IS_BETTER = frozenset({"MAE", "MSE", "RMSE", "wMAE", "wMSE"})

Statistic = Callable[[Sums], Floats]


def _divide(top: Floats, bottom: Floats) -> Floats:
    """Divide; what is divided by 0 does not exist."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(bottom == 0, np.nan, top / bottom)


def mean_over(values: Floats, weights: Floats | float = 1.0) -> Floats:
    """Weighted mean along the last axis of the values that exist; NaN where none does."""
    exist = ~np.isnan(values)
    total = np.sum(np.where(exist, values, 0) * weights, axis=-1)
    return _divide(total, np.sum(exist * weights, axis=-1, dtype=np.float64))


def _pcc(s: Sums) -> Floats:
    value = _divide(s.ss_cross, np.sqrt(s.ss_true) * np.sqrt(s.ss_pred))
    return np.where(s.vary_true & s.vary_pred, np.clip(value, -1, 1), np.nan)


# From the mean squares between rows, of raters, residual and within rows (Shrout and Fleiss 1979, p. 423).
_ICC: dict[str, Callable[[Floats, Floats, Floats, Floats, Floats], Floats]] = {
    "1,1": lambda bms, jms, ems, wms, n: _divide(bms - wms, bms + wms),
    "2,1": lambda bms, jms, ems, wms, n: _divide(bms - ems, bms + ems + 2 * (jms - ems) / n),
    "3,1": lambda bms, jms, ems, wms, n: _divide(bms - ems, bms + ems),
    "1,k": lambda bms, jms, ems, wms, n: _divide(bms - wms, bms),
    "2,k": lambda bms, jms, ems, wms, n: _divide(bms - ems, bms + (jms - ems) / n),
    "3,k": lambda bms, jms, ems, wms, n: _divide(bms - ems, bms),
}


def _icc(s: Sums, kind: str) -> Floats:
    between = _divide((s.ss_true + s.ss_pred + 2 * s.ss_cross) / 2, s.n - 1)
    residual = _divide((s.ss_true + s.ss_pred - 2 * s.ss_cross) / 2, s.n - 1)
    raters = s.n / 2 * np.square(s.mean_true - s.mean_pred)
    within = _divide(raters + residual * (s.n - 1), s.n)
    value = _ICC[kind](between, raters, residual, within, s.n)
    # Targets that do not differ cannot be told apart.
    return np.where(s.vary_true | s.vary_pred, value, np.nan)


def _true_positive(s: Sums) -> Floats:
    return np.diagonal(s.confusion, axis1=1, axis2=2)


def _precision(s: Sums) -> Floats:
    return _divide(_true_positive(s), s.confusion.sum(axis=1))


def _recall(s: Sums) -> Floats:
    return _divide(_true_positive(s), s.confusion.sum(axis=2))


def _f1(s: Sums) -> Floats:
    return _divide(2 * _true_positive(s), s.confusion.sum(axis=1) + s.confusion.sum(axis=2))


def _kappa(s: Sums) -> Floats:
    k = s.confusion.shape[1]
    weights = np.square(np.subtract.outer(np.arange(k), np.arange(k)))
    chance = s.confusion.sum(axis=2)[:, :, None] * s.confusion.sum(axis=1)[:, None, :]
    seen = np.sum(weights * s.confusion, axis=(1, 2)) * s.n
    return 1 - _divide(seen, np.sum(weights * chance, axis=(1, 2)))


def _areas(s: Sums) -> Floats:
    return _divide(s.wins, s.positives * s.negatives)


def _coverage(s: Sums, column: int) -> Floats:
    return _divide(s.inside[:, column], s.n)


# What needs distances between labels.
ERRORS: dict[str, Statistic] = {
    "MAE": lambda s: _divide(s.abs_error, s.n),
    "MSE": lambda s: _divide(s.sq_error, s.n),
    "RMSE": lambda s: np.sqrt(_divide(s.sq_error, s.n)),
    "PCC": _pcc,
    **{f"ICC({kind})": partial(_icc, kind=kind) for kind in _ICC},
}
# These, and kappa and "AUC pain" below, need levels: classes that have an order.
WEIGHTED: dict[str, Statistic] = {
    "wMAE": lambda s: mean_over(_divide(s.level_abs, s.level_n)),
    "wMSE": lambda s: mean_over(_divide(s.level_sq, s.level_n)),
}
PER_CLASS: dict[str, Statistic] = {"precision": _precision, "recall": _recall, "F1": _f1}
CLASSES: dict[str, Statistic] = {
    "accuracy": lambda s: _divide(_true_positive(s).sum(axis=1), s.n),
    "precision": lambda s: mean_over(_precision(s)),
    "recall": lambda s: mean_over(_recall(s)),
    "F1": lambda s: mean_over(_f1(s)),
}
ORDERED: dict[str, Statistic] = {"quadratic kappa": _kappa, "AUC pain": lambda s: _areas(s)[:, 0]}
COVERAGE: dict[str, Statistic] = {
    f"coverage {band:.0%}": partial(_coverage, column=i) for i, band in enumerate(BANDS)
}


def statistic(name: str) -> Statistic:
    """Look a metric up by a name of the head of this module.

    Raises
    ------
    PainkitError
        When there is no such metric.
    """
    known: dict[str, Statistic] = (
        ERRORS | WEIGHTED | CLASSES | ORDERED | COVERAGE | {"AUC": lambda s: mean_over(_areas(s)[:, 1:])}
    )
    if name in known:
        return known[name]
    base, bracket, rest = name.partition("[")
    per_class = PER_CLASS | {"AUC": lambda s: _areas(s)[:, 1:]}
    if bracket and base in per_class and rest.endswith("]") and rest[:-1].isdigit():
        return lambda s: per_class[base](s)[:, int(rest[:-1])]
    raise PainkitError(f"there is no metric {name!r}", expected=", ".join([*known, "recall[0] and the like"]))

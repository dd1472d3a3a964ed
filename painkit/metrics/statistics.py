"""Every metric as a function of sums, for all resamples at once: `Sums` of B groups in, (B,) out."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from painkit.errors import PainkitError
from painkit.metrics.agreement import ICC_KINDS, IccKind, icc_from_mean_squares
from painkit.metrics.calibration import BANDS
from painkit.metrics.checks import Floats
from painkit.metrics.sums import Sums

__all__ = ["AREAS", "CLASSIFICATION", "COVERAGE", "REGRESSION", "WEIGHTED", "mean_over", "statistic"]

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


def _icc(s: Sums, kind: IccKind) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        between = (s.ss_true + s.ss_pred + 2 * s.ss_cross) / 2 / (s.n - 1)
        residual = (s.ss_true + s.ss_pred - 2 * s.ss_cross) / 2 / (s.n - 1)
        raters = s.n / 2 * np.square(s.mean_true - s.mean_pred)
    value = icc_from_mean_squares(between, raters, residual, s.n, 2, kind)
    # Targets that do not differ cannot be told apart.
    return np.where((s.vary_true | s.vary_pred) & (s.n > 1), value, np.nan)


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


def _auc(s: Sums, task: int) -> Floats:
    return _divide(s.wins[:, task], s.positives[:, task] * s.negatives[:, task])


def _coverage(s: Sums, column: int) -> Floats:
    return _divide(s.inside[:, column], s.n)


def _rmse(s: Sums) -> Floats:
    return np.sqrt(_divide(s.sq_error, s.n))


REGRESSION: dict[str, Statistic] = {
    "MAE": lambda s: _divide(s.abs_error, s.n),
    "MSE": lambda s: _divide(s.sq_error, s.n),
    "RMSE": _rmse,
    "PCC": _pcc,
    **{f"ICC({kind})": partial(_icc, kind=kind) for kind in ICC_KINDS},
}
WEIGHTED: dict[str, Statistic] = {
    "wMAE": lambda s: mean_over(_divide(s.level_abs, s.level_n)),
    "wMSE": lambda s: mean_over(_divide(s.level_sq, s.level_n)),
}
_PER_CLASS: dict[str, Statistic] = {"precision": _precision, "recall": _recall, "F1": _f1}
CLASSIFICATION: dict[str, Statistic] = {
    "accuracy": lambda s: _divide(_true_positive(s).sum(axis=1), s.n),
    "precision": lambda s: mean_over(_precision(s)),
    "recall": lambda s: mean_over(_recall(s)),
    "F1": lambda s: mean_over(_f1(s)),
    "quadratic kappa": _kappa,
}
COVERAGE: dict[str, Statistic] = {
    f"coverage {band:.0%}": partial(_coverage, column=i) for i, band in enumerate(BANDS)
}
# Task 0 is "any pain or none", by the estimate itself; the others are the classes, by their scores.
AREAS: dict[str, Statistic] = {"AUC pain": partial(_auc, task=0)}


def statistic(name: str) -> Statistic:
    """Look a metric up: those above, "precision[k]", "recall[k]", "F1[k]", "AUC" (macro) and "AUC[k]".

    Raises
    ------
    PainkitError
        When there is no such metric.
    """
    known = REGRESSION | WEIGHTED | CLASSIFICATION | COVERAGE | AREAS
    if name in known:
        return known[name]
    if name == "AUC":
        return lambda s: mean_over(_divide(s.wins, s.positives * s.negatives)[:, 1:])
    base, bracket, rest = name.partition("[")
    if bracket and rest.endswith("]") and rest[:-1].isdigit():
        k = int(rest[:-1])
        if base == "AUC":
            return partial(_auc, task=k + 1)
        if base in _PER_CLASS:
            return lambda s: _PER_CLASS[base](s)[:, k]
    raise PainkitError(
        f"there is no metric {name!r}", expected=", ".join([*known, "AUC", "recall[0] and the like"])
    )

"""The rows every model has to beat: predictions that look at no face."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
import pandas as pd

from painkit.metrics.checks import Floats
from painkit.metrics.views import is_nominal

__all__ = ["TRIVIAL", "trivial_rows"]

#: Names of all of them.
TRIVIAL: Final = ("all zeros", "train mean", "train median", "majority class")


def trivial_rows(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Predict all zeros, and the mean and median label of the training rows; of classes their majority.

    Parameters
    ----------
    table : DataFrame
        One target: y_true; target, where it is on a nominal scale; and fold where the training rows are known
        (for a fold: all other folds).

    Returns
    -------
    dict of str to DataFrame
        "all zeros", and with two folds or more "train mean" and "train median"; on a nominal scale only
        "majority class", the most frequent one of the training rows (the first of several). Copies of the
        table with another y_pred, without y_std and class scores.
    """
    bare = table.drop(columns=table.filter(regex=r"^(y_std|p_\d+)$").columns)
    rows = {"all zeros": bare.assign(y_pred=0.0)}
    middles: dict[str, Callable[[Floats], float]] = {"train mean": np.nanmean, "train median": np.nanmedian}
    if "target" in table and any(is_nominal(target) for target in table["target"].unique()):
        rows, middles = {}, {"majority class": _majority}
    if "fold" not in table:
        return rows
    fold, folds = pd.factorize(table["fold"])
    true = table["y_true"].to_numpy(dtype=np.float64)
    if len(folds) > 1:
        for name, middle in middles.items():
            constant = np.array([middle(true[fold != k]) for k in range(len(folds))])
            rows[name] = bare.assign(y_pred=constant[fold])
    return rows


def _majority(true: Floats) -> float:
    return float(np.bincount(true[~np.isnan(true)].astype(np.intp)).argmax())

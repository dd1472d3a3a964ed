"""The rows every model has to beat: predictions that look at no face."""

from __future__ import annotations

import pandas as pd

__all__ = ["trivial_rows"]


def trivial_rows(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Predict all zeros, and the mean and median label of the training rows.

    Parameters
    ----------
    table : DataFrame
        One target: y_true, and fold where the training rows are known (for a fold: all other folds).

    Returns
    -------
    dict of str to DataFrame
        "all zeros", and with two folds or more "train mean" and "train median"; copies of the table with
        another y_pred, without y_std and class scores.
    """
    bare = table.drop(columns=table.filter(regex=r"^(y_std|p_\d+)$").columns)
    rows = {"all zeros": bare.assign(y_pred=0.0)}
    folds = list(table["fold"].unique()) if "fold" in table else []
    if len(folds) > 1:
        for how in ("mean", "median"):
            constant = {fold: table.loc[table["fold"] != fold, "y_true"].agg(how) for fold in folds}
            rows[f"train {how}"] = bare.assign(y_pred=table["fold"].map(constant).astype(float))
    return rows

"""What constants score on the labels of a cohort."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd

from painkit.data.cohort import Cohort
from painkit.evaluation.conclusions import interval_text
from painkit.evaluation.protocols import Protocol
from painkit.evaluation.samples import samples
from painkit.evaluation.study import Study
from painkit.metrics import evaluate, trivial_rows
from painkit.metrics.views import Average

__all__ = ["constant_sentences", "score_constants"]

# Target, the column that holds it, and how the papers average it.
_SCORED: Final[tuple[tuple[str, str, Average], ...]] = (
    ("level", "pspi", "per_subject"),
    ("vas", "vas", "pooled"),
    ("opi", "opi", "pooled"),
)


def score_constants(study: Study) -> pd.DataFrame:
    """Score all zeros, and the mean and median of the other folds, for each label the cohort has.

    Returns
    -------
    DataFrame
        row ("vas: train mean"), and what `painkit.metrics.evaluate` returns: MAE and MSE, for the pain level
        of frames (0-5) per subject and with wMAE and wMSE, for VAS and OPI of sequences pooled. Labels that
        fewer than two subjects have are left out: nothing is then left to take a mean of.
    """
    cohort, scores = study.cohort, []
    for target, column, average in _SCORED:
        table = cohort.frames if column == "pspi" else cohort.sequences
        if table.loc[table[column].notna(), "subject"].nunique() < 2:
            continue
        metrics = ["MAE", "MSE", "wMAE", "wMSE"] if target == "level" else ["MAE", "MSE"]
        for name, row in trivial_rows(_labels(cohort, target, study.protocol)).items():
            found = evaluate(row, metrics, average, n_resamples=study.n_resamples, seed=study.seed)
            scores.append(found.assign(row=f"{target}: {name}"))
    columns = ["row", "metric", "value", "low", "high", "average", "n", "undefined", "scale"]
    return pd.concat(scores, ignore_index=True) if scores else pd.DataFrame(columns=columns)


def constant_sentences(scores: pd.DataFrame) -> list[str]:
    """Say of each label which constant has the lowest error, from `score_constants`."""
    told = []
    for _, part in scores.groupby(scores["row"].str.split(": ").str[0], sort=False):
        records = [{**row, "name": str(row["row"]).split(": ")[1]} for row in part.to_dict("records")]
        errors = [row for row in records if row["metric"] == "MAE"]
        best = min(errors, key=lambda row: float(row["value"]))
        name = best["name"]
        said = f"Of {best['scale']}, {name} has the lowest MAE of the constants: {interval_text(best)}"
        if name != "all zeros":
            said += f"; all zeros have {interval_text(errors[0])}"
        for weighted in (row for row in records if row["metric"] == "wMAE" and row["name"] == name):
            said += f". Its wMAE, where every level counts the same, is {interval_text(weighted)}"
        told.append(f"{said}. A model that does not beat it has learned nothing from faces.")
    return told


def _labels(cohort: Cohort, target: str, protocol: Protocol) -> pd.DataFrame:
    """Labels as a table of predictions without predictions, with the fold that tests each."""
    found = samples(cohort, target)
    fold = np.full(len(found.table), None, dtype=object)
    for one in protocol.splits(found.table):
        fold[one.test] = one.name
    table = found.table.assign(fold=fold, target=target, y_true=found.y[:, 0])
    return table[found.usable].reset_index(drop=True)

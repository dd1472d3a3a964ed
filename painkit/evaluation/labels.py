"""Labels laid out as a table of predictions without predictions, and what constants score on them."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd

from painkit.data.cohort import Cohort
from painkit.evaluation.protocols import Protocol, leave_one_subject_out
from painkit.evaluation.samples import samples
from painkit.metrics import evaluate, trivial_rows
from painkit.metrics.views import Average

__all__ = ["label_table", "score_constants"]

# Target, the column that holds it, and how the papers average it.
_SCORED: Final[tuple[tuple[str, str, Average], ...]] = (
    ("level", "pspi", "per_subject"),
    ("vas", "vas", "pooled"),
    ("opi", "opi", "pooled"),
)


def label_table(cohort: Cohort, target: str, protocol: Protocol) -> pd.DataFrame:
    """Return the labels of one target with the fold that tests them.

    Parameters
    ----------
    cohort : Cohort
    target : str
        As `painkit.evaluation.run` takes it.
    protocol : Protocol

    Returns
    -------
    DataFrame
        subject, sequence, frame, fold, target, y_true; rows that cannot be used are left out.
    """
    found = samples(cohort, target)
    fold = np.full(len(found.table), None, dtype=object)
    for one in protocol.splits(found.table):
        fold[one.test] = one.name
    table = found.table.assign(fold=fold, target=target, y_true=found.y[:, 0])
    return table[found.usable].reset_index(drop=True)


def score_constants(cohort: Cohort, *, n_resamples: int = 10_000, seed: int = 0) -> pd.DataFrame:
    """Score all zeros, and the mean and median of the other subjects, for each label the cohort has.

    Parameters
    ----------
    cohort : Cohort
    n_resamples, seed
        Of the subject bootstrap.

    Returns
    -------
    DataFrame
        row ("vas: train mean"), and what `painkit.metrics.evaluate` returns: MAE and MSE, for the pain level
        of frames (0-5) per subject and with wMAE and wMSE, for VAS and OPI of sequences pooled. Labels that
        fewer than two subjects have are left out: nothing is then left to take a mean of.
    """
    scores = []
    for target, column, average in _SCORED:
        table = cohort.frames if column == "pspi" else cohort.sequences
        if table.loc[table[column].notna(), "subject"].nunique() < 2:
            continue
        metrics = ["MAE", "MSE", "wMAE", "wMSE"] if target == "level" else ["MAE", "MSE"]
        for name, row in trivial_rows(label_table(cohort, target, leave_one_subject_out())).items():
            found = evaluate(row, metrics, average, n_resamples=n_resamples, seed=seed)
            scores.append(found.assign(row=f"{target}: {name}"))
    if not scores:
        return pd.DataFrame(
            columns=["row", "metric", "value", "low", "high", "average", "n", "undefined", "scale"]
        )
    return pd.concat(scores, ignore_index=True)

"""Labels laid out as a table of predictions without predictions: what the trivial rows need."""

from __future__ import annotations

import numpy as np
import pandas as pd

from painkit.data.cohort import Cohort
from painkit.evaluation.protocols import Protocol
from painkit.evaluation.samples import samples

__all__ = ["label_table"]


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

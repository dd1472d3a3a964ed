"""Each fold's model, with what it was tested on and has not trained on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from painkit.evaluation.runs import Run

__all__ = ["HeldOut", "held_out"]


class HeldOut(NamedTuple):
    """One fold of a run that kept its models.

    Attributes
    ----------
    fold : str
    model : estimator
        As fitted for the fold.
    rows : (n,) int
        Rows of the cohort's sequences, or frames, that the fold tested.
    predictions : DataFrame
        The fold's rows of `Run.predictions`.
    """

    fold: str
    model: Any
    rows: NDArray[np.intp]
    predictions: pd.DataFrame


def held_out(run: Run, load: Callable[[Path], Any]) -> list[HeldOut]:
    """Load the model of every fold.

    Parameters
    ----------
    run : Run
        With ``keep_models=True``.
    load : callable
        The estimator class's ``load``.

    Raises
    ------
    PainkitError
        When the run kept no models.
    """
    parts = []
    for fold, table in run.predictions.groupby("fold", sort=False):
        rows = table["row"].drop_duplicates().to_numpy(dtype=np.intp)
        parts.append(HeldOut(str(fold), load(run.model_folder(str(fold))), rows, table))
    return parts

"""Tables of frames, as estimators on crops and on feature vectors take them: rows, labels, sequences."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from painkit.errors import PainkitError
from painkit.models.checks import numbers

__all__ = ["COLUMNS", "Features", "frame_labels", "frame_rows", "sequence_slices", "time_grids"]

COLUMNS = ("subject", "sequence", "frame", "row")

Features = NDArray[np.floating] | str | PathLike[str]
"""(n_frames, d) array in the row order of a cohort's frames, or an ``.npy`` file of it."""


def frame_rows(X: pd.DataFrame, columns: Sequence[str] = COLUMNS) -> NDArray[np.intp]:
    """Column ``row`` (n,) of a frame table: where in a cohort's frames each of its frames lies.

    Raises
    ------
    PainkitError
        When the table lacks one of `columns`.
    """
    missing = [c for c in columns if c not in X]
    if missing:
        raise PainkitError(f"the frame table lacks {missing}", expected=", ".join(columns))
    return X["row"].to_numpy(dtype=np.intp)


def frame_labels(X: pd.DataFrame, y: ArrayLike) -> NDArray[np.float64]:
    """Labels (n,) of the frames of a table, NaN where missing.

    Raises
    ------
    PainkitError
        When they are no numbers, or not as many as the frames.
    """
    labels = numbers(y)
    if labels.shape != (len(X),):
        raise PainkitError(f"labels of shape {labels.shape} for {len(X)} frames", expected=f"({len(X)},)")
    return labels


def sequence_slices(X: pd.DataFrame) -> list[NDArray[np.intp]]:
    """Positions of each sequence's frames in a frame table, in time order."""
    order = X.reset_index(drop=True).sort_values(["subject", "sequence", "frame"])
    return [g.index.to_numpy(dtype=np.intp) for _, g in order.groupby(["subject", "sequence"], sort=False)]


def time_grids(X: pd.DataFrame) -> list[NDArray[np.intp]]:
    """Positions of each sequence's frames in a frame table, one entry a frame time; -1 where it has no frame.

    Raises
    ------
    PainkitError
        When two rows are the same frame.
    """
    numbers = X["frame"].to_numpy(dtype=np.int64)
    grids = []
    for positions in sequence_slices(X):
        time = numbers[positions] - numbers[positions[0]]
        if (twice := np.flatnonzero(np.diff(time) == 0)).size:
            row = X.iloc[positions[twice[0]]]
            raise PainkitError(
                f"frame {row['frame']} of {row['subject']}/{row['sequence']} is listed twice",
                expected="one row a frame",
            )
        grid = np.full(time[-1] + 1, -1, dtype=np.intp)
        grid[time] = positions
        grids.append(grid)
    return grids

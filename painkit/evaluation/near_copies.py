"""Samples that training knows almost as they are: frames next to them, and faces that look the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.neighbors import NearestNeighbors

from painkit.errors import PainkitError
from painkit.evaluation.protocols import Fold

__all__ = ["NearCopies", "count_near_copies", "near_in_time", "neighbour_distance"]

Masks = NDArray[np.bool_]


@dataclass(frozen=True)
class NearCopies:
    """How many test samples of all folds their training knows.

    Attributes
    ----------
    test_samples : int
    subject_in_training, sequence_in_training, copy_in_training : int
        Test samples whose subject, whose sequence, or an augmented copy of which is trained on.
    near_in_time : int or None
        Test frames from whose own sequence a frame at most `near_frames` away is trained on; None for samples
        that are whole sequences.
    near_frames : int
    near_in_space : int or None
        Test frames whose nearest training frame lies at most `near_distance` away; None where not measured.
    near_distance : float
        Median distance of each frame to the next of its sequence; NaN where not measured.
    located : int
        Test frames that have a place in that space.
    """

    test_samples: int
    subject_in_training: int
    sequence_in_training: int
    copy_in_training: int
    near_in_time: int | None
    near_frames: int
    near_in_space: int | None
    near_distance: float
    located: int


def near_in_time(table: pd.DataFrame, seen: NDArray[np.intp], tested: NDArray[np.intp], near: int) -> Masks:
    """Tell which tested frames have a frame of their own sequence among those seen, at most `near` away.

    Parameters
    ----------
    table : DataFrame
        Columns subject, sequence, frame (an integer).
    seen, tested : int arrays
        Rows of `table`.
    near : int
        Frames; 0 finds the same frame.

    Returns
    -------
    (len(tested),) bool array
    """
    keys = pd.DataFrame(
        {
            "sequence": table.groupby(["subject", "sequence"], sort=False).ngroup().to_numpy(),
            "frame": table["frame"].to_numpy(dtype=np.int64),
        }
    )
    # merge_asof wants both sides sorted by what is near, and an order to lead back.
    left = keys.iloc[tested].assign(place=np.arange(len(tested))).sort_values("frame", kind="stable")
    right = keys.iloc[seen].assign(found=True).sort_values("frame", kind="stable")
    joined = pd.merge_asof(left, right, on="frame", by="sequence", direction="nearest", tolerance=near)
    mask = np.zeros(len(tested), dtype=bool)
    mask[joined["place"].to_numpy()] = joined["found"].notna().to_numpy()
    return mask


def neighbour_distance(table: pd.DataFrame, space: NDArray[np.floating], near: int) -> float:
    """Median distance of each frame to the next of its sequence; NaN where no two are at most `near` apart.

    Parameters
    ----------
    table : DataFrame
        Columns subject, sequence, frame.
    space : (n, d) array
        Where each frame lies; NaN where it has no place.
    near : int
        Frames.
    """
    order = table.reset_index(drop=True).sort_values(["subject", "sequence", "frame"])
    one, other = order.index[:-1].to_numpy(), order.index[1:].to_numpy()
    numbers = order["frame"].to_numpy(dtype=np.int64)
    sequence = order.groupby(["subject", "sequence"], sort=False).ngroup().to_numpy()
    neighbours = (np.diff(sequence) == 0) & (np.diff(numbers) <= near)
    steps = np.linalg.norm(space[one[neighbours]] - space[other[neighbours]], axis=1)
    steps = steps[np.isfinite(steps)]
    return float(np.median(steps)) if len(steps) else float("nan")


def count_near_copies(
    table: pd.DataFrame,
    folds: Sequence[Fold],
    *,
    near: int = 5,
    space: NDArray[np.floating] | None = None,
    distance: float | None = None,
) -> NearCopies:
    """Count the test samples that training knows, or almost knows.

    Parameters
    ----------
    table : DataFrame
        Columns subject, sequence, frame (<NA> at sequence level), one row a sample.
    folds : sequence of Fold
        An augmented copy counts as its sample.
    near : int
        Frames.
    space : (n, d) array, optional
        Where each sample lies, such as its landmarks in the aligned face; NaN where it has no place.
    distance : float, optional
        What is near in space; default `neighbour_distance`.

    Raises
    ------
    PainkitError
        When `near` is no number of frames.
    """
    if near < 1:
        raise PainkitError(f"near={near}", expected="1 frame or more")
    whole = bool(table["frame"].isna().any())
    subject = table.groupby("subject", sort=False).ngroup().to_numpy()
    sequence = table.groupby(["subject", "sequence"], sort=False).ngroup().to_numpy()
    placed = np.zeros(len(table), dtype=bool)
    if space is not None and not whole:
        placed = np.isfinite(space).all(axis=1)
        distance = neighbour_distance(table, space, near) if distance is None else distance
    measured = bool(placed.any()) and distance is not None and np.isfinite(distance)
    counts = dict.fromkeys(("subject", "sequence", "copy", "time", "space", "located"), 0)
    for fold in folds:
        seen, tested = fold.learned_from, fold.test
        counts["subject"] += int(np.isin(subject[tested], subject[seen]).sum())
        counts["sequence"] += int(np.isin(sequence[tested], sequence[seen]).sum())
        counts["copy"] += int(np.isin(tested, fold.copies).sum())
        if not whole:
            counts["time"] += int(near_in_time(table, seen, tested, near).sum())
        if measured and space is not None:
            there, here = np.unique(seen[placed[seen]]), tested[placed[tested]]
            counts["located"] += len(here)
            if len(there) and len(here):
                nearest = NearestNeighbors(n_neighbors=1).fit(space[there]).kneighbors(space[here])[0][:, 0]
                counts["space"] += int((nearest <= distance).sum())
    return NearCopies(
        test_samples=sum(len(fold.test) for fold in folds),
        subject_in_training=counts["subject"],
        sequence_in_training=counts["sequence"],
        copy_in_training=counts["copy"],
        near_in_time=None if whole else counts["time"],
        near_frames=near,
        near_in_space=counts["space"] if measured else None,
        near_distance=float(distance) if measured and distance is not None else float("nan"),
        located=counts["located"],
    )

"""Contributions per landmark: means, spreads, maps per subject, agreement with known causes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata

from painkit.attribution.deeplift import LandmarkContributions
from painkit.errors import PainkitError

__all__ = [
    "TOP",
    "completeness_errors",
    "landmark_table",
    "landmark_tables",
    "rank_correlations",
    "subject_magnitudes",
    "subject_maps",
    "top_share",
]

TOP: Final = 10
"""Landmarks of `top_share`."""


def landmark_table(contributions: LandmarkContributions) -> pd.DataFrame:
    """Mean and spread of each landmark's contribution (DeepFaceLIFT, Fig. 3A-D).

    Returns
    -------
    DataFrame
        66 rows, columns landmark (0-65), mean (over all tracked frames), sd_subjects (standard deviation over
        the subjects' means: "across subjects" in the paper), sd_frames (over all frames), magnitude (mean
        absolute contribution), distance (mean distance from the origin, z-scores), n_frames, n_subjects.
        Contributions are in the target's unit. sd_subjects is NaN with one subject.
    """
    scores = contributions.scores.astype(np.float64)
    known = np.isfinite(scores[:, 0])
    if not known.any():
        raise PainkitError("no frame is tracked, so no landmark has a contribution")
    scores = scores[known]
    means = pd.DataFrame(scores).groupby(contributions.frames["subject"].to_numpy()[known]).mean()
    return pd.DataFrame({
        "landmark": np.arange(scores.shape[1]),
        "mean": scores.mean(axis=0),
        "sd_subjects": means.std(ddof=1).to_numpy(),
        "sd_frames": scores.std(axis=0),
        "magnitude": np.abs(scores).mean(axis=0),
        "distance": contributions.distances[known].mean(axis=0, dtype=np.float64),
        "n_frames": int(known.sum()),
        "n_subjects": len(means),
    })  # fmt: skip


def landmark_tables(by_target: Mapping[str, LandmarkContributions]) -> pd.DataFrame:
    """`landmark_table` of every target, one below the other, with a column target."""
    return pd.concat(
        [landmark_table(found).assign(target=target) for target, found in by_target.items()],
        ignore_index=True,
    )


def completeness_errors(by_target: Mapping[str, LandmarkContributions]) -> pd.DataFrame:
    """How far a frame's contributions are at most from the difference they sum to: target, largest_error.

    In the target's unit.
    """
    largest = {t: float(np.nanmax(np.abs(found.completeness_error))) for t, found in by_target.items()}
    return pd.DataFrame(largest.items(), columns=["target", "largest_error"])


def subject_maps(contributions: LandmarkContributions, *, signed: bool = False) -> pd.DataFrame:
    """One map per subject whose 66 scores sum to 100 (DeepFaceLIFT, Fig. 3E-F).

    Parameters
    ----------
    signed : bool
        False: mean absolute contributions, in per cent. True: mean contributions divided by their sum, as the
        text can be read; where positive and negative ones nearly cancel this blows up, and where the sum is
        0 the map is NaN.

    Returns
    -------
    DataFrame
        Index subject, columns 0-65. A subject without a tracked frame has NaN.
    """
    scores = contributions.scores.astype(np.float64)
    means = (
        pd.DataFrame(scores).groupby(contributions.frames["subject"].to_numpy()).mean()
        if signed
        else subject_magnitudes(contributions)[0]
    )
    totals = means.sum(axis=1, min_count=1)
    return means.div(totals.mask(totals == 0), axis=0) * 100


def top_share(magnitude: ArrayLike, displacement: ArrayLike, k: int = TOP) -> float:
    """Of the k landmarks with the highest attribution, the share among the k that are displaced most."""
    first, second = (np.argsort(-np.asarray(one), kind="stable")[:k] for one in (magnitude, displacement))
    return len(np.intersect1d(first, second)) / k


def rank_correlations(a: ArrayLike, b: ArrayLike) -> NDArray[np.float64]:
    """Spearman's correlation over the last axis of two arrays (..., n); NaN where either is constant.

    It has no p-value: landmarks, and pixels, move together, so 66 of them are far fewer independent ones.
    """
    ranks = [rankdata(np.asarray(values, dtype=np.float64), axis=-1) for values in (a, b)]
    x, y = (values - values.mean(axis=-1, keepdims=True) for values in ranks)
    squares = (x**2).sum(axis=-1) * (y**2).sum(axis=-1)
    return np.asarray((x * y).sum(axis=-1) / np.sqrt(np.where(squares > 0, squares, np.nan)))


def subject_magnitudes(contributions: LandmarkContributions) -> tuple[pd.DataFrame, pd.Series[int]]:
    """Mean absolute contribution of each landmark, and the number of tracked frames, of each subject.

    Returns
    -------
    DataFrame
        Index subject, columns 0-65, in the target's unit. A subject without a tracked frame has NaN.
    Series
        Index subject.
    """
    scores = pd.DataFrame(np.abs(contributions.scores.astype(np.float64)))
    groups = scores.groupby(contributions.frames["subject"].to_numpy())
    return groups.mean(), groups[0].count()

"""What the landmarks contributed to each estimate of a run, as the fold that did not train on them saw it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from painkit.attribution.deeplift import LandmarkContributions, deeplift
from painkit.attribution.landmark_scores import (
    TOP,
    rank_correlations,
    subject_magnitudes,
    subject_maps,
    top_share,
)
from painkit.data.average_face import AverageFace, average_face
from painkit.data.cohort import Cohort
from painkit.metrics.bootstrap import check_bootstrap, percentile_interval, resample_weights
from painkit.models.sequences.deepfacelift import DeepFaceLIFT

__all__ = ["LandmarkExplanation", "agreement_with_truth", "explain"]

_ARRAYS = ("vectors", "personal", "inputs", "estimates", "reference")


@dataclass(frozen=True, eq=False)
class LandmarkExplanation:
    """Contributions for every frame of a cohort, beside the estimates they explain.

    Attributes
    ----------
    cohort : Cohort
        The cohort the run was made on.
    contributions : dict of str to LandmarkContributions
        By target; rows in the order of ``cohort.frames``, NaN where a frame has no landmarks.
    predictions : DataFrame
        The run's sequence-level rows: subject, sequence, fold, target, y_true, y_pred, y_std.
    """

    cohort: Cohort
    contributions: dict[str, LandmarkContributions]
    predictions: pd.DataFrame

    @property
    def targets(self) -> tuple[str, ...]:
        """Targets explained, in the order they were trained."""
        return tuple(self.contributions)

    @cached_property
    def average_face(self) -> AverageFace:
        """Mean of aligned frames of the cohort."""
        return average_face(self.cohort)

    @property
    def inputs(self) -> NDArray[np.float32]:
        """Standardized landmarks (n_frames, 66, 2) that were explained, the same for every target."""
        return next(iter(self.contributions.values())).inputs

    def subject_maps(self) -> dict[str, pd.DataFrame]:
        """Each subject's own map by target; see `painkit.attribution.landmark_scores.subject_maps`."""
        return {target: subject_maps(found) for target, found in self.contributions.items()}


def explain(
    parts: Iterable[tuple[DeepFaceLIFT, NDArray[np.intp]]], cohort: Cohort, predictions: pd.DataFrame
) -> LandmarkExplanation:
    """Explain each frame by the model that tested its sequence: none by one that knew its label.

    Parameters
    ----------
    parts : iterable of (DeepFaceLIFT, (n,) int)
        Each fold's model and the rows of ``cohort.sequences`` it tested.
    cohort : Cohort
        The one the models were trained and tested on.
    predictions : DataFrame
        See `LandmarkExplanation`.
    """
    samples = cohort.sequence_samples()
    rows_of = cohort.frames.groupby(["subject", "sequence"], sort=False).indices
    frames = cohort.frames[["subject", "sequence", "frame"]].reset_index(drop=True)
    contributions: dict[str, LandmarkContributions] = {}
    for model, tested in parts:
        own = [samples[number] for number in tested]
        rows = np.concatenate([rows_of[sample.subject, sample.sequence] for sample in own])
        for target in model.labels:
            found = deeplift(model, own, target=target)
            own_arrays = {name: getattr(found, name) for name in _ARRAYS}
            if target not in contributions:
                shapes = {name: (len(frames), *array.shape[1:]) for name, array in own_arrays.items()}
                unknown = {name: np.full(shape, np.nan, np.float32) for name, shape in shapes.items()}
                contributions[target] = LandmarkContributions(target, frames, **unknown)
            for name, array in own_arrays.items():
                getattr(contributions[target], name)[rows] = array
    return LandmarkExplanation(cohort, contributions, predictions)


def agreement_with_truth(
    explained: LandmarkExplanation, *, n_resamples: int = 10_000, seed: int = 0, level: float = 0.95
) -> pd.DataFrame:
    """Compare the attribution with what moved each landmark in truth, by pain and, as a control, by decoys.

    Parameters
    ----------
    explained : LandmarkExplanation
        Of a simulated cohort; nobody knows the truth of another.
    n_resamples, seed, level
        Of the bootstrap over subjects.

    Returns
    -------
    DataFrame
        target; cause (pain, decoys, and "pain minus decoys"); rho, the rank correlation over the 66 landmarks
        of the mean absolute contribution over frames with the mean displacement over subjects, in pixels,
        that the cause makes; low, high (from resampled subjects, the same for both causes); top_k_share (see
        `painkit.attribution.landmark_scores.top_share`), k, n_landmarks; n_subjects. In the last row rho and
        top_k_share are differences. Empty when the cohort is not simulated.
    """
    check_bootstrap(n_resamples, seed, level)
    columns = ["target", "cause", "rho", "low", "high", "top_k_share", "k", "n_landmarks", "n_subjects"]
    rows = []
    if explained.cohort.simulated:
        path = explained.cohort.root / "truth" / "landmarks.csv"
        moved = pd.read_csv(path, dtype={"subject": str})
        for target, found in explained.contributions.items():
            magnitudes, frames = subject_magnitudes(found)
            subjects = frames.index[frames > 0]
            drawn = resample_weights(len(subjects), n_resamples, seed)
            weights = np.vstack([np.ones(len(subjects)), drawn])
            by_frame = weights * frames[subjects].to_numpy()
            attributed = by_frame @ magnitudes.loc[subjects].to_numpy() / by_frame.sum(axis=1, keepdims=True)
            rho, share = [], []
            for column in ("pain_px", "decoy_px"):
                own = moved.pivot_table(index="subject", columns="landmark", values=column).loc[subjects]
                true = weights @ own.to_numpy() / len(subjects)
                rho.append(rank_correlations(attributed, true))
                share.append(top_share(attributed[0], true[0]))
            for cause, values, top in (
                ("pain", rho[0], share[0]),
                ("decoys", rho[1], share[1]),
                ("pain minus decoys", rho[0] - rho[1], share[0] - share[1]),
            ):
                low, high = percentile_interval(values[1:], level) if len(subjects) > 1 else (np.nan, np.nan)
                size = (TOP, attributed.shape[1], len(subjects))
                rows.append((target, cause, values[0], low, high, top, *size))
    return pd.DataFrame(rows, columns=columns)

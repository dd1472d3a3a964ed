"""DeepFaceLIFT's way from frames to a sequence on one fold: stage 1, statistics, Gaussian process."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from painkit.data.cohort import SequenceSample
from painkit.evaluation.held_out import held_out
from painkit.evaluation.study import Results
from painkit.models.sequences.deepfacelift import DeepFaceLIFT
from painkit.papers.deepfacelift import BEST_ROW

__all__ = ["OneFold", "first_fold"]


@dataclass(frozen=True, eq=False)
class OneFold:
    """The first fold's model of the best setting, and the sequences it was tested on.

    Attributes
    ----------
    model : DeepFaceLIFT
    samples : list of SequenceSample
        All of the tested subjects' sequences: landmarks are z-scored over what is given.
    predictions : DataFrame
        VAS of the same sequences, in the same order.
    shown : list of int
        Which of them are shown: the lowest, the middle and the highest report.
    """

    model: DeepFaceLIFT
    samples: list[SequenceSample]
    predictions: pd.DataFrame
    shown: list[int]

    def estimates(self) -> dict[str, NDArray[np.float64]]:
        """Stage-1 estimates (n_frames, n_labels) of the shown sequences, by a title that tells the report."""
        estimates = self.model.frame_estimates(self.samples)
        told = self.predictions
        return {
            f"{told['sequence'].iloc[i]} (reported {told['y_true'].iloc[i]:g})": estimates[i]
            for i in self.shown
        }

    def statistics(self) -> pd.DataFrame:
        """What the Gaussian process sees of the shown sequences, and its estimate: a column a sequence."""
        values = self.model.sequence_statistics(self.samples)
        table = pd.DataFrame(values, columns=self.model.statistic_names_, index=self.predictions["sequence"])
        told = {"y_pred": "estimate", "y_std": "std", "y_true": "reported"}
        for column, name in told.items():
            table[name] = self.predictions[column].to_numpy()
        return table.iloc[self.shown].T


def first_fold(results: Results) -> OneFold:
    """Take the first fold of the best setting apart.

    Raises
    ------
    PainkitError
        When that setting was not run.
    """
    first = held_out(results[BEST_ROW], DeepFaceLIFT.load)[0]
    samples = results.study.cohort.sequence_samples()
    own = first.predictions[first.predictions["target"] == "vas"].reset_index(drop=True)
    rated = own["y_true"].dropna().sort_values(kind="stable").index
    shown = [int(rated[i]) for i in (0, len(rated) // 2, -1)]
    return OneFold(first.model, [samples[row] for row in own["row"]], own, shown)

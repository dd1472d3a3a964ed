"""SHAP values of the statistics for the Gaussian-process stage."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from painkit.errors import PainkitError
from painkit.models.sequences.base import TARGETS
from painkit.models.sequences.deepfacelift import DeepFaceLIFT

if TYPE_CHECKING:
    from painkit.data.cohort import SequenceSample

__all__ = ["shap_statistics"]


def shap_statistics(
    model: DeepFaceLIFT,
    X: Sequence[SequenceSample],
    *,
    target: str = "vas",
    n_background: int = 50,
    n_samples: int = 512,
    random_state: int = 0,
) -> pd.DataFrame:
    """Shapley values of each statistic for the estimate of each sequence, by Kernel SHAP.

    Parameters
    ----------
    model : fitted DeepFaceLIFT
    X : list of SequenceSample
    target : {'vas', 'opi'}
    n_background : int
        Training sequences, drawn at random, whose statistics stand in for a statistic that is left out.
    n_samples : int
        Coalitions of statistics per sequence (Lundberg and Lee 2017). The values of a sequence sum to its
        estimate minus the mean estimate of the background whatever their number.
    random_state : int
        Seeds the choice of the background and of the coalitions.

    Returns
    -------
    DataFrame
        subject, sequence, base (mean estimate of the background), estimate, then one column per statistic in
        the target's unit. NaN for a sequence without a tracked frame.
    """
    with warnings.catch_warnings():
        # Importing shap costs seconds (numba) and only this function needs it; it sets up plots by matplotlib
        # calls that are being retired.
        warnings.simplefilter("ignore")
        import shap

    if target not in TARGETS[: len(model.gps_)]:
        raise PainkitError(f"target={target!r}", expected=f"one of {TARGETS[: len(model.gps_)]}")
    gp = model.gps_[TARGETS.index(target)]
    rng = np.random.default_rng(random_state)
    n = len(model.statistics_)
    background = model.statistics_[np.sort(rng.choice(n, size=min(n_background, n), replace=False))]
    statistics = model.sequence_statistics(X)
    known = np.isfinite(statistics).all(axis=1)
    values = np.full(statistics.shape, np.nan)
    if known.any():
        explainer = shap.KernelExplainer(gp.predict, background)
        before = np.random.get_state()  # noqa: NPY002 - the explainer draws from the global generator
        np.random.seed(random_state)  # noqa: NPY002
        try:
            values[known] = explainer.shap_values(
                statistics[known], nsamples=n_samples, l1_reg=False, silent=True
            )
        finally:
            np.random.set_state(before)  # noqa: NPY002
    head = pd.DataFrame({
        "subject": [sample.subject for sample in X],
        "sequence": [sample.sequence for sample in X],
        "base": float(np.mean(gp.predict(background))),
        "estimate": gp.predict(statistics),
    })  # fmt: skip
    return head.join(pd.DataFrame(values, columns=model.statistic_names_))

"""Relevance of each statistic to the Gaussian process, and models with one feature left out."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from sklearn.base import clone

from painkit.errors import PainkitError
from painkit.models.sequences.base import TARGETS
from painkit.models.sequences.deepfacelift import DeepFaceLIFT

__all__ = ["relevance_table", "without_each_feature"]


def relevance_table(models: Mapping[str, DeepFaceLIFT]) -> pd.DataFrame:
    """ARD relevance of the statistics in each fold's model (DeepFaceLIFT, Fig. 4B).

    Parameters
    ----------
    models : mapping of fold to fitted DeepFaceLIFT

    Returns
    -------
    DataFrame
        One row per fold, target and statistic: fold, target, statistic, lengthscale (in standard deviations
        of the statistic), relevance (``-ln(lengthscale)``, higher is more relevant; the paper's text reads
        its figure the other way round), converged, fallback. NaN where the process fell back to a constant.
    """
    rows = [
        {
            "fold": fold,
            "target": target,
            "statistic": statistic,
            "lengthscale": lengthscale,
            "relevance": relevance,
            "converged": gp.converged_,
            "fallback": gp.fallback_,
        }
        for fold, model in models.items()
        for target, gp in zip(TARGETS, model.gps_, strict=False)
        for statistic, lengthscale, relevance in zip(
            model.statistic_names_, gp.lengthscales_, gp.relevance_, strict=True
        )
    ]
    return pd.DataFrame(rows)


def without_each_feature(estimator: DeepFaceLIFT) -> dict[str, DeepFaceLIFT]:
    """Unfitted copies of `estimator` with one source of information removed each (DeepFaceLIFT, Fig. 4A).

    Returns
    -------
    dict
        ``'all'``: the estimator as it is; one entry per personal feature it uses, without that feature
        (without any personal input when it was the only one); and ``'opi'``, without the OPI label, when it
        has one: that copy takes the VAS alone as `y`. Give each to the same run; the rise of the error over
        ``'all'`` is the feature's worth.

    Raises
    ------
    PainkitError
        When the estimator uses no personal feature and no OPI label.
    """
    variants = {"all": clone(estimator)}
    if estimator.placement != "none":
        for feature in estimator.personal_features:
            rest = tuple(name for name in estimator.personal_features if name != feature)
            changes: dict[str, object] = {"personal_features": rest} if rest else {"placement": "none"}
            variants[feature] = clone(estimator).set_params(**changes)
    if "opi" in estimator.labels:
        variants["opi"] = clone(estimator).set_params(labels=("vas",), gp_inputs=("vas",))
    if len(variants) == 1:
        raise PainkitError(
            "the estimator uses neither personal features nor the OPI label: nothing to leave out"
        )
    return variants

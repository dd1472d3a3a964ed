"""What the centre loss does to the 50 features it acts on, seen on subjects each fold has not trained on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.decomposition import PCA

from painkit.data.crop_store import CropStore
from painkit.evaluation.held_out import held_out
from painkit.evaluation.run_fold import limited_threads
from painkit.evaluation.study import Results
from painkit.metrics.bootstrap import percentile_interval, resample_weights
from painkit.models.crops.pain_level import FaceNetRegression

__all__ = ["HeldOutFeatures", "held_out_features", "level_spread", "projections"]

_MEASURES = ("distance within levels", "share of variance within levels")


@dataclass(frozen=True, eq=False)
class HeldOutFeatures:
    """Features of frames by the net of the fold that tested them.

    Attributes
    ----------
    frames : DataFrame
        subject, sequence, frame, fold, level.
    values : (n, 50) float32
    """

    frames: pd.DataFrame
    values: NDArray[np.float32]


def held_out_features(results: Results, store: CropStore) -> dict[str, HeldOutFeatures]:
    """Apply each fold's net to the labelled frames with a face that the fold tested.

    Parameters
    ----------
    results : Results
        Of `FaceNetRegression` on levels.
    store : CropStore
        Crops of the cohort.

    Returns
    -------
    dict of str to HeldOutFeatures
        By row, for those that were run and whose models were kept.
    """
    explained = [name for name in results.rows.explained if name in results.runs]
    return {name: _features(results, name, store) for name in explained}


def _features(results: Results, row: str, store: CropStore) -> HeldOutFeatures:
    frames, values = [], []
    with limited_threads(results.study.threads):
        for fold in held_out(results[row], FaceNetRegression.load):
            tested = fold.predictions.dropna(subset=["y_true"])
            tested = tested[store.usable[tested["row"]]]
            frames.append(tested.rename(columns={"y_true": "level"}))
            values.append(fold.model.set_params(store=store).transform(tested))
    table = pd.concat(frames, ignore_index=True)
    return HeldOutFeatures(table[["subject", "sequence", "frame", "fold", "level"]], np.concatenate(values))


def projections(found: Mapping[str, HeldOutFeatures]) -> dict[str, pd.DataFrame]:
    """Project each fold's features on their first two principal components; folds have nets of their own.

    Returns
    -------
    dict of str to DataFrame
        `HeldOutFeatures.frames` with x, y, and explained: the share of variance the two hold in that fold.
    """
    return {name: _projection(one) for name, one in found.items()}


def _projection(found: HeldOutFeatures) -> pd.DataFrame:
    table = found.frames.assign(x=np.nan, y=np.nan, explained=np.nan)
    for rows in found.frames.groupby("fold", sort=False).indices.values():
        components = PCA(2).fit(found.values[rows])
        table.loc[rows, ["x", "y"]] = components.transform(found.values[rows])
        table.loc[rows, "explained"] = components.explained_variance_ratio_.sum()
    return table


def _spread(values: NDArray[np.float32], level: NDArray[np.float64]) -> dict[str, float]:
    x = values.astype(np.float64)
    levels = np.unique(level)
    if len(levels) < 2:
        return dict.fromkeys(_MEASURES, np.nan)
    away = np.zeros(len(x))
    for one in levels:
        away[level == one] = np.linalg.norm(x[level == one] - x[level == one].mean(axis=0), axis=1)
    total = ((x - x.mean(axis=0)) ** 2).sum()
    distance = np.mean([away[level == one].mean() for one in levels])
    return dict(zip(_MEASURES, (float(distance), float((away**2).sum() / total)), strict=True))


def level_spread(
    found: Mapping[str, HeldOutFeatures], *, n_resamples: int = 10_000, seed: int = 0, level: float = 0.95
) -> pd.DataFrame:
    """How far features of one level lie apart, and how that changes from the first row named.

    Taken within each held-out subject, then the mean over subjects, so that what tells subjects apart does
    not count.

    Parameters
    ----------
    found : mapping of str to HeldOutFeatures
        Of one cohort; the first is what the others are compared with.
    n_resamples, seed, level
        Of the subject bootstrap; the change is paired.

    Returns
    -------
    DataFrame
        measure, row, value, low, high, change, change_low, change_high, groups (subjects), undefined
        (subjects of one level). The measures: "distance within levels", from the mean of the level, in the
        features' units, mean over levels (what the centre loss acts on); "share of variance within levels",
        0-1, which features that are smaller as a whole do not lower.
    """
    spreads = {
        name: pd.DataFrame(
            {
                subject: _spread(one.values[rows], one.frames["level"].to_numpy(float)[rows])
                for subject, rows in one.frames.groupby("subject").indices.items()
            }
        ).T
        for name, one in found.items()
    }
    rows = []
    for measure in _MEASURES:
        every = pd.DataFrame({name: spread[measure] for name, spread in spreads.items()})
        defined = every.dropna()
        draws = resample_weights(len(defined), n_resamples, seed) / max(len(defined), 1)
        for name in every:
            change = defined[name] - defined.iloc[:, 0]
            low, high = percentile_interval(draws @ defined[name].to_numpy(), level)
            change_low, change_high = percentile_interval(draws @ change.to_numpy(), level)
            rows.append(
                {
                    "measure": measure,
                    "row": name,
                    "value": defined[name].mean(),
                    "low": low,
                    "high": high,
                    "change": change.mean(),
                    "change_low": change_low,
                    "change_high": change_high,
                    "groups": len(every),
                    "undefined": len(every) - len(defined),
                }
            )
    return pd.DataFrame(rows)

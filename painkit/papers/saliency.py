"""Saliency supervision (Li, Zhu and Zhao 2018): the rows of Tables 1 and 2, and how their training went."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from typing import Any, Final

import numpy as np
import pandas as pd

from painkit.data.crop_store import CropStore
from painkit.errors import PainkitError
from painkit.evaluation.conclusions import answers, lowest_or_highest
from painkit.evaluation.held_out import HeldOut, held_out
from painkit.evaluation.study import Results, Row, Rows
from painkit.models.crops.pain_level import FaceNetRegression
from painkit.models.crops.saliency import SaliencySupervision
from painkit.models.frame_tables import Features
from painkit.papers import facenet_regression
from painkit.papers.paper import Paper

__all__ = [
    "COMPARED",
    "DIRECT",
    "GLOBAL",
    "LOCAL",
    "LOCAL_ONLY",
    "PAPER",
    "PRINTED",
    "SUPERVISIONS",
    "rows",
    "supervision_convergence",
    "supervision_counts",
    "supervision_losses",
    "what_came_out",
]

#: Rows of Table 1, named as in `published`; ``DIRECT`` is paper 2's.
DIRECT: Final = "smooth L1 + L1 center loss"
GLOBAL: Final = "method 1 (global)"
LOCAL: Final = "method 2 (global + local)"
#: No rows of the paper, but claims of its text, and its equations as they are printed.
LOCAL_ONLY: Final = "local loss alone"
PRINTED: Final = "method 2, signs as printed"

#: What of `SaliencySupervision` differs, by row.
SUPERVISIONS: Final[Mapping[str, Mapping[str, Any]]] = {
    GLOBAL: {"losses": "global"},
    LOCAL: {"losses": "both"},
    LOCAL_ONLY: {"losses": "local"},
    PRINTED: {"losses": "both", "signs": "as_printed"},
}

#: Rows whose maps stand side by side in Figure 2.
COMPARED: Final = (DIRECT, GLOBAL, LOCAL)

_SAMPLED: Final = " + sampling"
_QUESTIONS: Final = {
    "with global supervision, or direct": (GLOBAL, DIRECT),
    "with the local loss, or without": (LOCAL, GLOBAL),
    "method 2, or direct": (LOCAL, DIRECT),
    "with sampling: method 2, or direct": (LOCAL + _SAMPLED, DIRECT + _SAMPLED),
    "signs that work, or as printed": (LOCAL, PRINTED),
    "both losses, or the local one alone": (LOCAL, LOCAL_ONLY),
    "method 2, or OSVR-L1": (LOCAL, "OSVR-L1"),
    "method 2, or the train mean": (LOCAL, "train mean"),
    "method 2, or all zeros": (LOCAL, "all zeros"),
}


def rows(
    store: CropStore | str,
    landmarks: Features,
    features: Features | None = None,
    *,
    pretrained: str | PathLike[str] | None = None,
    net: Mapping[str, Any] | None = None,
    supervision: Mapping[str, Any] | None = None,
    osvr: Mapping[str, Any] | None = None,
    rcr: Mapping[str, Any] | None = None,
    random_state: int = 0,
) -> Rows:
    """Return the rows of Tables 1 and 2: levels 0-5 of frames, averaged over subjects.

    A method's regression starts from a net that is supervised on the fold's own training frames first.
    Uniform class sampling (the footnote of Table 2) is the regression's; triplets are taken without it.

    Parameters
    ----------
    store : CropStore
        Aligned crops of the cohort.
    landmarks : (n_frames, 132) array or path
        In the crops' pixels; see `painkit.models.features.frame_features.landmark_features`.
    features : (n_frames, d) array or path, optional
        What OSVR and RCR see; default the landmarks.
    pretrained : path, optional
        Backbone that all nets start from.
    net, supervision, osvr, rcr : mapping, optional
        Parameters that differ from the defaults: of the regression, of `SaliencySupervision` (which has
        width, channels, device and precision from `net`), and of the baselines.
    random_state : int
    """
    base = facenet_regression.rows(
        store,
        landmarks if features is None else features,
        pretrained=pretrained,
        net=net,
        osvr=osvr,
        rcr=rcr,
        random_state=random_state,
    )
    same = ("width", "batch_size", "pretrained_channels", "device", "precision", "progress")
    settings = {
        "store": store,
        "landmarks": landmarks,
        "pretrained": pretrained,
        "random_state": random_state,
        **{name: value for name, value in (net or {}).items() if name in same},
        **(supervision or {}),
    }
    estimators: dict[str, Row] = {}
    for sampled in ("", _SAMPLED):
        direct = base.estimators[DIRECT + sampled]
        estimators[DIRECT + sampled] = direct
        for name, own in SUPERVISIONS.items():
            if not sampled or name in (GLOBAL, LOCAL):
                first = SaliencySupervision(**{**settings, **own})
                ours = {**direct.estimator.get_params(deep=False), "pretrained": first}
                estimators[name + sampled] = Row(FaceNetRegression(**ours), "level")
    for name in ("OSVR-L1", "OSVR-L2", "RCR"):
        estimators[name] = base.estimators[name]
    return Rows(
        estimators,
        target="level",
        metrics=base.metrics,
        average="per_subject",
        questions=_QUESTIONS,
        asked=base.asked,
        explained=(DIRECT, *SUPERVISIONS),
        paper="saliency",
    )


PAPER = Paper(
    name="saliency",
    citation=(
        "Li, Zhu and Zhao (2018): Saliency supervision: an intuitive and effective approach for pain "
        "intensity regression"
    ),
    notebook="03_saliency",
    tables=("Table 1", "Table 2"),
    rows=rows,
)


def what_came_out(scores: pd.DataFrame, questions: pd.DataFrame, mass: str) -> list[str]:
    """Say in sentences what came out.

    Parameters
    ----------
    scores, questions : DataFrame
        `Results.scores` and `Results.questions` of `rows`.
    mass : str
        See `painkit.papers.saliency_maps.mass_sentence`.
    """
    asked = ["method 2, or direct", "with the local loss, or without", "signs that work, or as printed"]
    return [lowest_or_highest(scores, "MAE"), *answers(questions, "MAE", asked), mass]


def _supervised(results: Results) -> dict[str, list[HeldOut]]:
    """The folds of the rows that were supervised and whose models are kept.

    Raises
    ------
    PainkitError
        When a triplet of a fold's training held a frame of a subject that the fold tested.
    """
    found: dict[str, list[HeldOut]] = {}
    for name in SUPERVISIONS:
        if name in results.runs:
            found[name] = held_out(results[name], FaceNetRegression.load)
            for fold in found[name]:
                _refuse_tested(fold, name)
    return found


def _refuse_tested(fold: HeldOut, name: str) -> None:
    tested = set(fold.predictions["subject"].astype(str))
    if shared := tested & set(fold.model.pretrained_.subjects_):
        raise PainkitError(
            f"fold {fold.fold} of {name}: triplets of {', '.join(sorted(shared))}, who is tested",
            expected="triplets of training subjects alone",
        )


def supervision_losses(results: Results, *, window: int = 10) -> pd.DataFrame:
    """What the losses do over the iterations of the supervision, mean over folds.

    Parameters
    ----------
    results : Results
    window : int
        Iterations that are averaged.

    Returns
    -------
    DataFrame
        row, loss (global, local A, local B), iteration (the last of the window), value, descended (False for
        the global loss where the local one is trained alone: it is only looked at).
    """
    parts = []
    for name, folds in _supervised(results).items():
        history = np.mean([fold.model.pretrained_.history_ for fold in folds], axis=0)
        n = len(history) // window * window
        means = history[:n].reshape(-1, window, history.shape[1]).mean(axis=1)
        for k, loss in enumerate(("global", "local A", "local B")[: history.shape[1]]):
            parts.append(
                pd.DataFrame(
                    {
                        "row": name,
                        "loss": loss,
                        "iteration": window * np.arange(1, len(means) + 1),
                        "value": means[:, k],
                        "descended": not (name == LOCAL_ONLY and loss == "global"),
                    }
                )
            )
    columns = ["row", "loss", "iteration", "value", "descended"]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)


def supervision_convergence(losses: pd.DataFrame) -> pd.DataFrame:
    """Compare the beginning of each curve of `supervision_losses` with its end.

    Returns
    -------
    DataFrame
        row, loss, descended, first, last (means of the first and the last fifth of the curve), change (of
        last from first, as a share of first; NaN where that is 0, or the curve has a single point).
    """
    rows = []
    for (row, loss), part in losses.groupby(["row", "loss"], sort=False):
        value, fifth = part["value"].to_numpy(), max(len(part) // 5, 1)
        first, last = float(value[:fifth].mean()), float(value[-fifth:].mean())
        change = (last - first) / first if first and len(value) > 1 else np.nan
        rows.append((row, loss, bool(part["descended"].all()), first, last, change))
    return pd.DataFrame(rows, columns=["row", "loss", "descended", "first", "last", "change"])


_COUNTED: Final = {
    "n_triplets_": "triplets",
    "n_without_positive_": "anchors alone in their level",
    "n_without_negative_": "anchors of batches of one level",
    "n_empty_relevant_": "triplets with empty A",
    "n_empty_irrelevant_": "triplets with empty B",
    "n_units_left_out_": "units of triplets in neither set",
    "n_pixels_outside_": "pixels of patches outside the crop",
    "n_without_landmarks_": "training frames without landmarks",
}


def supervision_counts(results: Results) -> pd.DataFrame:
    """Count what the triplets were made of, and what was left out, summed over folds.

    That no frame of a tested subject was in one is checked.

    Raises
    ------
    PainkitError
        When a triplet held a frame of a tested subject.

    Returns
    -------
    DataFrame
        Index row.
    """
    table = pd.DataFrame(
        {
            name: {
                told: sum(getattr(fold.model.pretrained_, count) for fold in folds)
                for count, told in _COUNTED.items()
            }
            for name, folds in _supervised(results).items()
        }
    ).T.rename_axis("row")
    return table

"""A regularised face-verification net (Wang et al. 2017): the rows of Tables 1 and 2, and what they claim."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from painkit.data.cohort import Cohort
from painkit.data.crop_store import NO_FACE, UNREADABLE, CropStore
from painkit.errors import PainkitError
from painkit.evaluation.conclusions import answers, lowest_or_highest
from painkit.evaluation.run_fold import limited_threads
from painkit.evaluation.study import Results, Row, Rows, Study
from painkit.evaluation.tables import published_beside
from painkit.metrics import evaluate
from painkit.models.crops.estimates import deep_features
from painkit.models.crops.pain_level import FaceNetRegression
from painkit.models.features.frame_features import landmark_features
from painkit.models.features.osvr import OrdinalSVR
from painkit.models.features.rcr import RecurrentConvolutionRegression
from painkit.models.frame_tables import Features
from painkit.papers.paper import Paper
from painkit.scoring.score import score as score_files
from painkit.vocabulary.pain import level_0_5

__all__ = [
    "BEST_ROW",
    "CONTRASTED",
    "PAPER",
    "ROWS",
    "SCRATCH_ROW",
    "baseline_features",
    "crop_counts",
    "errors_by_level",
    "rows",
    "score_released",
    "scored_frames",
    "traced",
    "what_came_out",
]

#: The paper's own rows, named as in `published`: ``FaceNetRegression(store=store, **ROWS[name])``.
ROWS: Final[Mapping[str, Mapping[str, Any]]] = {
    "smooth L1": {"turning_point": 1.0, "center_p": None, "sampling": "all"},
    "L1 + L1 center loss": {"turning_point": 0.0, "center_p": 1, "sampling": "all"},
    "smooth L1 + L1 center loss": {"turning_point": 1.0, "center_p": 1, "sampling": "all"},
    "smooth L1 + L2 center loss": {"turning_point": 1.0, "center_p": 2, "sampling": "all"},
    "L1 + L1 center loss + sampling": {"turning_point": 0.0, "center_p": 1, "sampling": "uniform"},
    "smooth L1 + L1 center loss + sampling": {"turning_point": 1.0, "center_p": 1, "sampling": "uniform"},
}

#: The row with the lowest weighted errors of Table 2.
BEST_ROW: Final = "smooth L1 + L1 center loss + sampling"

#: The same without pre-training: no row of the paper, but what its first claim is about.
SCRATCH_ROW: Final = f"{BEST_ROW}, from scratch"

_CENTRE: Final = "smooth L1 + L1 center loss"
#: Rows whose errors at each level tell most beside each other.
CONTRASTED: Final = ("smooth L1", _CENTRE, BEST_ROW, "OSVR-L1", "all zeros", "train mean")

_METRICS: Final = ("MAE", "MSE", "PCC", "wMAE", "wMSE")
_QUESTIONS: Final = {
    "with center loss, or without": (_CENTRE, "smooth L1"),
    "L1 center loss, or L2": (_CENTRE, "smooth L1 + L2 center loss"),
    "smooth L1, or L1": (_CENTRE, "L1 + L1 center loss"),
    "with sampling, or without": (BEST_ROW, _CENTRE),
    "pre-trained, or from scratch": (BEST_ROW, SCRATCH_ROW),
    "face net, or OSVR-L1": (BEST_ROW, "OSVR-L1"),
    "face net, or RCR": (BEST_ROW, "RCR"),
    "face net, or the train mean": (BEST_ROW, "train mean"),
    "face net, or all zeros": (BEST_ROW, "all zeros"),
}


def rows(
    store: CropStore | str,
    features: Features,
    *,
    pretrained: str | PathLike[str] | None = None,
    net: Mapping[str, Any] | None = None,
    osvr: Mapping[str, Any] | None = None,
    rcr: Mapping[str, Any] | None = None,
    random_state: int = 0,
) -> Rows:
    """Return the rows of Tables 1 and 2: levels 0-5 of frames, averaged over subjects.

    Parameters
    ----------
    store : CropStore
        Aligned crops of the cohort.
    features : (n_frames, d) array or path
        What OSVR and RCR see; see `baseline_features`.
    pretrained : path, optional
        Backbone that the nets start from; with it, `SCRATCH_ROW` is a row.
    net, osvr, rcr : mapping, optional
        Parameters that differ from the defaults, such as ``{"width": 0.25}``.
    random_state : int
    """
    shared = {"store": store, "random_state": random_state, **(net or {})}
    estimators: dict[str, Any] = {
        name: FaceNetRegression(pretrained=pretrained, **shared, **row) for name, row in ROWS.items()
    }
    if pretrained is not None:
        estimators[SCRATCH_ROW] = FaceNetRegression(**shared, **ROWS[BEST_ROW])
    estimators["OSVR-L1"] = OrdinalSVR(features=features, norm=1, **(osvr or {}))
    estimators["OSVR-L2"] = OrdinalSVR(features=features, norm=2, **(osvr or {}))
    estimators["RCR"] = RecurrentConvolutionRegression(
        features=features, random_state=random_state, **(rcr or {})
    )
    return Rows(
        {name: Row(estimator, "level") for name, estimator in estimators.items()},
        target="level",
        metrics=_METRICS,
        average="per_subject",
        questions=_QUESTIONS,
        asked=("MAE", "PCC", "wMAE"),
        explained=("smooth L1", _CENTRE, BEST_ROW),
        paper="facenet_regression",
    )


PAPER = Paper(
    name="facenet_regression",
    citation=(
        "Wang, Xiang, Liu, Tran, Reiter, Hager, Quon, Cheng and Yuille (2017): Regularizing face "
        "verification nets for pain intensity regression"
    ),
    notebook="02_facenet_regression",
    tables=("Table 1", "Table 2"),
    rows=rows,
)


def baseline_features(
    study: Study,
    store: CropStore,
    seen: Literal["landmarks", "deep"] = "landmarks",
    *,
    pretrained: str | PathLike[str] | None = None,
    net: Mapping[str, Any] | None = None,
) -> NDArray[np.float32]:
    """Feature vectors of every frame, for OSVR and RCR.

    Parameters
    ----------
    study, store
    seen : {'landmarks', 'deep'}
        `landmark_features` of the cohort, or `deep_features` of the crops by the pre-trained backbone as it
        is.
    pretrained, net
        As for `rows`.

    Raises
    ------
    PainkitError
        For deep features without `pretrained`.
    """
    if seen == "landmarks":
        return landmark_features(study.cohort.landmarks)
    if seen != "deep" or pretrained is None:
        raise PainkitError(
            f"features={seen!r} with pretrained={pretrained!r}",
            expected="'landmarks', or 'deep' and pre-trained weights",
        )
    same = ("width", "pretrained_channels", "device", "precision")
    with limited_threads(study.threads):
        return deep_features(store, pretrained, **{k: v for k, v in (net or {}).items() if k in same})


def crop_counts(whole: Cohort, cohort: Cohort, store: CropStore) -> pd.DataFrame:
    """Count the frames of each level, all together and without a label, and what became of them.

    Parameters
    ----------
    whole : Cohort
    cohort : Cohort
        Its frames with an image.
    store : CropStore
        Their crops.

    Returns
    -------
    DataFrame
        Index level (0-5, no label, all); columns frames, with an image, with a crop, no face, unreadable.
    """

    def counted(one: Cohort, mask: NDArray[np.bool_] | slice = slice(None)) -> pd.Series[int]:
        level = pd.Series(level_0_5(one.frames["pspi"].to_numpy())[mask])
        return level.map("{:g}".format).replace("nan", "no label").value_counts()

    counts = pd.DataFrame(
        {
            "frames": counted(whole),
            "with an image": counted(cohort),
            "with a crop": counted(cohort, store.usable),
            "no face": counted(cohort, store.status == NO_FACE),
            "unreadable": counted(cohort, store.status == UNREADABLE),
        }
    )
    counts = counts.reindex([*map(str, range(6)), "no label"]).fillna(0).astype(int)
    counts.loc["all"] = counts.sum()
    return counts.rename_axis("level")


def scored_frames(results: Results) -> str:
    """Say how many frames are scored, and what a dash means."""
    n_scored = len(next(iter(results.scored.tables.values())))
    left = len(results.study.cohort.frames) - n_scored
    return (
        f"{n_scored} frames are scored, the same for every row; {left} have an image but no face or label. "
        "The correlation of a constant does not exist (a dash). RCR is published on another scale, so its "
        "numbers are never ranked with the levels."
    )


def what_came_out(scores: pd.DataFrame, questions: pd.DataFrame) -> list[str]:
    """Say in sentences what came out, from `Results.scores` and `Results.questions`."""
    return [
        lowest_or_highest(scores, "MAE"),
        lowest_or_highest(scores, "wMAE"),
        *answers(questions, "MAE", ["with center loss, or without", "pre-trained, or from scratch"]),
        *answers(questions, "wMAE", ["with sampling, or without", "face net, or the train mean"]),
    ]


def traced(results: Results) -> dict[str, pd.DataFrame]:
    """Predictions to draw over a sequence (Fig. 1): of the best and the plain row, or the first that ran."""
    shown = [name for name in (BEST_ROW, "smooth L1") if name in results.runs] or list(results.runs)[:1]
    return {name: results[name].predictions for name in shown}


def score_released(
    study: Study, released: str | PathLike[str] | Sequence[str | PathLike[str]] | None
) -> pd.DataFrame:
    """Score the predictions that the authors have released, with the published value beside each.

    Parameters
    ----------
    study : Study
        For the bootstrap; the predictions are of the archive's subjects.
    released : path, sequence of path, or None
        Files, or a folder whose ``.mat`` files are read (``video_index.mat`` tells the sequences apart and is
        no predictions). None gives an empty table.

    Returns
    -------
    DataFrame
        row, metric, value, low, high and more, published_on_archive, published_note, file. A file whose name
        tells no row keeps its name as its row.
    """
    if released is None:
        return pd.DataFrame(columns=["row", "metric", "value", "low", "high", "published_on_archive", "file"])
    given = [released] if isinstance(released, str | PathLike) else list(released)
    files = [file for path in map(Path, given) for file in (_mat_files(path) if path.is_dir() else [path])]
    report = score_files(files, scale="level", n_resamples=study.n_resamples, seed=study.seed)
    parts = []
    for file, section in zip(files, report.sections, strict=True):
        ours = section.table[section.table["kind"] == "predictions"]
        parts.append(ours.assign(row=section.released_as or file.name, file=file.name))
    zeros = report.sections[0].table
    parts.append(zeros[zeros["row"] == "all zeros"].loc[zeros["kind"] == "trivial"].assign(file=""))
    found = pd.concat(parts, ignore_index=True)
    found = found[(found["average"] == "per_subject") & found["metric"].isin(_METRICS)]
    beside = published_beside(found.reset_index(drop=True), "facenet_regression")
    return beside.drop(columns=["kind", "source", "note"])


def _mat_files(folder: Path) -> list[Path]:
    files = sorted(path for path in folder.glob("*.mat") if path.stem != "video_index")
    if not files:
        raise PainkitError("holds no .mat file", where=folder, expected="released predictions")
    return files


def errors_by_level(results: Results) -> pd.DataFrame:
    """Mean absolute error of the frames of each level 0-5: mean over the subjects that show it.

    wMAE goes the other way round, over the levels of a subject first and then over subjects. It is the mean
    of these errors only where every subject shows every level.

    Returns
    -------
    DataFrame
        row, level, frames, groups (subjects that have the level), value, low, high.
    """
    study = results.study
    parts = [
        evaluate(part, ["MAE"], "per_subject", n_resamples=study.n_resamples, seed=study.seed).assign(
            row=name, level=int(part["y_true"].iloc[0])
        )
        for name, table in results.scored.tables.items()
        for _, part in table.groupby("y_true")
    ]
    found = pd.concat(parts, ignore_index=True).rename(columns={"n": "frames"})
    return found[["row", "level", "frames", "groups", "value", "low", "high", "scale", "average"]]

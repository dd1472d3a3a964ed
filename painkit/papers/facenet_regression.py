"""The face net's experiments: the rows of Tables 1 and 2 (Wang et al. 2017), released predictions beside."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from painkit.data.cohort import Cohort
from painkit.data.crop_store import NO_FACE, UNREADABLE, FrameStore
from painkit.errors import PainkitError
from painkit.evaluation.published import published
from painkit.evaluation.runs import Run
from painkit.evaluation.study import Row
from painkit.metrics import compare, evaluate, trivial_rows
from painkit.models.crops.pain_level import ROWS, FaceNetRegression
from painkit.models.features.base import deep_features, landmark_features
from painkit.models.features.osvr import OrdinalSVR
from painkit.models.features.rcr import RecurrentConvolutionRegression
from painkit.scoring.prediction_files import read_predictions
from painkit.scoring.score import RELEASED
from painkit.vocabulary.pain import level_0_5
from painkit.vocabulary.scales import SCALES

__all__ = [
    "BEST_ROW",
    "SCRATCH_ROW",
    "crop_counts",
    "errors_by_level",
    "estimates",
    "frames_with_image",
    "paired_questions",
    "score_released",
    "score_rows",
    "table_rows",
]

#: The row with the lowest weighted errors of Table 2.
BEST_ROW: Final = "smooth L1 + L1 center loss + sampling"

#: The same without pre-training: no row of the paper, but what its first claim is about.
SCRATCH_ROW: Final = f"{BEST_ROW}, from scratch"

_METRICS: Final = ("MAE", "MSE", "PCC", "wMAE", "wMSE")
_SCALE: Final = "level"


def frames_with_image(cohort: Cohort) -> Cohort:
    """The same subjects and sequences with only those frames that have an image in this copy."""
    has = cohort.frames["image"].notna().to_numpy()
    return replace(cohort, frames=cohort.frames[has].reset_index(drop=True), landmarks=cohort.landmarks[has])


def crop_counts(whole: Cohort, cohort: Cohort, store: FrameStore) -> pd.DataFrame:
    """Count the frames of each level, all together and without a label, and what became of them.

    Parameters
    ----------
    whole : Cohort
    cohort : Cohort
        As from `frames_with_image`.
    store : FrameStore
        Its crops.

    Returns
    -------
    DataFrame
        Index level (0-5, no label, all); columns frames, with an image, with a crop, no face, unreadable.
    """

    def counted(one: Cohort, mask: NDArray[np.bool_]) -> pd.Series[int]:
        level = pd.Series(level_0_5(one.frames["pspi"].to_numpy())[mask])
        return level.map("{:g}".format).replace("nan", "no label").value_counts()

    everything = np.ones(len(whole.frames), dtype=bool)
    counts = pd.DataFrame(
        {
            "frames": counted(whole, everything),
            "with an image": counted(cohort, everything[: len(cohort.frames)]),
            "with a crop": counted(cohort, store.usable),
            "no face": counted(cohort, store.status == NO_FACE),
            "unreadable": counted(cohort, store.status == UNREADABLE),
        }
    )
    counts = counts.reindex([*map(str, range(6)), "no label"]).fillna(0).astype(int)
    counts.loc["all"] = counts.sum()
    return counts.rename_axis("level")


def table_rows(
    store: FrameStore,
    cohort: Cohort,
    names: Iterable[str] | None = None,
    *,
    pretrained: str | PathLike[str] | None = None,
    features: Literal["landmarks", "deep"] = "landmarks",
    net: Mapping[str, Any] | None = None,
    osvr: Mapping[str, Any] | None = None,
    rcr: Mapping[str, Any] | None = None,
    random_state: int = 0,
) -> dict[str, Row]:
    """Return the estimators of Tables 1 and 2 under the names their published rows carry.

    Parameters
    ----------
    store : FrameStore
        Aligned crops of `cohort`.
    cohort : Cohort
        The one the crops are of.
    names : iterable of str, optional
        Which rows; default all, in the paper's order. `SCRATCH_ROW` is one where `pretrained` is given.
    pretrained : path, optional
        Backbone that the nets start from.
    features : {'landmarks', 'deep'}
        What OSVR and RCR see: `landmark_features` of the cohort, or `deep_features` of the crops by the
        pre-trained backbone as it is.
    net, osvr, rcr : mapping, optional
        Parameters that differ from the defaults, such as ``{"width": 0.25}``.
    random_state : int

    Raises
    ------
    PainkitError
        For a name that is no row, or deep features without `pretrained`.
    """
    shared = {"store": store, "random_state": random_state, **(net or {})}
    rows = {
        name: Row(FaceNetRegression(pretrained=pretrained, **shared, **row), _SCALE)
        for name, row in ROWS.items()
    }
    if pretrained is not None:
        rows[SCRATCH_ROW] = Row(FaceNetRegression(**shared, **ROWS[BEST_ROW]), _SCALE)
    if features == "landmarks":
        seen = landmark_features(cohort.landmarks)
    elif features == "deep" and pretrained is not None:
        same = ("width", "pretrained_channels", "device", "precision")
        seen = deep_features(store, pretrained, **{name: shared[name] for name in same if name in shared})
    else:
        raise PainkitError(
            f"features={features!r} with pretrained={pretrained!r}",
            expected="'landmarks', or 'deep' and pre-trained weights",
        )
    rows["OSVR-L1"] = Row(OrdinalSVR(features=seen, norm=1, **(osvr or {})), _SCALE)
    rows["OSVR-L2"] = Row(OrdinalSVR(features=seen, norm=2, **(osvr or {})), _SCALE)
    recurrent = RecurrentConvolutionRegression(features=seen, random_state=random_state, **(rcr or {}))
    rows["RCR"] = Row(recurrent, _SCALE)
    chosen = list(rows) if names is None else list(names)
    unknown = [name for name in chosen if name not in rows]
    if unknown:
        raise PainkitError(f"no row {unknown[0]!r}", expected=f"some of {'; '.join(rows)}")
    return {name: row for name, row in rows.items() if name in chosen}


def estimates(runs: Mapping[str, Run]) -> dict[str, pd.DataFrame]:
    """Predictions of the labelled frames that every row gives an estimate for, and the trivial rows on them.

    A frame without a face has no estimate. It is left out for all rows alike, so that they are scored on the
    same frames.

    Parameters
    ----------
    runs : mapping of str to Run
        On one cohort and protocol.
    """
    tables = {name: done.predictions.dropna(subset=["y_true"]) for name, done in runs.items()}
    keys = ["subject", "sequence", "frame"]
    given = pd.concat([table.dropna(subset=["y_pred"])[keys] for table in tables.values()])
    by_all = given.value_counts().loc[lambda count: count == len(tables)].index
    kept = {
        name: table[pd.MultiIndex.from_frame(table[keys]).isin(by_all)].reset_index(drop=True)
        for name, table in tables.items()
    }
    return kept | trivial_rows(next(iter(kept.values())))


def score_rows(
    tables: Mapping[str, pd.DataFrame], *, n_resamples: int = 10_000, seed: int = 0
) -> pd.DataFrame:
    """Score rows per subject, as Tables 1 and 2 do, with the published value beside each.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        As from `estimates`.
    n_resamples, seed
        Of the subject bootstrap.

    Returns
    -------
    DataFrame
        row, what `painkit.metrics.evaluate` returns (MAE, MSE, PCC, wMAE, wMSE on levels 0-5, average
        "per_subject"), published (NaN where the paper has none on this scale) and published_note (a value
        that the paper prints on another scale, with that scale).
    """
    scored = pd.concat(
        [
            evaluate(table, _METRICS, "per_subject", n_resamples=n_resamples, seed=seed).assign(row=name)
            for name, table in tables.items()
        ],
        ignore_index=True,
    )
    return _with_published(scored)


def _with_published(scored: pd.DataFrame) -> pd.DataFrame:
    paper = published("facenet_regression")
    paper = paper[paper["table"].isin(["Table 1", "Table 2"])].dropna(subset=["value"])
    here = paper["scale"] == SCALES[_SCALE].label
    keys = pd.MultiIndex.from_frame(scored[["row", "metric"]])
    values = paper[here].set_index(["row", "metric"])["value"]
    told = paper["value"].map("{:g}".format) + " on " + paper["scale"]
    notes = told[~here].set_axis(pd.MultiIndex.from_frame(paper.loc[~here, ["row", "metric"]]))
    scored["published"] = values.reindex(keys).to_numpy()
    scored["published_note"] = notes.reindex(keys).fillna("").to_numpy()
    return scored[["row", *(column for column in scored.columns if column != "row")]]


def score_released(
    released: str | PathLike[str] | Sequence[str | PathLike[str]] | None,
    *,
    n_resamples: int = 10_000,
    seed: int = 0,
) -> pd.DataFrame:
    """Score the predictions that the authors have released, with the published value beside each.

    Parameters
    ----------
    released : path, sequence of path, or None
        Files, or a folder whose ``.mat`` files are read (``video_index.mat`` tells the sequences apart and is
        no predictions). None gives an empty table.
    n_resamples, seed
        See `score_rows`.

    Returns
    -------
    DataFrame
        As `score_rows`, and file. A file whose name tells no row keeps its name as its row.
    """
    if released is None:
        return pd.DataFrame(columns=["row", "metric", "value", "low", "high", "published", "file"])
    given = [released] if isinstance(released, str | PathLike) else list(released)
    files = [file for path in map(Path, given) for file in (_mat_files(path) if path.is_dir() else [path])]
    parts = [
        evaluate(read_predictions(file, _SCALE), _METRICS, "per_subject", n_resamples=n_resamples, seed=seed)
        .drop(columns="target")
        .assign(row=RELEASED.get(file.stem, file.name), file=file.name)
        for file in files
    ]
    zeros = trivial_rows(read_predictions(files[0], _SCALE))["all zeros"]
    parts.append(
        evaluate(zeros, _METRICS, "per_subject", n_resamples=n_resamples, seed=seed)
        .drop(columns="target")
        .assign(row="all zeros", file="")
    )
    return _with_published(pd.concat(parts, ignore_index=True))


def _mat_files(folder: Path) -> list[Path]:
    files = sorted(path for path in folder.glob("*.mat") if path.stem != "video_index")
    if not files:
        raise PainkitError("holds no .mat file", where=folder, expected="released predictions")
    return files


def paired_questions(
    tables: Mapping[str, pd.DataFrame], *, n_resamples: int = 10_000, seed: int = 0
) -> pd.DataFrame:
    """Ask what the paper claims, each as a difference paired over subjects; rows not run are skipped.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        As from `estimates`.
    n_resamples, seed
        Of the subject bootstrap.

    Returns
    -------
    DataFrame
        question, and what `painkit.metrics.compare` returns for MAE, PCC and wMAE per subject: difference =
        a - b, a being what the question names first.
    """
    center = "smooth L1 + L1 center loss"
    questions = {
        "with center loss, or without": (center, "smooth L1"),
        "L1 center loss, or L2": (center, "smooth L1 + L2 center loss"),
        "smooth L1, or L1": (center, "L1 + L1 center loss"),
        "with sampling, or without": (BEST_ROW, center),
        "pre-trained, or from scratch": (BEST_ROW, SCRATCH_ROW),
        "face net, or OSVR-L1": (BEST_ROW, "OSVR-L1"),
        "face net, or RCR": (BEST_ROW, "RCR"),
        "face net, or the train mean": (BEST_ROW, "train mean"),
        "face net, or all zeros": (BEST_ROW, "all zeros"),
    }
    constant = {"train mean", "train median", "all zeros"}
    asked = [
        compare(
            tables[a],
            tables[b],
            # A constant has no correlation.
            ["MAE", "wMAE"] if b in constant else ["MAE", "PCC", "wMAE"],
            "per_subject",
            n_resamples=n_resamples,
            seed=seed,
        ).assign(question=question)
        for question, (a, b) in questions.items()
        if a in tables and b in tables
    ]
    columns = ["question", "metric", "a", "b", "difference", "low", "high", "average", "n", "scale"]
    return pd.concat(asked, ignore_index=True) if asked else pd.DataFrame(columns=columns)


def errors_by_level(
    tables: Mapping[str, pd.DataFrame], *, n_resamples: int = 10_000, seed: int = 0
) -> pd.DataFrame:
    """Mean absolute error of the frames of each level 0-5: mean over the subjects that show it.

    wMAE goes the other way round, over the levels of a subject first and then over subjects. It is the mean
    of these errors only where every subject shows every level.

    Returns
    -------
    DataFrame
        row, level, frames, groups (subjects that have the level), value, low, high.
    """
    parts = [
        evaluate(part, ["MAE"], "per_subject", n_resamples=n_resamples, seed=seed).assign(
            row=name, level=int(part["y_true"].iloc[0])
        )
        for name, table in tables.items()
        for _, part in table.groupby("y_true")
    ]
    found = pd.concat(parts, ignore_index=True).rename(columns={"n": "frames"})
    return found[["row", "level", "frames", "groups", "value", "low", "high", "scale", "average"]]

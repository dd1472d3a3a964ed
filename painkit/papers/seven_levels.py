"""ResNet-18 that knows emotions, fine-tuned to seven levels of pain (Hosseini et al.): Tables I to III."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from painkit.data.cohort import Cohort
from painkit.data.crop_building import cohort_store
from painkit.data.crop_store import CropStore
from painkit.errors import PainkitError
from painkit.evaluation import tables
from painkit.evaluation.conclusions import answers, interval_text, lowest_or_highest
from painkit.evaluation.held_out import held_out
from painkit.evaluation.published import published
from painkit.evaluation.samples import samples
from painkit.evaluation.study import Results, Row, Rows, Study
from painkit.evaluation.tables import published_beside
from painkit.faces.crops import FaceCrop
from painkit.metrics import evaluate
from painkit.models.crops.seven_levels import N_LEVELS, SevenLevels
from painkit.models.training.balancing import balance
from painkit.papers.paper import Paper
from painkit.simulation.facts import facts
from painkit.vocabulary.pain import seven_levels

__all__ = [
    "BLOCKS",
    "CROP",
    "HEAD",
    "PAPER",
    "PRINTED",
    "SCRATCH",
    "WHOLE",
    "confusion",
    "face_crops",
    "headline",
    "levels_balanced",
    "refuse_copies_of_tested",
    "rows",
    "table_1",
    "table_2",
    "table_3",
    "what_came_out",
]

#: Rows. The first is the paper's: only the last layer is trained, at the printed rates.
PRINTED: Final = "ResNet-18"
HEAD: Final = "ResNet-18, head alone"
BLOCKS: Final = "ResNet-18, block by block"
WHOLE: Final = "ResNet-18, whole net"
#: The head alone on layers that were never trained: what the transfer is worth.
SCRATCH: Final = "ResNet-18, head alone, not pre-trained"

_ROWS: Final[Mapping[str, Mapping[str, Any]]] = {
    PRINTED: {"mode": "head", "schedule": "published"},
    HEAD: {"mode": "head"},
    BLOCKS: {"mode": "blocks"},
    WHOLE: {"mode": "whole"},
    SCRATCH: {"mode": "head", "pretrained": None},
}

#: The face box of the landmarks, else of the detector, grown by 25 % (Sec. III-A).
CROP: Final = FaceCrop("box", grow=0.25, detect=True)

_PER_LEVEL: Final = ("recall", "F1", "precision")
_TOGETHER: Final = ("AUC", "accuracy", "PCC")
_QUESTIONS: Final = {
    "rates at which it learns, or as printed": (HEAD, PRINTED),
    "block by block, or the head alone": (BLOCKS, HEAD),
    "whole net, or the head alone": (WHOLE, HEAD),
    "whole net, or block by block": (WHOLE, BLOCKS),
    "pre-trained on emotions, or not trained before": (HEAD, SCRATCH),
    "head alone, or all zeros": (HEAD, "all zeros"),
    "whole net, or all zeros": (WHOLE, "all zeros"),
}


def rows(
    store: CropStore | str,
    *,
    pretrained: str | PathLike[str] | None = None,
    net: Mapping[str, Any] | None = None,
    rates: Mapping[str, Any] | None = None,
    head: Mapping[str, Any] | None = None,
    random_state: int = 0,
) -> Rows:
    """Return the rows of Tables II and III: the level of each frame, all frames pooled.

    Parameters
    ----------
    store : CropStore
        Square crops of the cohort, see `face_crops`.
    pretrained : path, optional
        Weights of FER+ that the nets start from; with them, `SCRATCH` is a row.
    net : mapping, optional
        Parameters of `SevenLevels` that differ from the defaults, such as ``{"width": 0.25}``, of all rows.
    rates, head : mapping, optional
        `lr` and `epochs` in place of those of the workable schedule, where convolutions are trained and where
        the head is trained alone, of which more epochs cost nothing. The paper's row keeps the printed ones.
    random_state : int
    """
    settings = {"store": store, "pretrained": pretrained, "random_state": random_state, **(net or {})}
    estimators: dict[str, Any] = {}
    for name, own in _ROWS.items():
        if name == SCRATCH and pretrained is None:
            continue
        taken: Mapping[str, Any] = {}
        if name != PRINTED:
            taken = {"schedule": "workable", **((head if own["mode"] == "head" else rates) or {})}
        estimators[name] = SevenLevels(**{**settings, **taken, **own})
    return Rows(
        {name: Row(estimator, "seven_levels") for name, estimator in estimators.items()},
        target="seven_levels",
        metrics=("accuracy", "recall", "F1", "AUC", "PCC"),
        average="pooled",
        questions=_QUESTIONS,
        asked=("accuracy", "recall", "PCC"),
        explained=(HEAD, WHOLE),
        paper="seven_levels",
        training={"schedule": "published"},
    )


PAPER = Paper(
    name="seven_levels",
    citation=(
        "Hosseini, Fang, Zhang, Chuah, Orooji, Rafatirad, Rafatirad and Homayoun: Convolution neural network "
        "for pain intensity assessment from facial expression"
    ),
    notebook="05_seven_levels",
    tables=("Table II", "Table III", "text, Sec. IV"),
    rows=rows,
    not_run={
        **{f"level {k}": f"a level of the row {PRINTED}, not an estimator of its own" for k in range(7)},
        **{
            row: "printed by the paper from another one, for a task of another number of levels"
            for row in published("seven_levels").query("table == 'Table III'")["row"].unique()
            if row != PRINTED
        },
    },
)


def face_crops(cohort: Cohort, folder: str | Path, *, side: int, jobs: int = 2) -> CropStore:
    """Square crops of the cohort (`CROP`), `side` pixels wide."""
    return cohort_store(cohort, folder, crop=replace(CROP, side=side), jobs=jobs)


def levels_balanced(study: Study, store: CropStore) -> pd.DataFrame:
    """Count what a fold trains on before and after the paper's balancing, mean over the study's folds.

    Returns
    -------
    DataFrame
        Index level (0-6); columns before, after: images with a crop, copies by flipping and rotation too.
    """
    found = samples(study.cohort, "seven_levels")
    table = found.table
    sequence = table.groupby(["subject", "sequence"], sort=False).ngroup().to_numpy()
    has_crop = found.usable & store.usable[table["row"].to_numpy()]
    counts = []
    for fold in study.protocol.splits(table):
        train = fold.only(has_crop).train
        level = found.y[train, 0].astype(int)
        after = level[balance(level, sequence[train], np.random.default_rng(study.seed)).frames]
        counts.append([np.bincount(one, minlength=N_LEVELS) for one in (level, after)])
    before, after = np.mean(counts, axis=0) if counts else np.zeros((2, N_LEVELS))
    return pd.DataFrame({"before": before, "after": after}).rename_axis("level")


def table_1(study: Study, store: CropStore) -> pd.DataFrame:
    """Count the frames of each level and what becomes of them (Table I).

    Returns
    -------
    DataFrame
        Index level (0-6); columns PSPI, frames (with a label), subjects (that show the level), with a crop,
        trained on before and after (see `levels_balanced`), published PSPI and augmentation.
    """
    scores = np.arange(17)
    theirs = published("seven_levels").query("table == 'Table I'")
    printed = theirs.pivot(index="row", columns="metric", values="value").astype(int)
    frames = study.cohort.frames.assign(
        level=seven_levels(study.cohort.frames["pspi"].to_numpy()), crop=store.usable
    )
    ours = frames.groupby("level").agg(
        frames=("subject", "size"), subjects=("subject", "nunique"), crops=("crop", "sum")
    )
    trained = levels_balanced(study, store).add_prefix("trained on, ")
    table = pd.DataFrame(index=pd.RangeIndex(N_LEVELS, name="level"))
    table["PSPI"] = [_span(scores[seven_levels(scores) == k]) for k in table.index]
    table = table.join(ours.rename(columns={"crops": "with a crop"})).fillna(0)
    table = table.join(trained.round().astype(int))
    table["published PSPI"] = [
        _span(printed.loc[f"level {k}", ["lowest PSPI", "highest PSPI"]].to_numpy()) for k in table.index
    ]
    notes = theirs.drop_duplicates("row").set_index("row")["note"]
    table["published balancing"] = [notes[f"level {k}"] for k in table.index]
    return table.astype(dict.fromkeys(ours.columns.drop("crops"), int) | {"with a crop": int})


def _span(values: NDArray[np.integer]) -> str:
    low, high = int(values.min()), int(values.max())
    return f"{low}" if low == high else f"{low}-{high}"


def table_2(results: Results, row: str = HEAD) -> pd.DataFrame:
    """Recall, F1 and precision of each level (Table II), all frames pooled.

    Returns
    -------
    DataFrame
        row ("level 0" ...), metric, value, low, high (subject bootstrap), published_on_archive, frames (of
        the level), note (on the published value).
    """
    table, study = results.scored.tables[row], results.study
    names = [(k, metric) for k in range(N_LEVELS) for metric in _PER_LEVEL]
    found = evaluate(
        table,
        [f"{metric}[{k}]" for k, metric in names],
        "pooled",
        n_resamples=study.n_resamples,
        seed=study.seed,
    ).assign(
        row=[f"level {k}" for k, _ in names],
        metric=[metric for _, metric in names],
        frames=[int((table["y_true"] == k).sum()) for k, _ in names],
    )
    beside = published_beside(found, "seven_levels")
    notes = published("seven_levels").query("table == 'Table II'").set_index(["row", "metric"])["note"]
    beside["note"] = [notes[one] for one in zip(beside["row"], beside["metric"], strict=True)]
    columns = ["row", "metric", "value", "low", "high", "published_on_archive", "frames", "note"]
    return beside[columns]


def table_3(scores: pd.DataFrame, *, simulated: bool) -> pd.DataFrame:
    """Lay the methods of Table III out with the number of levels each tells apart, and ours below.

    Tasks of 2, 4, 7 and 16 levels differ: the table keeps the paper's order and ranks nothing.

    Parameters
    ----------
    scores : DataFrame
        `Results.scores`.
    simulated : bool
        Whether these are of a simulated cohort.

    Returns
    -------
    DataFrame
        method, data, levels, AUC, accuracy, PCC, note; what is not printed or does not exist is a dash, and
        ours have their interval.
    """
    theirs = published("seven_levels").query("table == 'Table III'")
    values = theirs.pivot(index="row", columns="metric", values="value")
    notes = theirs[theirs["metric"] == "levels"].set_index("row")["note"]
    lines = [
        {
            "method": name,
            "data": "published, on the archive",
            "levels": int(values.loc[name, "levels"]),
            **{m: "-" if pd.isna(v := values.loc[name, m]) else f"{v:.2f}" for m in _TOGETHER},
            "note": notes[name],
        }
        for name in theirs["row"].unique()
    ]
    ours = scores.set_index(["row", "metric"])[["value", "low", "high"]].T.to_dict()
    for name in scores["row"].unique():
        lines.append(
            {
                "method": name,
                "data": "simulated, here" if simulated else "here",
                "levels": N_LEVELS,
                **{m: _told(ours.get((name, m))) for m in _TOGETHER},
                "note": "",
            }
        )
    return pd.DataFrame(lines)


def _told(value: Mapping[str, float] | None) -> str:
    if value is None or not np.isfinite(value["value"]):
        return "-"
    return f"{value['value']:.2f} [{value['low']:.2f}, {value['high']:.2f}]"


def confusion(results: Results, row: str = HEAD) -> pd.DataFrame:
    """Frames of each true level (rows) by the level that a row says (columns), over all folds (Fig. 5)."""
    names = [f"level {k}" for k in range(N_LEVELS)]
    return tables.confusion(results.scored.tables[row], names).rename_axis("true level")


def refuse_copies_of_tested(results: Results) -> str:
    """Check that no fold trained on an image, or a copy of one, that it tests, nor on its subject; say so.

    Raises
    ------
    PainkitError
        When one did.
    """
    frames, n_images, n_folds = results.study.cohort.frames, 0, 0
    subjects = frames["subject"].astype(str).to_numpy()
    for name in results.rows.explained:
        for fold in held_out(results[name], SevenLevels.load) if name in results.runs else []:
            trained = fold.model.trained_[:, 0]
            shared, both = np.isin(trained, fold.rows), set(subjects[trained]) & set(subjects[fold.rows])
            if shared.any() or both:
                raise PainkitError(
                    f"fold {fold.fold} of {name} trained on {shared.sum()} images of frames that it tests, "
                    f"of subjects whom it tests: {', '.join(sorted(both))}",
                    expected="images of training frames alone",
                )
            n_images, n_folds = n_images + len(trained), n_folds + 1
    return (
        f"In {n_folds} fitted models, none of {n_images} training images, copies included, is of a frame or "
        "a subject that its fold tests."
    )


def headline(scores: pd.DataFrame, audited: pd.DataFrame) -> list[str]:
    """Say what becomes of the paper's accuracy where subjects are kept apart, whichever way that is.

    Parameters
    ----------
    scores : DataFrame
        `Results.scores`.
    audited : DataFrame
        `painkit.evaluation.audit.audit` of a row, in accuracy and recall.
    """
    printed = published("seven_levels").query("row == @PRINTED and metric == 'accuracy'")
    theirs = printed.set_index("table")["value"]
    histogram = facts("full").pspi_histogram
    row = str(audited["row"].iloc[0])
    told = [
        f"The paper prints an accuracy of {100 * theirs['text, Sec. IV']:.2f} % ({theirs['Table III']:.2f} "
        "in Table III) and does not say how frames were divided into training and test."
    ]
    random = audited[audited["leak"] == "random frames"].set_index("metric").to_dict("index")
    for metric in ("accuracy", "recall", "PCC"):
        if metric in random:
            told.append(_beside(row, metric, random[metric]))
    zeros = scores[(scores["row"] == "all zeros") & (scores["metric"] == "accuracy")].iloc[0]
    told.append(
        f"To say level 0 of every frame is right in {100 * zeros['value']:.1f} % of the frames scored here, "
        f"and would be in {100 * histogram[0] / histogram.sum():.1f} % of the archive's: accuracy alone says "
        "little of pain."
    )
    return told


def _beside(row: str, metric: str, one: Mapping[Any, Any]) -> str:
    said = (
        f"{row}: {metric} {one['leaky']:.2f} on random frames, whose subjects it has trained on, and "
        f"{one['honest']:.2f} on subjects it has not seen: difference "
        f"{interval_text(one, 'inflation', signed=True)}"
    )
    if not (np.isfinite(one["low"]) and np.isfinite(one["high"])):
        return f"{said}; too few subjects to tell."
    if one["low"] > 0:
        return f"{said}: random frames make it look better than it is for new people."
    if one["high"] < 0:
        return f"{said}: random frames make it look worse."
    return f"{said}: the interval holds 0, so this stays open."


def what_came_out(
    scores: pd.DataFrame, questions: pd.DataFrame, audited: pd.DataFrame, mass: str
) -> list[str]:
    """Say what came out in six sentences at most; `headline` and the tables say the rest.

    Parameters
    ----------
    scores, questions : DataFrame
        `Results.scores` and `Results.questions` of `rows`.
    audited : DataFrame
        `painkit.evaluation.audit.audit` of one of the rows.
    mass : str
        See `painkit.papers.saliency_maps.mass_sentence`.
    """
    asked = ["whole net, or the head alone", "pre-trained on emotions, or not trained before"]
    _, *leaky, zeros = headline(scores, audited)
    return [
        *leaky[:1],
        zeros,
        lowest_or_highest(scores, "recall"),
        *answers(questions, "recall", asked),
        mass,
    ]

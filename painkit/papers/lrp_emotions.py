"""VGG-Face tells pain, disgust and happiness apart (Weitz et al. 2018): Tables 1 and 2."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from painkit.data.cohort import Cohort
from painkit.data.crop_building import build_crop_store
from painkit.data.crop_store import CropStore
from painkit.evaluation import tables
from painkit.evaluation.conclusions import answers
from painkit.evaluation.published import published
from painkit.evaluation.study import Results, Row, Rows
from painkit.faces.crops import FaceCrop
from painkit.metrics import evaluate
from painkit.models.crops.expressions import ExpressionClassifier
from painkit.papers.paper import Paper
from painkit.vocabulary.classes import EXPRESSIONS
from painkit.vocabulary.scales import expression_scale, known_scale, scale_of

__all__ = [
    "CROP",
    "NET",
    "PAPER",
    "class_scores",
    "classes_of",
    "clip_crops",
    "confusion",
    "every_fold",
    "fold_sentence",
    "frames_per_class",
    "rows",
    "what_came_out",
]

#: The one row that the paper scores.
NET: Final = "VGG-Face"

#: The square about the face that a detector finds; the paper names none.
CROP: Final = FaceCrop("box", grow=0.1, detect=True)

_SOURCES: Final = {"PA3": "pain intensity 3", "PA4": "pain intensity 4"}
_PER_CLASS: Final = ("precision", "recall", "F1")


def rows(
    store: CropStore | str,
    *,
    classes: Sequence[str] = EXPRESSIONS,
    net: Mapping[str, Any] | None = None,
    random_state: int = 0,
) -> Rows:
    """Return the row of Table 2: the expression that each frame shows, by folds of subjects.

    Parameters
    ----------
    store : CropStore
        Square crops of the cohort, see `clip_crops`.
    classes : sequence of str
        That the cohort's frames have, in order: the keys that `read_expressions` was given.
    net : mapping, optional
        Parameters of `ExpressionClassifier` that differ from the defaults, such as ``{"width": 0.125}``.
    random_state : int
    """
    target = expression_scale(classes).key
    estimator = ExpressionClassifier(store=store, random_state=random_state, **(net or {}))
    return Rows(
        {NET: Row(estimator, target)},
        target=target,
        metrics=_metrics(classes),
        average="per_fold",
        questions={"VGG-Face, or the majority class": (NET, "majority class")},
        asked=("accuracy", "recall"),
        explained=(NET,),
        paper="lrp_emotions",
    )


def _metrics(classes: Sequence[str]) -> tuple[str, ...]:
    return ("accuracy", *_PER_CLASS, *(f"{m}[{k}]" for k in range(len(classes)) for m in _PER_CLASS))


def classes_of(results: Results) -> tuple[str, ...]:
    """Names of the classes that were told apart, in the order of the net's outputs."""
    return scale_of(results.rows.target).classes


PAPER = Paper(
    name="lrp_emotions",
    citation=(
        "Weitz, Hassan, Schmid and Garbas (2018): Towards explaining deep learning networks to distinguish "
        "facial expressions of pain and emotions"
    ),
    notebook="04_lrp_emotions",
    tables=("Table 2", "text, Sec. 5"),
    rows=rows,
    not_run={
        **dict.fromkeys(EXPRESSIONS, "a class of the row VGG-Face, not an estimator of its own"),
        "average/total": "the classes of the row VGG-Face together, not an estimator of its own",
        "happiness called pain": "a cell of VGG-Face's confusion matrix, not an estimator of its own",
    },
)


def clip_crops(cohort: Cohort, folder: str | Path, *, side: int, jobs: int = 2) -> CropStore:
    """Square crops of the frames of `painkit.data.expressions.read_expressions`, `side` pixels wide.

    Frames in which the detector finds no face have none: they are masked everywhere, and counted.
    """
    crop = replace(CROP, side=side)
    return build_crop_store(
        cohort.image,
        len(cohort.frames),
        folder,
        content=cohort.fingerprint,
        crop=crop,
        together=np.asarray(cohort.frames.groupby(["subject", "sequence"]).ngroup(), np.intp),
        jobs=jobs,
        simulated=cohort.simulated,
    )


def frames_per_class(cohort: Cohort, store: CropStore) -> pd.DataFrame:
    """Count what the classes are made of (Table 1).

    Returns
    -------
    DataFrame
        Index name (as in Table 1); columns class, subjects, frames, with a crop, published subjects,
        published frames (NaN for what the paper has not).
    """
    named = cohort.sequences.set_index("sequence")["class"].replace(_SOURCES)
    (own,) = (name for name in cohort.frames if (scale := known_scale(str(name))) and scale.classes)
    frames = cohort.frames.assign(
        name=cohort.frames["sequence"].map(named), crop=store.usable, **{"class": cohort.frames[own]}
    )
    ours = frames.groupby("name", sort=False).agg(
        **{"class": ("class", "first")},
        subjects=("subject", "nunique"),
        frames=("frame", "size"),
        crop=("crop", "sum"),
    )
    theirs = published("lrp_emotions").query("table == 'Table 1'")
    theirs = theirs.pivot(index="row", columns="metric", values="value")
    order = [name for name in (*_SOURCES.values(), *EXPRESSIONS) if name in ours.index]
    ours = ours.reindex([*order, *ours.index.difference(order)])
    beside = theirs.reindex(ours.index).add_prefix("published ")
    return ours.rename(columns={"crop": "with a crop"}).join(
        beside[["published subjects", "published frames"]]
    )


def every_fold(results: Results) -> pd.DataFrame:
    """Score every fold by itself, of which the paper prints the best.

    Returns
    -------
    DataFrame
        fold (and "mean" and "spread", the standard deviation over folds), subjects, frames, accuracy, and the
        means over the classes of precision, recall, F1.
    """
    parts = []
    for fold, table in results.scored.tables[NET].groupby("fold", sort=False):
        found = evaluate(table, ["accuracy", *_PER_CLASS], "pooled", n_resamples=0)
        values = found.set_index("metric")["value"].to_dict()
        parts.append(
            {"fold": str(fold), "subjects": table["subject"].nunique(), "frames": len(table), **values}
        )
    folds = pd.DataFrame(parts)
    numbers = folds.drop(columns="fold")
    spread = numbers.std(ddof=1)
    return pd.concat(
        [
            folds,
            pd.DataFrame([{"fold": "mean", **numbers.mean()}, {"fold": "spread", **spread}]),
        ],
        ignore_index=True,
    )


def class_scores(results: Results) -> pd.DataFrame:
    """Precision, recall and F1 of each class (Table 2): means over folds, and of the best fold.

    Returns
    -------
    DataFrame
        class (and "average", the mean over the classes), metric, value, low, high (subject bootstrap of the
        mean over folds), best fold (of the highest accuracy), published (of the paper's best fold; NaN for
        another list of classes than the paper's), n.
    """
    classes = classes_of(results)
    scores = results.scores()
    ours = scores[scores["row"] == NET].set_index("metric").to_dict("index")
    table = results.scored.tables[NET]
    folds = every_fold(results).iloc[:-2]
    best = str(folds["fold"].iloc[int(folds["accuracy"].argmax())])
    in_fold = table[table["fold"].astype(str) == best]
    of_best = evaluate(in_fold, _metrics(classes), "pooled", n_resamples=0)
    in_best = of_best.set_index("metric")["value"].to_dict()
    theirs = published("lrp_emotions").query("table == 'Table 2'")
    printed = theirs.set_index(["row", "metric"])["value"].to_dict() if classes == EXPRESSIONS else {}
    found = []
    for name, of in [*((name, f"[{k}]") for k, name in enumerate(classes)), ("average", "")]:
        for metric in _PER_CLASS:
            found.append(
                {
                    "class": name,
                    "metric": metric,
                    **ours[f"{metric}{of}"],
                    "best fold": in_best[f"{metric}{of}"],
                    "published": printed.get((name if of else "average/total", metric), np.nan),
                }
            )
    columns = ["class", "metric", "value", "low", "high", "best fold", "published", "n"]
    return pd.DataFrame(found)[columns]


def confusion(results: Results) -> pd.DataFrame:
    """Frames of each true class (rows) by the class that VGG-Face calls them (columns), over all folds."""
    return tables.confusion(results.scored.tables[NET], classes_of(results))


def fold_sentence(results: Results) -> str:
    """Say whether the classes are told apart better than by chance, and how the best fold misleads."""
    scores = results.scores(["recall"])
    mean = scores[scores["row"] == NET].iloc[0]
    folds = every_fold(results)
    only = folds.iloc[:-2]["accuracy"]
    classes = classes_of(results)
    chance = 1 / len(classes)
    if mean["low"] > chance:
        verdict = "above chance"
    else:
        verdict = "below chance" if mean["high"] < chance else "not told from chance"
    return (
        f"Mean recall of {', '.join(classes[:-1])} and {classes[-1]} is {mean['value']:.2f} (95 % interval "
        f"over subjects {mean['low']:.2f} to {mean['high']:.2f}); chance is {chance:.2f}, so this is "
        f"{verdict}. "
        f"Accuracy is {only.max():.2f} in the best fold, {only.mean():.2f} on average and {only.min():.2f} "
        "in the worst: the best fold, which the paper prints, is no estimate of how well the net works."
    )


def what_came_out(
    results: Results, questions: pd.DataFrame, reading: str, causes: Sequence[str]
) -> list[str]:
    """Say in sentences what came out.

    Parameters
    ----------
    results : Results
    questions : DataFrame
        ``results.questions()``.
    reading : str
        Where the classes differ, see `painkit.papers.expression_regions.differences_sentence`.
    causes : sequence of str
        Whether relevance lies where pain moved the face, see
        `painkit.papers.expression_causes.causes_sentences`.
    """
    return [fold_sentence(results), *answers(questions, "accuracy"), reading, *causes]

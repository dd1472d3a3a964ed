"""DeepFaceLIFT (Liu et al. 2017): the rows of Table 1, what they claim, and what each feature is worth."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Final

import pandas as pd
from sklearn.base import clone

from painkit.attribution.ard import relevance_table, without_each_feature
from painkit.attribution.explanation import LandmarkExplanation
from painkit.attribution.explanation import explain as explain_parts
from painkit.evaluation.conclusions import answers, cause_sentence, interval_text, lowest_or_highest
from painkit.evaluation.held_out import held_out
from painkit.evaluation.protocols import fixed_folds
from painkit.evaluation.study import Results, Row, Rows, Study
from painkit.evaluation.tables import comparable, stacked
from painkit.metrics import evaluate
from painkit.models.sequences.deepfacelift import DeepFaceLIFT
from painkit.models.sequences.hcrf import HCRF
from painkit.models.sequences.mean_voting import MeanVoting
from painkit.models.sequences.sequence_rnn import SequenceRNN
from painkit.papers.paper import Paper

__all__ = [
    "BASELINES",
    "BEST_ROW",
    "FOLDS",
    "PAPER",
    "compared_stage_2",
    "coverage",
    "explain",
    "feature_costs",
    "relevance",
    "rows",
    "table_1",
    "training_lengths",
    "what_came_out",
]

_PLACEMENTS: Final = {"none": "none", "third_layer": "3rd layer", "input": "input"}
_LABELS: Final = (("vas", "opi"), ("vas",))

#: The setting with the lowest MAE and the highest ICC of the published table.
BEST_ROW: Final = "DeepFaceLIFT, personal features 3rd layer, labels VAS+OPI, statistics VAS"
_WITHOUT_PERSONAL: Final = BEST_ROW.replace("personal features 3rd layer", "personal features none")

#: What the best row is compared with, in its own cell of the table.
BASELINES: Final = {
    model: BEST_ROW.replace("DeepFaceLIFT", model).split(", statistics")[0]
    for model in ("NN-MV", "RNN", "HCRF")
}

#: The default five folds of five subjects (the paper names no list).
FOLDS: Final = fixed_folds(
    fold.split(",")
    for fold in (
        "064,121,047,096,059",
        "107,120,097,106,092",
        "095,043,103,048,042",
        "109,108,123,124,066",
        "049,115,052,101,080",
    )
)

_CLAIMS: Final = {
    "personal features at the third layer, or none": (BEST_ROW, _WITHOUT_PERSONAL),
    "Gaussian process, or mean voting": (BEST_ROW, BASELINES["NN-MV"]),
}
_QUESTIONS: Final = {
    **_CLAIMS,
    "DeepFaceLIFT, or RNN": (BEST_ROW, BASELINES["RNN"]),
    "DeepFaceLIFT, or HCRF": (BEST_ROW, BASELINES["HCRF"]),
    "DeepFaceLIFT, or the train mean": (BEST_ROW, "train mean"),
    "DeepFaceLIFT, or the train median": (BEST_ROW, "train median"),
    "VAS and OPI labels, or VAS alone": (BEST_ROW, BEST_ROW.replace("VAS+OPI", "VAS")),
}


def _plus(names: Iterable[str]) -> str:
    return "+".join(name.upper() for name in names)


def _cell(placement: str, labels: tuple[str, ...]) -> str:
    return f"personal features {_PLACEMENTS[placement]}, labels {_plus(labels)}"


def rows(
    *,
    stage1: Mapping[str, Any] | None = None,
    deepfacelift: Mapping[str, Any] | None = None,
    rnn: Mapping[str, Any] | None = None,
    hcrf: Mapping[str, Any] | None = None,
    random_state: int = 0,
) -> Rows:
    """Return the rows of Table 1: VAS 0-10, MAE and ICC(3,1), pooled over sequences.

    Nine settings of DeepFaceLIFT, six of mean voting, and the RNN and HCRF for each of their six cells. The
    HCRF has one chain for each label, so a second label changes nothing for VAS: it gets none. Neither it nor
    the RNN has a third layer: their cells of that name are the same runs as the input's.

    Parameters
    ----------
    stage1, deepfacelift, rnn, hcrf : mapping, optional
        Parameters that differ from the defaults, such as ``{"epochs": 10}``: of the stage-1 network (in
        DeepFaceLIFT and mean voting), of DeepFaceLIFT alone, the recurrent network and the HCRF.
    random_state : int
        Seed of each.
    """
    found: dict[str, Row] = {}
    cells = [(placement, labels) for placement in _PLACEMENTS for labels in _LABELS]
    for placement, labels in cells:
        shared = {"placement": placement, "labels": labels, "random_state": random_state, **(stage1 or {})}
        for inputs in dict.fromkeys((labels, ("vas",))):
            found[f"DeepFaceLIFT, {_cell(placement, labels)}, statistics {_plus(inputs)}"] = Row(
                DeepFaceLIFT(gp_inputs=inputs, **shared, **(deepfacelift or {})), labels
            )
        found[f"NN-MV, {_cell(placement, labels)}"] = Row(MeanVoting(**shared), labels)
    for placement, labels in cells:
        # These have no third layer: personal features go in beside the landmarks.
        where: dict[str, Any] = {
            "placement": "none" if placement == "none" else "input",
            "random_state": random_state,
        }
        found[f"RNN, {_cell(placement, labels)}"] = Row(SequenceRNN(**where, **(rnn or {})), labels)
        found[f"HCRF, {_cell(placement, labels)}"] = Row(HCRF(**where, **(hcrf or {})), ("vas",))
    return Rows(
        found,
        target="vas",
        metrics=("MAE", "ICC(3,1)"),
        average="pooled",
        questions=_QUESTIONS,
        explained=(BEST_ROW,),
        paper="deepfacelift",
        training={"epochs": 100, "batch_size": 300, "frame_step": 1},  # Sec. 4.1
    )


PAPER = Paper(
    name="deepfacelift",
    citation=(
        "Liu, Peng, Shea, Rudovic and Picard (2017): DeepFaceLIFT: interpretable personalized models for "
        "automatic estimation of self-reported pain"
    ),
    notebook="01_deepfacelift",
    tables=("Table 1",),
    rows=rows,
    protocols={"deepfacelift": FOLDS},
)


def table_1(scores: pd.DataFrame) -> pd.DataFrame:
    """Take the names of the rows of Table 1 apart, in the paper's order, and leave repeats out.

    Parameters
    ----------
    scores : DataFrame
        `painkit.evaluation.study.Results.scores` of `rows`.

    Returns
    -------
    DataFrame
        model, personal features, labels, row (the three in short), and the columns of `scores`. The RNN and
        the HCRF have no third layer, and the HCRF no second label: their cells of one run are one row.
    """
    part = r"(?P<model>[^,]+)(?:, personal features (?P<features>[^,]+), labels (?P<labels>[^,]+))?"
    named = scores["row"].str.extract(rf"^{part}(?:, statistics (?P<statistics>.+))?$").fillna("")
    no_layer = named["model"].isin(["RNN", "HCRF"])
    kept = ~(no_layer & (named["features"] == "3rd layer")) & ~(
        (named["model"] == "HCRF") & (named["labels"] == "VAS")
    )
    named.loc[no_layer & (named["features"] == "input"), "features"] = "3rd layer or input"
    named.loc[named["model"] == "HCRF", "labels"] = "VAS+OPI or VAS"
    named["labels"] += (", statistics " + named["statistics"]).where(named["statistics"] != "", "")
    short = (named["model"] + ", " + named["features"] + ", " + named["labels"]).str.rstrip(", ")
    parts = {"model": named["model"], "personal features": named["features"], "labels": named["labels"]}
    table = pd.concat([pd.DataFrame(parts), scores.assign(row=short)], axis=1)[kept]
    order = {model: place for place, model in enumerate(("DeepFaceLIFT", *BASELINES))}
    return table.sort_values(
        "model", key=lambda names: names.map(order).fillna(len(order)), kind="stable", ignore_index=True
    )


def what_came_out(
    scores: pd.DataFrame, questions: pd.DataFrame, bands: pd.DataFrame, causes: pd.DataFrame
) -> list[str]:
    """Say in sentences what came out.

    Parameters
    ----------
    scores, questions : DataFrame
        `painkit.evaluation.study.Results.scores` (or `table_1` of them) and ``.questions``.
    bands : DataFrame
        See `coverage`.
    causes : DataFrame
        See `painkit.attribution.explanation.agreement_with_truth`.
    """
    asked = (*_CLAIMS, "DeepFaceLIFT, or the train mean")
    told = [lowest_or_highest(scores, "MAE"), *answers(questions, "MAE", asked)]
    for band in bands[(bands["target"] == "vas") & (bands["metric"] == "coverage 90%")].to_dict("records"):
        told.append(f"Bands that should hold 90 % of the VAS labels hold a share of {interval_text(band)}.")
    differences = causes[(causes["target"] == "vas") & (causes["cause"] == "pain minus decoys")]
    what = "rank correlation of the landmarks' contributions to VAS with their true displacement"
    return told + [cause_sentence(row, "rho", what) for row in differences.to_dict("records")]


def explain(results: Results, row: str = BEST_ROW) -> LandmarkExplanation:
    """Explain every frame by the model of the fold that tested its sequence (Fig. 3).

    Raises
    ------
    PainkitError
        When the row was not run, or kept no models.
    """
    run = results[row]
    parts = ((fold.model, fold.rows) for fold in held_out(run, DeepFaceLIFT.load))
    return explain_parts(parts, results.study.cohort, run.predictions)


def relevance(results: Results) -> pd.DataFrame:
    """ARD relevance of the statistics for VAS, in every fold (Fig. 4B); see `relevance_table`."""
    table = relevance_table({one.fold: one.model for one in held_out(results[BEST_ROW], DeepFaceLIFT.load)})
    return table[table["target"] == "vas"].reset_index(drop=True)


def feature_costs(study: Study, rows: Rows) -> pd.DataFrame:
    """Leave out one personal feature, or OPI, at a time, and report how the error changes (Fig. 4A).

    Returns
    -------
    DataFrame
        As `painkit.evaluation.tables.ask` returns; question is what is left out, a the MAE without it, b with
        all (VAS 0-10, pooled).
    """
    best = rows.estimators[BEST_ROW].estimator
    variants = {name: Row(one, one.labels) for name, one in without_each_feature(best).items()}
    questions = {name: (name, "all") for name in variants if name != "all"}
    asked = Rows(variants, rows.target, ["MAE"], rows.average, questions)
    return study.run(asked).questions()


def training_lengths(study: Study, rows: Rows, shares: Iterable[float] = (0.03, 0.1, 0.3)) -> pd.DataFrame:
    """Ask two of the paper's questions again of networks that were trained for a part of their epochs.

    All frames of a sequence carry one label, so a network that is trained for long comes to know the training
    subjects. Test subjects tell when; choosing a length by this table would be choosing on them.

    Parameters
    ----------
    study : Study
    rows : Rows
        Their `epochs` are the full length.
    shares : iterable of float
        Of the epochs, each rounded to one epoch at least; the full length is always there.

    Returns
    -------
    DataFrame
        epochs, and what `painkit.evaluation.tables.ask` returns, in MAE.
    """
    asked = replace(rows.only([BEST_ROW, *(other for _, other in _CLAIMS.values())]), questions=_CLAIMS)
    longest = rows.estimators[BEST_ROW].estimator.epochs
    lengths = sorted({max(1, round(share * longest)) for share in (*shares, 1)})
    return stacked({n: study.run(asked.varied(epochs=n)).questions(["MAE"]) for n in lengths}, "epochs")


def compared_stage_2(results: Results) -> pd.DataFrame:
    """Score the best setting with its Gaussian process trained as painkit does, and as the paper seems to.

    Returns
    -------
    DataFrame
        stage_2 ("cross-fitted" or "in sample"), and what `painkit.metrics.evaluate` returns for MAE, ICC(3,1)
        and the coverage of the bands of 50 and 90 %.
    """
    study, (estimator, target) = results.study, results.rows.estimators[BEST_ROW]
    in_sample = {"in sample": Row(clone(estimator).set_params(stage2="in_sample"), target)}
    other = study.run(Rows(in_sample, "vas", ["MAE"], "pooled"))
    both = {"cross-fitted": results[BEST_ROW].predictions, "in sample": other["in sample"].predictions}
    tables = comparable(both, "vas").tables
    asked = ["MAE", "ICC(3,1)", "coverage 50%", "coverage 90%"]
    parts = {
        name: evaluate(tables[name], asked, n_resamples=study.n_resamples, seed=study.seed) for name in both
    }
    return stacked(parts, "stage_2")


def coverage(results: Results) -> pd.DataFrame:
    """Say how often the best setting's bands of 50 and 90 % hold the label, for VAS and OPI.

    Returns
    -------
    DataFrame
        What `painkit.metrics.evaluate` returns, and not_estimated; see `painkit.evaluation.tables.score`.
    """
    study, predictions = results.study, results[BEST_ROW].predictions
    parts = []
    for target in predictions["target"].unique():
        scored = comparable({BEST_ROW: predictions}, str(target))
        asked = ["coverage 50%", "coverage 90%"]
        found = evaluate(scored.tables[BEST_ROW], asked, n_resamples=study.n_resamples, seed=study.seed)
        parts.append(found.assign(not_estimated=scored.not_estimated))
    return pd.concat(parts, ignore_index=True)

"""DeepFaceLIFT's experiments: the rows of Table 1, and what each personal feature is worth (Fig. 4A)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import pandas as pd
from sklearn.base import clone

from painkit.attribution.ard import without_each_feature
from painkit.data.cohort import Cohort
from painkit.evaluation.labels import label_table
from painkit.evaluation.protocols import Protocol
from painkit.evaluation.published import published
from painkit.evaluation.runs import Run
from painkit.evaluation.study import Row, estimated_by_all, run_rows, side_by_side
from painkit.metrics import compare, evaluate, trivial_rows
from painkit.models.sequences.deepfacelift import DeepFaceLIFT
from painkit.models.sequences.hcrf import HCRF
from painkit.models.sequences.mean_voting import MeanVoting
from painkit.models.sequences.sequence_rnn import SequenceRNN

__all__ = [
    "BEST_ROW",
    "PAPER_TRAINING",
    "Row",
    "estimated_by_all",
    "feature_costs",
    "paired_questions",
    "run_rows",
    "score_rows",
    "side_by_side",
    "table_one_rows",
    "training_lengths",
]

_PLACEMENTS: Final = {"none": "none", "third_layer": "3rd layer", "input": "input"}
_LABELS: Final = (("vas", "opi"), ("vas",))
_METRICS: Final = ("MAE", "ICC(3,1)")

#: The setting with the lowest MAE and the highest ICC of the published table.
BEST_ROW: Final = "DeepFaceLIFT, personal features 3rd layer, labels VAS+OPI, statistics VAS"
_WITHOUT_PERSONAL: Final = BEST_ROW.replace("personal features 3rd layer", "personal features none")

#: The training of stage 1 that the paper gives (Sec. 4.1): all frames.
PAPER_TRAINING: Final = {"epochs": 100, "batch_size": 300, "frame_step": 1}


def _plus(names: Iterable[str]) -> str:
    return "+".join(name.upper() for name in names)


def table_one_rows(
    *,
    stage1: Mapping[str, Any] | None = None,
    deepfacelift: Mapping[str, Any] | None = None,
    rnn: Mapping[str, Any] | None = None,
    hcrf: Mapping[str, Any] | None = None,
    random_state: int = 0,
) -> dict[str, Row]:
    """Return the estimators of Table 1 (Liu et al. 2017) under the names its published rows carry.

    Parameters
    ----------
    stage1, deepfacelift, rnn, hcrf : mapping, optional
        Parameters that differ from the defaults, such as ``{"epochs": 10}``: of the stage-1 network (in
        DeepFaceLIFT and mean voting), of DeepFaceLIFT alone, the recurrent network and the HCRF.
    random_state : int
        Seed of each.

    Returns
    -------
    dict of str to Row
        Nine settings of DeepFaceLIFT, six of mean voting, and the RNN and HCRF for each of their six cells.
        The HCRF has one chain for each label, so a second label changes nothing for VAS: it gets none.
        Neither it nor the RNN has a third layer: their cells of that name are the same runs as the input's.
    """
    rows: dict[str, Row] = {}
    cells = [(placement, labels) for placement in _PLACEMENTS for labels in _LABELS]
    for placement, labels in cells:
        shared = {"placement": placement, "labels": labels, "random_state": random_state, **(stage1 or {})}
        for inputs in dict.fromkeys((labels, ("vas",))):
            rows[f"DeepFaceLIFT, {_cell(placement, labels)}, statistics {_plus(inputs)}"] = Row(
                DeepFaceLIFT(gp_inputs=inputs, **shared, **(deepfacelift or {})), labels
            )
        rows[f"NN-MV, {_cell(placement, labels)}"] = Row(MeanVoting(**shared), labels)
    for placement, labels in cells:
        # These have no third layer: personal features go in beside the landmarks.
        where: dict[str, Any] = {
            "placement": "none" if placement == "none" else "input",
            "random_state": random_state,
        }
        rows[f"RNN, {_cell(placement, labels)}"] = Row(SequenceRNN(**where, **(rnn or {})), labels)
        rows[f"HCRF, {_cell(placement, labels)}"] = Row(HCRF(**where, **(hcrf or {})), ("vas",))
    return rows


def _cell(placement: str, labels: tuple[str, ...]) -> str:
    return f"personal features {_PLACEMENTS[placement]}, labels {_plus(labels)}"


def score_rows(
    runs: Mapping[str, Run],
    cohort: Cohort,
    protocol: Protocol,
    *,
    target: str = "vas",
    n_resamples: int = 10_000,
    seed: int = 0,
) -> pd.DataFrame:
    """Score the rows and the trivial rows pooled over sequences, with the published value beside each.

    Parameters
    ----------
    runs : mapping of str to Run
        As from `run_rows`.
    cohort, protocol
        What they were run on; the train mean and median are those of its folds.
    target : str
        Which target is scored.
    n_resamples, seed
        Of the subject bootstrap.

    Returns
    -------
    DataFrame
        row, and what `painkit.metrics.evaluate` returns (MAE on VAS 0-10 and ICC(3,1), average "pooled"),
        published (NaN where the paper has no such row), and not_estimated: the sequences, with their number,
        that some row has no estimate for and that are left out of all (empty where there are none).
    """
    tables, left_out = estimated_by_all(
        _tables(runs, target) | trivial_rows(label_table(cohort, target, protocol))
    )
    scored = pd.concat(
        [
            evaluate(table, _METRICS, "pooled", n_resamples=n_resamples, seed=seed).assign(row=name)
            for name, table in tables.items()
        ],
        ignore_index=True,
    )
    paper = published("deepfacelift")
    values = paper[paper["table"] == "Table 1"].set_index(["row", "metric"])["value"]
    keys = pd.MultiIndex.from_frame(scored[["row", "metric"]])
    scored["published"] = values.reindex(keys).to_numpy()
    scored["not_estimated"] = _told(left_out)
    return scored[["row", *(column for column in scored.columns if column != "row")]]


def paired_questions(
    runs: Mapping[str, Run], cohort: Cohort, protocol: Protocol, *, n_resamples: int = 10_000, seed: int = 0
) -> pd.DataFrame:
    """Ask what the paper claims of its best setting, each as a difference paired over subjects.

    Parameters
    ----------
    runs : mapping of str to Run
        As from `run_rows`, all rows of Table 1.
    cohort, protocol, n_resamples, seed
        See `score_rows`.

    Returns
    -------
    DataFrame
        question, and what `painkit.metrics.compare` returns for MAE and ICC(3,1) on VAS: difference = a - b,
        a being what the question names first; and not_estimated, see `score_rows`.
    """
    vas, left_out = estimated_by_all(
        _tables(runs, "vas") | trivial_rows(label_table(cohort, "vas", protocol))
    )
    best = vas[BEST_ROW]
    questions = {
        "personal features at the third layer, or none": vas[_WITHOUT_PERSONAL],
        "Gaussian process, or mean voting": vas[_cell_of("NN-MV", BEST_ROW)],
        "DeepFaceLIFT, or RNN": vas[_cell_of("RNN", BEST_ROW)],
        "DeepFaceLIFT, or HCRF": vas[_cell_of("HCRF", BEST_ROW)],
        "DeepFaceLIFT, or the train mean": vas["train mean"],
        "DeepFaceLIFT, or the train median": vas["train median"],
        "VAS and OPI labels, or VAS alone": vas[BEST_ROW.replace("VAS+OPI", "VAS")],
    }
    return pd.concat(
        [
            compare(best, other, _METRICS, n_resamples=n_resamples, seed=seed).assign(question=question)
            for question, other in questions.items()
        ],
        ignore_index=True,
    ).assign(not_estimated=_told(left_out))


def _tables(runs: Mapping[str, Run], target: str) -> dict[str, pd.DataFrame]:
    return {name: done.predictions[done.predictions["target"] == target] for name, done in runs.items()}


def _told(left_out: list[str]) -> str:
    return f"{len(left_out)}: {', '.join(left_out)}" if left_out else ""


def _cell_of(model: str, row: str) -> str:
    """Return the row of a baseline in the same cell of the table as a row of DeepFaceLIFT."""
    return row.replace("DeepFaceLIFT", model).split(", statistics")[0]


def feature_costs(
    best: DeepFaceLIFT,
    cohort: Cohort,
    protocol: Protocol,
    out: str | Path,
    *,
    jobs: int = 1,
    scheduler: str | None = None,
    seed: int = 0,
    n_resamples: int = 10_000,
) -> pd.DataFrame:
    """Leave out one personal feature, or OPI, at a time, and report how the error changes (Fig. 4A).

    Parameters
    ----------
    best : DeepFaceLIFT
        The setting with everything in.
    cohort, protocol, out, jobs, scheduler, seed
        See `run_rows`.
    n_resamples : int
        Of the paired subject bootstrap.

    Returns
    -------
    DataFrame
        left_out, and what `painkit.metrics.compare` returns: a is the MAE without it, b with all (VAS 0-10,
        pooled), difference = a - b, with its interval paired over subjects; and not_estimated, see
        `score_rows`.
    """
    rows = {name: Row(variant, variant.labels) for name, variant in without_each_feature(best).items()}
    runs = run_rows(rows, cohort, protocol, out, jobs=jobs, scheduler=scheduler, seed=seed)
    tables, left_out = estimated_by_all(_tables(runs, "vas"))
    full = tables.pop("all")
    return pd.concat(
        [
            compare(table, full, "MAE", n_resamples=n_resamples, seed=seed).assign(left_out=name)
            for name, table in tables.items()
        ],
        ignore_index=True,
    ).assign(not_estimated=_told(left_out))


def training_lengths(
    rows: Mapping[str, Row],
    cohort: Cohort,
    protocol: Protocol,
    out: str | Path,
    *,
    shares: Iterable[float] = (0.03, 0.1, 0.3),
    jobs: int = 1,
    scheduler: str | None = None,
    seed: int = 0,
    n_resamples: int = 10_000,
) -> pd.DataFrame:
    """Ask two of the paper's questions again of networks that were trained for a part of their epochs.

    All frames of a sequence carry one label, so a network that is trained for long comes to know the training
    subjects. Test subjects tell when; choosing a length by this table would be choosing on them.

    Parameters
    ----------
    rows : mapping of str to Row
        As from `table_one_rows`; their `epochs` are the full length.
    shares : iterable of float
        Of the epochs, each rounded to one epoch at least; the full length is always there.
    cohort, protocol, out, jobs, scheduler, seed
        See `run_rows`.
    n_resamples : int
        Of the paired subject bootstrap.

    Returns
    -------
    DataFrame
        epochs, question, other (the row that the best is compared with), and what `painkit.metrics.compare`
        returns: a is the MAE of the best row, b of the other (VAS 0-10, pooled), difference = a - b, with its
        interval paired over subjects; and not_estimated, see `score_rows`.
    """
    others = {
        "personal features at the third layer, or none": _WITHOUT_PERSONAL,
        "Gaussian process, or mean voting": _cell_of("NN-MV", BEST_ROW),
    }
    longest = rows[BEST_ROW].estimator.epochs
    parts = []
    for epochs in sorted({max(1, round(share * longest)) for share in (*shares, 1)}):
        trained = {
            name: Row(clone(rows[name].estimator).set_params(epochs=epochs), rows[name].target)
            for name in (BEST_ROW, *others.values())
        }
        runs = run_rows(trained, cohort, protocol, out, jobs=jobs, scheduler=scheduler, seed=seed)
        tables, left_out = estimated_by_all(_tables(runs, "vas"))
        for question, other in others.items():
            found = compare(tables[BEST_ROW], tables[other], "MAE", n_resamples=n_resamples, seed=seed)
            told = {"epochs": epochs, "question": question, "other": other}
            parts.append(found.assign(**told, not_estimated=_told(left_out)))
    return pd.concat(parts, ignore_index=True)

"""How much does each leak inflate the score of an estimator, beside the same under subject folds?"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, fields, replace
from os import PathLike
from textwrap import shorten
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import clone

from painkit.data.cohort import Cohort
from painkit.errors import PainkitError, unknown
from painkit.evaluation.copies import CopiesAfterSplit, CopiesBeforeSplit
from painkit.evaluation.near_copies import NearCopies, count_near_copies
from painkit.evaluation.protocols import Protocol, RandomFrames, SequenceKFold
from painkit.evaluation.samples import Samples, samples
from painkit.evaluation.selection import Goodness, best_by_test_score, settings_of, within_training
from painkit.evaluation.study import Row, Rows, Study
from painkit.evaluation.tables import comparable
from painkit.metrics import Average, compare
from painkit.metrics.statistics import SMALLER_IS_BETTER
from painkit.models.features.frame_features import landmark_features
from painkit.progress import tqdm

__all__ = ["SUBJECT_FOLDS", "audit", "known_to_training", "near_copy_definition"]

#: What the leaks are compared with.
SUBJECT_FOLDS: Final = "subject folds"


_FIRST: Final = ["row", "leak", "applies", "metric", "leaky", "honest", "inflation", "low", "high"]
_COUNTS: Final = [one.name for one in fields(NearCopies) if one.name != "near_distance"]
_KNOWN: Final = [
    "test_samples",
    "subject_in_training",
    "sequence_in_training",
    "near_in_time",
    "near_in_space",
    "copy_in_training",
]
_WHOLE: Final = dict.fromkeys([*_COUNTS, "n", "groups", "undefined"], "Int64")


@dataclass(frozen=True)
class _Arm:
    """One way to come by estimates: rows that are run under a protocol, the best of them in each fold."""

    protocol: Protocol
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class _Leak:
    """A leak and its honest twin; without arms it does not apply, and the note says why."""

    name: str
    leaky: _Arm | None = None
    compared_with: str = SUBJECT_FOLDS
    twin: _Arm | None = None
    note: str = ""


def audit(
    study: Study,
    rows: Rows,
    row: str,
    *,
    candidates: Mapping[str, Sequence[Any]] | None = None,
    picked_by: str | None = None,
    inner_folds: int = 3,
    by_subject: Any = None,
    metrics: Sequence[str] | None = None,
    average: Average | None = None,
    near: int = 5,
) -> pd.DataFrame:
    """Run one estimator under protocols that leak, and compare each with its honest twin.

    * *Sequence folds*, *random frames*: as many folds as the study's protocol has, over the same samples. A
      model over time finds gaps in the sequences of random frames, which may cost it what the leak gives.
    * *Selection on the test set*: in each of the study's folds the best of `candidates` by the fold's test
      score; its twin chooses by subject folds within the fold's training subjects.
    * *Augmentation before the split*: a copy of every sample, dealt to the folds as if it were one of its
      own; its twin trains on copies of training samples. See `painkit.evaluation.copies`.
    * *Per-subject scaling*: landmarks or features in standard deviations of each subject's own frames, test
      subjects too; its twin takes mean and deviation of the training frames. No label is looked at: this is
      adaptation to the test subject, to be told rather than to be called wrong.

    Every run is kept as those of `study.run` are, and an audit that was cut off goes on. Scores are taken on
    the samples that all estimate; copies are never tested.

    Parameters
    ----------
    study : Study
        Its protocol keeps subjects apart.
    rows, row : Rows, str
        The estimator, and how it is scored.
    candidates : mapping of str to sequence, optional
        Parameters and the values they are chosen from, such as ``{"iterations": [50, 200]}``.
    picked_by : str, optional
        Metric they are chosen by; default the first that is scored.
    inner_folds : int
        Folds within the training subjects.
    by_subject : estimator, optional
        The same estimator with inputs scaled by subject, where painkit cannot tell: it sets `standardize`, or
        scales `features` of frames.
    metrics : sequence of str, optional
        Default those the questions of `rows` are asked in.
    average : {"pooled", "per_subject"}, optional
        Default that of `rows`; pooled where that is per fold, since folds differ between protocols.
    near : int
        Frames of a sequence that are at most so far apart are near copies of each other.

    Returns
    -------
    DataFrame
        A row for each leak and metric, the subject folds themselves first: row, leak, applies, metric, leaky,
        honest, inflation (how much better the leaky score looks: their difference, of errors with its sign
        turned), low, high (95 % interval of that, paired, from a bootstrap over subjects), average, n
        (samples), groups, undefined, scale, test_samples and what follows it (the counts of
        `painkit.evaluation.near_copies.NearCopies`), compared_with, note, not_estimated, cohort. What does
        not apply, or was not measured, is missing, and the note says why.

    Raises
    ------
    PainkitError
        When the study's protocol leaks itself, for an unknown row or parameter, and as runs do.
    """
    if study.protocol.leaky:
        raise PainkitError(
            f"an audit compares with subject folds, and {study.protocol.name} is none",
            expected="a study whose protocol keeps subjects apart, such as subject_k_fold(5)",
        )
    own = rows.only([row]).estimators[row]
    asked = list(metrics or rows.asked or rows.metrics)
    average = average or ("pooled" if rows.average == "per_fold" else rows.average)
    if average == "per_fold":
        raise PainkitError("folds differ between protocols", expected="average 'pooled' or 'per_subject'")
    found = samples(study.cohort, own.target)
    goodness = Goodness(picked_by or asked[0], average, found.targets, rows.target)
    leaks = [
        *_by_protocol(study, found, own),
        _by_selection(study, found, own, candidates or {}, goodness, inner_folds),
        _by_copies(study, own),
        _by_scaling(study, own, by_subject),
    ]
    arms = {SUBJECT_FOLDS: _Arm(study.protocol, (own,))}
    arms |= {leak.name: leak.leaky for leak in leaks if leak.leaky is not None}
    arms |= {leak.compared_with: leak.twin for leak in leaks if leak.twin is not None}
    scored = comparable(_estimates(study, arms, goodness, row), rows.target)
    space = landmark_features(study.cohort.landmarks) if found.unit == "frame" else None
    counts: dict[Protocol, NearCopies] = {}
    lines: list[dict[str, Any]] = []
    for leak in (_Leak(SUBJECT_FOLDS, arms[SUBJECT_FOLDS]), *leaks):
        told = {"row": row, "leak": leak.name, "applies": leak.leaky is not None, "note": leak.note}
        if leak.leaky is None:
            lines += [{**told, "metric": metric} for metric in asked]
            continue
        protocol = leak.leaky.protocol
        if protocol not in counts:
            folds = [fold.only(found.usable) for fold in protocol.splits(found.table)]
            counts[protocol] = count_near_copies(found.table, folds, near=near, space=space)
        told |= asdict(counts[protocol])
        differences = compare(
            scored.tables[leak.name],
            scored.tables[leak.compared_with],
            asked,
            average,
            n_resamples=study.n_resamples,
            seed=study.seed,
        )
        with_itself = leak.name == SUBJECT_FOLDS
        told["compared_with"] = "" if with_itself else leak.compared_with
        lines += [told | _inflation(line, with_itself) for line in differences.to_dict("records")]
    table = pd.DataFrame(lines).astype(_WHOLE).fillna({"compared_with": ""})
    last: dict[str, Any] = {
        "note": table.pop("note"),
        "not_estimated": scored.not_estimated,
        "cohort": study.cohort.name,
    }
    return table[[*_FIRST, *table.columns.drop(_FIRST)]].assign(**last)


def _estimates(
    study: Study, arms: Mapping[str, _Arm], goodness: Goodness, row: str
) -> dict[str, pd.DataFrame]:
    """Run all arms; one table of predictions each."""
    tables = {}
    for name, arm in (bar := tqdm(arms.items(), desc=shorten(f"audit of {row}", 40), unit="split")):
        bar.set_postfix_str(shorten(name, 24, placeholder=" ..."))
        under = replace(study, protocol=arm.protocol)
        parts = [under.run_row(one).predictions for one in arm.rows]
        tables[name] = parts[0] if len(parts) == 1 else best_by_test_score(parts, goodness)
    return tables


def _inflation(difference: Mapping[Hashable, Any], with_itself: bool) -> dict[str, Any]:
    """Turn a difference leaky - honest so that it is above 0 where the leak makes the score look better."""
    line = {str(name): value for name, value in difference.items()}
    value, low, high = line.pop("difference"), line.pop("low"), line.pop("high")
    if line["metric"] in SMALLER_IS_BETTER:
        value, low, high = 0.0 - value, 0.0 - high, 0.0 - low  # no -0
    if with_itself:
        value = low = high = float("nan")
    named = {"leaky": line.pop("a"), "honest": line.pop("b"), "inflation": value, "low": low, "high": high}
    return named | line


def _by_protocol(study: Study, found: Samples, own: Row) -> list[_Leak]:
    """Sequence folds and random frames, as many folds as the study's protocol has."""
    k = len(study.protocol.splits(found.table))
    random = _Leak("random frames", note="the samples are whole sequences")
    if found.unit == "frame":
        random = _Leak("random frames", _Arm(RandomFrames(k, study.seed), (own,)))
    return [_Leak("sequence folds", _Arm(SequenceKFold(k, study.seed), (own,))), random]


def _by_selection(
    study: Study,
    found: Samples,
    own: Row,
    candidates: Mapping[str, Sequence[Any]],
    goodness: Goodness,
    inner_folds: int,
) -> _Leak:
    name = "selection on the test set"
    parameters = own.estimator.get_params()
    for parameter in candidates:
        if parameter not in parameters:
            raise unknown(f"parameter of {type(own.estimator).__name__}", parameter, parameters)
    every = [Row(clone(own.estimator).set_params(**one), own.target) for one in settings_of(candidates)]
    if len(every) < 2:
        return _Leak(name, note="no two candidate settings were given to choose from")
    subjects = found.table["subject"].to_numpy()
    folds = [fold.only(found.usable) for fold in study.protocol.splits(found.table)]
    if min(len(set(subjects[fold.train])) for fold in folds) < 2:
        return _Leak(name, note="a fold trains on one subject: nothing is left to choose by")
    inner = Row(within_training(own.estimator, candidates, goodness, inner_folds), own.target)
    return _Leak(
        name,
        _Arm(study.protocol, tuple(every)),
        "selection within training subjects",
        _Arm(study.protocol, (inner,)),
        note=f"the best of {len(every)} settings ({', '.join(candidates)}) by {goodness.metric}",
    )


def _by_copies(study: Study, own: Row) -> _Leak:
    return _Leak(
        "augmentation before the split",
        _Arm(CopiesBeforeSplit(study.protocol, study.seed), (own,)),
        "augmentation after the split",
        _Arm(CopiesAfterSplit(study.protocol), (own,)),
        note="one copy of each sample",
    )


def _by_scaling(study: Study, own: Row, by_subject: Any) -> _Leak:
    name, twin, given = "per-subject scaling with test subjects", "scaling by training frames", own.estimator
    parameters = given.get_params(deep=False)
    by_training, note = given, ""
    if by_subject is not None:
        note = "as given"
    elif parameters.get("standardize") in ("subject", "train"):
        by_training = clone(given).set_params(standardize="train")
        by_subject = clone(given).set_params(standardize="subject")
        note = f"{SUBJECT_FOLDS}: standardize={parameters['standardize']!r}"
    elif (features := _frame_features(parameters.get("features"), study.cohort)) is not None:
        by_subject = clone(given).set_params(features=_scaled_by_subject(features, study.cohort))
        note = "features in standard deviations of each subject's own frames"
    else:
        return _Leak(name, note="the estimator has no inputs that painkit could scale by subject")
    arms = [_Arm(study.protocol, (Row(one, own.target),)) for one in (by_subject, by_training)]
    return _Leak(name, arms[0], twin, arms[1], note=note)


def _frame_features(features: Any, cohort: Cohort) -> NDArray[np.float32] | None:
    """Features of the cohort's frames, where they are that."""
    if isinstance(features, str | PathLike):
        with suppress(OSError, ValueError):
            features = np.load(features)
    fits = isinstance(features, np.ndarray) and features.ndim == 2 and len(features) == len(cohort.frames)
    return features.astype(np.float32) if fits else None


def _scaled_by_subject(features: NDArray[np.float32], cohort: Cohort) -> NDArray[np.float32]:
    """Features in standard deviations of the subject's frames that have any; 0 where one does not vary."""
    scaled = np.full_like(features, np.nan)
    subjects, placed = cohort.frames["subject"].to_numpy(), np.isfinite(features).all(axis=1)
    for subject in cohort.subjects["subject"]:
        own = placed & (subjects == subject)
        if own.any():
            values = features[own].astype(np.float64)
            deviation = values.std(axis=0)
            scaled[own] = (values - values.mean(axis=0)) / np.where(deviation > 1e-6, deviation, 1.0)
    return scaled


def known_to_training(table: pd.DataFrame) -> pd.DataFrame:
    """Lay out, once for each leak of a table of `audit` that was run, how many test samples training knows.

    Returns
    -------
    DataFrame
        leak, test_samples, subject_in_training, sequence_in_training, near_in_time, near_in_space,
        copy_in_training; what was not measured is left out. See `painkit.evaluation.near_copies.NearCopies`.
    """
    once = table[table["applies"]].drop_duplicates("leak")
    return once[["leak", *_KNOWN]].dropna(axis=1, how="all").reset_index(drop=True)


def near_copy_definition(table: pd.DataFrame) -> str:
    """Say what counts as a near copy in a table of `audit`."""
    frames, distance = table["near_frames"].max(), table["near_distance"].max()
    if table["near_in_time"].isna().all():
        return "Samples are whole sequences here: only an augmented copy is a near copy."
    told = f"A frame is a near copy in time of another of its sequence that is at most {frames:g} frames away"
    if not np.isfinite(distance):
        return f"{told}. Where faces lie was not measured."
    return (
        f"{told}; in space, of any whose landmarks in the aligned face lie within {distance:.3g} pixels "
        "(over all landmarks together), the median distance of such neighbours."
    )

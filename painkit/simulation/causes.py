"""What makes the labels: felt pain, expressiveness, the reporting of it, and who the subjects are.

Everything is drawn from streams that belong to one subject or one sequence, so the order of the work does not
matter. The counts in `facts` say how often each subject shows which level; the latent values here only decide
where.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d
from scipy.stats import norm

from painkit.simulation.facts import Facts, SubjectFacts, facts
from painkit.vocabulary.pain import level_0_5
from painkit.vocabulary.scales import SCALES

__all__ = [
    "AGE_EFFECT",
    "COMPLEXION_EFFECT",
    "DURATION",
    "FELT_SD",
    "GENDER_EFFECT",
    "LEAK_SD",
    "OBSERVER_NOISE",
    "REPORT_NOISE",
    "TRACE",
    "Latents",
    "draw_latents",
    "stream",
    "to_histogram",
]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

FELT_SD = 1.0
"""Standard deviation of felt pain between the sequences of one subject; the unit of all effects below."""
SUBJECT_SHARE = 0.3
"""Standard deviations of a subject's mean felt pain for one of how much the subject shows; the rest of what
is shown is expressiveness."""
LEAK_SD = 0.1
"""What is shown departs from what is felt, within a subject, by this standard deviation."""
AGE_EFFECT = {"young": -0.8, "middle-aged": 0.0, "elderly": 0.8}
"""Added to felt pain before it is reported (VAS); the strongest personal effect."""
COMPLEXION_EFFECT = {"pale-fair": 0.35, "fair-olive": 0.0, "olive-dark": -0.35}
"""Added to felt pain before it is reported."""
GENDER_EFFECT = {"female": 0.25, "male": -0.25}
"""Added to felt pain before it is reported."""
DURATION = 0.9
"""How much longer a stronger pain shows: log of the painful frames for one unit of what is shown."""
REPORT_NOISE = 0.15
"""Standard deviation of the noise in a report of felt pain."""
OBSERVER_NOISE = 0.12
"""Standard deviation of the noise in an observer's rating of log(1 + what is visible)."""
TRACE = 0.45
"""Highest movement below the threshold of coding, on the 0-5 scale of action units (coded from 0.5)."""


def stream(seed: int, *key: int) -> np.random.Generator:
    """Random numbers that belong to one thing alone: `key` is (purpose, index, ...)."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))


def to_histogram(score: Floats, histogram: Ints) -> Ints:
    """Values 0, 1, ... in the order of `score`, each as often as `histogram` says."""
    values = np.empty(len(score), int)
    values[np.argsort(score, kind="stable")] = np.repeat(np.arange(len(histogram)), histogram)
    return values


@dataclass(frozen=True)
class Latents:
    """Latent and observed values of a cohort; black frames are part of it.

    Parameters
    ----------
    subjects : DataFrame
        subject, gender, age, complexion, shown (z-score of how much the facts let the subject show),
        felt_mean, expressiveness, and the effects age_effect, gender_effect, complexion_effect on reports.
    sequences : DataFrame
        subject, sequence, n_frames, black (frames at its start), felt, shown, peak, visible, report, rating
        (the scores that VAS and OPI rank), vas, opi, aff, sen.
    start : ndarray, shape (n_sequences + 1,)
        Rows of sequence i are ``start[i]:start[i + 1]``.
    pspi : ndarray, shape (n_frames,)
        PSPI 0-15.
    depth : ndarray, shape (n_frames,)
        PSPI before it was rounded: within half a unit of `pspi` where that is positive, below 0.5 elsewhere.
    trace : ndarray, shape (n_frames,)
        Movement below the threshold of coding, 0 to `TRACE`.
    """

    subjects: pd.DataFrame
    sequences: pd.DataFrame
    start: Ints
    pspi: Ints
    depth: Floats
    trace: Floats

    @property
    def level(self) -> Ints:
        """Level 0-5 of every frame: PSPI through 0, 1, 2, 3, 4-5, 6+."""
        return level_0_5(self.pspi).astype(np.int64)


def draw_latents(profile: str, seed: int) -> Latents:
    """Draw who feels, shows and reports what, so that the facts of the profile are met exactly."""
    known = facts(profile)
    subjects = _subjects(known, seed)
    traits = subjects.to_dict("records")
    sequences: list[pd.DataFrame] = []
    curves: list[Floats] = []
    index = 0
    for number, fact in enumerate(known.subjects):
        table, drawn = _sequences_of(fact, known, traits[number], seed, number, index)
        sequences.append(table)
        curves += drawn
        index += len(table)
    table = pd.concat(sequences, ignore_index=True)
    start = np.concatenate([[0], np.cumsum(table["n_frames"].to_numpy())])
    pspi, depth, trace = _rank(known, table, start, curves)
    _report(known, subjects, table, start, depth + trace, seed)
    return Latents(subjects, table, start, pspi, depth, trace)


def _subjects(known: Facts, seed: int) -> pd.DataFrame:
    n = len(known.subjects)
    amount = np.log1p([100 * np.dot(s.level_counts, range(6)) / sum(s.level_counts) for s in known.subjects])
    shown = (amount - amount.mean()) / amount.std()
    rng = stream(seed, 0)
    # Few subjects: of many balanced draws keep the one whose effects are least confounded.
    effects = (AGE_EFFECT, GENDER_EFFECT, COMPLEXION_EFFECT)
    draws = [[rng.permutation(np.arange(n) % len(effect)) for effect in effects] for _ in range(400)]
    values = [list(effect.values()) for effect in effects]

    def confounding(draw: list[Ints]) -> float:
        columns = [np.take(v, d) for v, d in zip(values, draw, strict=True)]
        return float((np.triu(np.corrcoef([*columns, shown]), 1) ** 2).sum())

    best = min(draws, key=confounding)
    age, gender, complexion = (np.array(list(e))[d] for e, d in zip(effects, best, strict=True))
    felt_mean = SUBJECT_SHARE * shown
    return pd.DataFrame(
        {
            "subject": [s.subject for s in known.subjects],
            "gender": gender,
            "age": age,
            "complexion": complexion,
            "shown": shown,
            "felt_mean": felt_mean,
            "expressiveness": shown - felt_mean,
            "age_effect": [AGE_EFFECT[a] for a in age],
            "gender_effect": [GENDER_EFFECT[g] for g in gender],
            "complexion_effect": [COMPLEXION_EFFECT[c] for c in complexion],
        }
    )


def _sequences_of(
    fact: SubjectFacts, known: Facts, subject: Mapping[Hashable, Any], seed: int, number: int, index: int
) -> tuple[pd.DataFrame, list[Floats]]:
    """Felt pain and a curve of it for every sequence: above 0 where pain is coded, else -1 to 0."""
    lengths = np.array(list(fact.sequences.values()))
    n, total = len(lengths), sum(fact.level_counts[1:])
    rng = stream(seed, 1, number)
    while True:  # until the sequences that show most are long enough for all frames with pain
        felt = subject["felt_mean"] + FELT_SD * rng.standard_normal(n)
        shown = felt + subject["expressiveness"] + LEAK_SD * rng.standard_normal(n)
        painful = np.argsort(np.argsort(shown)) >= fact.all_zero_sequences
        if lengths[painful].sum() - 6 * painful.sum() >= total:
            break
    share = np.zeros(n, int)
    weight = lengths * np.exp(DURATION * (shown - shown.mean()) + 0.4 * rng.standard_normal(n))
    if total:
        share[painful] = _apportion(total, weight[painful], lengths[painful] - 6)
    peak = np.where(painful, 1 + norm.cdf(shown - shown.mean()), norm.cdf(felt - 0.2))
    curves = []
    for i in range(n):
        curve = _bursts(stream(seed, 2, index + i), lengths[i], share[i])
        if painful[i]:
            ordered = np.sort(curve)[::-1]
            threshold = (ordered[share[i] - 1] + ordered[share[i]]) / 2
            above = peak[i] * (curve - threshold) / (ordered[0] - threshold)
            curve = np.where(curve > threshold, above, curve / threshold - 1)
        else:
            curve = peak[i] * curve / curve.max() - 1
        curves.append(curve)
    names = list(fact.sequences)
    black = [known.black.get(name, 0) for name in names]
    columns = {
        "subject": fact.subject,
        "sequence": names,
        "n_frames": lengths + black,
        "black": black,
        "felt": felt,
        "shown": shown,
        "peak": peak,
    }
    return pd.DataFrame(columns), curves


def _apportion(total: int, weight: Floats, most: Ints) -> Ints:
    """Whole numbers near proportional to `weight`, at least 1 and at most `most`, that sum to `total`."""
    low, high = 0.0, float(total / weight.min() + 1)
    for _ in range(80):
        scale = (low + high) / 2
        low, high = (scale, high) if np.clip(scale * weight, 1, most).sum() < total else (low, scale)
    exact = np.clip(high * weight, 1, most)
    share: Ints = np.floor(exact + 1e-9).astype(int)
    for i in np.argsort(share - exact, kind="stable")[: total - share.sum()]:
        share[i] += 1
    return share


def _bursts(rng: np.random.Generator, length: int, share: int) -> Floats:
    """A positive curve of one to five bursts, quick to rise and slow to fall."""
    count = int(np.clip(1 + rng.poisson(share / 90 if share else 0.6), 1, 5))
    time = np.arange(length)
    curve = np.full(length, 1e-3)
    width = max(share, 0.15 * length) / count * np.exp(0.7 * rng.standard_normal(count))
    center = rng.uniform(0.1, 0.95, count) * length
    height = np.concatenate([[1.0], rng.uniform(0.45, 0.95, count - 1)])
    for c, w, h in zip(center, width, height, strict=True):
        distance = np.where(time < c, (c - time) / (0.4 * w), (time - c) / (0.8 * w))
        curve = np.maximum(curve, h * np.exp(-(distance**1.6)))
    wiggle = gaussian_filter1d(rng.standard_normal(length), 5, mode="reflect")
    # Far from every burst the curve still differs from frame to frame, so that ranks have no ties.
    return np.asarray(curve * (1 + 0.25 * wiggle) + 1e-4 * (1 + wiggle), float).clip(1e-9)


def _rank(
    known: Facts, table: pd.DataFrame, start: Ints, curves: list[Floats]
) -> tuple[Ints, Floats, Floats]:
    """PSPI by rank of the curves: levels within each subject, the finer steps over the cohort."""
    black = table["black"].to_numpy()
    value = np.concatenate([np.r_[np.full(b, -1.0), c] for b, c in zip(black, curves, strict=True)])
    subject = np.repeat(table["subject"].to_numpy(), table["n_frames"])
    level = np.zeros(len(value), int)
    for fact in known.subjects:
        rows = np.flatnonzero(subject == fact.subject)
        counts = np.array(fact.level_counts)
        counts[0] = len(rows) - counts[1:].sum()  # black frames are at level 0
        level[rows] = to_histogram(value[rows], counts)
    pspi = np.minimum(level, 4)
    finer = level >= 4
    pspi[finer] = 4 + to_histogram(level[finer] + 0.01 * value[finer], known.pspi_histogram[4:])
    trace = TRACE * np.clip(1 + value, 0, 1)
    depth = np.where(pspi > 0, 0.0, 0.5 * np.clip((value + 0.3) / 0.3, 0, 1) ** 2)
    for fact in known.subjects:
        for p in range(1, 16):
            rows = np.flatnonzero((subject == fact.subject) & (pspi == p))
            if len(rows):
                low, high = value[rows].min(), value[rows].max()
                depth[rows] = p - 0.49 + 0.98 * (value[rows] - low) / max(high - low, 1e-9)
    all_zero = np.repeat(np.maximum.reduceat(pspi, start[:-1]) == 0, table["n_frames"])
    depth[all_zero] = 0
    return pspi, depth, trace


def _report(
    known: Facts, subjects: pd.DataFrame, table: pd.DataFrame, start: Ints, depth: Floats, seed: int
) -> None:
    """Add what is visible, the scores of report and rating, and VAS, OPI, AFF and SEN to `table`."""
    effects = subjects.set_index("subject")[["age_effect", "gender_effect", "complexion_effect"]].sum(axis=1)
    noise = np.array([stream(seed, 3, i).standard_normal(4) for i in range(len(table))])
    tops = [np.sort(depth[a:b])[-max((b - a) // 10, 1) :].mean() for a, b in pairwise(start)]
    table["visible"] = tops
    report = table["felt"] + table["subject"].map(effects) + REPORT_NOISE * noise[:, 0]
    table["report"] = report
    table["rating"] = np.log1p(table["visible"]) + OBSERVER_NOISE * noise[:, 1]
    table["vas"] = to_histogram(table["report"].to_numpy(), known.vas_histogram)
    table["opi"] = to_histogram(table["rating"].to_numpy(), known.opi_histogram)
    for column, name in ((2, "aff"), (3, "sen")):  # verbal scales
        score = np.round(1.5 * table["vas"] + noise[:, column])
        table[name] = np.clip(score, SCALES[name].low, SCALES[name].high).astype(int)

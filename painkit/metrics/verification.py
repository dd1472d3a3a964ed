"""How well features tell people apart: chance that two images of one person are the more alike."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from painkit.errors import PainkitError
from painkit.metrics.bootstrap import percentile_interval

__all__ = ["AreaUnderCurve", "verification_auc"]


class AreaUnderCurve(NamedTuple):
    """Verification AUC, or a difference of two, with the interval of a bootstrap over identities."""

    value: float
    low: float
    high: float
    n_pairs: int
    n_identities: int
    n_left_out: int


def verification_auc(
    features: NDArray[np.floating],
    identities: ArrayLike,
    *,
    baseline: NDArray[np.floating] | None = None,
    max_pairs: int = 1_000_000,
    n_resamples: int = 300,
    seed: int = 0,
) -> AreaUnderCurve:
    """Chance that two images of one person are more alike than two images of two persons.

    Likeness is the cosine of the features; 0.5 is chance.

    Parameters
    ----------
    features : (n, d) array
        NaN rows are left out and counted.
    identities : (n,) array
    baseline : (n, e) array, optional
        Features of another net for the same images. The result is then the AUC of `features` minus that of
        `baseline`, with both on the same pairs and resamples.
    max_pairs : int
        Of one person, and of two. Where there are more, so many are drawn at random.
    n_resamples : int
        Of the bootstrap, for an interval of 95 %. Identities are drawn, since images of one person are not
        independent.
    seed : int

    Raises
    ------
    PainkitError
        When fewer than two identities have features, or none has two images.
    """
    both = [features] if baseline is None else [features, baseline]
    usable = np.logical_and.reduce([np.isfinite(one).all(axis=1) for one in both])
    names, who = np.unique(np.asarray(identities).astype(str)[usable], return_inverse=True)
    if names.size < 2 or np.bincount(who).max(initial=0) < 2:
        raise PainkitError(
            f"verification needs pairs of the same and of two persons; got {who.size} images of {names.size}",
            expected="at least 2 identities, one of them with 2 images",
        )
    rng = np.random.default_rng(seed)
    first, second = _pairs(who, max_pairs, rng)
    a, b = who[first], who[second]
    same = a == b
    ranks = [_likeness_ranks(np.asarray(one, dtype=np.float64)[usable], first, second) for one in both]

    def auc(weight: NDArray[np.floating]) -> float:
        values = [_weighted_auc(same, rank, weight) for rank in ranks]
        return values[0] if baseline is None else values[0] - values[1]

    values = []
    for _ in range(n_resamples):
        # A pair of two persons counts as often as both were drawn together, a person's own pairs as often as
        # the person was drawn. Two copies of one person are not taken for two persons.
        drawn = np.bincount(rng.integers(names.size, size=names.size), minlength=names.size)
        values.append(auc(np.where(same, drawn[a], drawn[a] * drawn[b])))
    interval = percentile_interval(np.array(values))
    counts = (int(same.size), int(names.size), int((~usable).sum()))
    return AreaUnderCurve(auc(np.ones(same.size)), *interval, *counts)


def _pairs(
    who: NDArray[np.intp], max_pairs: int, rng: np.random.Generator
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Pairs of images of one person, and of two, at most `max_pairs` of each kind."""
    order = np.argsort(who, kind="stable")
    counts = np.bincount(who)
    own = [
        np.stack(np.triu_indices(count, 1)) + start
        for count, start in zip(counts, np.cumsum(counts) - counts, strict=True)
    ]
    same = order[np.concatenate(own, axis=1)]
    if same.shape[1] > max_pairs:
        same = same[:, np.sort(rng.choice(same.shape[1], max_pairs, replace=False))]
    if who.size * (who.size - 1) // 2 - same.shape[1] <= max_pairs:
        other = np.stack(np.triu_indices(who.size, 1))
    else:  # with replacement: among so many pairs few come twice
        other = rng.integers(who.size, size=(2, 2 * max_pairs))
    other = other[:, who[other[0]] != who[other[1]]][:, :max_pairs]
    first, second = np.concatenate([same, other], axis=1)
    return first, second


def _likeness_ranks(
    x: NDArray[np.float64], first: NDArray[np.intp], second: NDArray[np.intp]
) -> NDArray[np.intp]:
    """Dense ranks of the pairs' cosines."""
    x = x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)
    cosines = np.empty(first.size)
    for start in range(0, first.size, 65536):  # a few hundred megabytes at 512 features
        part = slice(start, start + 65536)
        cosines[part] = np.einsum("ij,ij->i", x[first[part]], x[second[part]])
    return np.unique(cosines, return_inverse=True)[1]


def _weighted_auc(same: NDArray[np.bool_], rank: NDArray[np.intp], weight: NDArray[np.floating]) -> float:
    """Share of weighted (same, different) couples of pairs in which `same` ranks higher; ties count half.

    On integer ranks, so that a bootstrap need not sort again.
    """
    positive = np.bincount(rank, weight * same)
    negative = np.bincount(rank, weight * ~same)
    total = positive.sum() * negative.sum()
    below = np.cumsum(negative) - negative / 2
    return float(positive @ below / total) if total else float("nan")

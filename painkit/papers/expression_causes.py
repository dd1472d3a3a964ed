"""Does relevance for pain lie where pain moved the face, or where decoys did? Known on simulated clips."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from painkit.data.cohort import Cohort
from painkit.errors import PainkitError
from painkit.evaluation.conclusions import cause_sentence, interval_text
from painkit.evaluation.study import Results
from painkit.faces.regions import unit_masks
from painkit.metrics.bootstrap import percentile_interval, resample_weights
from painkit.papers.expression_images import HeldOutImages
from painkit.papers.expression_maps import PAPER_PRESETS
from painkit.papers.lrp_emotions import classes_of
from painkit.simulation.marker import simulation_of
from painkit.vocabulary.action_units import AUS, UNIT_LANDMARKS

__all__ = ["METHODS", "MOVED", "agreement_with_causes", "causes_sentences", "clip_causes", "frames_by_cause"]

MOVED: Final = 0.5
"""Intensity by which one cause leads the other for a unit to be called its own."""
_UNITS: Final = ("moved more by pain", "moved more by decoys", "moved by neither")
_GAINS: Final = ("gain by pain", "gain by decoys")
_PAIRS: Final = {"difference": _UNITS[:2], "difference of gains": _GAINS}
#: That of the regions' shares, then the paper's others.
METHODS: Final = ("LRPPresetAFlat", *(name for name in PAPER_PRESETS if name != "LRPPresetAFlat"))


def clip_causes(cohort: Cohort) -> pd.DataFrame | None:
    """What moved each frame of simulated clips, by video and frame; None where nobody knows.

    Raises
    ------
    PainkitError
        When the truth beside them is damaged.
    """
    path = cohort.root.parent / "truth" / "clips.parquet"
    if simulation_of(cohort.root) is None or not path.is_file():
        return None
    try:
        return pd.read_parquet(path).set_index(["video", "frame"])
    except (OSError, ValueError, KeyError) as error:
        raise PainkitError(
            f"cannot be read: {error}", where=path, expected="what a simulation wrote"
        ) from error


def frames_by_cause(results: Results, *, per_clip: int = 4) -> NDArray[np.intp]:
    """Choose frames of clips of pain in which pain leads at some unit, and such in which decoys do.

    Decoys come and go: of frames chosen by the clock alone few show any.

    Parameters
    ----------
    results : Results
    per_clip : int
        Frames of each clip for each of the two, evenly spread.

    Returns
    -------
    (n,) array
        Rows of the cohort's frames; none where nobody knows the causes, or no class is called pain.

    Raises
    ------
    PainkitError
        When the truth beside simulated clips is damaged.
    """
    cohort, target = results.study.cohort, results.rows.target
    causes = clip_causes(cohort)
    if causes is None or "pain" not in classes_of(results):
        return np.empty(0, np.intp)
    frames = cohort.frames.reset_index(drop=True)
    frames = frames[frames[target] == "pain"]
    leads = pd.DataFrame([_leading(causes, cohort, row) for row in frames.to_dict("records")], frames.index)
    chosen = [
        own[np.unique(np.linspace(0, len(own) - 1, per_clip).astype(int))]
        for cause in leads
        for own in (
            clip.index.to_numpy()
            for _, clip in frames[leads[cause].map(bool)].groupby(["subject", "sequence"])
        )
    ]
    return np.unique(np.concatenate(chosen)) if chosen else np.empty(0, np.intp)


def agreement_with_causes(
    found: HeldOutImages | None,
    cohort: Cohort,
    methods: Sequence[str] = METHODS,
    *,
    n_resamples: int = 10_000,
    seed: int = 0,
) -> pd.DataFrame:
    """Does relevance for pain lie about the units that pain moved, or about those that decoys moved?

    Of images of true pain the class pain is explained. A cause has the places of the units that it moved more
    than the other did; pixels of both count for neither. Density is the share of positive relevance in these
    places over their share of the picture, 1 for relevance that is spread evenly. Both shares are averaged
    over a subject's images and over subjects before they are divided: a mean of ratios would hang on the
    images where a cause has few pixels. (A difference of the shares would not do: of two causes of the same
    density, the one with more pixels would win.) Raised brows (AU1, 2, 5) and AU15 and 17 have no places.
    Images without positive relevance, as preset A's where the score is below 0, are left out of its rows.

    Causes move different places, and a net may look at the mouth of any face, still or not. The gain of a
    cause is what density its places have beyond that of the same units' places in images of the same subject
    in which neither moved them.

    Parameters
    ----------
    found : HeldOutImages or None
        See `frames_by_cause`.
    cohort : Cohort
    methods : sequence of str
        All are shown; the first is spoken of.
    n_resamples, seed
        Of the bootstrap over subjects.

    Returns
    -------
    DataFrame
        method; units (moved more by pain, moved more by decoys, moved by neither; difference; gain by pain,
        gain by decoys, difference of gains: differences over the subjects that have both); density, low,
        high; area (mean share of the picture), subjects, images. Empty for data that were not simulated,
        without landmarks, or without a class called pain.

    Raises
    ------
    PainkitError
        When the truth beside simulated clips is damaged.
    """
    columns = ["method", "units", "density", "low", "high", "area", "subjects", "images"]
    causes = clip_causes(cohort)
    if found is None or causes is None or "pain" not in found.classes:
        return pd.DataFrame(columns=columns)
    pain = np.flatnonzero((found.frames["true"] == "pain") & np.isfinite(found.landmarks).all(axis=(1, 2)))
    if not pain.size:
        return pd.DataFrame(columns=columns)
    shown = found.take(pain)
    places = [
        list(_places(_leading(causes, cohort, row), points, shown.images.shape[1:3]))
        for row, points in zip(shown.frames.to_dict("records"), shown.landmarks, strict=True)
    ]
    rows: list[tuple[object, ...]] = []
    for method in methods:
        heat = shown.maps(method, found.classes.index("pain")).heatmaps.clip(min=0).astype(np.float64)
        table = pd.DataFrame(
            [
                (subject, units, unit, one[mask].sum() / one.sum(), mask.mean())
                for subject, one, own in zip(shown.frames["subject"], heat, places, strict=True)
                for units, unit, mask in own
                if one.any()
            ],
            columns=["subject", "units", "unit", "share", "area"],
        )
        rows += [(method, *row) for row in _densities(table, n_resamples, seed)]
    return pd.DataFrame(rows, columns=columns)


def causes_sentences(causes: pd.DataFrame) -> list[str]:
    """Say where relevance for pain lies by `agreement_with_causes`, and whether other maps say otherwise."""
    if causes.empty:
        return []
    method = str(causes["method"].iloc[0])
    own = {str(row["units"]): row for row in causes[causes["method"] == method].to_dict("records")}
    told = []
    for what, places, pair in (
        ("Density", {u: f"in places {u}" for u in _UNITS}, "difference"),
        ("Gain in density over the same places at rest", {g: g[5:] for g in _GAINS}, "difference of gains"),
    ):
        values = [f"{interval_text(own[u], 'density')} {where}" for u, where in places.items() if u in own]
        if not values:
            continue
        said = f"{what} of relevance for pain ({method}): {', '.join(values)}."
        if pair not in own:
            told.append(f"{said} No subject has both, so they are not compared.")
            continue
        said += " " + cause_sentence(own[pair], "density", pair)
        others = causes[(causes["units"] == pair) & (causes["method"] != method)].to_dict("records")
        if not own[pair]["low"] > 0 and others:
            tried = [f"{row['method']!s} {interval_text(row, 'density', signed=True)}" for row in others]
            said += f" By other maps: {'; '.join(tried)}."
        told.append(said)
    return told


def _leading(causes: pd.DataFrame, cohort: Cohort, frame: Mapping[Hashable, Any]) -> dict[str, list[int]]:
    """Units with places that each cause moved more than the other did in a frame."""
    video = cohort.sequences["video"][cohort.sequences["sequence"] == frame["sequence"]].iloc[0]
    moved = causes.loc[(video, int(frame["frame"]))]
    lead = {au: moved[f"AU{au}_expression"] - moved[f"AU{au}_decoy"] for au in AUS if au in UNIT_LANDMARKS}
    return {
        name: [au for au, by in lead.items() if sign * by > MOVED]
        for name, sign in zip(_UNITS, (1, -1), strict=False)
    }


def _places(
    leading: Mapping[str, Sequence[int]], points: NDArray[np.floating], size: tuple[int, ...]
) -> Iterator[tuple[str, int, NDArray[np.bool_]]]:
    """Pixels of each cause alone and of units that neither moved: together (unit 0) and unit by unit."""
    masks = unit_masks(points, (size[0], size[1]))
    own = {name: list(leading[name]) for name in _UNITS[:2]}
    own[_UNITS[2]] = [au for au in masks if not any(au in units for units in own.values())]
    joined = {name: np.any([masks[au] for au in units], axis=0) for name, units in own.items() if units}
    for name, units in own.items():
        others = [joined[other] for other in _UNITS[:2] if other != name and other in joined]
        free = ~np.any(others, axis=0) if others else np.ones(size[:2], bool)
        if units:
            parts = [(0, joined[name] & free), *((au, masks[au] & free) for au in units)]
            yield from ((name, au, mask) for au, mask in parts if mask.any())


def _densities(table: pd.DataFrame, n_resamples: int, seed: int) -> Iterator[tuple[object, ...]]:
    """Rows of `agreement_with_causes` of one method, from shares and areas in the images of subjects."""
    subjects = sorted(table["subject"].unique())
    weights = np.vstack([np.ones(len(subjects)), resample_weights(len(subjects), n_resamples, seed)])
    sums, images = _sums(table)
    values, known = {}, {}
    for name, one in sums.items():
        array = one.reindex(subjects).to_numpy(np.float64)
        known[name] = np.isfinite(array).all(axis=1)
        values[name] = _ratios(weights, array, known[name])
        area = float(one["area"].mean())
        yield name, *_interval(values[name], known[name]), area, int(known[name].sum()), images[name]
        for pair, (first, second) in _PAIRS.items():
            if second == name and first in sums and (both := known[first] & known[second]).any():
                arrays = (sums[one].reindex(subjects).to_numpy(np.float64) for one in (first, second))
                a, b = (_ratios(weights, array, both) for array in arrays)
                least = min(images[first], images[second])
                yield pair, *_interval(a - b, both), np.nan, int(both.sum()), least


def _sums(table: pd.DataFrame) -> tuple[dict[str, pd.DataFrame], dict[str, int]]:
    """Share and area of each row of the table, by subject, and in how many images they are."""
    whole, parts = table[table["unit"] == 0], table[table["unit"] > 0]
    images = {str(name): int(count) for name, count in whole["units"].value_counts().items()}
    sums: dict[str, pd.DataFrame] = {
        name: whole[whole["units"] == name].groupby("subject")[["share", "area"]].mean()
        for name in _UNITS
        if name in images
    }
    by = parts.groupby(["units", "subject", "unit"])[["share", "area"]].mean()
    for gain, cause in zip(_GAINS, _UNITS, strict=False):
        if cause in images and _UNITS[2] in images:
            moved, still = by.xs(cause).align(by.xs(_UNITS[2]), join="inner", axis=0)
            if len(moved):
                rest = still["share"] * moved["area"] / still["area"]
                gained = moved.assign(share=moved["share"] - rest)
                sums[gain], images[gain] = gained.groupby("subject").sum(), images[cause]
    return sums, images


def _ratios(
    weights: NDArray[np.float64], sums: NDArray[np.float64], kept: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Share over area, of all the subjects and of each resample; NaN where none of those kept is drawn."""
    top, under = (weights[:, kept] @ sums[kept]).T
    found = np.full(len(weights), np.nan)
    np.divide(top, under, where=under > 0, out=found)
    return found


def _interval(values: NDArray[np.float64], kept: NDArray[np.bool_]) -> tuple[float, float, float]:
    ends = percentile_interval(values[1:]) if kept.sum() > 1 else (np.nan, np.nan)
    return float(values[0]), *ends

"""Where on the face pain, disgust and happiness differ in what a net sees."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from painkit.attribution.pixel_record import PixelRecord
from painkit.attribution.region_reading import region_shares
from painkit.data.cohort import Cohort
from painkit.errors import PainkitError
from painkit.faces.regions import unit_masks
from painkit.metrics.bootstrap import percentile_interval, resample_weights
from painkit.models.nets.vgg_face import to_input
from painkit.papers.expression_images import HeldOutImages
from painkit.papers.lrp_emotions import NET
from painkit.simulation.marker import simulation_of
from painkit.vocabulary.action_units import AUS, UNIT_NAMES

__all__ = ["agreement_with_causes", "class_shares", "differences_sentence", "pixel_record"]

_MOVED: Final = 0.5
"""Intensity by which one cause leads the other for a unit to be called its own."""


def class_shares(
    found: HeldOutImages,
    method: str = "LRPPresetAFlat",
    *,
    n_resamples: int = 10_000,
    seed: int = 0,
) -> pd.DataFrame:
    """Shares of positive relevance in the parts of the face, by the class that the map explains.

    Shares are means of a subject's images first, then over subjects; intervals resample subjects.

    Returns
    -------
    DataFrame
        class (or "pain - disgust", ...: the difference, over the subjects that have both), kind ("part" or
        "unit"), name, value, low, high, area (share of the picture), subjects, images. Empty where no image
        has landmarks.
    """
    shares = region_shares(found.maps(method).heatmaps, found.landmarks)
    facts = found.frames[["subject", "predicted"]].rename_axis("image").reset_index()
    shares = shares.merge(facts, on="image").dropna(subset=["positive", "area"])
    columns = ["class", "kind", "name", "value", "low", "high", "area", "subjects", "images"]
    subjects = sorted(shares["subject"].unique())
    if not subjects:
        return pd.DataFrame(columns=columns)
    weights = resample_weights(len(subjects), n_resamples, seed)
    rows: list[tuple[object, ...]] = []
    for (kind, name), part in shares.groupby(["kind", "name"], sort=False):
        by = part.pivot_table(index="subject", columns="predicted", values="positive").reindex(subjects)
        counts = part["predicted"].value_counts()
        shown = [c for c in found.classes if c in by]
        compared = {c: by[c] for c in shown} | {
            f"{shown[0]} - {other}": by[shown[0]] - by[other] for other in shown[1:]
        }
        for label, values in compared.items():
            mean, low, high, known = _over_subjects(values, weights)
            images = int(counts.get(label, counts.sum()))
            rows.append((label, kind, name, mean, low, high, part["area"].mean(), known, images))
    return pd.DataFrame(rows, columns=columns)


def differences_sentence(shares: pd.DataFrame, found: HeldOutImages) -> str:
    """Say in which parts of the face pain's share of relevance differs from another class's."""
    if shares.empty:
        return f"No image has landmarks, so maps are not read by parts of the face: {found.note}"
    parts = shares[(shares["kind"] == "part") & ~shares["class"].isin(found.classes)]
    told = parts[(parts["low"] > 0) | (parts["high"] < 0)]
    said = [
        f"{row['class']}: {row['name']} {100 * row['value']:+z.1f} points ({100 * row['low']:+z.1f} to "
        f"{100 * row['high']:+z.1f})"
        for _, row in told.iterrows()
    ]
    others = f"The other {len(parts) - len(told)} of {len(parts)} differences hold 0 in their interval"
    doubt = "intervals are not corrected for their number"
    return f"Shares of positive relevance differ for {'; '.join(said) or 'no part'}. {others}; {doubt}."


def agreement_with_causes(
    found: HeldOutImages,
    cohort: Cohort,
    method: str = "LRPPresetAFlat",
    *,
    n_resamples: int = 10_000,
    seed: int = 0,
) -> pd.DataFrame:
    """Does relevance for pain lie about the units that pain moved, or about those that decoys moved?

    Of images of true pain the class pain is explained. The density of a unit's places is the share of
    positive relevance there over their share of the picture: 1 is what relevance spread evenly would give.

    Returns
    -------
    DataFrame
        units (moved more by pain, moved more by decoys, difference), density, low, high (means of subjects,
        which the intervals resample), subjects, images. Empty for data that were not simulated, or without
        landmarks.

    Raises
    ------
    PainkitError
        When the truth beside simulated clips is damaged.
    """
    columns = ["units", "density", "low", "high", "subjects", "images"]
    causes = _causes(cohort)
    pain = np.flatnonzero((found.frames["true"] == "pain") & np.isfinite(found.landmarks).all(axis=(1, 2)))
    if causes is None or not pain.size:
        return pd.DataFrame(columns=columns)
    shown = found.take(pain)
    shares = region_shares(shown.maps(method, found.classes.index("pain")).heatmaps, shown.landmarks)
    own = shares[shares["kind"] == "unit"].assign(density=shares["positive"] / shares["area"])
    videos = cohort.sequences.set_index("sequence")["video"]
    parts = []
    for image, row in enumerate(shown.frames.to_dict("records")):
        moved = causes.loc[(videos[row["sequence"]], int(row["frame"]))]
        expression, decoys = (
            moved[[f"AU{au}_{cause}" for au in AUS]].to_numpy(np.float64) for cause in ("expression", "decoy")
        )
        for name, leads in (
            ("moved more by pain", expression - decoys),
            ("moved more by decoys", decoys - expression),
        ):
            leading = [f"AU{au}" for au, lead in zip(AUS, leads, strict=True) if lead > _MOVED]
            found_there = own[own["image"].eq(image) & own["name"].isin(leading)]["density"].dropna()
            if len(found_there):
                parts.append((row["subject"], name, float(found_there.mean())))
    if not parts:
        return pd.DataFrame(columns=columns)
    table = pd.DataFrame(parts, columns=["subject", "units", "density"])
    by = table.pivot_table(index="subject", columns="units", values="density")
    names = [name for name in ("moved more by pain", "moved more by decoys") if name in by]
    compared = {name: by[name] for name in names}
    if len(names) == 2:
        compared["difference"] = by[names[0]] - by[names[1]]
    weights = resample_weights(len(by), n_resamples, seed)
    counts = table["units"].value_counts()
    rows = []
    for name, values in compared.items():
        mean, low, high, n_subjects = _over_subjects(values, weights)
        rows.append((name, mean, low, high, n_subjects, int(counts.get(name, counts.min()))))
    return pd.DataFrame(rows, columns=columns)


def pixel_record(found: HeldOutImages, cohort: Cohort) -> PixelRecord:
    """Hand the images to the pixel explorer; on simulated clips with the places of the units shown.

    Raises
    ------
    PainkitError
        When the truth beside simulated clips is damaged.
    """
    videos = cohort.sequences.set_index("sequence")["video"]
    causes, size = _causes(cohort), (found.images.shape[1], found.images.shape[2])
    regions: list[dict[str, NDArray[np.bool_]]] = []
    for row, points in zip(found.frames.to_dict("records"), found.landmarks, strict=True):
        own: dict[str, NDArray[np.bool_]] = {}
        if causes is not None and np.isfinite(points).all():
            moved = causes.loc[(videos[row["sequence"]], int(row["frame"]))]
            shown = {au for au in AUS if moved[f"AU{au}_expression"] > _MOVED}
            masks = unit_masks(points, size)
            own = {f"AU{au} {UNIT_NAMES[au]}": mask for au, mask in masks.items() if au in shown}
        regions.append(own)
    return PixelRecord(
        images=found.images,
        landmarks=found.landmarks,
        frames=found.frames,
        classes=found.classes,
        true=np.array([found.classes.index(name) for name in found.frames["true"]]),
        models={NET: found.nets},
        logits={NET: found.logits},
        to_input=to_input,
        simulated=found.simulated,
        true_regions=regions,
    )


def _causes(cohort: Cohort) -> pd.DataFrame | None:
    """What moved each frame of simulated clips, by video and frame; None where nobody knows."""
    path = cohort.root.parent / "truth" / "clips.parquet"
    if simulation_of(cohort.root) is None or not path.is_file():
        return None
    try:
        return pd.read_parquet(path).set_index(["video", "frame"])
    except (OSError, ValueError, KeyError) as error:
        raise PainkitError(
            f"cannot be read: {error}", where=path, expected="what a simulation wrote"
        ) from error


def _over_subjects(values: pd.Series, weights: NDArray[np.float64]) -> tuple[float, float, float, int]:
    """Mean of the subjects' values that exist, its interval over resamples, and how many exist."""
    own = values.to_numpy(np.float64)
    known = np.isfinite(own)
    if not known.any():
        return np.nan, np.nan, np.nan, 0
    drawn = weights[:, known].sum(axis=1)
    means = np.full(len(weights), np.nan)
    np.divide(weights[:, known] @ own[known], drawn, where=drawn > 0, out=means)
    low, high = percentile_interval(means) if known.sum() > 1 else (np.nan, np.nan)
    return float(own[known].mean()), low, high, int(known.sum())

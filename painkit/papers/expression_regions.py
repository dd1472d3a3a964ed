"""Where on the face pain, disgust and happiness differ in what a net sees."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from painkit.attribution.explained_net import DROPOUT
from painkit.attribution.pixel_record import PixelRecord
from painkit.attribution.region_reading import Uncertainty, read_regions, region_shares
from painkit.data.cohort import Cohort
from painkit.evaluation.run_fold import limited_threads
from painkit.faces.regions import unit_masks
from painkit.metrics.bootstrap import percentile_interval, resample_weights
from painkit.models.nets.vgg_face import to_input
from painkit.papers.expression_causes import MOVED, clip_causes
from painkit.papers.expression_images import HeldOutImages
from painkit.papers.lrp_emotions import NET
from painkit.vocabulary.action_units import AUS, UNIT_NAMES

__all__ = ["class_shares", "differences_sentence", "pixel_record", "readings", "stability"]

_DISTURBED: Final[dict[Uncertainty, str]] = {"dropout": "Monte-Carlo dropout", "noise": "input noise"}


def class_shares(
    found: HeldOutImages,
    method: str = "LRPPresetAFlat",
    *,
    by: str = "predicted",
    n_resamples: int = 10_000,
    seed: int = 0,
) -> pd.DataFrame:
    """Shares of positive relevance in the parts of the face, by the class that the map explains.

    Other images may be told apart by another column of `HeldOutImages.frames` (`by`).

    Shares are means of a subject's images first, then over subjects; intervals resample subjects.

    Returns
    -------
    DataFrame
        class (or "pain - disgust", ...: the difference, over the subjects that have both), kind ("part" or
        "unit"), name, value, low, high, area (share of the picture), subjects, images. Empty where no image
        has landmarks.
    """
    shares = region_shares(found.maps(method).heatmaps, found.landmarks)
    facts = found.frames[["subject", by]].rename_axis("image").reset_index()
    shares = shares.merge(facts, on="image").dropna(subset=["positive", "area"])
    columns = ["class", "kind", "name", "value", "low", "high", "area", "subjects", "images"]
    subjects = sorted(shares["subject"].unique())
    if not subjects:
        return pd.DataFrame(columns=columns)
    weights = resample_weights(len(subjects), n_resamples, seed)
    rows: list[tuple[object, ...]] = []
    for (kind, name), part in shares.groupby(["kind", "name"], sort=False):
        own = part.pivot_table(index="subject", columns=by, values="positive").reindex(subjects)
        counts = part[by].value_counts()
        shown = [c for c in found.classes if c in own]
        compared = {c: own[c] for c in shown} | {
            f"{shown[0]} - {other}": own[shown[0]] - own[other] for other in shown[1:]
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


def readings(
    parts: Sequence[HeldOutImages | None],
    method: str = "LRPPresetAFlat",
    *,
    n_samples: int = 20,
    seed: int = 0,
) -> pd.DataFrame:
    """Read the map of each image's predicted class in words, with how stable it is.

    Parameters
    ----------
    parts : sequence of HeldOutImages or None
        Each read by its own net.
    method, n_samples, seed
        See `painkit.attribution.region_reading.read_regions`.

    Returns
    -------
    DataFrame
        image, true, predicted, disturbed by (Monte-Carlo dropout, where the net has any, and input noise),
        reading (a sentence); kept (share of the passes in which the class stays the highest), map_correlation
        (mean rank correlation with the map as it is), part (of the face, with the largest share of positive
        relevance), share, low, high (middle 95 % of the passes; NaN without landmarks).
    """
    rows: list[tuple[object, ...]] = []
    for found in filter(None, parts):
        for net in dict.fromkeys(found.nets):
            own = [i for i, one in enumerate(found.nets) if one is net]
            drops = any(isinstance(module, DROPOUT) and module.p > 0 for module in net.modules())
            ways: tuple[Uncertainty, ...] = ("dropout", "noise") if drops else ("noise",)
            for uncertainty in ways:
                with limited_threads(found.threads):
                    read = read_regions(
                        net,
                        found.to_input(found.images[own]),
                        found.landmarks[own],
                        method,
                        outputs=found.classes,
                        uncertainty=uncertainty,
                        n_samples=n_samples,
                        seed=seed,
                    )
                shares = read.shares[read.shares["kind"] == "part"].dropna(subset=["positive"])
                for place, row in enumerate(own):
                    frame, stable = found.frames.iloc[row], read.stability.iloc[place]
                    top = shares[shares["image"] == place].nlargest(1, "positive")
                    rows.append((
                        len(rows),
                        _named(frame),
                        frame["true"],
                        found.classes[int(stable["target"])],
                        _DISTURBED[uncertainty],
                        read.sentence(place).replace("*", ""),
                        stable["kept"],
                        stable["map_correlation"],
                        *(
                            top[["name", "positive", "positive_low", "positive_high"]].iloc[0]
                            if len(top)
                            else ("", np.nan, np.nan, np.nan)
                        ),
                    ))  # fmt: skip
    columns = ["order", "image", "true", "predicted", "disturbed by", "reading"]
    columns += ["kept", "map_correlation", "part", "share", "low", "high"]
    table = pd.DataFrame(rows, columns=columns)
    first = table.groupby("image")["order"].transform("min")
    return table.iloc[np.lexsort([table["order"], first])].drop(columns="order").reset_index(drop=True)


def _named(frame: pd.Series) -> str:
    whose = "" if str(frame["subject"]) in str(frame["sequence"]) else f"{frame['subject']}, "
    return f"{whose}{frame['sequence']}, frame {frame['frame']}"


def stability(read: pd.DataFrame) -> pd.DataFrame:
    """Tell of each class and way of disturbing how stable class, map and shares of `readings` are.

    Returns
    -------
    DataFrame
        predicted, disturbed by, images; class kept, map correlation (means over the images), span of the
        largest share (mean distance of the ends of its interval, as a share of positive relevance).
    """
    groups = read.assign(span=read["high"] - read["low"]).groupby(["predicted", "disturbed by"], sort=False)
    table = groups.agg(
        images=("image", "size"),
        kept=("kept", "mean"),
        correlation=("map_correlation", "mean"),
        span=("span", "mean"),
    )
    names = {"kept": "class kept", "correlation": "map correlation", "span": "span of the largest share"}
    return table.reset_index().rename(columns=names)


def pixel_record(found: HeldOutImages, cohort: Cohort) -> PixelRecord:
    """Hand the images to the pixel explorer; on simulated clips with the places of the units shown.

    Raises
    ------
    PainkitError
        When the truth beside simulated clips is damaged.
    """
    videos = cohort.sequences.set_index("sequence")["video"]
    causes, size = clip_causes(cohort), (found.images.shape[1], found.images.shape[2])
    regions: list[dict[str, NDArray[np.bool_]]] = []
    for row, points in zip(found.frames.to_dict("records"), found.landmarks, strict=True):
        own: dict[str, NDArray[np.bool_]] = {}
        if causes is not None and np.isfinite(points).all():
            moved = causes.loc[(videos[row["sequence"]], int(row["frame"]))]
            shown = {au for au in AUS if moved[f"AU{au}_expression"] > MOVED}
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

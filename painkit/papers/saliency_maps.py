"""Saliency maps of held-out faces after each kind of training: do they lie where pain moved the face?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from scipy.special import expit
from torch import nn

from painkit.attribution.pixel_record import PixelRecord
from painkit.data.cohort import Cohort
from painkit.data.crop_store import CropStore
from painkit.evaluation.held_out import held_out
from painkit.evaluation.run_fold import limited_threads
from painkit.evaluation.study import Results
from painkit.faces.alignment import ALIGNED_SIZE
from painkit.metrics.bootstrap import percentile_interval, resample_weights
from painkit.models.crops.pain_level import FaceNetRegression
from painkit.models.nets.deconvnet import PReLURule, saliency_maps
from painkit.models.nets.face_net import PainNet, to_input
from painkit.simulation.regions import region_mask
from painkit.vocabulary.action_units import AUS, UNIT_NAMES
from painkit.vocabulary.landmarks import N_LANDMARKS

__all__ = [
    "HeldOutMaps",
    "held_out_maps",
    "maps_of_frames",
    "mass_in_pain_regions",
    "mass_sentence",
    "pixel_record",
    "true_regions",
]

_MOVED = 0.5
"""Intensity from which on pain counts as having moved a unit in a frame."""


@dataclass(frozen=True, eq=False)
class HeldOutMaps:
    """Faces, and for each row of the table the map of the net that has not seen the face's subject.

    Attributes
    ----------
    frames : DataFrame
        subject, sequence, frame, row (of the cohort's frames), fold, level.
    images : (n, height, width, 3) uint8 array
    landmarks : (n, 66, 2) array
        Pixels of `images`.
    nets : dict of str to tuple of Module
        By row, one for each face.
    maps : dict of str to (n, height, width) array
        Saliency of the bottleneck by row; see `painkit.models.nets.deconvnet.saliency_maps`. Or others that
        are not below 0, such as positive relevance.
    scores : dict of str to (n,) array
        The number before the sigmoid.
    simulated : bool
    """

    frames: pd.DataFrame
    images: NDArray[np.uint8]
    landmarks: NDArray[np.floating]
    nets: Mapping[str, tuple[nn.Module, ...]]
    maps: dict[str, NDArray[np.float32]]
    scores: dict[str, NDArray[np.float32]]
    simulated: bool

    def take(self, places: Sequence[int] | NDArray[np.intp]) -> HeldOutMaps:
        """Keep some of the faces, in this order."""
        chosen = np.asarray(places, dtype=np.intp)
        return replace(
            self,
            frames=self.frames.iloc[chosen].reset_index(drop=True),
            images=self.images[chosen],
            landmarks=self.landmarks[chosen],
            nets={name: tuple(nets[i] for i in chosen) for name, nets in self.nets.items()},
            maps={name: maps[chosen] for name, maps in self.maps.items()},
            scores={name: scores[chosen] for name, scores in self.scores.items()},
        )

    def strongest(self, count: int) -> HeldOutMaps:
        """Keep the face with the highest level of some subjects, those with the highest first."""
        order = self.frames.sort_values("level", ascending=False, kind="stable")
        return self.take(order.drop_duplicates("subject").index[:count].to_numpy())

    @property
    def captions(self) -> list[str]:
        """Subject and level of each face."""
        subjects = self.frames["subject"].astype(str)
        return (subjects + "<br>level " + self.frames["level"].map("{:g}".format)).tolist()


def held_out_maps(
    results: Results,
    store: CropStore,
    landmarks: NDArray[np.floating],
    rows: Sequence[str],
    *,
    per_subject: int = 8,
    prelu: PReLURule = "relu",
) -> HeldOutMaps:
    """Take faces that show pain, and the maps of the nets that were not trained on their subjects.

    Parameters
    ----------
    results : Results
        Of `painkit.papers.saliency.rows`.
    store : CropStore
    landmarks : (n_frames, 132) array
        In the crops' pixels; a face without them is not taken.
    rows : sequence of str
        Those that were not run are left out.
    per_subject : int
        Faces of each subject, evenly spread over those with a level above 0, ordered by level.
    prelu : {'relu', 'prelu'}
    """
    points = np.asarray(landmarks).reshape(-1, N_LANDMARKS, 2)
    usable = store.usable & np.isfinite(points).all(axis=(1, 2))
    names = [name for name in rows if name in results.runs]
    taken: pd.DataFrame | None = None
    images = np.empty((0, *ALIGNED_SIZE, 3), np.uint8)
    nets: dict[str, tuple[PainNet, ...]] = {}
    maps: dict[str, NDArray[np.float32]] = {}
    scores: dict[str, NDArray[np.float32]] = {}
    with limited_threads(results.study.threads):
        for name in names:
            folds = held_out(results[name], FaceNetRegression.load)
            if taken is None:
                predictions = pd.concat([fold.predictions for fold in folds], ignore_index=True)
                taken = _faces(predictions, usable, per_subject)
                images = store.batch(taken["row"].to_numpy(np.intp))
            net_of = {fold.fold: fold.model.net_.eval() for fold in folds}
            nets[name] = tuple(net_of[fold] for fold in taken["fold"])
            maps[name] = np.zeros((len(taken), *ALIGNED_SIZE), np.float32)
            scores[name] = np.zeros(len(taken), np.float32)
            for fold, places in taken.groupby("fold", sort=False).indices.items():
                net = net_of[str(fold)]
                for part in np.array_split(places, -(-len(places) // 32)):
                    x = to_input(images[part])
                    with torch.no_grad():
                        maps[name][part] = saliency_maps(net, x, prelu).numpy()
                        scores[name][part] = net.ip2(net.embed(x))[:, 0].numpy()
    if taken is None:
        taken = pd.DataFrame(columns=["subject", "sequence", "frame", "row", "fold", "level"])
    at = taken["row"].to_numpy(np.intp)
    return HeldOutMaps(taken, images, points[at], nets, maps, scores, results.study.cohort.simulated)


def maps_of_frames(
    results: Results, store: CropStore, rows: Sequence[str], *, prelu: PReLURule = "relu"
) -> Callable[[NDArray[np.intp]], dict[str, NDArray[np.float32]]]:
    """Return a function that gives the maps of frames of one subject, by nets that have not seen the subject.

    Parameters
    ----------
    results : Results
        With `FaceNetRegression` among its rows.
    store : CropStore
    rows : sequence of str
        Those that were not run are left out.
    prelu : {'relu', 'prelu'}

    Returns
    -------
    callable
        From (k,) rows of the cohort's frames to (k, 112, 96) arrays, by row of the table.
    """

    def maps(frames: NDArray[np.intp]) -> dict[str, NDArray[np.float32]]:
        x = to_input(store.batch(frames))
        found = {}
        with limited_threads(results.study.threads), torch.no_grad():
            for name in [name for name in rows if name in results.runs]:
                folds = held_out(results[name], FaceNetRegression.load)
                (net,) = (fold.model.net_.eval() for fold in folds if np.isin(frames, fold.rows).all())
                found[name] = saliency_maps(net, x, prelu).numpy()
        return found

    return maps


def _faces(predictions: pd.DataFrame, usable: NDArray[np.bool_], per_subject: int) -> pd.DataFrame:
    shown = predictions[(predictions["y_true"] > 0) & usable[predictions["row"].to_numpy(np.intp)]]
    shown = shown.rename(columns={"y_true": "level"}).sort_values(["level", "row"], kind="stable")
    parts = [
        own.iloc[np.unique(np.linspace(0, len(own) - 1, per_subject).astype(int))]
        for _, own in shown.groupby("subject", sort=True)
    ]
    table = pd.concat(parts, ignore_index=True) if parts else shown
    table["fold"] = table["fold"].astype(str)
    return pd.DataFrame(table[["subject", "sequence", "frame", "row", "fold", "level"]])


def true_regions(found: HeldOutMaps, cohort: Cohort) -> list[dict[str, NDArray[np.bool_]]]:
    """Where pain moved each face: the regions of the units that it moved, by name; none if nobody knows."""
    truth = cohort.root / "truth" / "frames.parquet"
    if not cohort.simulated or not truth.is_file():
        return [{} for _ in found.images]
    keys = ["subject", "sequence", "frame"]
    wanted = found.frames[keys].astype({"frame": "int64"})
    caused = wanted.merge(pd.read_parquet(truth), on=keys, how="left")
    size = (found.images.shape[1], found.images.shape[2])
    regions = []
    for place, points in enumerate(found.landmarks):
        moved = [au for au in AUS if caused[f"AU{au}_pain"].iloc[place] >= _MOVED]
        regions.append({f"AU{au} {UNIT_NAMES[au]}": region_mask(au, points, size) for au in moved})
    return regions


def mass_in_pain_regions(
    found: HeldOutMaps, cohort: Cohort, *, n_resamples: int = 10_000, seed: int = 0
) -> pd.DataFrame:
    """How much of the maps lies where pain moved the face, over what that place's area alone would give.

    Parameters
    ----------
    found : HeldOutMaps
        The first row is what the others are compared with.
    cohort : Cohort
    n_resamples, seed
        Of the bootstrap over subjects; changes are paired.

    Returns
    -------
    DataFrame
        row, share (of the map's mass inside the true regions), area (share of the crop that they have), value
        (share - area), low, high, change (of value from the first row), change_low, change_high, step (from
        the row before), step_low, step_high, subjects, images. Means of subjects. Empty where nobody knows
        the causes.
    """
    columns = [
        "row", "share", "area", "value", "low", "high", "change", "change_low", "change_high", "step",
        "step_low", "step_high", "subjects", "images",
    ]  # fmt: skip
    regions = true_regions(found, cohort)
    known = np.flatnonzero([bool(own) for own in regions])
    if not known.size or not found.maps:
        return pd.DataFrame(columns=columns)
    masks = np.stack([np.logical_or.reduce(list(regions[i].values())) for i in known])
    subject = found.frames["subject"].to_numpy()[known]
    area = pd.Series(masks.mean(axis=(1, 2))).groupby(subject).mean()
    share = {}
    for name, maps in found.maps.items():
        total = maps[known].sum(axis=(1, 2))
        inside = (maps[known] * masks).sum(axis=(1, 2))
        # A map without any mass tells nothing; its subject's other faces do.
        part = np.divide(inside, total, where=total > 0, out=np.full(len(known), np.nan))
        share[name] = pd.Series(part).groupby(subject).mean()
    table = pd.DataFrame(share)
    table = table[table.notna().all(axis=1)]
    over = table.sub(area.loc[table.index], axis=0)
    draws = resample_weights(len(table), n_resamples, seed) / max(len(table), 1)
    rows = []
    before = over.iloc[:, 0]
    for name in found.maps:
        values = {"value": over[name], "change": over[name] - over.iloc[:, 0], "step": over[name] - before}
        before = over[name]
        row: list[object] = [name, table[name].mean(), area.loc[table.index].mean()]
        for one in values.values():
            row += [one.mean(), *percentile_interval(draws @ one.to_numpy())]
        rows.append((*row, len(table), len(known)))
    return pd.DataFrame(rows, columns=columns)


def mass_sentence(table: pd.DataFrame) -> str:
    """Say whether the mass in the true regions rises from each row to the next."""
    if table.empty:
        return "Nobody knows where pain moved these faces, so it is not asked whether the maps lie there."
    said = []
    for before, row in zip(table["row"], table.iloc[1:].to_dict("records"), strict=False):
        low, high = 100 * row["step_low"], 100 * row["step_high"]
        verdict = "it rises" if low > 0 else "it falls" if high < 0 else "the question stays open"
        said.append(
            f"from {before} to {row['row']} by {100 * row['step']:+z.1f} points "
            f"({low:+z.1f} to {high:+z.1f}): {verdict}"
        )
    return f"Mass in the regions that pain moved, over their area, changes {'; '.join(said)}."


def pixel_record(found: HeldOutMaps, cohort: Cohort) -> PixelRecord:
    """Hand the faces and nets to the pixel explorer, on simulated faces with where pain moved them."""
    levels = found.frames["level"].tolist()
    return PixelRecord(
        images=found.images,
        landmarks=found.landmarks,
        frames=found.frames,
        classes=("pain",),
        true=np.zeros(len(found.images), np.intp),
        models=found.nets,
        logits={name: scores[:, None] for name, scores in found.scores.items()},
        to_input=to_input,
        simulated=found.simulated,
        true_regions=true_regions(found, cohort),
        said={
            name: [f"level {5 * expit(x):.1f}, labelled {y:g}" for x, y in zip(scores, levels, strict=True)]
            for name, scores in found.scores.items()
        },
    )

"""Triplets taken apart: which action units are relevant and why, and how far negatives are pushed away."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from painkit.data.cohort import Cohort
from painkit.data.crop_store import CropStore
from painkit.errors import PainkitError
from painkit.evaluation.held_out import held_out
from painkit.evaluation.run_fold import limited_threads
from painkit.evaluation.study import Results
from painkit.metrics.bootstrap import percentile_interval, resample_weights
from painkit.models.crops.pain_level import FaceNetRegression
from painkit.models.crops.saliency import SaliencySupervision
from painkit.models.nets.deconvnet import Deconvnet, brightness, encode, saliency_maps
from painkit.models.nets.face_net import to_input
from painkit.models.training.saliency_losses import earth_movers_distance
from painkit.models.training.triplets import Triplets, UnitSets, mine, unit_sets
from painkit.models.training.unit_patches import PATCH_LANDMARKS, unit_histograms, unit_membership
from painkit.papers.saliency import DIRECT, SUPERVISIONS
from painkit.vocabulary.action_units import UNIT_LANDMARKS, UNIT_NAMES
from painkit.vocabulary.landmarks import N_LANDMARKS
from painkit.vocabulary.pain import level_0_5

__all__ = ["TripletExample", "example_triplet", "triplet_distances"]

_ROLES = ("anchor", "positive", "negative")


@dataclass(frozen=True, eq=False)
class TripletExample:
    """A triplet of training frames of one fold.

    Attributes
    ----------
    frames : DataFrame
        role (anchor, positive, negative), subject, sequence, frame, row, level.
    units : DataFrame
        unit, name, anchor, positive, negative (intensity), set ("A", "B", "neither"), weight
        (W of Eq. 3), why.
    images : (3, 112, 96, 3) uint8 array
    maps : (3, 112, 96) array
        Saliency of the bottleneck by the fold's net.
    landmarks : (3, 66, 2) array
        Pixels of `images`.
    patch : int
        Side of the patches in pixels.
    simulated : bool
    """

    frames: pd.DataFrame
    units: pd.DataFrame
    images: NDArray[np.uint8]
    maps: NDArray[np.float32]
    landmarks: NDArray[np.floating]
    patch: int
    simulated: bool

    @property
    def captions(self) -> list[str]:
        """Role, subject and level of each face."""
        told = zip(self.frames["role"], self.frames["subject"], self.frames["level"], strict=True)
        return [f"{role}<br>{subject}, level {level:g}" for role, subject, level in told]


def example_triplet(
    results: Results,
    store: CropStore,
    landmarks: NDArray[np.floating],
    row: str,
    *,
    n_frames: int = 64,
    seed: int = 0,
) -> TripletExample:
    """Mine triplets among training frames of the first fold, and take one with most units in the smaller set.

    Parameters
    ----------
    results : Results
    store : CropStore
    landmarks : (n_frames, 132) array
        In the crops' pixels.
    row : str
        A supervised row that was run.
    n_frames : int
        That triplets are mined among, drawn evenly over the levels.
    seed : int

    Raises
    ------
    PainkitError
        When the row was not run, or too few frames have a face, a level, landmarks and units.
    """
    fold = held_out(results[row], FaceNetRegression.load)[0]
    cohort = results.study.cohort
    first = fold.model.pretrained
    if not isinstance(first, SaliencySupervision):
        raise PainkitError(f"row {row!r} starts from no supervised net", expected="a row with triplets")
    points = np.asarray(landmarks).reshape(-1, N_LANDMARKS, 2)
    names, coded, level = _coded(cohort)
    tested = cohort.frames["subject"].isin(set(fold.predictions["subject"])).to_numpy()
    good = store.usable & ~tested & np.isfinite(level)
    good &= np.isfinite(points).all(axis=(1, 2)) & np.isfinite(coded).all(axis=1)
    rows = _over_levels(np.flatnonzero(good), level, n_frames, np.random.default_rng(seed))
    model = fold.model.set_params(store=store)
    with limited_threads(results.study.threads), torch.no_grad():
        x = to_input(store.batch(rows))
        features = functional.normalize(model.net_.eval().embed(x))
        triplets = mine(features, torch.from_numpy(level[rows]))
        sets = unit_sets(torch.from_numpy(coded[rows]), triplets, first.alpha)
        fewer = torch.minimum(sets.relevant.sum(dim=1), sets.irrelevant.sum(dim=1))
        if not len(fewer):
            raise PainkitError(
                f"{rows.size} training frames make no triplet",
                expected="two frames of a level, one of another",
            )
        best = int(fewer.argmax())
        trio = torch.stack(triplets[:3])[:, best].numpy()
        maps = saliency_maps(model.net_, x[trio], first.prelu).numpy()
    at = rows[trio]
    frames = cohort.frames.iloc[at][["subject", "sequence", "frame"]].reset_index(drop=True)
    table = pd.DataFrame({"unit": names, "name": [UNIT_NAMES[unit] for unit in names]})
    for role, one in zip(_ROLES, coded[at], strict=True):
        table[role] = one
    relevant, irrelevant = sets.relevant[best].numpy(), sets.irrelevant[best].numpy()
    table["set"] = np.select([relevant, irrelevant], ["A", "B"], "neither")
    table["weight"] = np.where(relevant, sets.weight[best].numpy(), np.nan)
    table["why"] = [_why(one, first.alpha) for one in table.to_dict("records")]
    return TripletExample(
        frames.assign(role=_ROLES, row=at, level=level[at]),
        table,
        store.batch(at),
        maps,
        points[at],
        first.patch,
        cohort.simulated,
    )


def _coded(cohort: Cohort) -> tuple[list[int], NDArray[np.float64], NDArray[np.float64]]:
    """Units that are coded and have landmarks; of all frames their intensities (n, k) and levels (n,)."""
    units = [unit for unit in UNIT_LANDMARKS if f"AU{unit}" in cohort.frames]
    intensity = cohort.frames[[f"AU{unit}" for unit in units]].to_numpy(np.float64)
    return units, intensity, level_0_5(cohort.frames["pspi"].to_numpy())


def _why(unit: Mapping[Any, Any], alpha: float) -> str:
    near, far = abs(unit["anchor"] - unit["positive"]), abs(unit["anchor"] - unit["negative"])
    within = f"differs by {near:g} within the level"
    return f"{within} ({'<' if near < alpha else '>='} {alpha:g}) and by {far:g} across"


def _over_levels(
    rows: NDArray[np.intp], level: NDArray[np.float64], count: int, rng: np.random.Generator
) -> NDArray[np.intp]:
    """Draw some rows, about as many of every level that occurs."""
    parts = [rows[level[rows] == k] for k in np.unique(level[rows])]
    share = -(-count // max(len(parts), 1))
    return np.concatenate([rng.permutation(part)[:share] for part in parts] or [rows])


def triplet_distances(
    results: Results,
    store: CropStore,
    landmarks: NDArray[np.floating],
    *,
    n_frames: int = 96,
    n_resamples: int = 10_000,
    seed: int = 0,
) -> pd.DataFrame:
    """How far the negatives of held-out triplets are from their anchors, beyond the positives.

    Triplets are drawn at random among frames that a fold tested, about as many anchors of every level; the
    same ones for all rows.

    Parameters
    ----------
    results : Results
    store : CropStore
    landmarks : (n_frames, 132) array
        In the crops' pixels.
    n_frames : int
        Anchors in each fold.
    n_resamples, seed
        Of the bootstrap over the anchors' subjects; the seed draws the triplets, too.

    Returns
    -------
    DataFrame
        row, distance ("bottleneck": Euclidean, of the normalised features; "relevant units": earth mover's,
        of the histograms about the units of set A, mean over units), to_positive, to_negative, difference
        (negative - positive), low, high, subjects, triplets. Means of subjects.
    """
    names = [name for name in (DIRECT, *SUPERVISIONS) if name in results.runs]
    cohort = results.study.cohort
    units, coded, level = _coded(cohort)
    points = np.asarray(landmarks).reshape(-1, N_LANDMARKS, 2)[:, PATCH_LANDMARKS]
    subject = cohort.frames["subject"].astype(str).to_numpy()
    membership, parts = unit_membership(units), []
    with limited_threads(results.study.threads), torch.no_grad():
        for name in names:
            rng = np.random.default_rng(seed)
            for fold in held_out(results[name], FaceNetRegression.load):
                own = fold.rows[store.usable[fold.rows] & np.isfinite(level[fold.rows])]
                rows = _over_levels(own, level, n_frames, rng)
                triplets = _random_triplets(level[rows], rng)
                encoded = encode(fold.model.net_.eval(), to_input(store.batch(rows)))
                maps = brightness(Deconvnet(fold.model.net_)(encoded))
                found = unit_histograms(maps, torch.from_numpy(points[rows]), membership)
                sets = unit_sets(torch.from_numpy(coded[rows]), triplets, known=found.known)
                anchors = subject[rows][triplets.anchor.numpy()]
                for distance, pair in _distances(encoded.embedding, found.histograms, sets, triplets).items():
                    table = pd.DataFrame(pair.numpy(), columns=["to_positive", "to_negative"])
                    parts.append(table.assign(row=name, distance=distance, subject=anchors))
    lines = []
    # Without a unit in A there is no distance about relevant units.
    every = pd.concat(parts).dropna() if parts else pd.DataFrame(columns=["row", "distance"])
    for named, part in every.groupby(["row", "distance"], sort=False):
        means = part.groupby("subject")[["to_positive", "to_negative"]].mean()
        apart = (means["to_negative"] - means["to_positive"]).to_numpy()
        draws = resample_weights(len(means), n_resamples, seed) / len(means)
        interval = percentile_interval(draws @ apart)
        lines.append((*named, *means.mean(), apart.mean(), *interval, len(means), len(part)))
    columns = ["row", "distance", "to_positive", "to_negative", "difference", "low", "high"]
    return pd.DataFrame(lines, columns=[*columns, "subjects", "triplets"])


def _distances(
    embedding: Tensor, histograms: Tensor, sets: UnitSets, triplets: Triplets
) -> dict[str, Tensor]:
    """Distances (t, 2) from the anchor to the positive and to the negative, by their names."""
    features, anchor = functional.normalize(embedding), triplets.anchor
    bottleneck, relevant = [], []
    for other in (triplets.positive, triplets.negative):
        bottleneck.append((features[anchor] - features[other]).norm(dim=1))
        apart = earth_movers_distance(histograms[anchor], histograms[other])
        relevant.append(torch.where(sets.relevant, apart, 0.0).sum(dim=1) / sets.relevant.sum(dim=1))
    return {"bottleneck": torch.stack(bottleneck, dim=1), "relevant units": torch.stack(relevant, dim=1)}


def _random_triplets(level: NDArray[np.float64], rng: np.random.Generator) -> Triplets:
    """Draw one for every frame that has both a positive and a negative."""
    places = np.arange(len(level))
    drawn: list[tuple[int, int, int]] = []
    for anchor in places:
        same = places[(level == level[anchor]) & (places != anchor)]
        other = places[level != level[anchor]]
        if same.size and other.size:
            drawn.append((int(anchor), int(rng.choice(same)), int(rng.choice(other))))
    anchors, positives, negatives = torch.tensor(drawn, dtype=torch.int64).reshape(-1, 3).T
    levels = torch.from_numpy(level)
    left = torch.tensor(len(places) - len(drawn))
    gap = (levels[anchors] - levels[negatives]).abs()
    return Triplets(anchors, positives, negatives, gap, left, torch.tensor(0))

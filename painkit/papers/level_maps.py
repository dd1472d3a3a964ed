"""What a face net's estimate of the pain level rests on: relevance of held-out faces of every level."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from painkit.data.crop_store import CropStore
from painkit.errors import PainkitError
from painkit.evaluation.held_out import held_out
from painkit.evaluation.run_fold import limited_threads
from painkit.evaluation.study import Results
from painkit.models.crops.pain_level import FaceNetRegression
from painkit.models.features.frame_features import landmark_features
from painkit.models.nets.face_net import to_input
from painkit.papers.expression_images import HeldOutImages
from painkit.vocabulary.landmarks import N_LANDMARKS

__all__ = ["LEVEL_METHODS", "level_images", "one_of_each_level"]

LEVEL_METHODS: Final = ("LRPEpsilon", "LRPPresetAFlat", "integrated_gradients")
"""The first is signed in every face; preset A gives all of a face the sign of its score."""


def level_images(results: Results, store: CropStore, row: str, *, per_level: int = 8) -> HeldOutImages:
    """Take faces of every level, each with the net of the fold that has not seen its subject.

    What is explained is the number before the sigmoid: 0 is the middle of the scale, so that positive
    relevance speaks for a level above it and negative for one below.

    Parameters
    ----------
    results : Results
        Of `FaceNetRegression` on levels, with the models of `row` kept.
    store : CropStore
        Aligned crops of the cohort.
    row : str
    per_level : int
        Faces of each level at most, evenly spread over those that are tested, subject by subject.

    Returns
    -------
    HeldOutImages
        ``frames["true"]`` names the level, ``frames["predicted"]`` the estimate; classes are the levels that
        occur. Faces without landmarks are not taken.

    Raises
    ------
    PainkitError
        When no frame has a crop, landmarks and a level.
    """
    cohort = results.study.cohort
    points = landmark_features(cohort.landmarks).reshape(-1, N_LANDMARKS, 2)
    usable = store.usable & np.isfinite(points).all(axis=(1, 2))
    folds = held_out(results[row], FaceNetRegression.load)
    net_of = {fold.fold: fold.model.net_.eval() for fold in folds}
    tested = pd.concat([fold.predictions for fold in folds], ignore_index=True).dropna(subset=["y_true"])
    tested = tested[usable[tested["row"].to_numpy(np.intp)]].sort_values(["y_true", "subject", "row"])
    if tested.empty:
        raise PainkitError("no frame has a crop, landmarks and a level", where=store.folder)
    places = [
        own[np.unique(np.linspace(0, len(own) - 1, per_level).astype(int))]
        for own in (np.flatnonzero(tested["y_true"] == level) for level in tested["y_true"].unique())
    ]
    frames = tested.iloc[np.concatenate(places)].reset_index(drop=True)
    rows: NDArray[np.intp] = frames["row"].to_numpy(np.intp)
    nets = tuple(net_of[str(fold)] for fold in frames["fold"])
    names = "level " + frames["y_true"].map("{:g}".format)
    images, scores = store.batch(rows), np.zeros((len(frames), 1))
    with limited_threads(results.study.threads):
        for net in dict.fromkeys(nets):
            own = np.array([i for i, one in enumerate(nets) if one is net])
            scores[own] = net.ip2(net.embed(to_input(images[own]))).detach().numpy()
    return HeldOutImages(
        frames[["subject", "sequence", "frame", "row", "fold"]].assign(
            true=names, predicted=frames["y_pred"].map("{:.1f}".format)
        ),
        images,
        points[rows],
        nets,
        tuple(names.unique()),
        scores,
        cohort.simulated,
        results.study.threads,
        to_input=to_input,
    )


def one_of_each_level(found: HeldOutImages) -> HeldOutImages:
    """Of every level the face whose estimate is in the middle."""
    estimates = pd.Series(found.logits[:, 0])
    chosen = [
        int(own.sort_values(kind="stable").index[len(own) // 2])
        for _, own in estimates.groupby(found.frames["true"].to_numpy())
    ]
    return found.take(chosen)

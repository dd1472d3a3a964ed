"""Faces of each level with the nets that have not seen their subjects, and relevance maps of these."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from painkit.attribution.pixel_maps import pixel_maps
from painkit.data.crop_store import CropStore
from painkit.evaluation.held_out import held_out
from painkit.evaluation.run_fold import limited_threads
from painkit.evaluation.study import Results
from painkit.faces.alignment import apply_transform
from painkit.models.crops.seven_levels import N_LEVELS, SevenLevels
from painkit.models.nets.resnet18 import InputScaling, to_input
from painkit.papers.expression_images import HeldOutImages
from painkit.papers.saliency_maps import HeldOutMaps
from painkit.papers.seven_levels import CROP

__all__ = ["held_out_faces", "maps_of_frames", "one_of_each_level", "positive_maps"]

LEVEL_NAMES = tuple(f"level {k}" for k in range(N_LEVELS))


def held_out_faces(results: Results, store: CropStore, row: str, *, per_subject: int = 4) -> HeldOutImages:
    """Take frames of every subject, evenly spread over its levels, with the net of the fold that tests it.

    Parameters
    ----------
    results : Results
        Of `painkit.papers.seven_levels.rows`.
    store : CropStore
    row : str
        Whose models are kept. The frames are the same for all rows.
    per_subject : int

    Raises
    ------
    PainkitError
        When the row was not run.
    """
    cohort, parts, nets, scores = results.study.cohort, [], [], []
    scaling: InputScaling = "0-1"
    with limited_threads(results.study.threads):
        for fold in held_out(results[row], SevenLevels.load):
            model = fold.model.set_params(store=store, memory=None)
            tested = fold.predictions.dropna(subset=["y_true", "y_pred"])
            for _, own in tested.groupby("subject", sort=True):
                ordered = own.sort_values(["y_true", "row"], kind="stable")
                places = np.unique(np.linspace(0, len(own) - 1, per_subject).round().astype(int))
                parts.append(ordered.iloc[places])
                scores.append(model.decision_function(parts[-1]))
                nets += [model.net_.eval()] * len(places)
            scaling = model.input_scaling
    table, logits = pd.concat(parts, ignore_index=True), np.concatenate(scores)
    at, names = table["row"].to_numpy(np.intp), np.array(LEVEL_NAMES)
    frames = table[["subject", "sequence", "frame", "row", "fold"]].assign(
        true=names[table["y_true"].to_numpy(np.intp)], predicted=names[logits.argmax(axis=1)]
    )
    crop = replace(CROP, side=store.crop_shape[0])
    points = apply_transform(crop.transform(cohort.landmarks[at]), cohort.landmarks[at].astype(np.float64))
    return HeldOutImages(
        frames,
        store.batch(at),
        points,
        tuple(nets),
        LEVEL_NAMES,
        logits,
        cohort.simulated,
        results.study.threads,
        "some frames are not tracked",
        partial(to_input, scaling=scaling),
    )


def maps_of_frames(
    results: Results, store: CropStore, rows: Sequence[str], method: str = "LRPPresetAFlat"
) -> Callable[[NDArray[np.intp]], dict[str, NDArray[np.float32]]]:
    """Return a function that explains the predicted level of frames of one subject, by nets new to it.

    Parameters
    ----------
    results : Results
        Of `painkit.papers.seven_levels.rows`.
    store : CropStore
    rows : sequence of str
        Those that were not run are left out.
    method : str

    Returns
    -------
    callable
        From (k,) rows of the cohort's frames to (k, side, side) arrays, by row of the table.
    """

    def maps(frames: NDArray[np.intp]) -> dict[str, NDArray[np.float32]]:
        images, found = store.batch(frames), {}
        with limited_threads(results.study.threads):
            for name in [name for name in rows if name in results.runs]:
                folds = held_out(results[name], SevenLevels.load)
                (model,) = (fold.model for fold in folds if np.isin(frames, fold.rows).all())
                x = to_input(images, scaling=model.input_scaling)
                found[name] = np.asarray(pixel_maps(model.net_.eval(), x, method).heatmaps, np.float32)
        return found

    return maps


def one_of_each_level(found: HeldOutImages) -> HeldOutImages:
    """Choose a face of each level: the surest that is right, else the surest."""
    ordered = np.sort(found.logits, axis=1)
    sure = pd.Series(ordered[:, -1] - ordered[:, -2])
    right = (found.frames["true"] == found.frames["predicted"]).to_numpy()
    order = pd.DataFrame({"level": found.frames["true"], "right": right, "sure": sure})
    best = order.sort_values(["level", "right", "sure"], ascending=[True, False, False], kind="stable")
    return found.take(best.drop_duplicates("level").index.to_numpy())


def positive_maps(found: dict[str, HeldOutImages], method: str = "LRPPresetAFlat") -> HeldOutMaps:
    """What speaks for the true level of each face that shows pain, by row.

    Parameters
    ----------
    found : dict of str to HeldOutImages
        By row, of the same frames; see `held_out_faces`.
    method : str

    Returns
    -------
    HeldOutMaps
        Of the faces with pain and landmarks: positive relevance of the true level.
    """
    first = next(iter(found.values()))
    level = first.frames["true"].map(LEVEL_NAMES.index).to_numpy(np.intp)
    shown = np.flatnonzero((level > 0) & np.isfinite(first.landmarks).all(axis=(1, 2)))
    taken = {name: one.take(shown) for name, one in found.items()}
    first, level = first.take(shown), level[shown]
    maps = {name: one.maps(method, level).heatmaps.clip(min=0) for name, one in taken.items()}
    return HeldOutMaps(
        first.frames[["subject", "sequence", "frame", "row", "fold"]].assign(level=level),
        first.images,
        first.landmarks,
        {name: one.nets for name, one in taken.items()},
        maps,
        {name: one.logits[np.arange(len(level)), level] for name, one in taken.items()},
        first.simulated,
    )

"""One clip of pain through time: its images, the relevance for pain, the probability of every class."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from painkit.attribution.pixel_maps import pixel_maps
from painkit.data.crop_store import CropStore
from painkit.errors import PainkitError
from painkit.evaluation.held_out import held_out
from painkit.evaluation.run_fold import limited_threads
from painkit.evaluation.study import Results
from painkit.figures.moving import stops_through
from painkit.figures.through_time import classes_through_time
from painkit.models.crops.expressions import ExpressionClassifier
from painkit.models.nets.vgg_face import to_input
from painkit.papers.lrp_emotions import NET, classes_of

__all__ = ["clip_through_time", "middle_clip"]


def middle_clip(predictions: pd.DataFrame, true: int, probability: str) -> tuple[str, str]:
    """Subject and sequence of the clip that is neither told best nor worst among those of one class.

    Parameters
    ----------
    predictions : DataFrame
        subject, sequence, y_true and a column of probabilities; NaN where a frame has no crop.
    true : int
        Number of the class.
    probability : str
        Name of its column. Clips are ordered by its mean, and the one in the middle is taken.

    Raises
    ------
    PainkitError
        When no clip of the class has a crop.
    """
    own = predictions[predictions["y_true"] == true].dropna(subset=[probability])
    means = own.groupby(["subject", "sequence"])[probability].mean().sort_values(kind="stable")
    if means.empty:
        raise PainkitError("no clip of the class has a crop")
    subject, sequence = means.index[len(means) // 2]
    return str(subject), str(sequence)


def clip_through_time(
    results: Results, store: CropStore, *, method: str = "LRPPresetAFlat", count: int = 24
) -> go.Figure:
    """Draw the middle clip of pain, explained by the net of the fold that has not seen its subject.

    Where no class is called pain, it is a clip of the first class.

    Parameters
    ----------
    results : Results
        Of `painkit.papers.lrp_emotions.rows`.
    store : CropStore
    method : str
        See `painkit.attribution.pixel_maps.METHODS`.
    count : int
        At most so many frames, evenly spread.

    Raises
    ------
    PainkitError
        When no clip of the class has a crop.
    """
    classes = classes_of(results)
    name = "pain" if "pain" in classes else classes[0]
    pain = classes.index(name)
    subject, sequence = middle_clip(results[NET].predictions, pain, f"p_{pain}")
    for fold in held_out(results[NET], ExpressionClassifier.load):
        told = fold.predictions
        clip = told[(told["subject"] == subject) & (told["sequence"] == sequence)]
        clip = clip.dropna(subset=[f"p_{pain}"]).sort_values("frame")
        if not clip.empty:
            break
    clip = clip.iloc[stops_through(len(clip), count)]
    images: NDArray[np.uint8] = store.batch(clip["row"].to_numpy(np.intp))
    with limited_threads(results.study.threads):
        maps = pixel_maps(fold.model.net_.eval(), to_input(images), method, pain)
    return classes_through_time(
        clip["frame"].to_numpy(),
        images,
        maps.heatmaps,
        clip[[f"p_{k}" for k in range(len(classes))]].set_axis(list(classes), axis=1),
        explained=name,
        title=f"{subject}, {sequence}: relevance for {name} (preset A), frame by frame",
        simulated=results.study.cohort.simulated,
    )

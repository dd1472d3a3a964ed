"""Frame-level feature vectors for models that do not look at pixels themselves."""

from __future__ import annotations

from os import PathLike
from typing import Literal

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from painkit.data.crop_store import FrameStore
from painkit.errors import PainkitError
from painkit.faces.alignment import apply_transform, five_points, similarity_transform
from painkit.models.nets.face_net import FaceBackbone
from painkit.models.nets.weights import load_face_weights
from painkit.models.training.acceleration import Precision, choose_acceleration
from painkit.models.training.loop import estimate_rows

__all__ = ["Features", "deep_features", "features_of", "landmark_features", "sequence_slices", "time_grids"]

Features = NDArray[np.floating] | str | PathLike[str]
"""(n_frames, d) array in the row order of a cohort's frames, or an ``.npy`` file of it."""


def landmark_features(landmarks: NDArray[np.floating]) -> NDArray[np.float32]:
    """Landmarks freed of head position, size and roll.

    Parameters
    ----------
    landmarks : (n, 66, 2) array, pixels
        NaN where not tracked.

    Returns
    -------
    (n, 132) float32 array
        Coordinates in the aligned 112x96 crop (x0, y0, x1, ...); NaN where not tracked.
    """
    points = np.asarray(landmarks, dtype=np.float64)
    aligned = apply_transform(similarity_transform(five_points(points)), points)
    return aligned.reshape(len(points), -1).astype(np.float32)


def deep_features(
    store: FrameStore,
    pretrained: str | PathLike[str],
    *,
    width: float = 1.0,
    pretrained_channels: Literal["rgb", "bgr"] = "rgb",
    device: str = "auto",
    precision: Precision = "auto",
) -> NDArray[np.float32]:
    """Last feature map of a face-verification net that has seen no pain label, mean over its positions.

    Parameters
    ----------
    store : FrameStore
        Aligned 112x96 crops.
    pretrained : path
        Backbone weights, as `FaceNetRegression` takes them.
    width, pretrained_channels, device, precision
        As in `FaceNetRegression`.

    Returns
    -------
    (n, 512 * width) float32 array
        A row for each frame of the store; NaN where it has no crop.
    """
    backbone = FaceBackbone(width)
    load_face_weights(backbone, pretrained, channels=pretrained_channels)
    backbone.to(memory_format=torch.channels_last)
    return estimate_rows(
        lambda images: backbone(images).mean(dim=(2, 3)),
        backbone,
        store,
        np.arange(len(store)),
        acceleration=choose_acceleration(device, precision),
    )


def features_of(X: pd.DataFrame, features: Features) -> NDArray[np.float32]:
    """Features (len(X), d) of a frame table's rows.

    Raises
    ------
    PainkitError
        When the table lacks a column, points outside the features, or the file holds no such array.
    """
    missing = [c for c in ("subject", "sequence", "frame", "row") if c not in X]
    if missing:
        raise PainkitError(f"the frame table lacks {missing}", expected="subject, sequence, frame, row")
    where = None if isinstance(features, np.ndarray) else features
    try:
        table = features if isinstance(features, np.ndarray) else np.load(features, mmap_mode="r")
    except (OSError, ValueError) as error:
        raise PainkitError(
            f"features could not be read: {error}", where=where, expected="an .npy file"
        ) from error
    rows = X["row"].to_numpy(dtype=np.intp)
    if table.ndim != 2 or (rows.size and (rows.min() < 0 or rows.max() >= len(table))):
        raise PainkitError(
            f"features of shape {table.shape} for frame rows up to {rows.max(initial=-1)}",
            where=where,
            expected="one row of features a frame of the cohort",
        )
    return np.asarray(table[rows], dtype=np.float32)


def sequence_slices(X: pd.DataFrame) -> list[NDArray[np.intp]]:
    """Positions of each sequence's frames in a frame table, in time order."""
    order = X.reset_index(drop=True).sort_values(["subject", "sequence", "frame"])
    return [g.index.to_numpy(dtype=np.intp) for _, g in order.groupby(["subject", "sequence"], sort=False)]


def time_grids(X: pd.DataFrame) -> list[NDArray[np.intp]]:
    """Positions of each sequence's frames in a frame table, one entry a frame time; -1 where it has no frame.

    Raises
    ------
    PainkitError
        When two rows are the same frame.
    """
    numbers = X["frame"].to_numpy(dtype=np.int64)
    grids = []
    for positions in sequence_slices(X):
        time = numbers[positions] - numbers[positions[0]]
        if (twice := np.flatnonzero(np.diff(time) == 0)).size:
            row = X.iloc[positions[twice[0]]]
            raise PainkitError(
                f"frame {row['frame']} of {row['subject']}/{row['sequence']} is listed twice",
                expected="one row a frame",
            )
        grid = np.full(time[-1] + 1, -1, dtype=np.intp)
        grid[time] = positions
        grids.append(grid)
    return grids

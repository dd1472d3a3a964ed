"""Feature vectors of frames, for models that do not look at pixels themselves."""

from __future__ import annotations

from os import PathLike
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from painkit.data.crop_store import CropStore
from painkit.faces.alignment import apply_transform, five_points, similarity_transform
from painkit.models.crops.estimates import estimate_rows
from painkit.models.nets.face_net import FaceBackbone
from painkit.models.nets.weights import load_face_weights
from painkit.models.training.acceleration import Precision, choose_acceleration

__all__ = ["deep_features", "landmark_features"]


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
    store: CropStore,
    pretrained: str | PathLike[str],
    *,
    width: float = 1.0,
    pretrained_channels: Literal["rgb", "bgr"] = "rgb",
    device: str = "auto",
    precision: Precision = "float32",
) -> NDArray[np.float32]:
    """Last feature map of a face-verification net that has seen no pain label, mean over its positions.

    Parameters
    ----------
    store : CropStore
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
    acceleration, rows = choose_acceleration(device, precision), np.arange(len(store))
    return estimate_rows(lambda x: backbone(x).mean(dim=(2, 3)), backbone, store, rows, acceleration)

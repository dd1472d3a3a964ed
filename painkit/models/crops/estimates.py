"""What a net says of the crops of a store."""

from __future__ import annotations

from collections.abc import Callable
from os import PathLike
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from painkit.data.crop_store import CropStore
from painkit.models.nets import face_net
from painkit.models.nets.weights import load_face_weights
from painkit.models.training.acceleration import Acceleration, Precision, choose_acceleration, true_float32

__all__ = ["deep_features", "estimate_rows"]

_BATCH = 128


@torch.inference_mode()
@true_float32()
def estimate_rows(
    function: Callable[[Tensor], Tensor],
    net: nn.Module,
    store: CropStore,
    rows: NDArray[np.intp],
    acceleration: Acceleration,
    to_input: Callable[[NDArray[np.uint8], torch.device], Tensor] = face_net.to_input,
) -> NDArray[np.float32]:
    """Apply a function of a net to crops, in evaluation mode.

    Parameters
    ----------
    function : callable
        Of images (b, 3, height, width); gives (b, ...).
    net : Module
        Moved to the device and set to evaluation mode.
    store, rows : CropStore, (n,) int array
    acceleration : Acceleration
    to_input : callable
        Gives crops as the net takes them, on a device; by default for the face nets.

    Returns
    -------
    (n, ...) float32 array
        NaN where a row has no crop.
    """
    net.to(acceleration.device).eval()
    usable = np.flatnonzero(store.usable[rows])
    result = np.empty(0, np.float32)
    # An empty batch still goes through the net, so that no frames give an array of the right shape.
    for start in range(0, max(usable.size, 1), _BATCH):
        part = usable[start : start + _BATCH]
        images = to_input(store.batch(rows[part]), acceleration.device)
        with acceleration.autocast():
            values = function(images).float().cpu().numpy()
        if start == 0:
            # One array at once: small ones between the large ones would keep the heap from shrinking.
            result = np.full((rows.size, *values.shape[1:]), np.nan, np.float32)
        result[part] = values
    return result


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
    backbone = face_net.FaceBackbone(width)
    load_face_weights(backbone, pretrained, channels=pretrained_channels)
    backbone.to(memory_format=torch.channels_last)
    acceleration, rows = choose_acceleration(device, precision), np.arange(len(store))
    return estimate_rows(lambda x: backbone(x).mean(dim=(2, 3)), backbone, store, rows, acceleration)

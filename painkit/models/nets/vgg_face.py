"""VGG-Face (Parkhi, Vedaldi, Zisserman 2015): VGG-16 trained on 2,622 identities.

Layers carry the names of the published model (``conv1_1`` ... ``conv5_3``, ``fc6`` ... ``fc8``). Images go
in as (n, 3, 224, 224) RGB less the mean face colour, made by `to_input`.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from painkit.errors import PainkitError

__all__ = ["MEAN_RGB", "N_IDENTITIES", "VGGFace", "to_input"]

N_IDENTITIES: Final = 2622
MEAN_RGB: Final = (129.1863, 104.7624, 93.5940)
"""Mean of the training images, 0-255, as published with the weights."""

# Convolutions of each stage and their published number of channels.
_STAGES: Final = ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512))


class VGGFace(nn.Sequential):
    """Five stages of 3x3 convolutions, each ending in a max-pooling, and three fully connected layers.

    (n, 3, input_size, input_size) -> (n, n_outputs) scores before the softmax.

    Parameters
    ----------
    n_outputs : int
        Of the last layer; the published net tells 2,622 identities apart.
    width : float
        Share of the published number of channels and units in every layer but the last.
    input_size : int
        Side of the images in pixels, at least 32; 224 is the published net.
    dropout : float
        After ``fc6`` and ``fc7``.

    Notes
    -----
    Each ReLU is a module of its own and used once: attribution hooks modules, and a re-used or functional
    ReLU would make it silently wrong.
    """

    def __init__(
        self,
        n_outputs: int = N_IDENTITIES,
        *,
        width: float = 1.0,
        input_size: int = 224,
        dropout: float = 0.5,
    ) -> None:
        if input_size < 32 or width <= 0 or n_outputs < 1:
            raise PainkitError(
                f"no such net: input_size {input_size}, width {width}, n_outputs {n_outputs}",
                expected="input_size >= 32, width > 0, n_outputs >= 1",
            )

        def scaled(published: int) -> int:
            return max(1, round(published * width))

        layers: OrderedDict[str, nn.Module] = OrderedDict()
        n_in = 3
        for stage, (n_convolutions, published) in enumerate(_STAGES, start=1):
            for number in range(1, n_convolutions + 1):
                layers[f"conv{stage}_{number}"] = nn.Conv2d(n_in, scaled(published), 3, padding=1)
                layers[f"relu{stage}_{number}"] = nn.ReLU()
                n_in = scaled(published)
            layers[f"pool{stage}"] = nn.MaxPool2d(2)
        layers["flatten"] = nn.Flatten()
        n_in *= (input_size // 2 ** len(_STAGES)) ** 2
        for name in ("6", "7"):
            layers[f"fc{name}"] = nn.Linear(n_in, scaled(4096))
            layers[f"relu{name}"] = nn.ReLU()
            layers[f"dropout{name}"] = nn.Dropout(dropout)
            n_in = scaled(4096)
        layers["fc8"] = nn.Linear(n_in, n_outputs)
        super().__init__(layers)
        self.input_size = input_size

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Scores (n, n_outputs) of images (n, 3, input_size, input_size) from `to_input`.

        Raises
        ------
        PainkitError
            For images of another size.
        """
        if x.ndim != 4 or x.shape[1:] != (3, self.input_size, self.input_size):
            raise PainkitError(
                f"images of shape {tuple(x.shape)}", expected=f"(n, 3, {self.input_size}, {self.input_size})"
            )
        return cast(torch.Tensor, self[-1](self.embed(x)))

    def embed(self, x: torch.Tensor) -> torch.Tensor:
        """Features that the last layer sees, of images as `forward` takes them."""
        for layer in list(self)[:-1]:
            x = layer(x)
        return x


def to_input(
    images: NDArray[np.uint8] | NDArray[np.floating] | torch.Tensor, device: torch.device | str = "cpu"
) -> torch.Tensor:
    """Images (n, H, W, 3) as the net takes them: (n, 3, H, W) float32 RGB less `MEAN_RGB`.

    The tensor is a view in channels-last order, the layout of the images.

    Parameters
    ----------
    images : (n, H, W, 3) array
        RGB, 0-255.
    device : device

    Raises
    ------
    PainkitError
        For another shape, or values that are not in 0-255; values in 0-1 are recognised as such.
    """
    batch = torch.as_tensor(images)
    if batch.ndim != 4 or batch.shape[3] != 3:
        raise PainkitError(f"images of shape {tuple(batch.shape)}", expected="(n, height, width, 3) RGB")
    if batch.dtype != torch.uint8 and batch.numel():
        low, high = float(batch.min()), float(batch.max())
        if not (low >= 0 and high <= 255):  # also where there is NaN
            raise PainkitError(f"pixel values from {low:g} to {high:g}", expected="0-255")
        if 0 < high <= 1:
            raise PainkitError(
                f"pixel values from {low:g} to {high:g}, which look like images in 0-1",
                expected="0-255: multiply by 255",
            )
    return batch.to(device).permute(0, 3, 1, 2).float() - torch.tensor(MEAN_RGB, device=device).view(3, 1, 1)

"""Random mirror, rotation and shift of a batch of crops, on the device that trains."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch.nn import functional

__all__ = ["Augmentation", "moved"]


@dataclass(frozen=True)
class Augmentation:
    """Change every crop of a batch by its own draw.

    Parameters
    ----------
    mirror : bool
        Flip left and right with probability one half.
    rotation : float
        Largest angle in degrees, drawn uniformly to both sides about the crop's centre.
    shift : float
        Largest shift in pixels along each axis, drawn uniformly to both sides.
    """

    mirror: bool = True
    rotation: float = 0.0
    shift: float = 0.0

    def __call__(self, batch: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """Augment a float batch (n, channels, height, width).

        Pixels from outside a crop take its border's value. `generator` lives on the CPU, so that a seed gives
        the same draws on every device.
        """
        n = len(batch)
        if self.mirror:
            flip = torch.rand(n, generator=generator) < 0.5
            batch = torch.where(flip.to(batch.device)[:, None, None, None], batch.flip(3), batch)
        if not (self.rotation or self.shift):
            return batch
        draws = torch.rand(n, 3, generator=generator) * 2 - 1
        return moved(batch, draws[:, 0] * math.radians(self.rotation), draws[:, 1:] * self.shift)


def moved(batch: torch.Tensor, angle: torch.Tensor, shift: torch.Tensor) -> torch.Tensor:
    """Turn each image (n, channels, height, width) about its centre by an angle, and shift it.

    Parameters
    ----------
    batch : (n, channels, height, width) float tensor
        Pixels from outside an image take its border's value.
    angle : (n,) tensor
        In radians.
    shift : (n, 2) tensor
        To the left and up, in pixels.
    """
    height, width = batch.shape[2:]
    cos, sin = angle.cos(), angle.sin()
    # affine_grid counts in half heights and widths, so rotating a non-square crop takes the aspect ratio.
    rows = [
        torch.stack([cos, -sin * height / width, shift[:, 0] * 2 / width], 1),
        torch.stack([sin * width / height, cos, shift[:, 1] * 2 / height], 1),
    ]
    theta = torch.stack(rows, 1).to(batch.device, batch.dtype)
    grid = functional.affine_grid(theta, list(batch.shape), align_corners=False)
    return functional.grid_sample(batch, grid, padding_mode="border", align_corners=False)

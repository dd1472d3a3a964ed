"""The fixed views of a face that fine-tuning trains on: as it is, in the mirror, turned to either side."""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import torch
from torch import Tensor

from painkit.models.training.augmentation import moved

__all__ = ["VIEWS", "View", "seen"]


class View(NamedTuple):
    """Whether the image is mirrored, and by how many degrees it is then turned."""

    mirror: bool = False
    angle: float = 0.0


#: Views by number. 0 is the image itself; the others are the copies (Hosseini et al., Table I and Sec. IV-A).
VIEWS: Final = (View(), View(mirror=True), View(angle=15.0), View(angle=-15.0))


def seen(images: Tensor, views: Tensor) -> Tensor:
    """Show each image in a view.

    Parameters
    ----------
    images : (n, channels, height, width) tensor
    views : (n,) int tensor
        Numbers of views, on the CPU.

    Returns
    -------
    (n, channels, height, width) tensor
        Images in view 0 are unchanged, value by value.
    """
    shown = images
    for number, view in enumerate(VIEWS):
        chosen = (views == number).nonzero()[:, 0].to(images.device)
        if number == 0 or not len(chosen):
            continue
        part = images[chosen]
        if view.mirror:
            part = part.flip(3)
        if view.angle:
            part = moved(part, torch.full((len(part),), math.radians(view.angle)), torch.zeros(len(part), 2))
        shown = shown.index_copy(0, chosen, part)
    return shown

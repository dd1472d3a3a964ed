"""Patches of saliency maps about the landmarks of action units, as histograms of their brightness."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from painkit.models.training.saliency_losses import patch_values, soft_histogram
from painkit.vocabulary.action_units import UNIT_LANDMARKS

__all__ = ["PATCH_LANDMARKS", "UnitHistograms", "unit_histograms", "unit_membership"]

PATCH_LANDMARKS: Final[NDArray[np.intp]] = np.unique(
    [point for sides in UNIT_LANDMARKS.values() for side in sides for point in side]
)
"""Landmarks that some unit shows about, ascending; the points that patches are cut at."""


class UnitHistograms(NamedTuple):
    """Brightness about each unit.

    Attributes
    ----------
    histograms : (n, k, bins) tensor
        Sums are 1; 0 for a unit without a pixel.
    known : (n, k) bool tensor
        Units with a pixel in the map.
    n_outside : scalar tensor
        Pixels of patches that lie outside the maps.
    """

    histograms: Tensor
    known: Tensor
    n_outside: Tensor


def unit_membership(units: Sequence[int]) -> Tensor:
    """Which of `PATCH_LANDMARKS` each unit shows about, on both sides: (k, p) tensor of 0 and 1."""
    member = [np.isin(PATCH_LANDMARKS, np.concatenate(UNIT_LANDMARKS[unit])) for unit in units]
    return torch.from_numpy(np.array(member, dtype=np.float32).reshape(len(units), -1))


def unit_histograms(
    maps: Tensor, points: Tensor, membership: Tensor, *, side: int = 11, bins: int = 16, width: float = 1.0
) -> UnitHistograms:
    """Take the histogram of each unit's patches, left and right together.

    Parameters
    ----------
    maps : (n, height, width) tensor
        Brightness, 0-1.
    points : (n, p, 2) tensor
        `PATCH_LANDMARKS` in the maps' pixels; NaN where missing.
    membership : (k, p) tensor
        See `unit_membership`.
    side, bins, width
        See `patch_values` and `soft_histogram`.
    """
    values, inside = patch_values(maps, points, side)
    counts = soft_histogram(values, inside, bins, width)
    summed = torch.einsum("kp,npb->nkb", membership.to(counts), counts)
    total = summed.sum(dim=2)
    known = total > 0.5  # a pixel counts 1
    found = torch.isfinite(points).all(dim=2)
    outside = (found[..., None] & ~inside).sum()
    return UnitHistograms(summed / torch.where(known, total, 1.0)[..., None], known, outside)

"""Triplets of frames by pain level: which are taken of a batch, and what they tell of each action unit."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

__all__ = ["Triplets", "UnitSets", "mine", "unit_sets"]


class Triplets(NamedTuple):
    """Positions in a batch; anchor and positive have one level, the negative another.

    Attributes
    ----------
    anchor, positive, negative : (t,) int64 tensors
    gap : (t,) tensor
        O: how far the levels of anchor and negative lie apart.
    n_without_positive : scalar tensor
        Anchors left out because no other frame of the batch has their level.
    n_without_negative : scalar tensor
        Anchors left out because no frame of the batch has another level.
    """

    anchor: Tensor
    positive: Tensor
    negative: Tensor
    gap: Tensor
    n_without_positive: Tensor
    n_without_negative: Tensor


@torch.no_grad()
def mine(features: Tensor, levels: Tensor) -> Triplets:
    """Take for every frame of a batch its hardest triplet (batch-hard: Hermans et al. 2017).

    The positive is the farthest frame of the anchor's level, the negative the nearest of another level.

    Parameters
    ----------
    features : (n, d) tensor
        L2-normalised.
    levels : (n,) tensor
    """
    distance = torch.cdist(features.float(), features.float())
    same = levels[:, None] == levels
    other = ~same
    same = same & ~torch.eye(len(levels), dtype=torch.bool, device=levels.device)
    has_positive, has_negative = same.any(dim=1), other.any(dim=1)
    anchor = torch.nonzero(has_positive & has_negative)[:, 0]
    positive = distance.masked_fill(~same, -torch.inf).argmax(dim=1)[anchor]
    negative = distance.masked_fill(~other, torch.inf).argmin(dim=1)[anchor]
    gap = (levels[anchor] - levels[negative]).abs().to(features.dtype)
    return Triplets(anchor, positive, negative, gap, (~has_positive).sum(), (~has_negative).sum())


class UnitSets(NamedTuple):
    """What a triplet tells of each action unit (Li et al. 2018, Eqs. 1 and 3).

    Attributes
    ----------
    relevant : (t, k) bool tensor
        Set A: units that differ between anchor and negative and not between anchor and positive.
    irrelevant : (t, k) bool tensor
        Set B: all others that are known.
    weight : (t, k) tensor
        W: each unit's share of the differences over A; 0 outside.
    """

    relevant: Tensor
    irrelevant: Tensor
    weight: Tensor


def unit_sets(
    intensity: Tensor, triplets: Triplets, alpha: float = 1.0, known: Tensor | None = None
) -> UnitSets:
    """Divide the action units of triplets into those that have to do with pain and the others.

    Parameters
    ----------
    intensity : (n, k) tensor
        Of each unit in each frame of the batch; NaN where it was not coded, which leaves the unit out of both
        sets of the frame's triplets.
    triplets : Triplets
    alpha : float
        Least difference that counts.
    known : (n, k) bool tensor, optional
        Units are also left out where one of the three frames has False.
    """
    anchor, positive, negative = (intensity[one] for one in triplets[:3])
    near, far = (anchor - positive).abs(), (anchor - negative).abs()
    usable = torch.isfinite(near + far)
    if known is not None:
        usable &= torch.stack([known[one] for one in triplets[:3]]).all(dim=0)
    relevant = usable & (near < alpha) & (far >= alpha)
    difference = torch.where(relevant, far, torch.zeros_like(far))
    total = difference.sum(dim=1, keepdim=True)
    # A unit of A differs by alpha at least, so the sum is 0 only where A is empty (or alpha is 0).
    weight = torch.where(total > 0, difference / torch.where(total > 0, total, torch.ones_like(total)), 0.0)
    return UnitSets(relevant, usable & ~relevant, weight)

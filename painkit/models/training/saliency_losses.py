"""Losses of saliency supervision (Li et al. 2018, Eqs. 2-6) and the distance of two patches of a map."""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from torch import Tensor

from painkit.errors import PainkitError
from painkit.models.training.triplets import Triplets, UnitSets

__all__ = [
    "LocalLoss",
    "Signs",
    "earth_movers_distance",
    "global_loss",
    "local_loss",
    "patch_values",
    "soft_histogram",
]

Signs = Literal["working", "as_printed"]
"""``'as_printed'`` swaps positive and negative, as Eqs. 2, 4 and 6 have them: negatives are pulled in."""


def patch_values(maps: Tensor, points: Tensor, side: int = 11) -> tuple[Tensor, Tensor]:
    """Cut square patches about points out of maps.

    Parameters
    ----------
    maps : (n, height, width) tensor
    points : (n, p, 2) tensor
        x and y in the maps' pixels; NaN where a point is missing. A patch's middle is the nearest pixel.
    side : int
        Odd.

    Returns
    -------
    values, inside : (n, p, side**2) tensors
        The pixels, and which of them lie in the map: none of a missing point. Values of the others are 0.

    Raises
    ------
    PainkitError
        When `side` is even.
    """
    if side < 1 or side % 2 == 0:
        raise PainkitError(f"patches of {side} pixels", expected="an odd number of 1 or more")
    height, width = maps.shape[1:]
    found = torch.isfinite(points).all(dim=2)
    middle = torch.where(found[..., None], points, 0.0).round().long()
    step = torch.arange(side, device=maps.device) - side // 2
    y = (middle[..., 1, None] + step)[..., :, None].expand(-1, -1, side, side).flatten(2)
    x = (middle[..., 0, None] + step)[..., None, :].expand(-1, -1, side, side).flatten(2)
    inside = found[..., None] & (y >= 0) & (y < height) & (x >= 0) & (x < width)
    place = torch.where(inside, y * width + x, 0)
    values = maps.flatten(1).gather(1, place.flatten(1)).view_as(place)
    return torch.where(inside, values, 0.0), inside


def soft_histogram(values: Tensor, inside: Tensor, bins: int = 16, width: float = 1.0) -> Tensor:
    """Count values of 0-1 into bins so that the counts have a gradient.

    The bins' centres lie evenly from 0 to 1. A value is shared among them by triangles about the centres that
    reach `width` times their spacing to either side; with a width of 1 that is linear interpolation between
    the two nearest centres, and the histogram keeps the values' mean.

    Parameters
    ----------
    values : (..., m) tensor
    inside : (..., m) bool tensor
        Which count.
    bins : int
    width : float
        1 or more.

    Returns
    -------
    (..., bins) tensor
        How many values fall into each bin.
    """
    if bins < 2 or width < 1:
        raise PainkitError(f"{bins} bins of width {width}", expected="2 bins or more of width 1 or more")
    centres = torch.arange(bins, dtype=values.dtype, device=values.device)
    at = values.clamp(0, 1)[..., None] * (bins - 1)
    share = (1 - (at - centres).abs() / width).clamp(min=0)
    if width != 1:  # else they sum to 1
        share = share / share.sum(dim=-1, keepdim=True)
    return (share * inside[..., None]).sum(dim=-2)


def earth_movers_distance(first: Tensor, second: Tensor) -> Tensor:
    """Distance of histograms on the same bins, 0-1: the share moved times how far, as a share of the range.

    Parameters
    ----------
    first, second : (..., bins) tensors
        That sum to 1.

    Returns
    -------
    (...) tensor
    """
    return (first - second).cumsum(dim=-1)[..., :-1].abs().mean(dim=-1)


class LocalLoss(NamedTuple):
    """Mean over triplets of the losses of Eqs. 2 and 4; their sum is that of Eq. 5."""

    relevant: Tensor
    irrelevant: Tensor


def local_loss(
    to_positive: Tensor, to_negative: Tensor, sets: UnitSets, gap: Tensor, signs: Signs = "working"
) -> LocalLoss:
    """Losses of the sets A and B.

    A unit of A is asked to differ more from the negative than from the positive, by O W at least; one of B to
    differ more by O / N at most. ``[g(a,p) - g(a,n) + O W]+`` and ``[g(a,p) - g(a,n) + O / N]-``, with
    ``[x]- = max(-x, 0)`` and N the number of units in B.

    Parameters
    ----------
    to_positive, to_negative : (t, k) tensors
        g: how far each unit's patches of the map are from the anchor's.
    sets : UnitSets
        An empty set contributes 0.
    gap : (t,) tensor
        O.
    signs : {'working', 'as_printed'}
    """
    further = _further(to_positive, to_negative, signs)
    number = sets.irrelevant.sum(dim=1).clamp(min=1)
    relevant = (further + gap[:, None] * sets.weight).clamp(min=0)
    irrelevant = (-(further + (gap / number)[:, None])).clamp(min=0)
    n = max(len(gap), 1)
    return LocalLoss(
        torch.where(sets.relevant, relevant, 0.0).sum() / n,
        torch.where(sets.irrelevant, irrelevant, 0.0).sum() / n,
    )


def global_loss(features: Tensor, triplets: Triplets, beta: float = 0.2, signs: Signs = "working") -> Tensor:
    """Mean over triplets of ``[f(a,p) - f(a,n) + O beta]+`` (Eq. 6), f the Euclidean distance.

    Parameters
    ----------
    features : (n, d) tensor
        Of the batch, L2-normalised.
    triplets : Triplets
        Without any, the loss is 0.
    beta : float
        Margin for each level between anchor and negative.
    signs : {'working', 'as_printed'}
    """
    anchor = features[triplets.anchor]
    to_positive, to_negative = (
        torch.linalg.vector_norm(anchor - features[other], dim=1)
        for other in (triplets.positive, triplets.negative)
    )
    loss = (_further(to_positive, to_negative, signs) + triplets.gap * beta).clamp(min=0)
    return loss.sum() / max(len(loss), 1)


def _further(to_positive: Tensor, to_negative: Tensor, signs: Signs) -> Tensor:
    return to_positive - to_negative if signs == "working" else to_negative - to_positive

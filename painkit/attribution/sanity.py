"""Does a map depend on what the net has learned? Cascading randomisation (Adebayo et al. 2018).

The weights of the net are shuffled, layer by layer from the top down, and the maps are compared with those of
the net as it was. A map that hardly changes does not show what the net has learned: it would look the same
for a net that has learned nothing, as the edges of the image would. That a map changes does not make it
right.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from painkit.attribution.explained_net import LINEAR, twin_of
from painkit.attribution.landmark_scores import rank_correlations
from painkit.attribution.lrp import Preset
from painkit.attribution.pixel_map import MEMORY, Target
from painkit.attribution.pixel_maps import pixel_maps
from painkit.errors import PainkitError

__all__ = ["UNCHANGED", "randomisation_check", "randomisation_sentence"]

UNCHANGED: Final = 0.5
"""Rank correlation with the own map from which on the map of a random net counts as hardly changed."""


def randomisation_check(
    model: nn.Module,
    x: Tensor,
    method: str | Preset,
    target: Target = None,
    *,
    seed: int = 0,
    memory: int = MEMORY,
) -> pd.DataFrame:
    """Shuffle the weights from the last layer down and compare the maps with those of the net as it was.

    Shuffling keeps the size of the weights, so that scores and relevance keep theirs. Slopes and batch norm
    are shuffled together with the convolution or linear layer they follow.

    Parameters
    ----------
    model : Module
        It is not changed.
    x, method, target, memory
        See `painkit.attribution.pixel_maps.pixel_maps`. The outputs explained stay those of the net as it
        was.
    seed : int

    Returns
    -------
    DataFrame
        A row for each layer, the last first: method, step (layers shuffled so far), layer, rank_correlation
        (Spearman's, over pixels, of the colours' sums; mean over images), rank_correlation_absolute (of their
        magnitudes), n_images (with a map that is not constant; the means are over these, NaN without any).

    Raises
    ------
    PainkitError
        When the net has no layer with weights, or as `painkit.attribution.pixel_maps.pixel_maps` does.
    """
    own = pixel_maps(model, x, method, target, memory=memory)
    net = twin_of(model)
    groups = _groups(net)
    if not groups:
        raise PainkitError("the net has no convolution or linear layer", expected="weights to shuffle")
    generator = torch.Generator().manual_seed(seed)
    rows = []
    for step, group in enumerate(reversed(groups), start=1):
        for _, layer in group:
            _shuffle(layer, generator)
        found = pixel_maps(net, x, method, own.target, memory=memory)
        pair = [maps.heatmaps.reshape(len(x), -1) for maps in (own, found)]
        signed = rank_correlations(*pair)
        absolute = rank_correlations(*(np.abs(maps) for maps in pair))
        known = np.isfinite(signed)
        means = [float(r[known].mean()) if known.any() else np.nan for r in (signed, absolute)]
        rows.append((own.method, step, group[0][0], *means, int(known.sum())))
    return pd.DataFrame(
        rows,
        columns=["method", "step", "layer", "rank_correlation", "rank_correlation_absolute", "n_images"],
    )


def randomisation_sentence(table: pd.DataFrame) -> str:
    """Say what `randomisation_check` found, and what it means for reading the maps."""
    last = table.iloc[-1]
    alike = max(last["rank_correlation"], last["rank_correlation_absolute"])
    if not np.isfinite(alike):
        return f"{last['method']}: no map is left once all weights are shuffled, so nothing can be compared."
    numbers = (
        f"{last['method']}: with all {last['step']} layers shuffled the maps keep a rank correlation of "
        f"{last['rank_correlation']:z.2f} with those of the net as it was, their magnitudes one of "
        f"{last['rank_correlation_absolute']:z.2f}"
    )
    if alike >= UNCHANGED:
        return (
            f"{numbers}. They hardly depend on what the net has learned: a net of random weights gives "
            "nearly the same picture, so do not read them as what this net saw."
        )
    return f"{numbers}. They depend on what the net has learned, which does not yet make them right."


def _groups(net: nn.Module) -> list[list[tuple[str, nn.Module]]]:
    """Layers with weights in their order, each with the slopes and norms that follow it."""
    groups: list[list[tuple[str, nn.Module]]] = []
    for name, module in net.named_modules():
        if isinstance(module, LINEAR):
            groups.append([])
        if groups and list(module.parameters(recurse=False)):
            groups[-1].append((name, module))
    return groups


def _shuffle(layer: nn.Module, generator: torch.Generator) -> None:
    for name, parameter in list(layer.named_parameters(recurse=False)):
        order = torch.randperm(parameter.numel(), generator=generator).to(parameter.device)
        values = parameter.detach().reshape(-1)[order].reshape(parameter.shape)
        setattr(layer, name, nn.Parameter(values, requires_grad=False))

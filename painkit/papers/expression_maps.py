"""Relevance maps of expressions by preset, and what they depend on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from painkit.attribution.landmark_scores import rank_correlations
from painkit.attribution.lrp import PRESETS, Preset
from painkit.attribution.pixel_map import PixelMaps
from painkit.attribution.sanity import randomisation_check, randomisation_sentence
from painkit.evaluation.run_fold import limited_threads
from painkit.figures.pixel_maps import heatmaps
from painkit.figures.style import finish
from painkit.papers.expression_images import HeldOutImages

__all__ = [
    "PAPER_PRESETS",
    "VARIATIONS",
    "conservation",
    "map_figure",
    "maps_by_preset",
    "randomisation",
    "randomisation_sentences",
    "sensitivity",
]

#: The four settings of Figure 3.
PAPER_PRESETS: Final = ("LRPZ", "LRPEpsilon", "LRPPresetAFlat", "LRPPresetBFlat")

_TITLES: Final = {
    "LRPZ": "z rule",
    "LRPEpsilon": "epsilon rule",
    "LRPPresetAFlat": "preset A, flat",
    "LRPPresetBFlat": "preset B, flat",
}

#: Settings about preset A, one thing changed at a time.
VARIATIONS: Final[Mapping[str, Preset]] = {
    "epsilon 0.001": Preset(epsilon=0.001, alpha=1, beta=0, flat=True),
    "epsilon 1": Preset(epsilon=1, alpha=1, beta=0, flat=True),
    "first layer not flat": Preset(epsilon=0.1, alpha=1, beta=0),
    "alpha 1.5, beta 0.5": Preset(epsilon=0.1, alpha=1.5, beta=0.5, flat=True),
    "alpha 2, beta 1 (preset B)": PRESETS["LRPPresetBFlat"],
    "no alpha and beta": Preset(epsilon=0.1, flat=True),
    "epsilon everywhere": Preset(epsilon=0.1),
}


def maps_by_preset(found: HeldOutImages, presets: Sequence[str] = PAPER_PRESETS) -> dict[str, PixelMaps]:
    """`HeldOutImages.maps` of every preset."""
    return {preset: found.maps(preset) for preset in presets}


def map_figure(
    found: HeldOutImages | None,
    title: str,
    presets: Sequence[str] = PAPER_PRESETS,
    *,
    label: str = "relevance for the class",
) -> go.Figure:
    """Draw images with true and predicted class and a map of each preset; without images, say so."""
    if found is None:
        return finish(go.Figure(), f"{title}: no images are given", simulated=False, height=160)
    maps = {
        _TITLES.get(name, name.replace("_", " ")): one.heatmaps
        for name, one in maps_by_preset(found, presets).items()
    }
    captions = (found.frames["true"] + " / " + found.frames["predicted"]).tolist()
    return heatmaps(found.images, captions, maps, title, simulated=found.simulated, label=label)


def conservation(maps: Mapping[str, PixelMaps]) -> pd.DataFrame:
    """How far the relevance of each map is from the logit it starts from, as a share of it.

    Returns
    -------
    DataFrame
        preset, images, median, largest: of the magnitude of the conservation error.
    """
    rows = []
    for preset, found in maps.items():
        error = np.abs(found.conservation_error)
        rows.append((preset, len(error), float(np.nanmedian(error)), float(np.nanmax(error))))
    return pd.DataFrame(rows, columns=["preset", "images", "median", "largest"])


def sensitivity(
    found: HeldOutImages, variations: Mapping[str, Preset] = VARIATIONS, *, of: str = "LRPPresetAFlat"
) -> pd.DataFrame:
    """How much maps change with the settings of relevance propagation.

    Returns
    -------
    DataFrame
        setting, images, rank_correlation (Spearman's over pixels with the map of the preset, mean over
        images), positive (share of the magnitude that is positive), changed_sign (share of pixels).
    """
    own = found.maps(of)
    base = own.heatmaps.reshape(len(own.target), -1)
    rows = []
    for name, maps in [(of, own), *((name, found.maps(preset)) for name, preset in variations.items())]:
        flat = maps.heatmaps.reshape(base.shape)
        total = np.abs(flat).sum(axis=1)
        positive = np.divide(
            flat.clip(min=0).sum(axis=1), total, where=total > 0, out=np.full(len(total), np.nan)
        )
        rows.append((
            name,
            len(flat),
            float(np.nanmean(rank_correlations(base, flat))),
            float(np.nanmean(positive)),
            float((np.sign(flat) != np.sign(base)).mean()),
        ))  # fmt: skip
    columns = ["setting", "images", "rank_correlation", "positive", "changed_sign"]
    return pd.DataFrame(rows, columns=columns)


def randomisation(
    found: HeldOutImages, presets: Sequence[str] = PAPER_PRESETS, *, count: int = 6, seed: int = 0
) -> pd.DataFrame:
    """`randomisation_check` of every preset on some images of the first net, evenly spread."""
    own = [i for i, net in enumerate(found.nets) if net is found.nets[0]]
    rows = np.unique(np.linspace(0, len(own) - 1, count).astype(int))
    rows = np.array(own)[rows]
    net, targets = found.nets[0], found.logits[rows].argmax(axis=1)
    images = found.to_input(found.images[rows])
    with limited_threads(found.threads):
        checks = [randomisation_check(net, images, preset, targets, seed=seed) for preset in presets]
    return pd.concat(checks, ignore_index=True)


def randomisation_sentences(checks: pd.DataFrame) -> str:
    """`randomisation_sentence` of every preset."""
    return " ".join(randomisation_sentence(part) for _, part in checks.groupby("method", sort=False))

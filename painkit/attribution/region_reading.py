"""Maps read by parts of the face and by action units: shares of relevance, how stable they are, a sentence.

The outlook of Weitz et al. (2018, Sec. 6) asks for words such as "in this image, the eyes are important" and
for an uncertainty beside them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from painkit.attribution.explained_net import DROPOUT
from painkit.attribution.landmark_scores import rank_correlations
from painkit.attribution.lrp import Preset
from painkit.attribution.pixel_map import MEMORY, PixelMaps, Target
from painkit.attribution.pixel_maps import pixel_maps
from painkit.errors import PainkitError
from painkit.faces.regions import PARTS, part_masks, unit_masks
from painkit.vocabulary.action_units import UNIT_LANDMARKS

__all__ = ["RegionReading", "read_regions", "region_shares"]

Uncertainty = Literal["dropout", "noise"]

LEVEL: Final = 0.95
"""Share of the disturbed passes between the ends of an interval."""
_ROWS: Final = [*(("part", name) for name in PARTS), *(("unit", f"AU{unit}") for unit in UNIT_LANDMARKS)]
_PLURAL: Final = ("brows", "eyes", "cheeks")


@dataclass(frozen=True, eq=False)
class RegionReading:
    """What `read_regions` found.

    Attributes
    ----------
    maps : PixelMaps
        Of the net and the images as they are.
    shares : DataFrame
        As of `region_shares`, and positive_low, positive_high, negative_low, negative_high: the middle 95 %
        of the shares over the disturbed maps that have relevance of that sign.
    stability : DataFrame
        A row for each image: target (output explained), highest (output with the highest score), kept (share
        of the disturbed passes in which that one stays highest; NaN for a net with one output), score and
        score_sd (of the target, before softmax or sigmoid), map_correlation (mean rank correlation of the
        disturbed maps with the own one, over pixels).
    outputs : tuple of str
        Names of the net's outputs.
    uncertainty : {'dropout', 'noise'} or None
        How the passes were disturbed.
    n_samples : int
    """

    maps: PixelMaps
    shares: pd.DataFrame
    stability: pd.DataFrame
    outputs: tuple[str, ...]
    uncertainty: Uncertainty | None
    n_samples: int

    def sentence(self, image: int, *, parts: int = 2) -> str:
        """Say which parts of the face carry the map of one image, and how sure that is."""
        own = self.shares.query("image == @image and kind == 'part'")
        facts = self.stability.iloc[image]
        name = self.outputs[int(facts["target"])]
        if own["area"].isna().all():
            return f"Without landmarks, the map for *{name}* is not read by parts of the face."
        if own["positive"].isna().all():
            return f"No pixel speaks for *{name}*."
        said: list[str] = []
        for _, row in own.sort_values("positive", ascending=False, kind="stable").head(parts).iterrows():
            verb = "" if said else " carry" if row["name"] in _PLURAL else " carries"
            spread = (
                f" ({100 * row['positive_low']:.0f} to {100 * row['positive_high']:.0f} %)"
                if self.uncertainty
                else ""
            )
            said.append(f"the {row['name']}{verb} {100 * row['positive']:.0f} %{spread}")
        listed = " and ".join(filter(None, [", ".join(said[:-1]), said[-1]]))
        return f"For *{name}*, {listed} of the positive relevance{self._certainty(facts)}."

    def _certainty(self, facts: pd.Series) -> str:
        if self.uncertainty is None:
            return ""
        how = {"dropout": "Monte-Carlo dropout", "noise": "input noise"}[self.uncertainty]
        if np.isnan(facts["kept"]):
            held = f"the score varies by {facts['score_sd']:.2f} about {facts['score']:z.2f}"
        else:
            highest = self.outputs[int(facts["highest"])]
            held = f"{highest} stays the highest score in {100 * facts['kept']:.0f} %"
        return (
            f"; over {self.n_samples} passes with {how} {held}, and the maps keep a rank correlation of "
            f"{facts['map_correlation']:z.2f} with this one"
        )


def region_shares(heatmaps: NDArray[np.floating], landmarks: NDArray[np.floating]) -> pd.DataFrame:
    """Shares of positive and of negative relevance in each part of the face and about each action unit.

    Parameters
    ----------
    heatmaps : (n, height, width) array
    landmarks : (n, 66, 2) array
        Pixels of the heatmaps; NaN where an image has none.

    Returns
    -------
    DataFrame
        image (0 to n - 1), kind ("part" of `painkit.faces.regions.PARTS`, which do not overlap and sum to 1;
        or "unit", which do overlap), name ("brows", "AU4"), positive, negative (shares, 0-1), area (share of
        the picture). All are NaN where an image has no landmarks, a share also where the map has nothing of
        its sign.

    Raises
    ------
    PainkitError
        When there are not as many landmarks as maps.
    """
    masks = _masks(heatmaps, landmarks)
    return _table(_shares(heatmaps, masks), masks)


def read_regions(
    model: nn.Module,
    x: Tensor,
    landmarks: NDArray[np.floating],
    method: str | Preset = "LRPPresetAFlat",
    target: Target = None,
    *,
    outputs: Sequence[str] | None = None,
    uncertainty: Uncertainty | None = "dropout",
    n_samples: int = 20,
    noise: float = 0.05,
    seed: int = 0,
    memory: int = MEMORY,
) -> RegionReading:
    """Read maps by parts of the face, with an uncertainty.

    Parameters
    ----------
    model, x, method, target, memory
        See `painkit.attribution.pixel_maps.pixel_maps`. The disturbed passes explain the same outputs.
    landmarks : (n, 66, 2) array
        Pixels of the images in `x`; NaN where an image has none.
    outputs : sequence of str, optional
        Names of the net's outputs, such as the classes.
    uncertainty : {'dropout', 'noise'} or None
        Pass each image again with dropout left on (Gal and Ghahramani 2016), or with Gaussian noise on the
        pixels.
    n_samples : int
        Disturbed passes of each image.
    noise : float
        Standard deviation of the noise, as a share of the range of each image.
    seed : int

    Raises
    ------
    PainkitError
        When the net has no dropout, names or landmarks are not as many as outputs or images, or as
        `painkit.attribution.pixel_maps.pixel_maps` does.
    """
    maps = pixel_maps(model, x, method, target, memory=memory)
    names = tuple(outputs or (f"output {k}" for k in range(maps.logits.shape[1])))
    if len(names) != maps.logits.shape[1]:
        raise PainkitError(f"{len(names)} names for {maps.logits.shape[1]} outputs", expected="one for each")
    if uncertainty not in ("dropout", "noise", None) or n_samples < 2 or not noise > 0:
        raise PainkitError(
            f"uncertainty={uncertainty!r}, n_samples={n_samples}, noise={noise}",
            expected="'dropout', 'noise' or None, 2 samples or more, noise above 0",
        )
    masks = _masks(maps.heatmaps, landmarks)
    table = _table(_shares(maps.heatmaps, masks), masks)
    rows, highest = np.arange(len(x)), maps.logits.argmax(axis=1)
    stability = pd.DataFrame(
        {"image": rows, "target": maps.target, "highest": highest, "score": maps.logits[rows, maps.target]}
    )
    if uncertainty is not None:
        shares, scores, kept, alike = [], [], [], []
        for found in _disturbed(model, x, method, maps, uncertainty, n_samples, noise, seed, memory):
            shares.append(_shares(found.heatmaps, masks))
            scores.append(found.logits[rows, maps.target])
            kept.append(found.logits.argmax(axis=1) == highest)
            pair = [each.heatmaps.reshape(len(x), -1) for each in (maps, found)]
            alike.append(rank_correlations(*pair))
        low, high = _interval(np.stack(shares))
        for k, sign in enumerate(("positive", "negative")):
            table[f"{sign}_low"], table[f"{sign}_high"] = low[:, k].ravel(), high[:, k].ravel()
        stability["score_sd"] = np.std(scores, axis=0, ddof=1)
        stability["kept"] = np.mean(kept, axis=0) if len(names) > 1 else np.nan
        stability["map_correlation"] = np.mean(alike, axis=0)
    return RegionReading(maps, table, stability, names, uncertainty, n_samples if uncertainty else 0)


def _interval(shares: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Ends of the middle 95 % of the passes (the first axis) that have a share at all; NaN without any."""
    known = np.isfinite(shares)
    never = ~known.any(axis=0)
    ends = np.nanquantile(np.where(never, 0.0, shares), [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    return np.where(never, np.nan, ends[0]), np.where(never, np.nan, ends[1])


def _disturbed(
    model: nn.Module,
    x: Tensor,
    method: str | Preset,
    maps: PixelMaps,
    uncertainty: Uncertainty,
    n_samples: int,
    noise: float,
    seed: int,
    memory: int,
) -> Iterator[PixelMaps]:
    generator = torch.Generator().manual_seed(seed)
    if uncertainty == "noise":
        spread = noise * (x.amax(dim=(1, 2, 3), keepdim=True) - x.amin(dim=(1, 2, 3), keepdim=True))
        for _ in range(n_samples):
            moved = x + spread * torch.randn(x.shape, generator=generator, dtype=x.dtype).to(x.device)
            yield pixel_maps(model, moved, method, maps.target, memory=memory)
        return
    if not any(isinstance(module, DROPOUT) and module.p > 0 for module in model.modules()):
        raise PainkitError("the net has no dropout to leave on", expected="uncertainty='noise'")
    for _ in range(n_samples):
        yield pixel_maps(model, x, method, maps.target, dropout=generator, memory=memory)


def _masks(heatmaps: NDArray[np.floating], landmarks: NDArray[np.floating]) -> list[NDArray[np.bool_] | None]:
    """Of each image (k, height * width) for `_ROWS`, or None where it has no landmarks."""
    points = np.asarray(landmarks, dtype=np.float64)
    if len(points) != len(heatmaps):
        raise PainkitError(f"{len(points)} sets of landmarks for {len(heatmaps)} images")
    size = (heatmaps.shape[1], heatmaps.shape[2])
    return [
        np.stack([*part_masks(face, size).values(), *unit_masks(face, size).values()]).reshape(len(_ROWS), -1)
        if np.isfinite(face).all()
        else None
        for face in points
    ]


def _shares(heatmaps: NDArray[np.floating], masks: Sequence[NDArray[np.bool_] | None]) -> NDArray[np.float64]:
    """(n, 2, k) shares of the positive and of the negative relevance."""
    shares = np.full((len(heatmaps), 2, len(_ROWS)), np.nan)
    for image, (heatmap, own) in enumerate(zip(heatmaps, masks, strict=True)):
        for k, sign in enumerate((1, -1)):
            part = (sign * heatmap.ravel().astype(np.float64)).clip(min=0)
            if own is not None and part.any():
                shares[image, k] = own @ part / part.sum()
    return shares


def _table(shares: NDArray[np.float64], masks: Sequence[NDArray[np.bool_] | None]) -> pd.DataFrame:
    areas = [np.full(len(_ROWS), np.nan) if own is None else own.mean(axis=1) for own in masks]
    return pd.DataFrame(
        {
            "image": np.repeat(np.arange(len(shares)), len(_ROWS)),
            "kind": [kind for kind, _ in _ROWS] * len(shares),
            "name": [name for _, name in _ROWS] * len(shares),
            "positive": shares[:, 0].ravel(),
            "negative": shares[:, 1].ravel(),
            "area": np.concatenate(areas),
        }
    )

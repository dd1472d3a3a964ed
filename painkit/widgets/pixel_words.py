"""What the pixel explorer says of a map, and the outlines it draws."""

from __future__ import annotations

from dataclasses import asdict
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from painkit.attribution.lrp import Preset
from painkit.attribution.pixel_record import PixelRecord
from painkit.vocabulary.action_units import UNIT_NAMES
from painkit.widgets.kept_maps import KeptMap, MapKey

__all__ = ["map_facts", "method_words", "outline", "unit_words"]

_FINE: Final = 4


def map_facts(record: PixelRecord, key: MapKey, found: KeptMap) -> list[tuple[str, str]]:
    """Give what is said below a map: the model's answer, the score and its sum, and the true regions."""
    shares = record.probabilities(key.model)[key.row]
    told = ", ".join(f"{record.classes[i]} {100 * shares[i]:.0f} %" for i in np.argsort(-shares)[:4])
    facts = [("model says", told)]
    if found.heatmap is None:
        return facts
    score = record.logits[key.model][key.row, key.target]
    total = float(found.heatmap.sum(dtype=np.float64))
    off = 100 * found.error
    promised = f", {off:+.1f} % off".replace("-", "−") if abs(off) >= 0.05 else ""
    facts.append(
        (f"score of {record.classes[key.target]}", f"{score:.2f}; the map sums to {total:.2f}{promised}")
    )
    true = record.true_regions[key.row] if record.true_regions else {}
    if true:
        mask = np.any(list(true.values()), axis=0)
        positive = found.heatmap.clip(min=0)
        inside = 100 * float(positive[mask].sum() / (positive.sum() or np.nan))
        shown = ", ".join(true)
        facts.append(
            (
                "true regions",
                f"hold {inside:.0f} % of the positive on {100 * mask.mean():.0f} % of the image: {shown}",
            )
        )
    return facts


def method_words(method: str | Preset) -> str:
    """Name a method, or LRP with its settings."""
    if isinstance(method, str):
        return method.replace("_", " ")
    rules = ", ".join(f"{name} {value}" for name, value in asdict(method).items() if value is not None)
    return f"LRP with {rules}"


def unit_words(name: str) -> str:
    """Name of an action unit with what it means; other names stay."""
    number = name.removeprefix("AU")
    return f"{name} {UNIT_NAMES[int(number)]}" if number.isdecimal() else name


def outline(mask: NDArray[np.bool_]) -> str:
    """Outline of a region as an SVG path in pixels of the image, whose edges are at whole numbers."""
    large = cv2.resize(mask.astype(np.uint8) * 255, None, fx=_FINE, fy=_FINE, interpolation=cv2.INTER_NEAREST)
    large = cv2.GaussianBlur(large, (0, 0), 0.75 * _FINE)
    contours, _ = cv2.findContours((large > 127).astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    lines = [cv2.approxPolyDP(contour, 1, True)[:, 0] for contour in contours]
    return "".join(
        "M" + "L".join(f"{(x + 0.5) / _FINE:g},{(y + 0.5) / _FINE:g}" for x, y in line) + "Z"
        for line in lines
    )

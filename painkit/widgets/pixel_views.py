"""What the pixel explorer draws and saves of an image and of a map. No state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from painkit.attribution.lrp import PRESETS, Preset
from painkit.attribution.pixel_record import PixelRecord
from painkit.faces.regions import part_masks, unit_masks
from painkit.vocabulary.action_units import UNIT_NAMES
from painkit.widgets.kept_maps import KeptMap, MapKey

__all__ = ["DIVISIONS", "UNKNOWN", "caption", "image_view", "map_view", "shares_table"]

#: Kinds of `painkit.attribution.region_reading.region_shares`, by what the explorer calls them.
DIVISIONS: Final = {"facial regions": "part", "action units": "unit"}
UNKNOWN: Final = "not known"
_CLIPPED: Final = 0.005
"""Share of a map's pixels that are beyond the ends of the colours: single ones would make all others pale."""
_TRACE: Final = 1e-3
"""Share of a map's magnitude from which on a sign's part is divided among regions: less may be rounding."""
_FINE: Final = 4
_SHARES: Final = [f"{sign}{end}" for sign in ("positive", "negative") for end in ("", "_low", "_high")]


def caption(record: PixelRecord, model: str, row: int) -> str:
    """Name an image, its class, and what a model takes it for where that is another; or what it says."""
    frame, true, told = record.frames.iloc[row], record.true[row], record.predicted(model)[row]
    words = f"{frame['subject']}, {frame['sequence']}, frame {frame['frame']}: "
    if model in record.said:
        return words + record.said[model][row]
    if true < 0:
        return f"{words}class {UNKNOWN}, taken for {_class(record, told)}"
    return words + _class(record, true) + ("" if true == told else f", taken for {_class(record, told)}")


def image_view(record: PixelRecord, model: str, row: int) -> dict[str, Any]:
    """Put together what is drawn of an image, whatever the map."""
    landmarks, size = record.landmarks[row], (record.images.shape[1], record.images.shape[2])
    outlines: dict[str, dict[str, str]] = {name: {} for name in DIVISIONS}
    if np.isfinite(landmarks).all():
        outlines["facial regions"] = {
            name: _outline(mask) for name, mask in part_masks(landmarks, size).items()
        }
        outlines["action units"] = {
            _unit(f"AU{unit}"): _outline(mask) for unit, mask in unit_masks(landmarks, size).items()
        }
    return {
        "row": row,
        "pixels": record.images[row],
        "caption": caption(record, model, row),
        "outlines": outlines,
        "truth": {name: _outline(mask) for name, mask in _true_regions(record, row).items()},
    }


def map_view(record: PixelRecord, key: MapKey, found: KeptMap | None, division: str) -> dict[str, Any] | None:
    """Put together what is drawn of a map; None where it is not there yet."""
    if key.target < 0:
        return {"row": key.row, "problem": "Nobody knows the true class of this image.", "facts": []}
    if found is None:
        return None
    view: dict[str, Any] = {"row": key.row, "problem": found.problem, "facts": _facts(record, key, found)}
    if found.heatmap is None or found.shares is None:
        return view
    magnitude = np.abs(found.heatmap)
    top = float(magnitude.max()) or 1.0
    shares = found.shares[found.shares["kind"] == DIVISIONS[division]]
    sums = dict(zip(("positive", "negative"), _sums(found.heatmap), strict=True))
    divided = [name for name in _SHARES if sums[name.split("_")[0]] > _TRACE * sum(sums.values())]
    target = _class(record, key.target)
    return {
        **view,
        "values": np.round(found.heatmap / top * 32767).astype(np.int16),
        "top": top,
        "range": float(np.quantile(magnitude, 1 - _CLIPPED)) or top,
        "title": f"{_method(key.method)} for {target}, {key.model}",
        "target": target,
        "parts": [_unit(name) for name in shares["name"]],
        "shares": {name: 100 * shares[name].to_numpy() for name in divided if name in shares},
        "sentence": found.sentence,
    }


def shares_table(record: PixelRecord, key: MapKey, shares: pd.DataFrame, division: str) -> pd.DataFrame:
    """Lay out a map's shares with all that the map depends on: see `PixelExplorer.table`."""
    frame = record.frames.iloc[key.row]
    preset = PRESETS.get(key.method) if isinstance(key.method, str) else key.method
    rules = dict.fromkeys(asdict(Preset())) if preset is None else asdict(preset)
    facts = {
        **{name: frame[name] for name in ("subject", "sequence", "frame")},
        "true_class": _class(record, record.true[key.row]),
        "predicted_class": _class(record, record.predicted(key.model)[key.row]),
        "model": key.model,
        "explained": _class(record, key.target),
        "method": key.method if isinstance(key.method, str) else "LRP",
        **rules,
        "score": record.logits[key.model][key.row, key.target],
    }
    own = shares[shares["kind"] == DIVISIONS[division]].drop(columns=["image", "kind"])
    own = own.rename(columns={"name": "part"})
    return own.assign(**facts, simulated=record.simulated)[[*facts, *own.columns, "simulated"]]


def _facts(record: PixelRecord, key: MapKey, found: KeptMap) -> list[tuple[str, str]]:
    if key.model in record.said:
        told = record.said[key.model][key.row]
    else:
        probabilities = record.probabilities(key.model)[key.row]
        surest = np.argsort(-probabilities)[:4]
        told = ", ".join(f"{record.classes[i]} {100 * probabilities[i]:.0f} %" for i in surest)
    facts = [("model says", told)]
    if found.heatmap is None:
        return facts
    score, off = record.logits[key.model][key.row, key.target], 100 * found.error
    up, down = _sums(found.heatmap)
    words = f"{score:z.2f}; the map sums to {up:.2f} - {down:.2f} = {up - down:z.2f}"
    words += f", {off:+.1f} % off" if abs(off) >= 0.05 else ""
    facts.append((f"score of {_class(record, key.target)}", words.replace("-", "−")))
    true = _true_regions(record, key.row)
    if true:
        mask = np.any(list(true.values()), axis=0)
        inside = (
            f"{100 * _sums(found.heatmap[mask])[0] / up:.0f} % of the positive" if up else "nothing positive"
        )
        words = f"hold {inside} on {100 * mask.mean():.0f} % of the image: {', '.join(true)}"
        facts.append(("true regions", words))
    return facts


def _sums(heatmap: NDArray[np.floating]) -> tuple[float, float]:
    """Positive and negative relevance of a map, both from 0 up."""
    return tuple(float((sign * heatmap).clip(min=0).sum(dtype=np.float64)) for sign in (1, -1))  # type: ignore[return-value]


def _true_regions(record: PixelRecord, row: int) -> Mapping[str, NDArray[np.bool_]]:
    return record.true_regions[row] if record.true_regions else {}


def _class(record: PixelRecord, number: int) -> str:
    return UNKNOWN if number < 0 else record.classes[number]


def _method(method: str | Preset) -> str:
    if isinstance(method, str):
        return method.replace("_", " ")
    rules = ", ".join(f"{name} {value}" for name, value in asdict(method).items() if value is not None)
    return f"LRP with {rules}"


def _unit(name: str) -> str:
    """Name of an action unit with what it means; other names stay."""
    number = name.removeprefix("AU")
    return f"{name} {UNIT_NAMES[int(number)]}" if number.isdecimal() else name


def _outline(mask: NDArray[np.bool_]) -> str:
    """Outline of a region as an SVG path in pixels of the image, whose edges are at whole numbers."""
    large = cv2.resize(mask.astype(np.uint8) * 255, None, fx=_FINE, fy=_FINE, interpolation=cv2.INTER_NEAREST)
    large = cv2.blur(cv2.blur(large, (_FINE + 1,) * 2), (_FINE + 1,) * 2)
    contours, _ = cv2.findContours((large > 127).astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    lines = [cv2.approxPolyDP(contour, 1, True)[:, 0] for contour in contours]
    return "".join(
        "M" + "L".join(f"{(x + 0.5) / _FINE:g},{(y + 0.5) / _FINE:g}" for x, y in line) + "Z"
        for line in lines
    )

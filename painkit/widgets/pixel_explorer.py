"""An explorer of what the pixels of an image did for a class, by any model and any method."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import asdict
from functools import lru_cache
from typing import Any, Final

import numpy as np
import pandas as pd
from traitlets import Any as AnyValue
from traitlets import Bool, Dict, Float, List, Unicode, observe, validate

from painkit.attribution.explained_net import DROPOUT
from painkit.attribution.lrp import PRESETS, Preset
from painkit.attribution.pixel_maps import METHODS
from painkit.attribution.pixel_record import PixelRecord
from painkit.errors import PainkitError, unknown
from painkit.faces.regions import part_masks, unit_masks
from painkit.widgets.explorer import Explorer, packed, page_script
from painkit.widgets.kept_maps import KeptMaps, MapKey
from painkit.widgets.pixel_words import map_facts, method_words, outline, unit_words

__all__ = ["PixelExplorer"]

ANY: Final = "any"
_PREDICTED, _TRUE = "predicted class", "true class"
_DIVISIONS: Final = {"facial regions": "part", "action units": "unit"}
_UNKNOWN: Final = "not known"
_AHEAD: Final = (1, 2, 3, -1)
_BUTTONS: Final = tuple(name for name, preset in PRESETS.items() if preset.bias == "both")
_CLIPPED: Final = 0.005
"""Share of a map's pixels that are beyond the ends of the colours: single ones would make all others pale."""


class PixelExplorer(Explorer):
    """An image under the map of what its pixels did for a class, beside the map's shares by facial region.

    Parameters
    ----------
    record : PixelRecord
        Images and nets.

    Attributes
    ----------
    true_class, predicted_class : str
        Which images are offered; ``"any"`` for all. Errors come first.
    first, second : dict
        Settings of two maps: ``model``; ``target``, a class, or ``"predicted class"`` or ``"true class"``;
        ``method``, a key of `painkit.attribution.pixel_maps.METHODS`, or fields of
        `painkit.attribution.lrp.Preset`. Keys that are left out stay as they are.
    side_by_side : bool
        Show both maps.
    opacity : float
        Of the maps over the image, 0-1.
    shown : {'both', 'positive', 'negative'}
        Which sign of relevance.
    division : {'facial regions', 'action units'}
    regions : bool
        Outline where what was shown can be seen, if the record knows.
    uncertainty : {'none', 'dropout', 'noise'}
        How maps are disturbed to see how stable they are, as in
        `painkit.attribution.region_reading.read_regions`.
    image : dict
        What is drawn of the image that is open; None where none is offered.
    maps : list of dict
        What is drawn of each map: None until it is there.
    pending : list of bool
        Whether a map, or its uncertainty, is still being made.

    Raises
    ------
    PainkitError
        When a control is set to what it does not offer.
    """

    _esm = page_script("pixel_panel.js", "pixel_explorer.js")

    true_class = Unicode(ANY).tag(sync=True)
    predicted_class = Unicode(ANY).tag(sync=True)
    first = Dict().tag(sync=True)
    second = Dict().tag(sync=True)
    side_by_side = Bool(False).tag(sync=True)
    opacity = Float(0.6).tag(sync=True)
    shown = Unicode("both").tag(sync=True)
    division = Unicode("facial regions").tag(sync=True)
    regions = Bool(True).tag(sync=True)
    has_regions = Bool(False).tag(sync=True)
    uncertainty = Unicode("none").tag(sync=True)
    presets = Dict().tag(sync=True)
    image = AnyValue().tag(sync=True, to_json=packed)
    maps = AnyValue().tag(sync=True, to_json=packed)
    pending = List(Bool()).tag(sync=True)

    def __init__(self, record: PixelRecord) -> None:
        self.record = record
        self._image = lru_cache(64)(self._image_of)
        self._maps = KeptMaps(record, self._later(self._show))
        models = list(record.models)
        super().__init__(
            simulated=record.simulated,
            heading="Pixel explorer",
            choices={
                "true_class": [ANY, *record.classes, *([_UNKNOWN] if (record.true < 0).any() else [])],
                "predicted_class": [ANY, *record.classes],
                "model": models,
                "target": [_PREDICTED, _TRUE, *record.classes],
                "method": [*_BUTTONS, *(name for name in METHODS if name not in PRESETS)],
                "shown": ["both", "positive", "negative"],
                "division": list(_DIVISIONS),
                "uncertainty": ["none", "dropout", "noise"],
            },
            presets={name: asdict(preset) for name, preset in PRESETS.items()},
            has_regions=any(record.true_regions),
        )
        now = {"model": models[0], "target": _PREDICTED}
        self.first = {**now, "method": "LRPPresetAFlat"}
        self.second = {**now, "method": "LRPPresetBFlat"}
        drops = any(
            isinstance(module, DROPOUT) and module.p > 0 for module in record.net(models[0], 0).modules()
        )
        self.uncertainty = "dropout" if drops else "noise"
        self._offer()

    @property
    def row(self) -> int | None:
        """Row of the record that is open."""
        return int(self.rows[self.frame]) if len(self.rows) else None

    def wait(self) -> None:
        """Return when the maps are there."""
        self._maps.wait()
        self._show()

    def close(self) -> None:
        """Make no more maps."""
        self._maps.close()
        super().close()

    def table(self) -> pd.DataFrame:
        """Shares of the maps that are open.

        Returns
        -------
        DataFrame
            One row for each map and part of the face: subject, sequence, frame, true_class, predicted_class,
            model, explained, method and its settings, score, part, positive, negative (shares of the map,
            0-1) with their intervals where there are any, area (share of the image), simulated.
        """
        record, parts = self.record, []
        for key in self._keys():
            found = self._maps.get(key)
            if found is None or found.shares is None:
                continue
            frame = record.frames.iloc[key.row]
            method = (
                asdict(key.method)
                if isinstance(key.method, Preset)
                else asdict(PRESETS[key.method])
                if key.method in PRESETS
                else {}
            )
            facts = {
                **{name: frame[name] for name in ("subject", "sequence", "frame")},
                "true_class": self._name(record.true[key.row]),
                "predicted_class": self._name(record.predicted(key.model)[key.row]),
                "model": key.model,
                "explained": self._name(key.target),
                "method": key.method if isinstance(key.method, str) else "LRP",
                **{name: method.get(name) for name in asdict(Preset())},
                "score": record.logits[key.model][key.row, key.target],
            }
            shares = found.shares[found.shares["kind"] == _DIVISIONS[self.division]]
            shares = shares.drop(columns=["image", "kind"]).rename(columns={"name": "part"})
            parts.append(
                shares.assign(**facts, simulated=record.simulated)[[*facts, *shares.columns, "simulated"]]
            )
        return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()

    def files(self) -> dict[str, str]:
        """Return what can be saved: the table of the open maps."""
        if self.row is None:
            return {}
        named = self.record.frames.iloc[self.row]
        name = f"{named['subject']}-{named['sequence']}-frame{named['frame']}.csv"
        return {name: self.table().to_csv(index=False)}

    @validate("true_class", "predicted_class", "shown", "division", "uncertainty")
    def _listed(self, proposal: Any) -> str:
        return self.offered(proposal)

    @validate("opacity")
    def _share(self, proposal: Any) -> float:
        return float(np.clip(proposal.value, 0, 1))

    @validate("first", "second")
    def _settings(self, proposal: Any) -> dict[str, Any]:
        now = getattr(self, proposal.trait.name)
        settings = {**now, **proposal.value}
        for name in ("model", "target"):
            if settings[name] not in self.choices[name]:
                raise unknown(name, settings[name], self.choices[name])
        method = settings.pop("method")
        if set(settings) != {"model", "target"}:
            raise PainkitError(
                f"settings {', '.join(proposal.value)}", expected="some of model, target, method"
            )
        if isinstance(method, str):
            if method not in METHODS:
                raise unknown("method", method, METHODS)
            return {**settings, "method": method}
        preset = Preset(**method)
        named = next((name for name, known in PRESETS.items() if known == preset), None)
        return {**settings, "method": named or asdict(preset)}

    @observe("true_class", "predicted_class")
    def _on_filter(self, _: object) -> None:
        self._offer()

    @observe("first")
    def _on_first(self, change: Any) -> None:
        if change.old and change.old["model"] != change.new["model"]:
            self._offer()  # by another model's errors
        else:
            self._on_settings(None)

    @observe("frame")
    def _on_frame(self, _: object) -> None:
        self._open()

    @observe("second", "side_by_side", "uncertainty")
    def _on_settings(self, _: object) -> None:
        if self.image is not None:
            self._want()

    @observe("division")
    def _on_division(self, _: object) -> None:
        self._show()

    def _offer(self) -> None:
        """Offer the images that the choosers let through; the one that is open stays if it is among them."""
        record, model = self.record, self.first["model"]
        rows, now = record.errors_first(model), self.row
        for chosen, numbers in (
            (self.true_class, record.true),
            (self.predicted_class, record.predicted(model)),
        ):
            if chosen != ANY:
                number = -1 if chosen == _UNKNOWN else record.classes.index(chosen)
                rows = rows[numbers[rows] == number]
        with self.hold_sync():
            self.rows = rows
            self.choices = {
                **self.choices,
                "image": [f"{i + 1}. {self._caption(row)}" for i, row in enumerate(rows)],
            }
            self.n_frames, self.playing = len(rows), False
            frame = int(np.flatnonzero(rows == now)[0]) if now in rows else 0
            if frame == self.frame:
                self._open()
            self.frame = frame

    def _open(self) -> None:
        with self.hold_sync():
            self.image = None if self.row is None else self._image(self.row, self.first["model"])
            self._want()

    def _keys(self, frame: int | None = None) -> list[MapKey]:
        """Keys of the maps of a frame, by default of the one that is open."""
        if self.row is None:
            return []
        record, row = self.record, self.row if frame is None else int(self.rows[frame])
        keys = []
        for settings in (self.first, self.second)[: 1 + self.side_by_side]:
            model, target, method = (settings[name] for name in ("model", "target", "method"))
            number = {_PREDICTED: int(record.predicted(model)[row]), _TRUE: int(record.true[row])}.get(target)
            keys.append(
                MapKey(
                    row,
                    model,
                    record.classes.index(target) if number is None else number,
                    method if isinstance(method, str) else Preset(**method),
                    None if self.uncertainty == "none" else self.uncertainty,  # type: ignore[arg-type]
                )
            )
        return keys

    def _want(self) -> None:
        self._show()
        ahead = [self.frame + step for step in _AHEAD if 0 <= self.frame + step < len(self.rows)]
        keys = [key for key in self._keys() if key.target >= 0]
        near = [
            key._replace(uncertainty=None) for frame in ahead for key in self._keys(frame) if key.target >= 0
        ]
        self._maps.want(keys, near)

    def _show(self) -> None:
        """Take over what has been made by now."""
        keys = self._keys()
        with self.hold_sync():
            self.maps = [self._map(key) for key in keys]
            self.pending = [key.target >= 0 and not self._maps.has(key) for key in keys]

    @staticmethod
    def _later(action: Callable[[], None]) -> Callable[[], None]:
        """Make an action that any thread may start: a kernel does it in turn with what the page asks."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return action

        def later() -> None:
            loop.call_soon_threadsafe(action)

        return later

    def _name(self, number: int) -> str:
        return _UNKNOWN if number < 0 else self.record.classes[number]

    def _caption(self, row: int) -> str:
        record, frame = self.record, self.record.frames.iloc[row]
        true, told = record.true[row], record.predicted(self.first["model"])[row]
        words = f"{frame['subject']}, {frame['sequence']}, frame {frame['frame']}: "
        if true < 0:
            return f"{words}class not known, taken for {self._name(told)}"
        return words + self._name(true) + ("" if true == told else f", taken for {self._name(told)}")

    def _image_of(self, row: int, _model: str) -> dict[str, Any]:
        record, landmarks = self.record, self.record.landmarks[row]
        size = record.images.shape[1:3]
        outlines: dict[str, dict[str, str]] = {name: {} for name in _DIVISIONS}
        if np.isfinite(landmarks).all():
            outlines["facial regions"] = {
                name: outline(mask) for name, mask in part_masks(landmarks, size).items()
            }
            outlines["action units"] = {
                unit_words(f"AU{unit}"): outline(mask) for unit, mask in unit_masks(landmarks, size).items()
            }
        true = record.true_regions[row] if record.true_regions else {}
        return {
            "row": row,
            "pixels": record.images[row],
            "caption": self._caption(row),
            "outlines": outlines,
            "truth": {name: outline(mask) for name, mask in true.items()},
        }

    def _map(self, key: MapKey) -> dict[str, Any] | None:
        if key.target < 0:
            return {"row": key.row, "problem": "Nobody knows the true class of this image.", "facts": []}
        found = self._maps.get(key)
        if found is None:
            return None
        view: dict[str, Any] = {
            "row": key.row,
            "problem": found.problem,
            "facts": map_facts(self.record, key, found),
        }
        if found.heatmap is None or found.shares is None:
            return view
        magnitude = np.abs(found.heatmap)
        top = float(magnitude.max()) or 1.0
        shares = found.shares[found.shares["kind"] == _DIVISIONS[self.division]]
        columns = ["positive", "negative", "positive_low", "positive_high", "negative_low", "negative_high"]
        return {
            **view,
            "values": np.round(found.heatmap / top * 32767).astype(np.int16),
            "top": top,
            "range": float(np.quantile(magnitude, 1 - _CLIPPED)) or top,
            "title": f"{method_words(key.method)} for {self._name(key.target)}, {key.model}",
            "target": self._name(key.target),
            "parts": [unit_words(name) for name in shares["name"]],
            "shares": {name: 100 * shares[name].to_numpy() for name in columns if name in shares},
            "sentence": found.sentence,
        }

"""An explorer of what the pixels of an image did for a class, by any model and any method."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import asdict
from functools import lru_cache, partial
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
from painkit.widgets.explorer import Explorer, packed, page_script
from painkit.widgets.kept_maps import KeptMaps, MapKey
from painkit.widgets.pixel_views import DIVISIONS, UNKNOWN, caption, image_view, map_view, shares_table

__all__ = ["PixelExplorer"]

ANY: Final = "any"
_PREDICTED, _TRUE = "predicted class", "true class"
_AHEAD: Final = (1, 2, 3, -1)
_BUTTONS: Final = tuple(name for name, preset in PRESETS.items() if preset.bias == "both")


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
        self._image = lru_cache(64)(partial(image_view, record))
        self._maps = KeptMaps(record, self._later(self._show))
        models = list(record.models)
        super().__init__(
            simulated=record.simulated,
            heading="Pixel explorer",
            choices={
                "true_class": [ANY, *record.classes, *([UNKNOWN] if (record.true < 0).any() else [])],
                "predicted_class": [ANY, *record.classes],
                "model": models,
                "target": [_PREDICTED, _TRUE, *record.classes],
                "method": [*_BUTTONS, *(name for name in METHODS if name not in PRESETS)],
                "shown": ["both", "positive", "negative"],
                "division": list(DIVISIONS),
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
        maps = [(key, self._maps.get(key)) for key in self._keys()]
        tables = [
            shares_table(self.record, key, found.shares, self.division)
            for key, found in maps
            if found is not None and found.shares is not None
        ]
        return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()

    def files(self) -> dict[str, str]:
        """Return what can be saved: the table of the open maps."""
        if self.row is None:
            return {}
        named = self.record.frames.iloc[self.row]
        name = re.sub(r"\W+", "-", f"{named['subject']}-{named['sequence']}-frame{named['frame']}")
        return {f"{name}.csv": self.table().to_csv(index=False)}

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
        try:
            preset = Preset(**method)
        except TypeError as error:
            raise PainkitError(
                f"rules {method}", expected=f"some of {', '.join(asdict(Preset()))}"
            ) from error
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
                number = -1 if chosen == UNKNOWN else record.classes.index(chosen)
                rows = rows[numbers[rows] == number]
        with self.hold_sync():
            self.rows = rows
            self.choices = {
                **self.choices,
                "image": [f"{i + 1}. {caption(record, model, row)}" for i, row in enumerate(rows)],
            }
            self.n_frames, self.playing = len(rows), False
            frame = int(np.flatnonzero(rows == now)[0]) if now in rows else 0
            if frame == self.frame:
                self._open()
            self.frame = frame

    def _open(self) -> None:
        with self.hold_sync():
            self.image = None if self.row is None else self._image(self.first["model"], self.row)
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
            self.maps = [map_view(self.record, key, self._maps.get(key), self.division) for key in keys]
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

"""Maps made in the background, the newest wish first, and kept."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from torch.utils._python_dispatch import TorchDispatchMode

from painkit.attribution.lrp import Preset
from painkit.attribution.pixel_record import PixelRecord
from painkit.attribution.region_reading import RegionReading, Uncertainty, read_regions
from painkit.errors import PainkitError

__all__ = ["KeptMap", "KeptMaps", "MapKey"]

_KEPT: Final = 256
_QUICK: Final = 0.5  # seconds; a net that needs longer for a map is not asked for maps that nobody wants yet


class MapKey(NamedTuple):
    """Which map: of what image, of what class of which model, by what method."""

    row: int
    model: str
    target: int
    method: str | Preset
    uncertainty: Uncertainty | None = None


@dataclass(frozen=True, eq=False)
class KeptMap:
    """A map, read by regions; or why there is none.

    Attributes
    ----------
    heatmap : (height, width) array
    expected, error : float
        What the map should sum to, and by what share of it it does not; NaN where no sum is promised.
    shares : DataFrame
        Of `painkit.attribution.region_reading.RegionReading`: the image's rows.
    sentence : str
    problem : str
        Empty, or why there is no map, or no uncertainty.
    """

    heatmap: NDArray[np.floating] | None = None
    expected: float = np.nan
    error: float = np.nan
    shares: pd.DataFrame | None = None
    sentence: str = ""
    problem: str = ""


class Superseded(Exception):
    """Somebody wants something else by now."""


class _Watch(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Asks before every operation of a net whether its result is still wanted."""

    def __init__(self, stale: Callable[[], bool]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._stale = stale

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if self._stale():
            raise Superseded
        return func(*args, **(kwargs or {}))


class KeptMaps:
    """Makes maps of a record's images in a thread of its own.

    Parameters
    ----------
    record : PixelRecord
    found : callable
        Called from that thread when a map that was wanted is there.
    """

    def __init__(self, record: PixelRecord, found: Callable[[], None]) -> None:
        self._record, self._found = record, found
        self._kept: dict[MapKey, KeptMap] = {}
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="maps")
        self._wish, self._seconds = 0, 0.0
        self._done: Future[None] | None = None

    def get(self, key: MapKey) -> KeptMap | None:
        """Return a map with its uncertainty, or without where that is not there yet, or None."""
        return self._kept.get(key) or self._kept.get(key._replace(uncertainty=None))

    def has(self, key: MapKey) -> bool:
        """Whether the map is there with its uncertainty."""
        return key in self._kept

    def want(self, keys: Sequence[MapKey], ahead: Sequence[MapKey] = ()) -> None:
        """Make maps, then their uncertainties, then maps wanted next; drop what was wanted before."""
        self._wish += 1
        self._done = self._pool.submit(self._make, self._wish, list(keys), list(ahead))

    def wait(self) -> None:
        """Return when all that is wanted is there."""
        if self._done is not None:
            self._done.result()

    def close(self) -> None:
        """Want nothing any more."""
        self._wish += 1

    def _make(self, wish: int, keys: list[MapKey], ahead: list[MapKey]) -> None:
        try:
            if wish != self._wish:
                return
            for key in (*(key._replace(uncertainty=None) for key in keys), *keys):
                if key not in self._kept:
                    begin = time.monotonic()
                    self._read([key], wish)
                    if key.uncertainty is None:
                        self._seconds = time.monotonic() - begin
                    self._found()
            for batch in self._batches(ahead) if self._seconds < _QUICK else ():
                self._read(batch, wish)
        except Superseded:
            return
        for key in list(self._kept)[: max(0, len(self._kept) - _KEPT)]:
            if key not in keys:
                del self._kept[key]

    def _batches(self, ahead: Sequence[MapKey]) -> list[list[MapKey]]:
        """Maps that one call can make: of one net, by one method."""
        groups: dict[tuple[int, str | Preset], list[MapKey]] = {}
        for key in ahead:
            if key not in self._kept:
                net = self._record.net(key.model, key.row)
                groups.setdefault((id(net), key.method), []).append(key)
        return list(groups.values())

    def _read(self, keys: list[MapKey], wish: int) -> None:
        """Make maps of one net by one method and keep them, or why there are none."""
        record, first = self._record, keys[0]
        rows = [key.row for key in keys]
        try:
            with _Watch(lambda: wish != self._wish):
                reading = read_regions(
                    record.net(first.model, first.row),
                    record.to_input(record.images[rows]),
                    record.landmarks[rows],
                    first.method,
                    [key.target for key in keys],
                    outputs=record.classes,
                    uncertainty=first.uncertainty,
                )
        except Superseded:
            raise
        except Exception as error:  # told where the map would be: in a thread nobody else would see it
            what = str(error) if isinstance(error, PainkitError) else f"{type(error).__name__}: {error}"
            for key in keys:
                plain = self._kept.get(key._replace(uncertainty=None), KeptMap())
                self._kept[key] = replace(plain, problem=what)
        else:
            self._kept |= {key: _kept(reading, i) for i, key in enumerate(keys)}


def _kept(reading: RegionReading, image: int) -> KeptMap:
    maps = reading.maps
    return KeptMap(
        heatmap=maps.heatmaps[image],
        expected=float(maps.expected[image]),
        error=float(maps.conservation_error[image]),
        shares=reading.shares[reading.shares["image"] == image],
        sentence=reading.sentence(image),
    )

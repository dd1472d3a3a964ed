"""Frames of a simulated cohort, drawn when they are asked for."""

from __future__ import annotations

from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from painkit.errors import PainkitError
from painkit.simulation.anatomy import Person
from painkit.simulation.causes import Latents, draw_latents
from painkit.simulation.dynamics import Signals, draw_signals, person_of
from painkit.simulation.labels import simulate_labels
from painkit.simulation.profiles import Settings
from painkit.simulation.render import render

__all__ = ["FrameArtist"]


class FrameArtist:
    """Draws any frame of a simulation, whether or not its image was written: the same pixels.

    Parameters
    ----------
    settings : Settings
        Of the simulation.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._signals = lru_cache(maxsize=4)(self._draw_signals)
        self._person = lru_cache(maxsize=8)(self._draw_person)

    @cached_property
    def _latents(self) -> Latents:
        return draw_latents(self.settings.profile, self.settings.seed)

    @cached_property
    def _marked(self) -> NDArray[np.bool_] | None:
        one = self.settings
        labels = one.shortcut and simulate_labels(one.profile, one.images, one.seed, one.shortcut)
        return labels.marked if labels else None

    @cached_property
    def _index(self) -> dict[tuple[str, str], int]:
        table = self._latents.sequences
        return {name: i for i, name in enumerate(zip(table["subject"], table["sequence"], strict=True))}

    def _draw_signals(self, index: int) -> Signals:
        return draw_signals(self._latents, self.settings.seed, index)

    def _draw_person(self, subject: str) -> Person:
        number = int(np.flatnonzero(self._latents.subjects["subject"] == subject)[0])
        return person_of(self._latents, self.settings.seed, number)

    def __call__(self, subject: str, sequence: str, frame: int) -> NDArray[np.uint8]:
        """Draw a frame: (240, 320, 3) uint8 RGB.

        Raises
        ------
        PainkitError
            When the simulation has no such frame.
        """
        index = self._index.get((subject, sequence))
        if index is None or not 0 < frame <= np.diff(self._latents.start)[index]:
            raise PainkitError(f"the simulation has no frame {frame} of {subject}/{sequence}")
        signals = self._signals(index)
        shortcut = self._marked is not None and bool(self._marked[self._latents.start[index] + frame - 1])
        image = render(
            self._person(subject),
            signals.intensity[frame - 1],
            signals.pose[frame - 1],
            shortcut=shortcut,
        )
        return image * np.uint8(not signals.black[frame - 1])

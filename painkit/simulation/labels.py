"""Causes, labels and decoys of a whole cohort in memory."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from painkit.simulation.causes import Latents, draw_latents, stream
from painkit.simulation.dynamics import Signals, draw_signals
from painkit.simulation.profiles import THIN, Settings

__all__ = ["Labels", "simulate_labels"]

Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Labels:
    """A simulated cohort before it is written; frames are sorted by subject, sequence and frame.

    Parameters
    ----------
    latents : Latents
        Subjects, sequences and the PSPI of every frame.
    signals : list of Signals
        One for every sequence.
    follows, marked, pictured : ndarray of bool, shape (n_frames,)
        Where the shortcut mark follows the level, where it is, and which frames get an image.
    """

    latents: Latents
    signals: list[Signals]
    follows: Bools
    marked: Bools
    pictured: Bools


def simulate_labels(
    profile: str = "demo", images: str = "thin", seed: int = 0, shortcut: float = 0.0
) -> Labels:
    """Simulate causes and labels of a cohort in memory; landmarks and pixels follow from them.

    Parameters
    ----------
    profile, images, seed, shortcut
        As in `simulate`.

    Returns
    -------
    Labels

    Notes
    -----
    With ``shortcut=s > 0``, a frame drawn with probability s shows the mark exactly if its level is above 0;
    any other frame shows it by chance, as often as levels above 0 occur in the cohort.
    """
    settings = Settings(profile, images, seed, shortcut)
    latents = draw_latents(profile, seed)
    signals = [draw_signals(latents, seed, i) for i in range(len(latents.sequences))]
    lengths = latents.sequences["n_frames"].tolist()
    chance = np.concatenate([stream(seed, 8, i).random((n, 2)) for i, n in enumerate(lengths)])
    level = latents.level
    follows = chance[:, 0] < settings.shortcut
    marked = np.where(follows, level > 0, (chance[:, 1] < (level > 0).mean()) & (settings.shortcut > 0))
    black = np.concatenate([s.black for s in signals])
    pictured = np.full(len(level), images == "all")
    if images == "thin":
        for a, b in pairwise(latents.start):
            for k, step in enumerate(THIN):
                pictured[a + np.flatnonzero(level[a:b] == k)[::step]] = True
    # Black frames are written always, so that they are known for what they are.
    return Labels(latents, signals, follows, marked & ~black, pictured | black)

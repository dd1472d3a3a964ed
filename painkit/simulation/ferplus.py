"""Grey faces with eight emotions and ten votes each, in the two files of FER2013 and FER+."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from painkit.files import write_text
from painkit.simulation.anatomy import Person, draw_person
from painkit.simulation.causes import stream
from painkit.simulation.dynamics import draw_pose
from painkit.simulation.portraits import MIXTURES, square_face, units
from painkit.simulation.profiles import Size
from painkit.simulation.writer import Task
from painkit.vocabulary.classes import EMOTIONS, VOTES

__all__ = ["ferplus_tasks"]

FER2013_CODE: Final = dict(
    zip(("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral"), range(7), strict=True)
)
SHARES: Final = (0.3, 0.24, 0.13, 0.12, 0.09, 0.04, 0.04, 0.04)
"""Share of every emotion among the faces; about that of FER+, with more of the rare ones."""
NO_FACE: Final = 0.01
"""Share of rows that show no face: blank name, ten votes for NF."""
FACES_EACH: Final = 16
"""Rows in a row that show one person; drawing a new one costs more than drawing a face."""


def ferplus_tasks(root: Path, size: Size, seed: int) -> list[Task]:
    """Work that writes ``ferplus/fer2013.csv`` and ``ferplus/fer2013new.csv``."""
    files = root / "ferplus" / "fer2013.csv", root / "ferplus" / "fer2013new.csv"
    return [Task(partial(_write, *files, size.faces, seed), dict.fromkeys(files))]


def _write(labels: Path, votes: Path, count: int, seed: int) -> None:
    old = ["emotion,pixels,Usage"]
    new = ["Usage,Image name," + ",".join(VOTES)]
    named = 0
    for i in range(count):
        rng = stream(seed, 21, i)
        usage = ("Training", "PublicTest", "PrivateTest")[
            0 if i < 0.8 * count else 1 if i < 0.9 * count else 2
        ]
        if i == 40 or rng.random() < NO_FACE:
            pixels, vote, code, name = _empty(rng), [0] * 9 + [10], 6, ""
        else:
            emotion = EMOTIONS[int(rng.choice(8, p=SHARES))]
            person = draw_person(stream(seed, 25, i // FACES_EACH))
            pixels, vote = _face(rng, person, emotion)
            code, name = FER2013_CODE.get(emotion, 6), f"fer{named:07d}.png"
            named += 1
        old.append(f"{code},{' '.join(map(str, pixels.ravel().tolist()))},{usage}")
        new.append(f"{usage},{name},{','.join(map(str, vote))}")
    for path, lines in ((labels, old), (votes, new)):
        write_text(path, "\n".join(lines) + "\n")


def _empty(rng: np.random.Generator) -> NDArray[np.uint8]:
    x, y = np.meshgrid(np.arange(48), np.arange(48))
    slope = rng.normal(0, 2, 2)
    return _grey(rng.uniform(60, 190) + slope[0] * (x - 24) + slope[1] * (y - 24))


def _grey(values: NDArray[np.float64]) -> NDArray[np.uint8]:
    return np.asarray(np.clip(np.round(values), 0, 255), np.uint8)


def _face(rng: np.random.Generator, person: Person, emotion: str) -> tuple[NDArray[np.uint8], list[int]]:
    strength = rng.uniform(0.45, 1.15)
    aus = units(MIXTURES[emotion], strength) * np.exp(0.15 * rng.standard_normal(15))
    pose = draw_pose(rng, {"move": 1.8}, 8)[-1]
    grey = square_face(person, np.clip(aus, 0, 5), pose, 48)
    changed = grey * rng.uniform(0.75, 1.15) + rng.normal(0, 10) + 4 * rng.standard_normal(grey.shape)
    # Weak expressions divide the raters between this emotion, none, and any other.
    chance = np.full(9, 0.012)
    chance[EMOTIONS.index(emotion)] += 0.35 + 0.6 * strength
    chance[0] += 0.45 * max(1 - strength, 0)
    vote = rng.multinomial(10, chance / chance.sum())
    return _grey(changed), [*vote.tolist(), 0]

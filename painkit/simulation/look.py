"""Tones, hair and clothes of a simulated person: what pixels show and landmarks do not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from painkit.simulation.anatomy import Person
from painkit.vocabulary.personal import Age, Complexion

__all__ = ["Look", "look_of"]

Color = NDArray[np.float32]
"""RGB, 0-255."""

_SKIN: Final[dict[Complexion, tuple[tuple[int, int, int], tuple[int, int, int]]]] = {
    "pale-fair": ((248, 220, 203), (236, 197, 174)),
    "fair-olive": ((224, 183, 149), (203, 157, 119)),
    "olive-dark": ((170, 120, 87), (104, 69, 50)),
}
_HAIR: Final[dict[Complexion, list[tuple[int, int, int]]]] = {
    "pale-fair": [(196, 158, 98), (150, 108, 66), (128, 66, 36), (92, 62, 42), (60, 42, 32)],
    "fair-olive": [(96, 66, 44), (66, 46, 34), (44, 33, 28), (30, 25, 24)],
    "olive-dark": [(48, 36, 30), (34, 28, 26), (26, 23, 24)],
}
_IRIS: Final[dict[Complexion, list[tuple[int, int, int]]]] = {
    "pale-fair": [(86, 126, 158), (98, 128, 104), (112, 132, 142), (110, 80, 50)],
    "fair-olive": [(104, 74, 44), (84, 56, 34), (100, 104, 66)],
    "olive-dark": [(70, 46, 30), (54, 36, 26)],
}
_GREY: Final[dict[Age, tuple[float, float]]] = {
    "young": (0.0, 0.0),
    "middle-aged": (0.0, 0.35),
    "elderly": (0.6, 1.0),
}
_CLOTH: Final = [
    (58, 78, 118), (128, 52, 56), (70, 104, 84), (196, 190, 178), (62, 62, 70), (142, 112, 80),
    (96, 128, 158), (150, 120, 150),
]  # fmt: skip
_WALL: Final = [
    (178, 190, 196), (200, 192, 178), (164, 178, 166), (186, 176, 190), (150, 162, 176), (206, 204, 198),
    (140, 132, 124),
]  # fmt: skip


@dataclass(frozen=True)
class Look:
    """Everything the painter needs besides geometry.

    Attributes
    ----------
    skin, shadow, light, lip, hair, brow, iris, cloth, wall : (3,) float32
        RGB, 0-255.
    age, male : float
        Wrinkledness 0-1; 1 for men.
    hair_style, cloth_style, wall_style : int
        Which cut, collar and background.
    stubble, bald, freckles : float
        Strengths 0-1.
    """

    skin: Color
    shadow: Color
    light: Color
    lip: Color
    hair: Color
    brow: Color
    iris: Color
    cloth: Color
    wall: Color
    age: float
    male: float
    hair_style: int
    cloth_style: int
    wall_style: int
    stubble: float
    bald: float
    freckles: float
    seed: int


def look_of(person: Person) -> Look:
    """Draw a person's look from its seed and traits."""
    rng = np.random.default_rng(person.look)
    male = person.gender == "male"

    def pick(options: list[tuple[int, int, int]]) -> Color:
        chosen = np.array(options[rng.integers(len(options))], np.float32)
        return np.asarray(np.clip(chosen + rng.normal(0, 5), 0, 255), dtype=np.float32)

    fair, dark = np.array(_SKIN[person.complexion], dtype=np.float32)
    tone = rng.uniform(0, 1)
    skin = np.asarray(fair + (dark - fair) * tone, dtype=np.float32)
    deep = {"pale-fair": 0.0, "fair-olive": 0.35, "olive-dark": 0.75 + 0.25 * tone}[person.complexion]
    shadow = skin * np.array([0.60, 0.46, 0.42], np.float32)
    light = skin + (255 - skin) * np.float32(0.62 - 0.2 * deep)
    redness = np.array([0.80, 0.50, 0.50], np.float32) if male else np.array([0.85, 0.50, 0.51], np.float32)
    lip = skin * (redness + np.float32(0.06 * deep))
    grey = rng.uniform(*_GREY[person.age])
    hair = pick(_HAIR[person.complexion])
    hair = hair * np.float32(1 - grey) + np.float32(grey) * np.array([196, 194, 192], np.float32)
    brow = 0.62 * hair + 0.38 * np.minimum(shadow, hair) * 0.75
    return Look(
        skin=skin,
        shadow=np.asarray(shadow, dtype=np.float32),
        light=np.asarray(light, dtype=np.float32),
        lip=np.asarray(lip, dtype=np.float32),
        hair=np.asarray(hair, dtype=np.float32),
        brow=np.asarray(brow, dtype=np.float32),
        iris=pick(_IRIS[person.complexion]),
        cloth=pick(_CLOTH),
        wall=pick(_WALL),
        age={"young": 0.0, "middle-aged": 0.42, "elderly": 1.0}[person.age],
        male=float(male),
        hair_style=int(rng.integers(4)),
        cloth_style=int(rng.integers(3)),
        wall_style=int(rng.integers(4)),
        stubble=float(male * rng.choice([0.0, 0.35, 0.7, 1.0])),
        bald=float(
            male * rng.uniform(0, 1) * {"young": 0.25, "middle-aged": 0.7, "elderly": 1.0}[person.age]
        ),
        freckles=float(rng.uniform(0, 1) ** 3),
        seed=int(rng.integers(2**31)),
    )

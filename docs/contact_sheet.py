"""One page of simulated faces, to look at: ``python docs/contact_sheet.py docs/contact_sheet.jpg``."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from os import PathLike

import cv2
import numpy as np
from numpy.typing import NDArray

from painkit.files import write_atomically
from painkit.simulation.anatomy import NEUTRAL_POSE, Person, draw_person
from painkit.simulation.portraits import MIXTURES, units
from painkit.simulation.render import render
from painkit.vocabulary.action_units import AUS, UNIT_NAMES
from painkit.vocabulary.personal import AGES, COMPLEXIONS, GENDERS

_CROP = np.s_[4:234, 55:265]
_LABEL = 22
_ACROSS = 4


def _tile(picture: NDArray[np.uint8], text: str) -> NDArray[np.uint8]:
    tile = np.full((picture.shape[0] + _LABEL, picture.shape[1], 3), 255, np.uint8)
    tile[_LABEL:] = picture
    cv2.putText(tile, text, (5, 15), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (40, 40, 40), 1, cv2.LINE_AA)
    return tile


def _heading(text: str, width: int) -> NDArray[np.uint8]:
    band = np.full((34, width, 3), 238, np.uint8)
    cv2.putText(band, text, (8, 23), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (30, 30, 30), 1, cv2.LINE_AA)
    return band


def contact_sheet(path: str | PathLike[str], seed: int = 0) -> None:
    """Write a picture (PNG or JPEG by its ending): every unit at 5, four expressions, ages, complexions.

    Faces stand in rows of four, which a narrow page shows large enough.

    Parameters
    ----------
    path : path
        Where the picture goes.
    seed : int
        Chooses the people.
    """
    rng = np.random.default_rng(seed)
    pose = np.array(NEUTRAL_POSE)

    def rows(people: Sequence[tuple[Person, Mapping[int, float], str]]) -> list[NDArray[np.uint8]]:
        tiles = [_tile(render(p, units(au), pose)[_CROP], text) for p, au, text in people]
        tiles += [np.full_like(tiles[0], 255)] * (-len(tiles) % _ACROSS)
        return [np.hstack(tiles[i : i + _ACROSS]) for i in range(0, len(tiles), _ACROSS)]

    woman = draw_person(rng, gender="female", age="young", complexion="fair-olive")
    singles = [(woman, {au: 5.0}, f"AU{au} {UNIT_NAMES[au]}") for au in AUS]
    pairs = [
        (woman, dict.fromkeys(pair, 5.0), " + ".join(f"AU{au}" for au in pair))
        for pair in ((4, 43), (6, 12), (9, 10), (15, 17))
    ]
    casts = [
        draw_person(rng, gender="male", age="middle-aged", complexion="olive-dark"),
        draw_person(rng, gender="female", age="elderly", complexion="pale-fair"),
        draw_person(rng, gender="male", age="young", complexion="pale-fair"),
    ]
    shown = ("neutral", "pain", "happiness", "disgust")
    others = [
        (draw_person(rng, gender=g, age=a, complexion=c), {}, f"{g}, {a}, {c}")
        for c in COMPLEXIONS
        for g in GENDERS
        for a in AGES
    ]
    parts = []
    for heading, people in (
        ("Simulated person: action units at intensity 5", [(woman, {}, "neutral"), *singles, *pairs]),
        ("Simulated expressions", [(p, MIXTURES[name], name) for p in casts for name in shown]),
        ("Simulated people: age by complexion by gender", others),
    ):
        drawn = rows(people)
        parts += [_heading(heading, drawn[0].shape[1]), *drawn]
    sheet = np.vstack(parts)
    with write_atomically(path) as temporary:
        cv2.imwrite(str(temporary), sheet[..., ::-1])


if __name__ == "__main__":
    contact_sheet(sys.argv[1])

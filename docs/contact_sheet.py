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

    Parameters
    ----------
    path : path
        Where the picture goes.
    seed : int
        Chooses the people.
    """
    rng = np.random.default_rng(seed)
    pose = np.array(NEUTRAL_POSE)

    def row(people: Sequence[tuple[Person, Mapping[int, float], str]]) -> NDArray[np.uint8]:
        return np.hstack([_tile(render(p, units(au), pose)[_CROP], text) for p, au, text in people])

    woman = draw_person(rng, gender="female", age="young", complexion="fair-olive")
    singles = [(woman, {au: 5.0}, f"AU{au} {UNIT_NAMES[au]}") for au in AUS]
    pairs = [(woman, {4: 5.0, 43: 5.0}, "AU4 + AU43"), (woman, {6: 5.0, 12: 5.0}, "AU6 + AU12")]
    faces = [(woman, {}, "neutral"), *singles]
    rows = [row(faces[i : i + 6]) for i in (0, 6)] + [row([*faces[12:], *pairs])]
    width = rows[0].shape[1]
    parts = [_heading("Simulated person: action units at intensity 5", width), *rows]
    casts = [
        draw_person(rng, gender="male", age="middle-aged", complexion="olive-dark"),
        draw_person(rng, gender="female", age="elderly", complexion="pale-fair"),
        draw_person(rng, gender="male", age="young", complexion="pale-fair"),
    ]
    shown = ("neutral", "pain", "happiness", "disgust")
    looks = [(p, MIXTURES[name], name) for p in casts for name in shown]
    parts += [_heading("Simulated expressions", width), row(looks[:6]), row(looks[6:])]
    parts.append(_heading("Simulated people: age by complexion by gender", width))
    for complexion in COMPLEXIONS:
        cast = [
            (draw_person(rng, gender=g, age=a, complexion=complexion), g, a) for g in GENDERS for a in AGES
        ]
        parts.append(row([(p, {}, f"{g}, {a}, {complexion}") for p, g, a in cast]))
    sheet = np.vstack(parts)
    with write_atomically(path) as temporary:
        cv2.imwrite(str(temporary), sheet[..., ::-1])


if __name__ == "__main__":
    contact_sheet(sys.argv[1])

"""Parts of a face: every pixel in one of them, wherever and however large the face is."""

from __future__ import annotations

import numpy as np
import pytest

from painkit.errors import PainkitError
from painkit.faces.regions import OUTSIDE, PARTS, part_masks, unit_masks
from painkit.simulation.anatomy import MEAN_FACE
from painkit.vocabulary.action_units import UNIT_LANDMARKS
from painkit.vocabulary.landmarks import EYES, MIRROR, REGIONS

SIZE = (240, 200)
FACE = MEAN_FACE[:, :2] + (100, 110)
UNIT = float(np.linalg.norm(np.diff([FACE[list(eye)].mean(axis=0) for eye in EYES], axis=0)))


def test_every_pixel_is_in_one_part() -> None:
    masks = part_masks(FACE, SIZE)
    assert tuple(masks) == PARTS
    np.testing.assert_array_equal(np.sum(list(masks.values()), axis=0), 1)
    assert all(mask.any() for mask in masks.values())


def test_landmarks_lie_in_their_own_region() -> None:
    masks = part_masks(FACE, SIZE)
    for name, members in REGIONS.items():
        inner = members if name != "jaw" else ()  # the jaw's points lie on the edge of the face
        for x, y in np.round(FACE[list(inner)]).astype(int):
            assert masks[name][y, x], (name, x, y)


@pytest.mark.parametrize(
    ("part", "place"),
    [
        ("nose", FACE[30]), ("mouth", FACE[[62, 65]].mean(axis=0)),
        ("eyes", FACE[list(EYES[0])].mean(axis=0)),
        ("forehead", FACE[[21, 22]].mean(axis=0) - (0, 0.55 * UNIT)), ("brows", FACE[19] - (0, 0.1 * UNIT)),
        ("cheeks", (FACE[2] + FACE[31]) / 2), ("jaw", FACE[8] - (0, 0.1 * UNIT)),
        (OUTSIDE, FACE[8] + (0, 0.2 * UNIT)), (OUTSIDE, FACE[0] - (0.2 * UNIT, 0)),
    ],
)  # fmt: skip
def test_places_everybody_can_name(part: str, place: np.ndarray) -> None:
    x, y = np.round(place).astype(int)
    assert part_masks(FACE, SIZE)[part][y, x]


def test_faces_of_any_size_place_and_roll_are_divided_alike() -> None:
    areas = {name: mask.sum() / UNIT**2 for name, mask in part_masks(FACE, SIZE).items()}
    angle, scale = 0.5, 2.1
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    moved = (FACE - FACE.mean(axis=0)) @ turn.T + (300, 310)
    for name, mask in part_masks(moved, (620, 600)).items():
        if name != OUTSIDE:
            assert mask.sum() / (scale * UNIT) ** 2 == pytest.approx(areas[name], rel=0.05), name


def test_the_mirrored_face_has_mirrored_parts() -> None:
    mirrored = (FACE * (-1, 1) + (SIZE[1] - 1, 0))[MIRROR]
    for masks, own in (
        (part_masks(mirrored, SIZE), part_masks(FACE, SIZE)),
        (unit_masks(mirrored, SIZE), unit_masks(FACE, SIZE)),
    ):
        for name, mask in masks.items():
            differing = (mask != own[name][:, ::-1]).sum()
            assert differing <= 0.03 * mask.sum(), name  # pixels on an edge may fall either way


def test_units_show_in_a_square_about_their_landmarks() -> None:
    masks = unit_masks(FACE, SIZE)
    assert masks.keys() == UNIT_LANDMARKS.keys()
    y, x = np.indices(SIZE)
    for au, sides in UNIT_LANDMARKS.items():
        expected = np.zeros(SIZE, dtype=bool)
        for side in sides:
            for landmark in side:
                px, py = FACE[landmark]
                expected |= (abs(x - px) <= 0.156 * UNIT) & (abs(y - py) <= 0.156 * UNIT)
        np.testing.assert_array_equal(masks[au], expected)


@pytest.mark.parametrize(
    ("points", "message"),
    [
        (FACE[:60], r"landmarks of shape \(60, 2\)"),
        (np.full((66, 2), np.nan), "finite"),
        (np.zeros((66, 2)), "both eyes at one place"),
    ],
)
def test_what_is_no_face_is_refused(points: np.ndarray, message: str) -> None:
    for masks in (part_masks, unit_masks):
        with pytest.raises(PainkitError, match=message):
            masks(points, SIZE)

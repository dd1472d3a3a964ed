"""Geometry of crops, checked by marks painted into images."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial import procrustes

from painkit.data.images import read_image
from painkit.errors import PainkitError
from painkit.faces.alignment import (
    FIVE_POINTS,
    TEMPLATE,
    apply_transform,
    box_transform,
    five_points,
    landmark_box,
    similarity_transform,
    square_box,
)
from painkit.faces.crops import FaceCrop
from painkit.faces.detector import detect_face, points_from_box
from painkit.simulation.action_units import landmarks
from painkit.simulation.anatomy import draw_person
from painkit.vocabulary.action_units import AUS


def similarity(angle: float, scale: float, x: float, y: float) -> NDArray[np.float64]:
    c, s = scale * np.cos(np.radians(angle)), scale * np.sin(np.radians(angle))
    return np.array([[c, -s, x], [s, c, y]])


def face_of_template(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """66 landmarks whose five points are the template's, moved by `matrix`."""
    rng = np.random.default_rng(0)
    points = rng.uniform([20, 45], [75, 100], size=(66, 2))
    for group, place in zip(FIVE_POINTS, TEMPLATE, strict=True):
        spread = rng.normal(0, 2, (len(group), 2))
        points[list(group)] = place + spread - spread.mean(axis=0)
    return apply_transform(matrix, points)


def disc_image(points: NDArray[np.float64], radius: float, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Soft bright discs on grey at sub-pixel places, one colour channel for all."""
    y, x = np.mgrid[: size[0], : size[1]]
    image = np.full(size, 40.0)
    for px, py in points:
        image += 200 * np.exp(-((x - px) ** 2 + (y - py) ** 2) / (2 * radius**2))
    return np.repeat(np.clip(image, 0, 255).astype(np.uint8)[..., None], 3, axis=2)


def centroid(crop: NDArray[np.uint8], near: NDArray[np.float64]) -> NDArray[np.float64]:
    """Centre of brightness within 6 pixels of a place."""
    y, x = np.mgrid[: crop.shape[0], : crop.shape[1]]
    weight = np.clip(crop[..., 0].astype(float) - 60, 0, None)
    weight[(x - near[0]) ** 2 + (y - near[1]) ** 2 > 36] = 0
    return np.array([(x * weight).sum(), (y * weight).sum()]) / weight.sum()


MOVES = [(0, 1.0, 40, 20), (17, 0.8, 120, 15), (-35, 1.3, 30, 90), (8, 2.6, 5, 8), (90, 1.0, 200, 60)]


@pytest.mark.parametrize(("angle", "scale", "x", "y"), MOVES)
def test_eyes_and_mouth_land_on_the_template(angle: float, scale: float, x: float, y: float) -> None:
    matrix = similarity(angle, scale, x, y)
    landmarks = face_of_template(matrix)
    image = disc_image(apply_transform(matrix, TEMPLATE), 1.5 * scale, (400, 400))
    crop = FaceCrop()(image, landmarks)
    assert crop is not None
    assert crop.shape == (112, 96, 3)
    assert crop.dtype == np.uint8
    for place in TEMPLATE:
        assert np.abs(centroid(crop, place) - place).max() < 0.5


@pytest.mark.parametrize(("angle", "scale", "x", "y"), MOVES)
def test_moved_image_gives_the_same_crop(angle: float, scale: float, x: float, y: float) -> None:
    """A smooth scene painted anew under another similarity, so no resampling error enters the image."""
    rng = np.random.default_rng(1)
    places, strengths = rng.uniform(0, [96, 112], (30, 2)), rng.uniform(40, 160, 30)

    def scene(matrix: NDArray[np.float64]) -> NDArray[np.uint8]:
        rows, columns = np.mgrid[:420, :420]
        back = apply_transform(
            cv2.invertAffineTransform(matrix), np.stack([columns, rows], -1).reshape(-1, 2)
        )
        value = sum(
            s * np.exp(-((back - p) ** 2).sum(1) / (2 * 6.0**2))
            for p, s in zip(places, strengths, strict=True)
        )
        gray = np.clip(value, 0, 255).astype(np.uint8).reshape(420, 420)
        return np.repeat(gray[..., None], 3, axis=2)

    still = similarity(0, 1.5, 100, 100)
    moved = similarity(angle, scale, x if abs(angle) < 60 else 300, y + 40)
    crops = [FaceCrop()(scene(m), face_of_template(m)) for m in (still, moved)]
    assert crops[0] is not None
    assert crops[1] is not None
    inside = np.ones((112, 96), dtype=bool)
    edge = apply_transform(moved, np.stack(np.meshgrid(np.arange(96), np.arange(112)), -1).reshape(-1, 2))
    inside &= ((edge > 1) & (edge < 418)).all(axis=1).reshape(112, 96)
    assert inside.mean() > 0.8
    difference = np.abs(crops[0].astype(int) - crops[1].astype(int))[inside]
    # 8-bit rounding of two images and bilinear interpolation of bumps six pixels wide.
    assert difference.max() <= 6
    assert difference.mean() < 1.5


@pytest.mark.parametrize("template", [TEMPLATE, np.random.default_rng(4).uniform(0, 200, (66, 2))])
def test_similarity_is_the_least_squares_one(template: NDArray[np.float64]) -> None:
    """Against the plain linear least-squares problem in the four parameters."""
    rng = np.random.default_rng(2)
    points = template * 1.7 + rng.normal(0, 6, (8, *template.shape)) + 50
    for face, matrix in zip(points, similarity_transform(points, template), strict=True):
        rows = [r for x, y in face for r in ([x, -y, 1, 0], [y, x, 0, 1])]
        a, b, tx, ty = np.linalg.lstsq(np.array(rows), template.ravel(), rcond=None)[0]
        np.testing.assert_allclose(matrix, [[a, -b, tx], [b, a, ty]], rtol=0, atol=1e-9)
    if template is TEMPLATE:
        np.testing.assert_array_equal(similarity_transform(points), similarity_transform(points, template))


@pytest.fixture(scope="module")
def drawn_points() -> NDArray[np.float64]:
    """Five points of sixty simulated faces in different poses and expressions."""
    rng = np.random.default_rng(6)
    marks = []
    for _ in range(60):
        pose = np.r_[rng.normal(0, 0.1, 3), rng.normal(0, 5, 2), rng.uniform(0.8, 1.2)]
        marks.append(landmarks(draw_person(rng), rng.uniform(0, 3, (1, len(AUS))), pose[None])[0])
    return five_points(np.stack(marks))


def test_simulated_faces_land_as_near_as_a_similarity_can_bring_them(drawn_points: NDArray) -> None:
    """The residual against Procrustes analysis, whose disparity is that of the best rotation and scale."""
    landed = apply_transform(similarity_transform(drawn_points), drawn_points)
    for face, ours in zip(drawn_points, landed, strict=True):
        _, _, disparity = procrustes(TEMPLATE, face)  # of the template scaled to a sum of squares of 1
        best = disparity * ((TEMPLATE - TEMPLATE.mean(axis=0)) ** 2).sum()
        assert ((ours - TEMPLATE) ** 2).sum() == pytest.approx(best, rel=1e-9)
    # Not the template's shape, but faces: pixels away at most.
    assert 0.5 < np.median(np.abs(landed - TEMPLATE).max(axis=(1, 2))) < 5


@pytest.mark.parametrize(("angle", "scale", "x", "y"), MOVES)
def test_simulated_faces_land_alike_however_the_image_is_moved(
    angle: float, scale: float, x: float, y: float, drawn_points: NDArray
) -> None:
    moved = apply_transform(similarity(angle, scale, x, y), drawn_points)
    np.testing.assert_allclose(
        apply_transform(similarity_transform(moved), moved),
        apply_transform(similarity_transform(drawn_points), drawn_points),
        atol=1e-9,
    )


def test_five_points_agree_in_both_schemes() -> None:
    points68 = np.random.default_rng(3).normal(size=(68, 2))
    np.testing.assert_array_equal(five_points(points68), five_points(np.delete(points68, [60, 64], axis=0)))


def test_square_box_grows_about_its_centre() -> None:
    np.testing.assert_allclose(square_box(np.array([10.0, 20, 50, 100]), 0.25), [-20, 10, 80, 110])


def test_box_transform_maps_pixel_edges_onto_pixel_edges() -> None:
    matrix = box_transform(np.array([9.5, 19.5, 109.5, 119.5]), 200)
    corners = apply_transform(matrix, np.array([[9.5, 19.5], [109.5, 119.5]]))
    np.testing.assert_allclose(corners, [[-0.5, -0.5], [199.5, 199.5]])


def test_box_crop_shows_the_box() -> None:
    image = np.zeros((240, 320, 3), np.uint8)
    image[60:160, 100:200] = (200, 100, 50)
    landmarks = np.tile([[149.5, 109.5]], (66, 1))
    landmarks[0], landmarks[1] = (109.5, 69.5), (189.5, 149.5)
    crop = FaceCrop("box", grow=0.25, side=224)(image, landmarks)
    assert crop is not None
    assert crop.shape == (224, 224, 3)
    np.testing.assert_array_equal(crop[112, 112], (200, 100, 50))
    # The grown box is exactly the painted one: nothing but paint, up to the last interpolated pixel.
    assert (crop[2:-2, 2:-2] == (200, 100, 50)).all()


@pytest.mark.parametrize("shift", [(-1000, 0), (0, 900)])
def test_landmarks_outside_the_image_are_no_face(shift: tuple[float, float]) -> None:
    image = np.full((240, 320, 3), 128, np.uint8)
    landmarks = face_of_template(similarity(0, 1, 80, 60))
    assert FaceCrop()(image, landmarks) is not None
    assert FaceCrop()(image, landmarks + shift) is None
    assert FaceCrop("box")(image, landmarks + shift) is None


@pytest.mark.parametrize("corner", ["left", "right", "top", "bottom"])
@pytest.mark.parametrize("kind", ["aligned", "box"])
def test_a_face_half_out_of_view_is_no_face(corner: str, kind: Literal["aligned", "box"]) -> None:
    """The image ends just before, or just beyond, the outermost of the five points."""
    image = np.full((240, 320, 3), 128, np.uint8)
    landmarks = face_of_template(similarity(0, 1, 80, 60))
    five = five_points(landmarks)
    axis = 0 if corner in ("left", "right") else 1
    edge = -0.5 if corner in ("left", "top") else image.shape[1 - axis] - 0.5
    outermost = five[:, axis].min() if edge < 0 else five[:, axis].max()
    shift = np.zeros(2)
    inwards = 1 if edge < 0 else -1
    shift[axis] = edge - outermost + 0.1 * inwards
    inside = FaceCrop(kind)(image, landmarks + shift)
    assert inside is not None
    assert (inside == 128).mean() > 0.5
    shift[axis] -= 0.2 * inwards
    assert FaceCrop(kind)(image, landmarks + shift) is None


def test_a_face_whose_eyes_are_far_out_is_no_face() -> None:
    image = np.full((240, 320, 3), 128, np.uint8)
    landmarks = face_of_template(similarity(0, 1, 80, 60))
    landmarks[36:48] = -500
    assert FaceCrop()(image, landmarks) is None


def test_absent_or_degenerate_landmarks_are_no_face() -> None:
    image = np.full((240, 320, 3), 128, np.uint8)
    assert FaceCrop()(image, None) is None
    assert FaceCrop()(image, np.full((66, 2), np.nan)) is None
    assert FaceCrop()(image, np.full((66, 2), 50.0)) is None
    assert FaceCrop("box")(image, np.full((66, 2), 50.0)) is None


def test_an_image_of_the_crop_size_is_a_crop_already() -> None:
    image = np.random.default_rng(0).integers(0, 256, (112, 96, 3), dtype=np.uint8)
    crop = FaceCrop()(image, np.full((66, 2), np.nan))
    assert crop is not None
    np.testing.assert_array_equal(crop, image)
    assert FaceCrop("box")(image) is None


def test_unknown_crop_is_refused() -> None:
    with pytest.raises(PainkitError, match="unknown crop 'round'"):
        FaceCrop("round")  # type: ignore[arg-type]


# Read off the picture by eye, to about two pixels.
ASTRONAUT = np.array([[203, 101], [247, 103], [224, 127], [204, 141], [243, 141]], dtype=float)


def test_detector_finds_the_astronaut(shared: Path) -> None:
    image = read_image(shared / "real/faces/astronaut.png")
    box = detect_face(image)
    assert box is not None
    assert (box[:2] < ASTRONAUT.min(axis=0)).all()
    assert (box[2:] > ASTRONAUT.max(axis=0)).all()
    assert np.abs(points_from_box(box) - ASTRONAUT).max() < 0.08 * (box[2] - box[0])
    crop = FaceCrop(detect=True)(image)
    assert crop is not None
    landed = apply_transform(similarity_transform(points_from_box(box)), ASTRONAUT)
    # A box fixes place and size only; a tenth of the crop is what that is good for.
    assert np.abs(landed - TEMPLATE).max() < 11


def test_detector_finds_no_face_in_a_plain_image() -> None:
    assert detect_face(np.full((120, 120, 3), 90, np.uint8)) is None
    assert FaceCrop(detect=True)(np.full((120, 120, 3), 90, np.uint8)) is None


def test_real_landmarks_bring_einstein_upright(shared: Path) -> None:
    """A turned, tilted head: the eyes end on one level and the crop is as the template lies."""
    text = (shared / "real/faces/einstein.pts").read_text().split("{")[1].split("}")[0]
    landmarks = np.array([line.split() for line in text.strip().splitlines()], dtype=float) - 1
    image = read_image(shared / "real/faces/einstein.jpg")
    matrix = FaceCrop().transform(landmarks)
    landed = apply_transform(matrix, five_points(landmarks))
    assert abs(landed[0, 1] - landed[1, 1]) < 6
    assert (landed[3:, 1] > landed[:2, 1] + 30).all()
    np.testing.assert_allclose(landed.mean(axis=0), TEMPLATE.mean(axis=0), atol=1e-9)
    crop = FaceCrop()(image, landmarks)
    box = FaceCrop("box")(image, landmarks)
    assert crop is not None
    assert box is not None
    low, high = landmark_box(landmarks)[:2], landmark_box(landmarks)[2:]
    face = image[int(low[1]) : int(high[1]), int(low[0]) : int(high[0])]
    shrunk = cv2.resize(face, (32, 32), interpolation=cv2.INTER_AREA)
    centre = cv2.resize(box[22:202, 22:202], (32, 32), interpolation=cv2.INTER_AREA)
    # The face box fills the middle 80 % of its longer side, so the two pictures show the same face.
    assert np.corrcoef(shrunk[..., 0].ravel(), centre[..., 0].ravel())[0, 1] > 0.5

"""The tracker on drawn faces, whose points are known, and on real ones."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from painkit.data.images import read_image
from painkit.errors import PainkitError
from painkit.faces import tracker
from painkit.faces.alignment import five_points
from painkit.faces.detector import detect_face
from painkit.faces.tracker import track, track_face
from painkit.simulation.action_units import landmarks
from painkit.simulation.anatomy import draw_person
from painkit.simulation.portraits import MIXTURES, units
from painkit.simulation.render import render
from painkit.vocabulary.landmarks import EYES

installed = pytest.mark.skipif(
    find_spec("dlib") is None or find_spec("face_recognition_models") is None,
    reason="the extra tracker is not installed",
)
PLAIN = np.full((120, 120, 3), 90, np.uint8)


@installed
def test_points_land_on_drawn_faces() -> None:
    """All faces are found; half of them closer than 4 % of the distance between the outer eye corners."""
    rng = np.random.default_rng(7)
    errors = []
    for mixture in [*MIXTURES.values()] * 2:
        person, aus = draw_person(rng), units(mixture, rng.uniform(0.2, 1.2))
        pose = np.array([*rng.normal(0, 0.08, 3), *rng.normal(0, 6, 2), rng.uniform(0.9, 1.1)])
        true = landmarks(person, aus[None], pose[None])[0]
        found = track_face(render(person, aus, pose))
        assert found is not None
        assert found.shape == (66, 2)
        eyes = np.linalg.norm(true[36] - true[45])
        errors.append(np.linalg.norm(found - true, axis=1).mean() / eyes)
    assert np.median(errors) < 0.04
    assert max(errors) < 0.10


@installed
def test_points_are_those_of_the_66_point_scheme(shared: Path) -> None:
    """On a photograph with 68 points marked by hand; doubled, it shows a hand that looks more like a face."""
    text = (shared / "real/faces/einstein.pts").read_text().split("{")[1].split("}")[0]
    marked = np.array([line.split() for line in text.strip().splitlines()], dtype=float) - 1
    image = read_image(shared / "real/faces/einstein.jpg")
    found = track_face(image)
    assert found is not None
    true = np.delete(marked, [60, 64], axis=0)
    # The head is small (90 pixels) and tilted.
    assert np.linalg.norm(found - true, axis=1).mean() < 0.08 * np.linalg.norm(true[36] - true[45])
    np.testing.assert_array_equal(found, track_face(image, detect_face(image, upsample=0)))


@installed
def test_astronaut_lands_near_points_read_by_eye(shared: Path) -> None:
    found = track_face(read_image(shared / "real/faces/astronaut.png"))
    assert found is not None
    by_eye = np.array([[203, 101], [247, 103], [224, 127], [204, 141], [243, 141]], dtype=float)
    assert np.abs(five_points(found) - by_eye).max() < 7


@installed
def test_no_face_and_no_picture_are_nan() -> None:
    assert track_face(PLAIN) is None
    person = draw_person(np.random.default_rng(0))
    face = render(person, np.zeros(15), [0, 0, 0, 0, 0, 1])
    found = track([PLAIN, face, None, face])
    assert found.shape == (4, 66, 2)
    assert found.dtype == np.float32
    assert np.isnan(found[[0, 2]]).all()
    np.testing.assert_array_equal(found[1], found[3])
    left, right = (found[1][list(eye)].mean(axis=0) for eye in EYES)
    assert left[0] < right[0]
    assert track([]).shape == (0, 66, 2)


@installed
@pytest.mark.parametrize("image", [PLAIN[..., 0], PLAIN.astype(float), PLAIN[..., :2]])
def test_what_is_no_picture_is_refused(image: np.ndarray) -> None:
    with pytest.raises(PainkitError, match=r"an image of shape.*\(H, W, 3\) uint8 RGB"):
        track_face(image)


@pytest.mark.parametrize("missing", ["face_recognition_models", "dlib"])
def test_without_the_extra_a_sentence_says_how_to_get_it(
    missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)  # as if it were not installed
    tracker._predictor.cache_clear()
    try:
        with pytest.raises(PainkitError, match=r'needs the tracker.*pip install "painkit\[tracker\]"'):
            track_face(PLAIN)
    finally:
        tracker._predictor.cache_clear()


@installed
def test_the_package_is_not_imported() -> None:
    """Its import wants pkg_resources, which newer setuptools lack."""
    track_face(PLAIN)
    assert "face_recognition_models" not in sys.modules

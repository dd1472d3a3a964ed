"""The drawn face: anatomy, action units, regions and pixels."""

import runpy
from pathlib import Path

import cv2
import numpy as np
import pytest

from painkit.errors import PainkitError
from painkit.faces.regions import part_masks
from painkit.simulation.action_units import DISPLACEMENT, landmarks, landmarks_3d
from painkit.simulation.anatomy import (
    IDENTITY_MODES,
    MEAN_FACE,
    NEUTRAL_POSE,
    Person,
    draw_person,
    project,
)
from painkit.simulation.portraits import MIXTURES, units
from painkit.simulation.regions import AU_REGIONS, SHORTCUT_REGION, region_mask
from painkit.simulation.render import Renderer, render
from painkit.vocabulary.action_units import AUS
from painkit.vocabulary.landmarks import MIRROR
from painkit.vocabulary.personal import AGES, COMPLEXIONS, GENDERS

POSE = np.array(NEUTRAL_POSE)


def one(au, intensity=5.0):
    return units({au: intensity})


@pytest.fixture(scope="module")
def people():
    rng = np.random.default_rng(7)
    return [draw_person(rng, gender=g, age=a) for g in GENDERS for a in AGES]


@pytest.fixture(scope="module")
def renderers(people):
    return [Renderer(person) for person in people[:4]]


def moved(points, au):
    """Displacement of the mean face by one unit, as (66, 2)."""
    return DISPLACEMENT[AUS.index(au), points, :2]


def test_mean_face_follows_ibug_order():
    x, y = MEAN_FACE[:, 0], MEAN_FACE[:, 1]
    assert MEAN_FACE.shape == (66, 3)
    assert (np.diff(x[:17]) > 0).all()  # jaw from the image's left to its right
    assert y.argmax() == 8  # chin
    assert MEAN_FACE[:, 2].argmax() == 30  # tip of the nose comes forward most
    for lower, upper in ((36, 17), (37, 19), (44, 24), (33, 39), (48, 33), (57, 51), (64, 61), (8, 57)):
        assert y[lower] > y[upper]
    np.testing.assert_allclose(MEAN_FACE[MIRROR] * (-1, 1, 1), MEAN_FACE)


def test_identity_modes_and_units_move_both_halves_alike():
    flip = (-1, 1, 1)
    np.testing.assert_allclose(IDENTITY_MODES[:, MIRROR] * flip, IDENTITY_MODES, atol=1e-12)
    np.testing.assert_allclose(DISPLACEMENT[:, MIRROR] * flip, DISPLACEMENT, atol=1e-12)
    assert np.linalg.matrix_rank(IDENTITY_MODES.reshape(len(IDENTITY_MODES), -1)) == len(IDENTITY_MODES)
    assert np.linalg.matrix_rank(DISPLACEMENT.reshape(len(AUS), -1)) == len(AUS)


def test_units_move_landmarks_as_facs_describes():
    # Image left half: +x is towards the midline, +y is down.
    assert moved(21, 1)[1] < -5
    assert moved(17, 1)[1] == 0  # AU1 leaves the outer brow
    assert moved(17, 2)[1] < -4
    assert moved(21, 2)[1] == 0  # AU2 leaves the inner brow
    assert moved(21, 4)[1] > 4
    assert moved(21, 4)[0] > 2  # lower and together
    assert moved(37, 5)[1] < -2
    assert moved(41, 6)[1] < -1
    assert moved(37, 6)[1] == 0  # the cheek raiser narrows the eye from below
    assert moved(41, 7)[1] < -1
    assert moved(37, 7)[1] > 0.5
    assert moved(31, 9)[1] < -3
    assert moved(51, 10)[1] < -3
    assert (moved(48, 12) < -5).all()  # out and up
    assert moved(48, 15)[1] > 5
    assert moved(8, 17)[1] < -2
    assert moved(48, 20)[0] < -7
    assert abs(moved(48, 20)[1]) < 2  # stretched sideways
    assert moved(64, 25)[1] - moved(61, 25)[1] > 5
    assert moved(8, 25)[1] == 0  # lips part, jaw stays
    assert moved(8, 26)[1] > 12
    assert moved(64, 26)[1] > 10


def test_units_add_up_and_scale_linearly(people):
    person = people[0]
    rest, half, full = landmarks_3d(person, np.stack([one(12, 0), one(12, 2.5), one(12)]))
    np.testing.assert_allclose(full - rest, DISPLACEMENT[AUS.index(12)], atol=1e-9)
    np.testing.assert_allclose(half - rest, (full - rest) / 2, atol=1e-9)
    both = landmarks_3d(person, units({4: 5, 12: 5})[None])[0]
    brows = landmarks_3d(person, one(4)[None])[0]
    np.testing.assert_allclose(both, full + brows - rest, atol=1e-9)


def test_eyes_close_and_never_cross():
    rng = np.random.default_rng(3)
    upper, lower = [37, 38, 43, 44], [41, 40, 47, 46]
    for person in (draw_person(rng) for _ in range(40)):
        aus = rng.uniform(0, 5, (20, 15))
        points = landmarks_3d(person, aus)
        assert (points[:, lower, 1] - points[:, upper, 1] > -1e-9).all()
        assert (points[:, [65, 64, 63], 1] - points[:, [60, 61, 62], 1] > -1e-9).all()
        rest, closed = landmarks_3d(person, np.stack([units({}), one(43)]))
        assert (rest[lower, 1] - rest[upper, 1] > 3).all()
        np.testing.assert_allclose(closed[lower, 1], closed[upper, 1], atol=0.05)


def test_weak_perspective_against_rotation_matrices():
    rng = np.random.default_rng(0)
    points = rng.normal(0, 40, (5, 66, 3))
    pose = np.column_stack(
        [rng.uniform(-0.5, 0.5, (5, 3)), rng.uniform(-20, 20, (5, 2)), rng.uniform(0.8, 1.2, 5)]
    )
    for cloud, (yaw, pitch, roll, tx, ty, scale), got in zip(
        points, pose, project(points, pose), strict=True
    ):
        about_y = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
        about_x = np.array([[1, 0, 0], [0, np.cos(pitch), np.sin(pitch)], [0, -np.sin(pitch), np.cos(pitch)]])
        about_z = np.array([[np.cos(roll), -np.sin(roll), 0], [np.sin(roll), np.cos(roll), 0], [0, 0, 1]])
        turned = cloud @ (about_z @ about_x @ about_y).T
        np.testing.assert_allclose(got, scale * turned[:, :2] + (160 + tx, 112 + ty))


def test_pose_directions(people):
    rest = landmarks(people[0], units({})[None], POSE[None])[0]
    centre = rest[[36, 45]].mean(axis=0)
    turned = {
        name: landmarks(people[0], units({})[None], POSE[None] + np.array(change))[0]
        for name, change in {
            "yaw": (0.3, 0, 0, 0, 0, 0),
            "pitch": (0, 0.3, 0, 0, 0, 0),
            "roll": (0, 0, 0.3, 0, 0, 0),
        }.items()
    }
    assert turned["yaw"][30, 0] > rest[30, 0] + 5
    assert turned["pitch"][30, 1] - turned["pitch"][27, 1] > rest[30, 1] - rest[27, 1]
    assert turned["roll"][45, 1] > centre[1] > turned["roll"][36, 1]  # clockwise


def test_same_seed_same_person_and_fixed_traits_change_nothing_else():
    free = draw_person(np.random.default_rng(5))
    assert free == draw_person(np.random.default_rng(5))
    fixed = draw_person(np.random.default_rng(5), gender="male", age="elderly", complexion="pale-fair")
    assert (fixed.identity, fixed.look) == (free.identity, free.look)
    assert (fixed.gender, fixed.age, fixed.complexion) == ("male", "elderly", "pale-fair")


def test_traits_are_drawn_evenly():
    rng = np.random.default_rng(1)
    people = [draw_person(rng) for _ in range(900)]
    for trait, values in (("gender", GENDERS), ("age", AGES), ("complexion", COMPLEXIONS)):
        counts = np.array([sum(getattr(p, trait) == value for p in people) for value in values])
        expected = 900 / len(values)
        # Four standard deviations of a binomial count.
        assert (np.abs(counts - expected) < 4 * np.sqrt(expected * (1 - 1 / len(values)))).all()


def test_rendering_is_reproducible(people):
    pose = np.array([0.1, -0.05, 0.04, 6, -3, 1.02])
    first = Renderer(people[1]).frame(units(MIXTURES["pain"]), pose)
    again = Renderer(people[1]).frame(units(MIXTURES["pain"]), pose)
    assert first.shape == (240, 320, 3)
    assert first.dtype == np.uint8
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(first, render(people[1], units(MIXTURES["pain"]), pose))
    assert render(people[1], units({}), POSE, size=(48, 64)).shape == (48, 64, 3)


def test_frames_do_not_depend_on_what_was_drawn_before(renderers):
    renderer = renderers[0]
    neutral = renderer.frame(units({}), POSE)
    renderer.frame(units(MIXTURES["pain"]), np.array([0.3, 0.2, 0.1, 20, 9, 1.1]), shortcut=True)
    np.testing.assert_array_equal(renderer.frame(units({}), POSE), neutral)


@pytest.mark.parametrize("au", AUS)
def test_each_unit_shows_inside_its_region(renderers, people, au):
    for renderer, person in zip(renderers, people, strict=False):
        neutral = renderer.frame(units({}), POSE).astype(float)
        change = np.abs(renderer.frame(one(au), POSE) - neutral).sum(axis=2)
        change[change <= 9] = 0  # three grey levels a channel: nobody sees that, and rounding makes it
        mask = np.zeros((240, 320), bool)
        for aus in (units({}), one(au)):
            mask |= region_mask(au, landmarks(person, aus[None], POSE[None])[0])
        wide = cv2.dilate(mask.astype(np.uint8), cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (9, 9))) > 0
        assert change.max() > 90  # somebody can see it
        assert change[wide].sum() / change.sum() > 0.85
        assert wide.mean() < 0.2


def test_landmarks_move_inside_their_region():
    for k, au in enumerate(AUS):
        mask = region_mask(au, MEAN_FACE[:, :2] + (160, 112))
        wide = cv2.dilate(mask.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
        far = np.linalg.norm(DISPLACEMENT[k], axis=1) > 1.5
        for x, y in np.round(MEAN_FACE[far, :2] + (160, 112)).astype(int):
            assert wide[y, x], (au, x, y)


def test_region_follows_a_warp_into_crop_coordinates(people):
    points = landmarks(people[2], units({})[None], POSE[None])[0]
    warp = np.array([[0.9, 0.2, -70.0], [-0.2, 0.9, 20.0]])
    crop = points @ warp[:, :2].T + warp[:, 2]
    for au in AUS:
        image_mask = region_mask(au, points).astype(np.uint8)
        carried = cv2.warpAffine(image_mask, warp, (200, 200), flags=cv2.INTER_NEAREST) > 0
        direct = region_mask(au, crop, (200, 200))
        overlap = (carried & direct).sum() / (carried | direct).sum()
        assert overlap > 0.95  # differs by rounding at the rim only


def test_drawn_features_lie_on_the_landmarks(renderers, people):
    """Pupils are the darkest spots of the eyes; the lip line is the darkest row between the lips."""
    for renderer, person in zip(renderers, people, strict=False):
        for pose in (POSE, np.array([0.15, 0.05, 0.1, 12, -6, 1.05])):
            points = landmarks(person, units({})[None], pose[None])[0]
            grey = renderer.frame(units({}), pose).astype(float).mean(axis=2)
            for corners in ((36, 39), (42, 45)):
                middle = points[list(corners)].mean(axis=0)
                x, y = np.round(middle).astype(int)
                box = cv2.GaussianBlur(grey[y - 6 : y + 7, x - 8 : x + 9], (0, 0), 1.0)
                row, column = np.unravel_index(box.argmin(), box.shape)
                darkest = np.array([x - 8 + column, y - 6 + row])
                assert np.linalg.norm(darkest - middle) < 3.5
            x = round(points[61, 0])
            across = grey[round(points[51, 1]) + 2 : round(points[57, 1]) - 2, x]
            line = across.argmin() + round(points[51, 1]) + 2
            assert abs(line - 0.5 * (points[61, 1] + points[64, 1])) < 2.0


def test_closed_eyes_hide_the_iris_and_open_mouth_shows_dark(renderers, people):
    for renderer, person in zip(renderers, people, strict=False):
        points = landmarks(person, units({})[None], POSE[None])[0]
        frames = {
            name: renderer.frame(units(aus), POSE)
            for name, aus in {"rest": {}, "shut": {43: 5}, "jaw": {26: 5}}.items()
        }
        for corners in ((36, 39), (42, 45)):
            x, y = np.round(points[list(corners)].mean(axis=0) - (0, 1)).astype(int)
            iris, lid = (frames[name][y - 1 : y + 2, x - 1 : x + 2].mean() for name in ("rest", "shut"))
            assert lid > iris + 20
        open_points = landmarks(person, one(26)[None], POSE[None])[0]
        x, y = np.round(0.35 * open_points[61] + 0.65 * open_points[64]).astype(int)
        assert frames["jaw"][y, x].mean() < frames["rest"][round(points[57, 1]) - 3, x].mean()


def test_expressions_differ_more_than_heads_wobble(renderers):
    """Neutral, pain, smile and disgust can be told apart by template matching across people's own frames."""
    rng = np.random.default_rng(0)
    expressions = [MIXTURES[name] for name in ("neutral", "pain", "happiness", "disgust")]
    for renderer in renderers:
        templates = [renderer.frame(units(e), POSE).astype(float)[60:215, 100:220] for e in expressions]
        for k, expression in enumerate(expressions):
            weaker = units(expression) * 0.8
            pose = POSE + np.concatenate([rng.normal(0, 0.01, 3), rng.normal(0, 0.3, 2), [0]])
            frame = renderer.frame(weaker, pose).astype(float)[60:215, 100:220]
            assert np.argmin([np.abs(frame - t).mean() for t in templates]) == k


@pytest.mark.parametrize("intensity", [3.0, 5.0])
def test_lids_and_chin_move_as_visibly_as_other_units(renderers, people, intensity):
    """AU7 shows at least half as much as closed eyes do, AU17 about as much as the median unit."""

    def change(au):
        pixels, points = [], []
        for renderer, person in zip(renderers, people, strict=False):
            rest, acting = units({}), one(au, intensity)
            pixels.append(
                np.abs(renderer.frame(acting, POSE) - renderer.frame(rest, POSE).astype(float)).sum()
            )
            before, after = landmarks(person, np.stack([rest, acting]), np.stack([POSE, POSE]))
            points.append(np.linalg.norm(after - before, axis=1).sum())
        return np.mean([pixels, points], axis=1)

    seen = {au: change(au) for au in AUS}
    middle = np.median([seen[au] for au in AUS], axis=0)
    assert (seen[7] > 0.5 * seen[43]).all()
    assert (seen[7] > seen[5]).all()  # the other unit that moves lids alone
    assert seen[7][0] > 0.6 * middle[0]
    assert (seen[17] > 0.9 * middle).all()


@pytest.mark.parametrize("gender", GENDERS)
@pytest.mark.parametrize("complexion", COMPLEXIONS)
def test_disgust_and_pain_of_the_elderly_lie_apart(gender, complexion):
    """Most of what disgust changes is nose and mouth; pain changes eyes and brows more than those."""
    person = draw_person(np.random.default_rng(7), gender=gender, age="elderly", complexion=complexion)
    renderer = Renderer(person)
    rest = renderer.frame(units({}), POSE).astype(float)
    parts = part_masks(landmarks(person, units({})[None], POSE[None])[0], (240, 320))
    change = {
        name: np.abs(renderer.frame(units(MIXTURES[name]), POSE) - rest).sum(axis=2)
        for name in ("pain", "disgust")
    }
    lower, upper = (
        {name: image[mask].sum() / image.sum() for name, image in change.items()}
        for mask in (parts["nose"] | parts["mouth"], parts["eyes"] | parts["brows"])
    )
    assert lower["disgust"] > 0.6
    assert upper["disgust"] < 0.2
    assert upper["pain"] > 0.45
    assert lower["pain"] < 0.36
    pain, disgust = change["pain"].ravel(), change["disgust"].ravel()
    assert pain @ disgust / np.linalg.norm(pain) / np.linalg.norm(disgust) < 0.6


def test_complexion_orders_skin_brightness():
    rng = np.random.default_rng(2)
    bright = []
    for complexion in COMPLEXIONS:
        person = draw_person(rng, complexion=complexion)
        nose = landmarks(person, units({})[None], POSE[None])[0][29]
        x, y = np.round(nose).astype(int)
        bright.append(Renderer(person).frame(units({}), POSE)[y - 2 : y + 3, x - 2 : x + 3].mean())
    assert bright[0] > bright[1] + 15
    assert bright[1] > bright[2] + 15


def test_skin_lies_where_the_landmarks_are(renderers, people):
    """Nose, cheeks and chin show skin's order of channels, and no background, in any pose."""
    for renderer, person in zip(renderers, people, strict=False):
        for pose in (POSE, np.array([0.25, 0.1, 0.1, 12, -6, 1.05])):
            points = landmarks(person, units({})[None], pose[None])[0]
            image = renderer.frame(units({}), pose).astype(int)
            cheek = 0.5 * (points[31] + points[3])
            for spot in (points[28], cheek, 0.25 * points[57] + 0.75 * points[8]):
                red, green, blue = image[round(spot[1]), round(spot[0])]
                assert red > green + 8 > blue + 8


def test_shortcut_mark_changes_its_region_only(renderers):
    x0, y0, x1, y1 = SHORTCUT_REGION
    for pose in (POSE, np.array([0.3, 0.2, 0.2, 25, -12, 1.1])):
        plain = renderers[1].frame(units({}), pose).astype(int)
        marked = renderers[1].frame(units({}), pose, shortcut=True).astype(int)
        changed = (plain != marked).any(axis=2)
        assert changed[y0:y1, x0:x1].all()
        assert changed.sum() == (x1 - x0) * (y1 - y0)


def test_extreme_pose_still_gives_a_picture(renderers):
    for pose in ((1.2, 0.9, 0.8, 150, 120, 1.5), (-1.2, -0.9, -0.8, -150, -110, 0.5), (0, 0, 0, 400, 0, 1)):
        image = renderers[0].frame(units(MIXTURES["pain"]), np.array(pose, dtype=float))
        assert image.shape == (240, 320, 3)


def test_contact_sheet_has_rows_of_four(tmp_path):
    """20 pictures of units, 12 of expressions and 18 people: 5, 3 and 5 rows, each kind under a heading."""
    script = Path(__file__).resolve().parents[2] / "docs" / "contact_sheet.py"
    runpy.run_path(str(script))["contact_sheet"](tmp_path / "sheet.png", seed=1)
    sheet = cv2.imread(str(tmp_path / "sheet.png"))
    tile, label, heading = (230, 210), 22, 34
    assert sheet.shape == (3 * heading + 13 * (tile[0] + label), 4 * tile[1], 3)
    top, filled = 0, []
    for n_rows in (5, 3, 5):
        top += heading
        for _ in range(n_rows):
            faces = sheet[top + label : top + label + tile[0]].reshape(tile[0], 4, tile[1], 3)
            filled.append(int((faces.std(axis=(0, 2, 3)) > 5).sum()))
            top += label + tile[0]
    assert filled == [4] * 12 + [2]


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (lambda p: landmarks_3d(p, np.zeros(15)), r"\(n, 15\)"),
        (lambda p: landmarks_3d(p, np.full((1, 15), 5.5)), "0 to 5"),
        (lambda p: landmarks_3d(p, np.full((1, 15), np.nan)), "0 to 5"),
        (lambda p: project(np.zeros((2, 66, 3)), np.zeros((3, 6))), r"\(n, 6\)"),
        (lambda p: render(p, np.zeros(15), np.zeros(5)), r"\(6,\)"),
        (lambda p: region_mask(3, MEAN_FACE[:, :2]), "1, 2, 4"),
        (lambda p: region_mask(4, MEAN_FACE), r"\(66, 2\)"),
        (lambda p: region_mask(4, np.full((66, 2), np.nan)), "finite"),
        (lambda p: Person((0.0,), "female", "young", "pale-fair", 0), "16"),
        (lambda p: Person(p.identity, "female", "ancient", "pale-fair", 0), "middle-aged"),
    ],
)
def test_wrong_input_says_what_was_expected(people, call, expected):
    with pytest.raises(PainkitError, match=expected):
        call(people[0])


def test_every_unit_has_a_region():
    assert tuple(AU_REGIONS) == AUS

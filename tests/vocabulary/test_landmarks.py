"""The 66-point scheme is iBUG-68 less two points, and mirrors onto itself."""

import numpy as np
import pytest

from painkit.vocabulary.landmarks import FROM_68, GROUPS, LINES, MIRROR, landmark_name


def test_the_two_inner_mouth_corners_are_left_out_and_the_first_sixty_keep_their_index():
    assert FROM_68.tolist() == [*range(60), 61, 62, 63, 65, 66, 67]


def test_parts_cover_every_landmark_once():
    assert sorted(index for members in GROUPS.values() for index in members) == list(range(66))


def test_mirroring_twice_changes_nothing_and_swaps_left_with_right():
    assert np.array_equal(MIRROR[MIRROR], np.arange(66))
    assert {landmark_name(int(MIRROR[i])).split()[0] for i in GROUPS["left eye"]} == {"right"}
    assert MIRROR[48] == 54
    assert MIRROR[60] == 62  # upper inner lip
    assert MIRROR[63] == 65  # lower inner lip


def test_lines_between_mirror_partners_of_a_real_face_are_parallel(shared):
    # Seen from afar, lines joining left and right partners stay parallel however the head is turned.
    lines = (shared / "real/faces/einstein.pts").read_text().split("{")[1].split("}")[0].split()
    points = np.array(lines, float).reshape(68, 2)[FROM_68] @ [1, 1j]
    joining = (points[MIRROR] - points)[[i for i in range(66) if MIRROR[i] > i]]
    joining *= np.sign(joining.real)  # the lower lip is numbered from right to left
    angles = np.degrees(np.angle(joining / joining.sum()))
    # He raises one corner of his mouth: 13 degrees at the lips, less elsewhere.
    assert np.abs(angles).max() < 15


def test_lines_draw_every_landmark():
    assert {index for line in LINES for index in line} == set(range(66))


def test_name_of_a_landmark_outside_the_scheme_is_refused():
    assert landmark_name(48) == "outer lips 1"
    with pytest.raises(IndexError, match=r"66 is not in 0\.\.65"):
        landmark_name(66)

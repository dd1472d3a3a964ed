"""Where action units show agrees with how they move a simulated face."""

import numpy as np
import pytest

from painkit.simulation.action_units import DISPLACEMENT
from painkit.vocabulary.action_units import (
    ACTION_UNITS,
    AUS,
    UNIT_LANDMARKS,
    UNIT_NAMES,
    UNIT_REGIONS,
)
from painkit.vocabulary.landmarks import MIRROR, REGIONS

#: Pixels in the image by which each unit moves each landmark at full intensity.
MOVED = dict(zip(AUS, np.linalg.norm(DISPLACEMENT[..., :2], axis=2), strict=True))


def test_every_unit_has_a_name_and_all_but_speech_a_region():
    assert set(UNIT_NAMES) == {*ACTION_UNITS, *AUS}
    assert set(UNIT_REGIONS) == set(UNIT_NAMES) - {50}


@pytest.mark.parametrize("unit", UNIT_LANDMARKS)
def test_landmarks_of_a_unit_move_half_as_far_as_any_and_mirror_each_other(unit):
    left, right = UNIT_LANDMARKS[unit]
    assert MOVED[unit][[*left, *right]].min() >= MOVED[unit].max() / 2
    assert MIRROR[list(left)].tolist() == list(right)


@pytest.mark.parametrize("unit", AUS)
def test_the_landmark_that_moves_most_lies_in_a_region_of_the_unit(unit):
    inside = [index for region in UNIT_REGIONS[unit] for index in REGIONS[region]]
    assert MOVED[unit].argmax() in inside

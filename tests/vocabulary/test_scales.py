"""Scales with named classes name each of them, and one-hot columns cover the personal features."""

import pytest

from painkit.errors import PainkitError
from painkit.vocabulary.personal import PERSONAL_COLUMNS, PERSONAL_FEATURES
from painkit.vocabulary.scales import SCALES, scale_of


def test_every_class_has_a_name_and_only_classes_lack_an_order():
    for key, scale in SCALES.items():
        assert key == scale.key
        assert scale.low < scale.high
        assert len(scale.classes) in (0, scale.high - scale.low + 1)
        assert scale.ordered or scale.classes
    assert scale_of("stimulus").classes[0] == "BL1"
    assert not scale_of("emotion").ordered
    with pytest.raises(PainkitError, match="no scale 'mood'"):
        scale_of("mood")


def test_columns_of_the_personal_features_are_those_of_their_names():
    assert PERSONAL_COLUMNS == {"complexion": [0, 1, 2], "age": [3, 4, 5], "gender": [6, 7]}
    assert PERSONAL_FEATURES[6:] == ("gender=female", "gender=male")

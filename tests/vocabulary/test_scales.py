"""Scales with named classes name each of them, and one-hot columns cover the personal features."""

import pytest

from painkit.errors import PainkitError
from painkit.vocabulary.classes import EXPRESSIONS
from painkit.vocabulary.personal import PERSONAL_COLUMNS, PERSONAL_FEATURES
from painkit.vocabulary.scales import SCALES, expression_scale, known_scale, scale_of


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


def test_a_list_of_classes_of_ones_own_has_a_scale_whose_key_names_them():
    own = expression_scale(["no pain", "pain"])
    assert scale_of(own.key) == own
    assert own.key == "expression(no pain|pain)"
    assert (own.low, own.high, own.classes, own.ordered) == (0, 1, ("no pain", "pain"), False)
    assert own != expression_scale(["pain", "no pain"])
    # The paper's list keeps its name, so that published numbers stand beside it and beside no other.
    assert expression_scale(EXPRESSIONS) is SCALES["expression"]
    assert expression_scale(EXPRESSIONS[::-1]).label != SCALES["expression"].label
    for wrong in ([], ["pain"], ["a", "a"], ["a", " "], ["a|b", "c"]):
        with pytest.raises(PainkitError, match="expected two names or more"):
            expression_scale(wrong)
    assert [known_scale(key) for key in ("expression(pain)", "expression(a|a)", "mood", "", None)] == [
        None
    ] * 5


def test_columns_of_the_personal_features_are_those_of_their_names():
    assert PERSONAL_COLUMNS == {"complexion": [0, 1, 2], "age": [3, 4, 5], "gender": [6, 7]}
    assert PERSONAL_FEATURES[6:] == ("gender=female", "gender=male")

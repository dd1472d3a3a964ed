"""PSPI and its quantisations, by the formula and by the counts of the real archive."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pandas as pd
import pytest

from painkit.errors import PainkitError
from painkit.vocabulary.pain import level_0_5, pspi, seven_levels


def test_pspi_is_the_sum_of_its_four_parts_for_every_combination_of_units():
    values = np.array(list(itertools.product((0, 1, 3, 5), repeat=5)), dtype=float)
    frames = pd.DataFrame(values, columns=["AU4", "AU6", "AU7", "AU9", "AU10"])
    for closed in (0, 1):
        frames["AU43"] = closed
        slow = [a + max(b, c) + max(d, e) + closed for a, b, c, d, e in values.tolist()]
        assert pspi(frames).tolist() == slow
    assert max(slow) == 16


def test_a_missing_unit_makes_the_frame_missing():
    units = {unit: np.array([1.0, np.nan]) for unit in ("AU4", "AU6", "AU7", "AU9", "AU10", "AU43")}
    np.testing.assert_array_equal(pspi(units), [4, np.nan])
    with pytest.raises(PainkitError, match="no column AU43"):
        pspi({unit: values for unit, values in units.items() if unit != "AU43"})


@pytest.mark.parametrize(("unit", "value"), [("AU43", 2), ("AU4", 6), ("AU9", -1)])
def test_an_intensity_off_its_range_is_refused(unit, value):
    units = dict.fromkeys(("AU4", "AU6", "AU7", "AU9", "AU10", "AU43"), np.zeros(2))
    with pytest.raises(PainkitError, match=f"{unit} runs"):
        pspi(units | {unit: np.array([0.0, value])})


def test_quantisations_are_the_printed_tables():
    scores = np.arange(17)
    assert level_0_5(scores).tolist() == [0, 1, 2, 3, 4, 4] + [5] * 11
    # Hosseini et al., Table I.
    assert seven_levels(scores).tolist() == [0, 1, 1, 2, 2, 3, 3, 4, 4, 4, 5, 5, 5, 6, 6, 6, 6]
    assert np.isnan(level_0_5([np.nan])).all()
    for quantise in (level_0_5, seven_levels):
        with pytest.raises(PainkitError, match="0-16"):
            quantise([17])


def test_levels_of_the_archive_follow_from_its_pspi_histogram(shared):
    facts = json.loads((shared / "spec" / "unbc_facts.json").read_text())
    scores = np.repeat(np.arange(16), [facts["pspi_histogram"].get(str(k), 0) for k in range(16)])
    levels = np.bincount(level_0_5(scores).astype(int), minlength=6)
    counted = np.sum([subject["level_counts"] for subject in facts["subjects"]], axis=0)
    # The histogram still holds the seven black frames, which are coded 0.
    assert (levels - counted).tolist() == [7, 0, 0, 0, 0, 0]
    assert counted.sum() == facts["frames"]
    sevenths = np.bincount(seven_levels(scores).astype(int))
    assert sevenths.tolist() == [40029, 5260, 2214, 512, 164, 191, 28]
    # Always to say 0 is right this often, beside the 85 % that are published for the seven levels.
    assert round(sevenths[0] / sevenths.sum(), 4) == 0.8271

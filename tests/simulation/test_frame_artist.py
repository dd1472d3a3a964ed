"""Frames that are drawn when asked for are the frames that would have been written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from painkit.data import load
from painkit.errors import PainkitError
from painkit.simulation.frame_artist import FrameArtist
from painkit.simulation.profiles import Settings


def test_drawn_frames_are_the_written_ones(smoke: Path) -> None:
    written = load("simulated", smoke, progress=False)
    draw = FrameArtist(Settings("smoke", "none", 0))
    for row in (0, 40, 111, len(written.frames) - 1):
        one = written.frames.iloc[row]
        image = draw(one["subject"], one["sequence"], int(one["frame"]))
        np.testing.assert_array_equal(image, written.image(row))


def test_a_cohort_without_image_files_shows_every_frame() -> None:
    cohort = load("simulated", profile="smoke", images="none", progress=False)
    assert cohort.pictured.all()
    kept = cohort.select(subjects=[cohort.subjects["subject"].iloc[2]])
    one = kept.frames.iloc[5]
    image = kept.image(5)
    assert image.shape == (240, 320, 3)
    assert image.std() > 10
    same = FrameArtist(Settings("smoke", "none", 0))(one["subject"], one["sequence"], int(one["frame"]))
    np.testing.assert_array_equal(image, same)
    assert cohort.with_images().frames["image"].notna().all()


def test_a_frame_that_the_simulation_has_not_is_told() -> None:
    draw = FrameArtist(Settings("smoke", "none", 0))
    with pytest.raises(PainkitError, match="no frame 1 of nobody/nothing"):
        draw("nobody", "nothing", 1)

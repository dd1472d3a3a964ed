"""From a cohort's images to crops, row by row."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from face_images import DrawnFaces

from painkit.data.cohort import Cohort
from painkit.faces.crops import FaceCrop
from painkit.models.frames import cohort_store


@pytest.fixture
def cohort(tmp_path: Path, faces: DrawnFaces) -> Cohort:
    """Six frames: good, black, without image, untracked, damaged, good."""
    images = [faces.images[0], np.zeros_like(faces.images[0]), None, *faces.images[3:6]]
    for i, image in enumerate(images):
        if image is not None:
            cv2.imwrite(str(tmp_path / f"{i}.png"), image[..., ::-1])
    damaged = tmp_path / "4.png"
    damaged.write_bytes(damaged.read_bytes()[:400])
    landmarks = faces.landmarks[:6].astype(np.float32)
    landmarks[3] = np.nan
    frames = pd.DataFrame({"subject": "s", "sequence": "q", "frame": range(1, 7)})
    frames["black"] = [False, True, False, False, False, False]
    frames["image"] = pd.array(["0.png", "1.png", pd.NA, "3.png", "4.png", "5.png"], dtype="string")
    empty = pd.DataFrame()
    return Cohort("unbc", tmp_path, True, empty, empty, frames, landmarks, empty, fingerprint="six")


def test_row_i_of_the_store_is_row_i_of_the_frames(cohort: Cohort, faces: DrawnFaces, tmp_path: Path) -> None:
    store = cohort_store(cohort, tmp_path / "s", progress=False)
    assert store.status.tolist() == [1, 2, 0, 2, 3, 1]
    assert store.description["simulated"] is True
    for i in (0, 5):
        expected = FaceCrop()(faces.images[i], faces.landmarks[i].astype(np.float32))
        assert expected is not None
        np.testing.assert_array_equal(store.batch([i])[0], expected)


def test_only_the_rows_asked_for(cohort: Cohort, tmp_path: Path) -> None:
    store = cohort_store(cohort, tmp_path / "s", rows=[0, 2, 3], progress=False)
    assert store.status.tolist() == [1, 0, 0, 2, 0, 0]


def test_key_follows_the_cohort(cohort: Cohort, tmp_path: Path) -> None:
    first = cohort_store(cohort, tmp_path / "s", progress=False)
    object.__setattr__(cohort, "fingerprint", "other")
    assert cohort_store(cohort, tmp_path / "s", progress=False).key != first.key

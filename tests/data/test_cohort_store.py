"""From a cohort's images to crops, row by row."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pandas as pd
import pytest
from clip_files import number_of, write_clip
from face_images import DrawnFaces, drawn_faces

from painkit.data.cohort import Cohort
from painkit.data.crop_building import clip_store, cohort_store
from painkit.data.video import clip_frames
from painkit.faces.crops import FaceCrop


@pytest.fixture(scope="module")
def faces() -> DrawnFaces:
    return drawn_faces(1, 6)


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
    assert cohort_store(cohort, tmp_path / "s", progress=False).fingerprint != first.fingerprint


def test_a_black_frame_of_the_crop_size_is_no_face(cohort: Cohort, tmp_path: Path) -> None:
    """Frames may be aligned crops already; a black one is none."""
    face = np.full((112, 96, 3), 90, np.uint8)
    for i, image in enumerate((face, np.zeros_like(face))):
        cv2.imwrite(str(tmp_path / f"{i}.png"), image)
    untracked = replace(cohort, landmarks=np.full_like(cohort.landmarks, np.nan))
    assert cohort_store(untracked, tmp_path / "s", rows=[0, 1], progress=False).status[:2].tolist() == [1, 2]


class CountingContainer:
    """A video file that counts the pictures decoded from it."""

    def __init__(self, container: Any, decoded: list[int]) -> None:
        self._container, self._decoded = container, decoded

    def __getattr__(self, name: str) -> Any:
        return getattr(self._container, name)

    def __enter__(self) -> CountingContainer:
        return self

    def __exit__(self, *_: object) -> None:
        self._container.close()

    def decode(self, stream: Any) -> Iterator[Any]:
        for frame in self._container.decode(stream):
            self._decoded.append(frame.pts)
            yield frame


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Time stamps of all pictures decoded."""
    found: list[int] = []
    open_file = av.open

    def counting(file: str, *args: Any, **options: Any) -> Any:
        container = open_file(file, *args, **options)
        return container if args else CountingContainer(container, found)  # given a mode, it is written

    monkeypatch.setattr(av, "open", counting)
    return found


@pytest.mark.parametrize("jobs", [1, 3])
def test_crops_of_clips(jobs: int, decoded: list[int], tmp_path: Path) -> None:
    """Every picture is decoded once, however many threads; what is missing is masked and counted."""
    numbers = {
        "a.mp4": list(range(60)),
        "b.mp4": [i for i in range(60) if i not in (0, 20, 21)],
        "c.mp4": list(range(45)),
    }
    for video, there in numbers.items():
        write_clip(tmp_path / video, there, size=(112, 96))
    sequences = pd.DataFrame({"subject": "s", "sequence": list("abcd"), "class": "PA4"})
    sequences["video"] = [*numbers, "absent.mp4"]
    sequences["n_frames"] = pd.array([60, 57, 50, None], dtype="Int64")
    empty = pd.DataFrame()
    marks = np.empty((0, 66, 2), np.float32)
    cohort = Cohort("biovid", tmp_path, True, empty, sequences, empty, marks, empty, fingerprint="clips")
    frames = clip_frames(cohort)
    store = clip_store(cohort, frames, tmp_path / "s", jobs=jobs, progress=False)
    assert len(store) == len(frames) == 60 + 60 + 50 + 1
    assert len(decoded) == 60 + 57 + 45
    assert store.description["counts"] == [0, 162, 0, 9]
    told = frames[~store.usable].groupby("video")["frame"].agg(list).to_dict()
    assert told == {"absent.mp4": [0], "b.mp4": [0, 20, 21], "c.mp4": [45, 46, 47, 48, 49]}
    rows = np.flatnonzero(store.usable)
    assert [number_of(crop) for crop in store.batch(rows)] == frames["frame"].iloc[rows].tolist()

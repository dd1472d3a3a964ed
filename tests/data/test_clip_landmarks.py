"""Landmarks of videos: each frame's own, with gaps where there is nothing to track."""

from __future__ import annotations

from fractions import Fraction
from importlib.util import find_spec
from pathlib import Path

import av
import numpy as np
import pandas as pd
import pytest

from painkit.data.clip_landmarks import clip_landmarks, video_landmarks
from painkit.data.video import Video
from painkit.errors import PainkitError
from painkit.simulation.action_units import landmarks
from painkit.simulation.anatomy import draw_person
from painkit.simulation.render import render
from painkit.vocabulary.landmarks import EYES

pytestmark = pytest.mark.skipif(
    find_spec("dlib") is None or find_spec("face_recognition_models") is None,
    reason="the extra tracker is not installed",
)
POSES = [[0, 0, 0, 8 * k, 0, 1] for k in (-1, 0, 1)]  # the head goes to the right


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, np.ndarray]:
    """A face that moves, frame 3 without a face, frame 4 missing; and its true landmarks."""
    path = tmp_path_factory.mktemp("clips") / "a.mp4"
    person = draw_person(np.random.default_rng(1))
    pictures = {k: render(person, np.zeros(15), pose) for k, pose in enumerate(POSES)}
    pictures |= {3: np.full((240, 320, 3), 90, np.uint8), 5: pictures[1]}
    with av.open(str(path), "w") as container:
        stream = container.add_stream("h264", rate=25)
        stream.width, stream.height, stream.pix_fmt, stream.time_base = 320, 240, "yuv420p", Fraction(1, 25)
        stream.options = {"crf": "12"}
        for number, picture in pictures.items():
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    true = landmarks(person, np.zeros((3, 15)), np.array(POSES, dtype=float))
    return path, true


def test_a_video_is_tracked_frame_by_frame(clip: tuple[Path, np.ndarray]) -> None:
    path, true = clip
    found = video_landmarks(path)
    assert found.shape == (6, 66, 2)
    assert np.isnan(found[[3, 4]]).all()
    eyes = np.linalg.norm(true[0, 36] - true[0, 45])
    assert np.linalg.norm(found[:3] - true, axis=2).mean() < 0.05 * eyes
    step = np.diff(found[:3].mean(axis=1), axis=0)
    np.testing.assert_allclose(step, [[8, 0], [8, 0]], atol=2)


def test_frames_of_clips_keep_their_rows(clip: tuple[Path, np.ndarray]) -> None:
    path, _ = clip
    whole = video_landmarks(path)
    frames = pd.DataFrame(
        [("a.mp4", 2), ("gone.mp4", 0), ("a.mp4", 0), ("a.mp4", 3), ("a.mp4", 4), ("a.mp4", 99)],
        columns=["video", "frame"],
    )
    found = clip_landmarks(path.parent, frames, progress=False)
    np.testing.assert_array_equal(found[[0, 2]], whole[[2, 0]])
    assert np.isnan(found[[1, 3, 4, 5]]).all()


def test_a_file_that_is_no_video_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"nothing")
    with pytest.raises(PainkitError, match=r"a\.mp4"):
        video_landmarks(tmp_path / "a.mp4")


def test_real_faces_are_followed(shared: Path) -> None:
    folder = shared / "real/videos"
    frames = pd.DataFrame(
        [("single_face.mp4", k) for k in range(0, 72, 18)]
        + [("WolfgangLanger_Pexels.mp4", k) for k in range(0, 472, 118)]
        + [("face_noface.mov", k) for k in (0, 30, 80, 130)],
        columns=["video", "frame"],
    )
    found = clip_landmarks(folder, frames, progress=False)
    tracked = np.isfinite(found[:, 0, 0])
    np.testing.assert_array_equal(tracked, [True] * 10 + [False] * 2)
    for (video, _), points in zip(frames.to_numpy()[tracked], found[tracked], strict=True):
        height, width = Video(folder / video).size
        assert (points[17:] > 0).all()  # the outline may leave the picture
        assert (points[17:] < (width, height)).all()
        left, right = (points[list(eye)].mean(axis=0) for eye in EYES)
        assert left[0] < right[0]
        assert points[33, 1] > max(left[1], right[1])
        assert points[57, 1] > points[33, 1]

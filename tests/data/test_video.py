"""Frames of clips, each carrying its number in its grey values."""

from __future__ import annotations

import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from clip_files import number_of, write_clip

from painkit.data.cohort import Cohort
from painkit.data.video import Video, VideoFrames, announced_frames, clip_frames
from painkit.errors import PainkitError

N = 138  # BioVid: 5.5 s at 25 frames/s


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("video") / "whole.mp4"
    write_clip(path, range(N))
    return path


def test_every_frame_in_turn_is_itself(clip: Path) -> None:
    with Video(clip) as video:
        assert (len(video), video.rate, video.size) == (N, 25.0, (96, 128))
        assert video.missing.size == 0
        assert [number_of(video[i]) for i in range(N)] == list(range(N))


def test_jumps_give_the_frame_asked_for(clip: Path) -> None:
    video = Video(clip)
    order = np.random.default_rng(0).permutation(N)[:40].tolist()
    assert [number_of(video[i]) for i in order] == order
    straight = [video[i] for i in range(30)]
    np.testing.assert_array_equal(video[17], straight[17])


def test_missing_frames_keep_the_numbering(tmp_path: Path) -> None:
    gaps = [0, 5, 6, 40]
    write_clip(tmp_path / "gaps.mp4", [i for i in range(60) if i not in gaps[1:]])
    video = Video(tmp_path / "gaps.mp4")
    assert video.missing.tolist() == gaps[1:]
    assert len(video) == 60
    assert [number_of(video[i]) for i in (4, 7, 39, 41, 59)] == [4, 7, 39, 41, 59]
    with pytest.raises(PainkitError, match="frame 5 is missing"):
        video[5]


@pytest.mark.parametrize("name", ["late.mp4", "late.mkv"])
@pytest.mark.parametrize("first", [1, 5])
def test_frames_missing_at_the_start_keep_the_numbering(name: str, first: int, tmp_path: Path) -> None:
    write_clip(tmp_path / name, range(first, 40))
    video = Video(tmp_path / name)
    assert len(video) == 40
    assert video.missing.tolist() == list(range(first))
    assert [number_of(video[i]) for i in (39, first, 20)] == [39, first, 20]
    with pytest.raises(PainkitError, match="frame 0 is missing"):
        video[0]


@pytest.mark.parametrize(("name", "options"), [("x.mp4", {"use_editlist": "0"}), ("x.ts", {}), ("x.avi", {})])
def test_a_whole_clip_whose_first_stamp_is_late_misses_nothing(
    name: str, options: dict[str, str], tmp_path: Path
) -> None:
    """Such files shift all stamps by the time that decoding takes, or start their clock anywhere."""
    write_clip(tmp_path / name, range(40), options=options)
    video = Video(tmp_path / name)
    assert (len(video), video.missing.size) == (40, 0)


def test_numbers_outside_the_clip_are_refused(clip: Path) -> None:
    for i in (-1, N):
        with pytest.raises(PainkitError, match="0 to 137"):
            Video(clip)[i]


def test_a_clip_cut_off_in_the_middle(clip: Path, tmp_path: Path) -> None:
    """With the index in front the file opens; frames beyond the cut are told, those before are right."""
    write_clip(tmp_path / "front.mp4", range(N), options={"movflags": "+faststart"})
    data = (tmp_path / "front.mp4").read_bytes()
    (tmp_path / "cut.mp4").write_bytes(data[: int(len(data) * 0.6)])
    video = Video(tmp_path / "cut.mp4")
    assert len(video) == N
    read, told = [], []
    for i in range(N):
        try:
            picture = video[i]
        except PainkitError as error:
            told.append(str(error))
        else:
            read.append(i)
            assert number_of(picture) == i
    assert len(read) > 10
    assert len(told) > 10
    assert all("cut.mp4: frame " in message for message in told)
    # Without its index, which stands at the end, nothing can be read.
    data = clip.read_bytes()
    (tmp_path / "blind.mp4").write_bytes(data[: int(len(data) * 0.6)])
    with pytest.raises(PainkitError, match="could not be read as video"):
        Video(tmp_path / "blind.mp4")


@pytest.mark.parametrize("content", [b"", b"no video at all" * 20])
def test_files_that_are_no_video(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "x.mp4").write_bytes(content)
    with pytest.raises(PainkitError, match=r"x\.mp4"):
        Video(tmp_path / "x.mp4")


def test_absent_file(tmp_path: Path) -> None:
    with pytest.raises(PainkitError, match=r"absent\.mp4"):
        Video(tmp_path / "absent.mp4")


def test_frames_of_many_videos_as_one_collection(clip: Path, tmp_path: Path) -> None:
    write_clip(tmp_path / "b.mp4", range(20))
    (tmp_path / "a.mp4").write_bytes(clip.read_bytes())
    videos = ["a.mp4"] * 5 + ["b.mp4"] * 3 + ["absent.mp4"]
    numbers = [0, 30, 31, 90, 137, 2, 3, 19, 0]
    frames = VideoFrames(tmp_path, videos, numbers)
    with ThreadPoolExecutor(3) as pool:
        assert [number_of(p) for p in pool.map(frames, range(8))] == numbers[:8]
    with pytest.raises(PainkitError, match=r"absent\.mp4"):
        frames(8)
    before = frames.fingerprint
    assert VideoFrames(tmp_path, videos, numbers).fingerprint == before
    assert VideoFrames(tmp_path, videos, [1, *numbers[1:]]).fingerprint != before
    write_clip(tmp_path / "b.mp4", range(21))
    assert frames.fingerprint != before


def test_a_collection_that_was_copied_is_the_same_and_one_of_other_pictures_is_not(
    clip: Path, tmp_path: Path
) -> None:
    for folder in ("here", "there", "other pictures"):
        (tmp_path / folder).mkdir()
        shutil.copyfile(clip, tmp_path / folder / "a.mp4")
        write_clip(tmp_path / folder / "b.mp4", range(20))
    os.utime(tmp_path / "there" / "a.mp4", ns=(1, 1))
    write_clip(tmp_path / "other pictures" / "b.mp4", range(1, 21))
    here, there, other = (
        VideoFrames(tmp_path / folder, ["a.mp4", "b.mp4", "absent.mp4"], [0, 1, 2]).fingerprint
        for folder in ("here", "there", "other pictures")
    )
    assert here == there != other


def clips(root: Path, videos: list[str], n_frames: list[int | None]) -> Cohort:
    sequences = pd.DataFrame({"subject": "s", "sequence": videos, "video": videos, "class": "PA4"})
    sequences["n_frames"] = pd.array(n_frames, dtype="Int64")
    none = pd.DataFrame()
    return Cohort("biovid", root, True, none, sequences, none, np.empty((0, 66, 2), np.float32), none, "x")


def test_frames_of_a_cohort_of_clips_are_listed_with_those_that_miss(tmp_path: Path) -> None:
    write_clip(tmp_path / "a.mp4", range(6))
    write_clip(tmp_path / "b.mp4", [3, 4, 5, 6, 8])
    (tmp_path / "d.mp4").write_text("no video")
    # a is told to be longer than it is, of b the header counts pictures, c and d cannot be opened.
    frames = clip_frames(clips(tmp_path, ["a.mp4", "b.mp4", "c.mp4", "d.mp4"], [8, 5, 4, None]))
    assert frames.columns.tolist() == ["subject", "sequence", "frame", "video", "class"]
    listed = {video: rows["frame"].tolist() for video, rows in frames.groupby("video")}
    assert listed == {
        "a.mp4": list(range(8)),
        "b.mp4": list(range(9)),
        "c.mp4": list(range(4)),
        "d.mp4": [0],
    }
    cohort = clips(tmp_path, ["a.mp4"], [8])
    with pytest.raises(PainkitError, match="has no videos"):
        clip_frames(replace(cohort, sequences=cohort.sequences.drop(columns="video")))


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.mp4")
    for read in (Video, announced_frames):
        with pytest.raises(PainkitError, match="is a pipe, socket or device"):
            read(tmp_path / "a.mp4")

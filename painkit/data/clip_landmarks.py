"""Landmarks for videos and clips, which come without them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from os import PathLike
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from tqdm import tqdm

from painkit.data.video import Video, VideoFrames
from painkit.errors import PainkitError
from painkit.faces.tracker import track

__all__ = ["clip_landmarks", "video_landmarks"]


def video_landmarks(path: str | PathLike[str]) -> NDArray[np.float32]:
    """Track the face of a video, frame by frame.

    Returns
    -------
    (n_frames, 66, 2) float32 array, pixels
        NaN where a frame shows no face, is missing or damaged.

    Raises
    ------
    PainkitError
        When the file is no video, or the extra ``tracker`` is not installed.
    """
    with Video(path) as video:
        return track(_pictures(video.__getitem__, range(len(video))))


def clip_landmarks(
    root: str | PathLike[str], frames: pd.DataFrame, *, jobs: int = 2, progress: bool = True
) -> NDArray[np.float32]:
    """Track the faces in frames of clips, such as BioVid's.

    Parameters
    ----------
    root : path
        Of the cohort: ``cohort.root``.
    frames : DataFrame with video, frame
        As from `painkit.data.video.clip_frames`, or some of its rows.
    jobs : int
        Threads; each works on one clip at a time.
    progress : bool
        Show a bar.

    Returns
    -------
    (len(frames), 66, 2) float32 array, pixels
        Row i belongs to row i of `frames`; NaN where it shows no face, is missing or damaged.

    Raises
    ------
    PainkitError
        When the extra ``tracker`` is not installed.
    """
    landmarks = np.full((len(frames), 66, 2), np.nan, dtype=np.float32)
    clips = list(frames.groupby("video", sort=False).indices.values())

    def follow(rows: NDArray[np.intp]) -> None:
        part = frames.iloc[rows]
        read = VideoFrames(Path(root), part["video"].tolist(), part["frame"].tolist())
        landmarks[rows] = track(_pictures(read, range(len(part))))

    with ThreadPoolExecutor(max(1, jobs)) as pool:
        for _ in tqdm(pool.map(follow, clips), total=len(clips), desc="clips", disable=not progress):
            pass
    return landmarks


def _pictures(read: Callable[[int], NDArray[np.uint8]], numbers: range) -> Iterator[NDArray[np.uint8] | None]:
    for number in numbers:
        try:
            yield read(number)
        except PainkitError:
            yield None

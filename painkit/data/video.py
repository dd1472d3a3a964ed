"""Video clips as frames, frame-exact."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from painkit.data.tree import why_no_file
from painkit.errors import PainkitError

if TYPE_CHECKING:
    import av

    from painkit.data.cohort import Cohort

__all__ = ["Video", "VideoFrames", "announced_frames", "clip_frames"]

_END_BYTES = 65_536


def announced_frames(path: str | PathLike[str]) -> int | None:
    """Number of frames that a video's header tells; None where it does not.

    Raises
    ------
    PainkitError
        When the file is missing, no video, or cut off before its index.
    """
    import av  # Loaded on use: most data sets have no video.

    _refuse_no_file(path)
    try:
        with av.open(str(path), metadata_errors="replace") as container:
            return _stream(container, path).frames or None
    except (av.FFmpegError, OSError) as error:
        raise PainkitError(f"could not be read as video: {error}", where=path) from error


def _refuse_no_file(path: str | PathLike[str]) -> None:
    """Raise for a pipe, which would be waited for."""
    if os.path.exists(path) and not os.path.isfile(path):
        raise why_no_file(path)


def _stream(container: av.container.InputContainer, path: str | PathLike[str]) -> av.VideoStream:
    """First video stream, if there is one that can be decoded."""
    if not container.streams.video:
        raise PainkitError("holds no video stream", where=path)
    stream = container.streams.video[0]
    if stream.codec_context is None:
        raise PainkitError("is coded in a way that is not known here", where=path)
    return stream


class Video:
    """Frames of a video file by number.

    Frame i is the picture shown i frame times after the start. A file whose time stamps leave gaps, also
    before the first picture, therefore keeps its numbering, and the gaps are `missing`. Of MPEG streams,
    whose clock starts anywhere, and of AVI files, which keep no times, the first picture is frame 0. Reading
    frame after frame decodes each once; a jump seeks
    to the key frame before and decodes from there, so the picture is the same either way. Not for use from
    several threads at once.

    Parameters
    ----------
    path : path

    Attributes
    ----------
    rate : float
        Frames per second.
    size : (height, width)
    missing : (k,) int array
        Numbers without a picture.

    Raises
    ------
    PainkitError
        When the file is missing, no video, cut off before its index, or without pictures.
    """

    def __init__(self, path: str | PathLike[str]) -> None:
        import av  # Loaded on use: most data sets have no video.

        self.path = Path(path)
        _refuse_no_file(path)
        try:
            with av.open(str(self.path), metadata_errors="replace") as container:
                stream = _stream(container, self.path)
                packets = [(p.pts, p.dts) for p in container.demux(stream) if p.pts is not None and p.size]
                stamps = sorted({shown for shown, _ in packets})
                decoding = [decoded for _, decoded in packets if decoded is not None]
                # Where decoding starts at 0, a first picture shown later has waited for others to be decoded;
                # a gap of just that length looks the same.
                timed = container.format.name not in ("mpegts", "mpeg") and 0 not in decoding[:1]
                start = stream.start_time or 0 if timed and len(stamps) > 1 else 0
                announced, self.size = stream.frames, (stream.height, stream.width)
                time_base = stream.time_base
        except (av.FFmpegError, OSError) as error:
            raise PainkitError(f"could not be read as video: {error}", where=self.path) from error
        if not stamps or time_base is None:
            raise PainkitError("holds no pictures", where=self.path)
        pts = np.array(stamps, dtype=np.int64)
        # The usual distance between stamps: an average would be off where frames are missing.
        self._step = float(np.median(np.diff(pts))) if pts.size > 1 else 1.0
        self.rate = float(1 / (self._step * time_base)) if pts.size > 1 else float("nan")
        before = round(start / self._step)
        # The time stamp of frame 0.
        self._first: float = int(pts[0]) - before * self._step
        self._pts = dict(zip(self._number(pts).tolist(), stamps, strict=True))
        n = int(max(max(self._pts) + 1, before + announced))
        self.missing = np.setdiff1d(np.arange(n), np.fromiter(self._pts, dtype=np.int64))
        self._length: int = n
        self._decoder: Iterator[av.VideoFrame] | None = None
        self._container: av.container.InputContainer | None = None
        self._next = 0

    def _number(self, pts: NDArray[np.int64]) -> NDArray[np.int64]:
        return np.asarray(np.rint((pts - self._first) / self._step).astype(np.int64))

    def __len__(self) -> int:
        """Count frames, missing ones included."""
        return self._length

    def __getitem__(self, i: int) -> NDArray[np.uint8]:
        """Decode frame `i` (0-based): (height, width, 3) uint8 RGB.

        Raises
        ------
        PainkitError
            When there is no such frame, its picture is missing, or the data are damaged.
        """
        import av

        if not 0 <= i < len(self):
            raise PainkitError(f"there is no frame {i}", where=self.path, expected=f"0 to {len(self) - 1}")
        if i not in self._pts:
            raise PainkitError(f"frame {i} is missing from the video", where=self.path)
        try:
            return self._decode(i)
        except av.FFmpegError as error:
            self.close()
            raise PainkitError(f"frame {i} cannot be decoded: {error}", where=self.path) from error

    def _decode(self, i: int) -> NDArray[np.uint8]:
        import av

        if self._container is None or self._decoder is None:
            self._container = av.open(str(self.path), metadata_errors="replace")
            self._next = 0
        stream = self._container.streams.video[0]
        if self._decoder is None or i < self._next or i > self._next + self.rate:
            self._container.seek(self._pts[i], stream=stream, backward=True)
            self._decoder = self._container.decode(stream)
        for frame in self._decoder:
            if frame.pts is None:
                continue
            number = int(self._number(np.array([frame.pts]))[0])
            self._next = number + 1
            if number == i:
                if frame.is_corrupt:
                    break
                return np.asarray(frame.to_ndarray(format="rgb24"), dtype=np.uint8)
            if number > i:
                break
        self.close()
        raise PainkitError(f"frame {i} is damaged", where=self.path)

    def close(self) -> None:
        """Close the file; reading opens it again."""
        if self._container is not None:
            self._container.close()
        self._container = self._decoder = None

    def __enter__(self) -> Video:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _ends(path: Path) -> bytes:
    """Size, beginning and end of a file; nothing of one that cannot be read, as decoding it will tell."""
    if not path.is_file():
        return b""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(0)
            head = file.read(_END_BYTES)
            file.seek(max(size - _END_BYTES, 0))
            return f"{size} ".encode() + head + file.read(_END_BYTES)
    except OSError:
        return b""


class VideoFrames:
    """Chosen frames of many videos as one numbered collection; ``frames(i)`` decodes number i.

    Ask in order: the frames of one video one after the other are decoded once. May be called from several
    threads; each keeps one video open.

    Parameters
    ----------
    root : path
    videos : (n,) sequence of str
        Path of each frame's video, relative to `root`.
    numbers : (n,) sequence of int
        Frame in that video, 0-based.
    """

    def __init__(self, root: str | PathLike[str], videos: Sequence[str], numbers: Sequence[int]) -> None:
        if len(videos) != len(numbers):
            raise PainkitError(f"{len(videos)} videos for {len(numbers)} frame numbers")
        self.root, self.videos, self.numbers = Path(root), list(videos), [int(n) for n in numbers]
        self._open = threading.local()

    def __len__(self) -> int:
        """Count frames."""
        return len(self.numbers)

    def __call__(self, i: int) -> NDArray[np.uint8]:
        """Decode frame `i` of the collection: (height, width, 3) uint8 RGB; errors as of `Video`."""
        path = self.root / self.videos[i]
        video: Video | None = getattr(self._open, "video", None)
        if video is None or video.path != path:
            if video is not None:
                video.close()
            video = self._open.video = Video(path)
        return video[self.numbers[i]]

    @property
    def fingerprint(self) -> str:
        """Digest of the frame numbers and of the videos' names, sizes and ends, wherever they lie.

        To read whole archives would take minutes. The ends hold a container's index, which lists the size of
        every coded picture: a clip that was coded anew has another one.
        """
        digest = hashlib.blake2b(repr((self.videos, self.numbers)).encode(), digest_size=16)
        for name in sorted(set(self.videos)):
            digest.update(_ends(self.root / name))
        return digest.hexdigest()


def clip_frames(cohort: Cohort, jobs: int = 2) -> pd.DataFrame:
    """List the frames of a cohort's clips, opening each clip but decoding none.

    Parameters
    ----------
    cohort : Cohort
        Its sequences name a video each, as BioVid's do.
    jobs : int
        Threads.

    Returns
    -------
    DataFrame
        subject, sequence, frame (0-based), video, and class, in the order of `cohort.sequences`. A clip has
        as many frames as it or `n_frames` tells, missing ones included. One that cannot be opened has
        `n_frames`, or a single frame where that is not known, so that it is not lost from counts.

    Raises
    ------
    PainkitError
        When the cohort has no videos.
    """
    clips = cohort.sequences
    if "video" not in clips:
        raise PainkitError(
            f"cohort {cohort.name} has no videos", where=cohort.root, expected="such as biovid"
        )

    def length(video: str) -> int:
        try:
            return len(Video(cohort.root / video))
        except PainkitError:
            return 1

    with ThreadPoolExecutor(jobs) as pool:
        found = np.fromiter(pool.map(length, clips["video"]), dtype=np.int64, count=len(clips))
    n = np.maximum(found, clips["n_frames"].fillna(0).to_numpy(dtype=np.int64))
    columns = ["subject", "sequence", "video", "class"]
    frames = clips[columns].iloc[np.repeat(np.arange(len(clips)), n)].reset_index(drop=True)
    frames.insert(2, "frame", frames.groupby("video").cumcount())
    return frames

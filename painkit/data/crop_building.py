"""Cutting the face out of every image of a collection: a crop store, made once."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from functools import partial
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from painkit.data.cohort import Cohort
from painkit.data.crop_store import NO_FACE, NOT_REQUESTED, STORED, UNREADABLE, CropStore, row_digest
from painkit.data.video import VideoFrames
from painkit.errors import PainkitError
from painkit.faces.crops import FaceCrop
from painkit.files import write_atomically, write_text
from painkit.kept import kept
from painkit.progress import tqdm

__all__ = ["build_crop_store", "clip_store", "cohort_store"]

_VERSION = 4
_CHUNK = 256


def build_crop_store(
    read: Callable[[int], NDArray[np.uint8]],
    landmarks: NDArray[np.floating] | int,
    folder: Path | str,
    *,
    content: str,
    crop: FaceCrop | None = None,
    rows: ArrayLike | None = None,
    no_face: NDArray[np.bool_] | None = None,
    together: NDArray[np.intp] | None = None,
    jobs: int = 2,
    progress: bool = True,
    simulated: bool = False,
) -> CropStore:
    """Cut the face out of every image and keep the crops.

    A killed build goes on where it was. Two builds of the same store wait for each other.

    Parameters
    ----------
    read : callable
        ``read(i)`` gives image i as (H, W, 3) uint8 RGB, or raises `PainkitError`, which marks the frame
        unreadable. Called from several threads.
    landmarks : (n, 66, 2) array, pixels, or int
        NaN where a frame has none. The number of images when none has any.
    folder : path
        Stores lie here, each in a sub-folder named after its key.
    content : str
        Digest of the images and landmarks, such as `Cohort.fingerprint`.
    crop : FaceCrop
        Default: the aligned 112x96 crop.
    rows : array of int, optional
        Only these frames; the others are marked as not requested.
    no_face : (n,) bool array, optional
        Frames known to show no face, such as black ones. They are marked so and not read.
    together : (n,) int array, optional
        Neighbours of equal number are read in turn by one thread, as suits the frames of one video.
    jobs : int
        Threads. Decoding and warping release Python's lock.
    progress : bool
        Show a bar.
    simulated : bool
        Written into the store's description.

    Returns
    -------
    CropStore
    """
    crop = FaceCrop() if crop is None else crop
    points = None if isinstance(landmarks, int) else landmarks
    n = landmarks if isinstance(landmarks, int) else len(landmarks)
    wanted = np.arange(n) if rows is None else np.unique(np.asarray(rows, dtype=np.intp))
    if wanted.size and (wanted[0] < 0 or wanted[-1] >= n):
        raise PainkitError(f"rows {wanted[0]} to {wanted[-1]} requested of {n} frames")
    digest = hashlib.sha256(repr((_VERSION, content, crop, n)).encode() + wanted.tobytes())
    key = digest.hexdigest()[:20]

    def cut(row: int) -> tuple[int, NDArray[np.uint8] | None]:
        if no_face is not None and no_face[row]:
            return NO_FACE, None
        try:
            image = read(row)
        except PainkitError:
            return UNREADABLE, None
        found = crop(image, None if points is None else points[row])
        return (NO_FACE, None) if found is None else (STORED, found)

    def make(place: Path) -> None:
        _allocate(place / "crops.npy", (n, *crop.size, 3), wanted)
        _allocate(place / "digests.npy", (n, 16), np.arange(n))
        _allocate(place / "status.npy", (n,), np.arange(n))
        _forget_damaged(place, wanted)
        _fill(place, cut, wanted, together, max(1, jobs), progress)
        description = {
            "key": key,
            "crop": asdict(crop),
            "shape": [*crop.size, 3],
            "simulated": simulated,
            "content": content,
            "counts": np.bincount(np.load(place / "status.npy"), minlength=4).tolist(),
        }
        write_text(place / "store.json", json.dumps(description, indent=1))

    # Whoever reads crops compares each with its digest: to read them all here would take seconds.
    return CropStore(kept(folder, key, make, resumable=True, apart=["crops.npy"]))


def cohort_store(
    cohort: Cohort,
    folder: Path | str,
    *,
    crop: FaceCrop | None = None,
    rows: ArrayLike | None = None,
    jobs: int = 2,
    progress: bool = True,
) -> CropStore:
    """Crops of a cohort; row i of the store is row i of `cohort.frames`.

    Frames without an image are not requested; black frames count as frames without a face. See
    `build_crop_store` for the parameters.
    """
    have = cohort.frames["image"].notna().to_numpy()
    requested = np.arange(have.size) if rows is None else np.asarray(rows, dtype=np.intp)
    return build_crop_store(
        cohort.image,
        cohort.landmarks,
        folder,
        content=cohort.fingerprint,
        crop=crop,
        rows=requested[have[requested]],
        no_face=cohort.frames["black"].to_numpy(dtype=bool),
        jobs=jobs,
        progress=progress,
        simulated=cohort.simulated,
    )


def clip_store(
    cohort: Cohort,
    frames: pd.DataFrame,
    folder: Path | str,
    *,
    crop: FaceCrop | None = None,
    jobs: int = 2,
    progress: bool = True,
) -> CropStore:
    """Crops of a cohort of video clips, such as BioVid's; row i of the store is row i of `frames`.

    Frames that are missing from their clip, or damaged, count as unreadable.

    Parameters
    ----------
    cohort : Cohort
    frames : DataFrame with video, frame
        As from `clip_frames`, or some of its rows; sorted as there, each picture is decoded once.
    folder, crop, jobs, progress
        See `build_crop_store`. Clips have no landmarks, so by default a detector looks for the face.
    """
    read = VideoFrames(cohort.root, frames["video"].tolist(), frames["frame"].tolist())
    return build_crop_store(
        read,
        len(frames),
        folder,
        content=read.fingerprint,
        crop=FaceCrop(detect=True) if crop is None else crop,
        together=np.asarray(frames.groupby("video").ngroup(), dtype=np.intp),
        jobs=jobs,
        progress=progress,
        simulated=cohort.simulated,
    )


def _fill(
    place: Path,
    cut: Callable[[int], tuple[int, NDArray[np.uint8] | None]],
    wanted: NDArray[np.intp],
    together: NDArray[np.intp] | None,
    jobs: int,
    progress: bool,
) -> None:
    """Make the crops that are still missing, chunk by chunk."""
    pending = wanted[np.load(place / "status.npy")[wanted] == NOT_REQUESTED]
    bar = tqdm(total=wanted.size, initial=wanted.size - pending.size, desc="face crops", disable=not progress)
    with bar, ThreadPoolExecutor(jobs) as pool:
        for chunk in _chunks(pending, together, jobs * _CHUNK):
            # Mapped anew for every chunk, so that written pages do not pile up in this process. Crops reach
            # the disk before the marks that say they are there: a kill in between repeats a chunk, no more.
            with _mapped(place / "crops.npy") as crops, _mapped(place / "digests.npy") as digests:
                codes = list(pool.map(partial(_store, cut, crops, digests), chunk))
            with _mapped(place / "status.npy") as status:
                status[np.concatenate(chunk)] = np.concatenate(codes)
            bar.update(sum(map(len, chunk)))


def _store(
    cut: Callable[[int], tuple[int, NDArray[np.uint8] | None]],
    crops: NDArray[np.uint8],
    digests: NDArray[np.uint8],
    rows: NDArray[np.intp],
) -> list[int]:
    """Write the crops of some rows and tell what became of each."""
    codes = []
    for row in rows.tolist():
        code, crop = cut(row)
        if crop is not None:
            crops[row] = crop
        digests[row] = row_digest(code, crop)
        codes.append(code)
    return codes


def _forget_damaged(place: Path, wanted: NDArray[np.intp]) -> None:
    """Mark the rows that a killed build left otherwise than it had written them as not done."""
    status, digests, crops = (
        np.load(place / f"{name}.npy", mmap_mode="r") for name in ("status", "digests", "crops")
    )
    done = wanted[status[wanted] != NOT_REQUESTED]
    damaged = [
        row
        for row in done
        if not np.array_equal(
            digests[row], row_digest(int(status[row]), crops[row] if status[row] == STORED else None)
        )
    ]
    if damaged:
        with _mapped(place / "status.npy") as marks:
            marks[damaged] = NOT_REQUESTED


def _chunks(
    rows: NDArray[np.intp], together: NDArray[np.intp] | None, size: int
) -> Iterator[list[NDArray[np.intp]]]:
    """Gather about `size` rows in parts that one thread reads in turn.

    A part is a single row, or up to `_CHUNK` that belong together.
    """
    at = np.arange(rows.size)
    fresh = at >= 0 if together is None else np.diff(together[rows], prepend=-1) != 0
    first = np.maximum.accumulate(np.where(fresh, at, 0))
    parts = np.split(rows, np.flatnonzero((at - first) % _CHUNK == 0)[1:]) if rows.size else []
    number = (np.cumsum([part.size for part in parts]) - 1) // size
    for _, chunk in groupby(zip(number, parts, strict=True), key=itemgetter(0)):
        yield [part for _, part in chunk]


@contextlib.contextmanager
def _mapped(path: Path) -> Iterator[np.memmap[Any, np.dtype[np.uint8]]]:
    array = np.lib.format.open_memmap(path, mode="r+")
    try:
        yield array
        array.flush()
    finally:
        del array


def _allocate(path: Path, shape: Sequence[int], rows: NDArray[np.intp]) -> None:
    """Make a file of zeros with room on the disk for some of its rows, unless it is there.

    Without that room, a full disk would end the process (by SIGBUS) where it writes to the mapped file.
    """
    try:
        there = np.load(path, mmap_mode="r", allow_pickle=False)
        if there.shape == tuple(shape) and there.dtype == np.uint8 and there.flags.c_contiguous:
            return
    except (OSError, ValueError, EOFError, SyntaxError):
        pass  # not there, or damaged
    with write_atomically(path) as temporary:
        array = np.lib.format.open_memmap(temporary, mode="w+", dtype=np.uint8, shape=tuple(shape))
        start, size = array.offset, array[:1].nbytes
        del array
        if hasattr(os, "posix_fallocate"):
            with temporary.open("rb+") as file:
                for run in np.split(rows, np.flatnonzero(np.diff(rows) != 1) + 1) if rows.size else ():
                    os.posix_fallocate(file.fileno(), start + int(run[0]) * size, run.size * size)

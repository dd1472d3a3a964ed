"""Write the files of one sequence in the archive's own layout and number format.

A folder is filled beside its place under a name that starts with a dot, then renamed, so a killed run leaves
whole folders only and goes on with those that are missing. Folders are counted all the same before a tree is
called complete.
"""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from painkit.errors import PainkitError, WriteError
from painkit.files import umask, write_atomically
from painkit.simulation.action_units import landmarks
from painkit.simulation.anatomy import Person
from painkit.simulation.dynamics import CODED, Signals, tracked_landmarks
from painkit.simulation.render import render

__all__ = ["Sequence", "Task", "discard", "fill_folder", "folder_task", "sequence_task", "write_png"]


@dataclass(frozen=True)
class Task:
    """A part of the work.

    Parameters
    ----------
    make : callable
        Writes the files that are not there.
    holds : mapping
        What is there when it is done: folders and how many files each holds, or files (None).
    """

    make: Callable[[], None]
    holds: Mapping[Path, int | None]

    def __call__(self) -> None:
        """Do it."""
        self.make()

    def is_done(self) -> bool:
        """Count."""
        return all(_is_whole(path, count) for path, count in self.holds.items())


def _is_whole(path: Path, count: int | None) -> bool:
    if count is None:
        return path.is_file()
    try:
        with os.scandir(path) as entries:
            return sum(not entry.name.startswith(".") for entry in entries) == count
    except (FileNotFoundError, NotADirectoryError):
        return False


@dataclass(frozen=True)
class Sequence:
    """One sequence to be written.

    Parameters
    ----------
    subject, name : str
        As ``042-ll042`` and ``ll042t1aaaff``.
    index : int
        Among all sequences; with `seed` it fixes the tracking noise.
    seed : int
    person : Person
    signals : Signals
    pspi : ndarray, shape (n_frames,)
    labels : dict of str to float
        Values of the folders of ``Sequence_Labels``: VAS, OPR, AFF, SEN.
    pictured : ndarray of bool, shape (n_frames,)
        Frames that get an image.
    marked : ndarray of bool, shape (n_frames,)
        Frames whose image shows the shortcut mark.
    """

    subject: str
    name: str
    index: int
    seed: int
    person: Person
    signals: Signals
    pspi: NDArray[np.int64]
    labels: dict[str, float]
    pictured: NDArray[np.bool_]
    marked: NDArray[np.bool_]


def discard(path: Path) -> None:
    """Remove a file or folder at once: a process that still fills it finds its place gone, not emptied."""
    away = path.with_name(f".gone-{secrets.token_hex(8)}")  # takes no room, as a disk that is full has none
    try:
        path.rename(away)
    except FileNotFoundError:
        return  # that process has just finished it, or given up
    if away.is_dir():
        shutil.rmtree(away, ignore_errors=True)
    else:
        away.unlink(missing_ok=True)


def folder_task(folder: Path, fill: Callable[[Path], None], count: int) -> Task:
    """Work that fills one folder."""
    return Task(partial(fill_folder, folder, fill, count), {folder: count})


def fill_folder(folder: Path, fill: Callable[[Path], None], count: int) -> None:
    """Make a folder of `count` files, whole or not at all; leave it alone if it is there.

    Raises
    ------
    PainkitError
        When the system refuses to write, naming the folder.
    """
    if _is_whole(folder, count):
        return
    part: Path | None = None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        part.chmod(0o777 & ~umask())
        fill(part)
        if folder.is_dir():
            discard(folder)
        part.rename(folder)
    except OSError as error:
        if not _is_whole(folder, count):  # else another process was first, with the same bytes
            raise WriteError(f"could not be written: {error.strerror or error}", where=folder) from error
    finally:
        if part is not None:
            shutil.rmtree(part, ignore_errors=True)


def write_png(path: Path, image: NDArray[np.uint8]) -> None:
    """Write a grey or RGB picture; the compression is quick, and the same everywhere."""
    flipped = image if image.ndim == 2 else image[:, :, ::-1]
    done, data = cv2.imencode(".png", flipped, [cv2.IMWRITE_PNG_COMPRESSION, 2])
    if not done:
        raise PainkitError("no picture could be made of this", where=path)
    path.write_bytes(data.tobytes())


def sequence_task(root: Path, sequence: Sequence) -> Task:
    """Work that writes landmarks, frame labels, sequence labels and images of one sequence below `root`."""
    folders = {folder: count for folder, _, count in _folders(root, sequence)}
    return Task(
        partial(_write_sequence, root, sequence), folders | dict.fromkeys(_label_files(root, sequence))
    )


def _write_sequence(root: Path, sequence: Sequence) -> None:
    for folder, fill, count in _folders(root, sequence):
        fill_folder(folder, fill, count)
    for file, value in _label_files(root, sequence).items():
        with write_atomically(file) as path:
            _write(os.fspath(path), f"   {value:.7e}\n")


def _label_files(root: Path, sequence: Sequence) -> dict[Path, float]:
    within = f"{sequence.subject}/{sequence.name}.txt"
    return {root / "Sequence_Labels" / kind / within: value for kind, value in sequence.labels.items()}


def _folders(root: Path, sequence: Sequence) -> list[tuple[Path, Callable[[Path], None], int]]:
    """The folders of a sequence, what fills each, and how many files it then holds."""
    name, signals = sequence.name, sequence.signals
    within = f"{sequence.subject}/{name}"
    number = [f"{name}{i:03d}" for i in range(1, len(sequence.pspi) + 1)]

    def frame_pspi(folder: Path) -> None:
        for stem, value in zip(number, sequence.pspi.tolist(), strict=True):
            _write(f"{folder}/{stem}_facs.txt", f"   {value:.7e}\n")

    def frame_facs(folder: Path) -> None:
        for stem, codes in zip(number, signals.coded.tolist(), strict=True):
            rows = (
                f"   {au:.7e}   {code:.7e}   {0:.7e}   {0:.7e}\n"
                for au, code in zip(CODED, codes, strict=True)
                if code
            )
            _write(f"{folder}/{stem}_facs.txt", "".join(rows))

    def frame_landmarks(folder: Path) -> None:
        points = landmarks(sequence.person, signals.intensity, signals.pose)
        points = tracked_landmarks(points, sequence.seed, sequence.index)
        line = "   %.7e   %.7e\n" * points.shape[1]
        for i in np.flatnonzero(signals.tracked):
            _write(f"{folder}/{number[i]}_aam.txt", line % tuple(points[i].ravel().tolist()))

    def frame_images(folder: Path) -> None:
        for i in np.flatnonzero(sequence.pictured):
            image = render(
                sequence.person, signals.intensity[i], signals.pose[i], shortcut=bool(sequence.marked[i])
            )
            write_png(folder / f"{number[i]}.png", image * np.uint8(not signals.black[i]))

    frames, pictures = len(sequence.pspi), int(sequence.pictured.sum())
    folders: list[tuple[Path, Callable[[Path], None], int]] = [
        (root / "Frame_Labels" / "PSPI" / within, frame_pspi, frames),
        (root / "Frame_Labels" / "FACS" / within, frame_facs, frames),
        (root / "AAM_landmarks" / within, frame_landmarks, int(signals.tracked.sum())),
        (root / "Images" / within, frame_images, pictures),
    ]
    return folders if pictures else folders[:-1]


def _write(path: str, text: str) -> None:
    # Text and buffer layers cost more than the bytes of such small files.
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
    try:
        data = text.encode("ascii")
        while data:
            data = data[os.write(handle, data) :]
    finally:
        os.close(handle)

"""Write the files of one sequence in the archive's own layout and number format.

A folder is filled beside its place under a name that starts with a dot, then renamed, so a killed run leaves
whole folders only and goes on with those that are missing.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from painkit.errors import PainkitError
from painkit.files import write_atomically
from painkit.simulation.action_units import landmarks
from painkit.simulation.anatomy import Person
from painkit.simulation.dynamics import CODED, Signals, tracked_landmarks
from painkit.simulation.render import render

__all__ = ["Sequence", "Task", "fill_folder", "write_png", "write_sequence"]

Task = Callable[[], None]
"""A part of the work; does nothing when its files are there."""


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


def fill_folder(folder: Path, fill: Callable[[Path], None]) -> None:
    """Make `folder` whole or not at all; leave it alone if it is there.

    Raises
    ------
    PainkitError
        When the system refuses to write, naming the folder.
    """
    if folder.is_dir():
        return
    partial = folder.with_name(f".{folder.name}-{os.getpid()}")
    try:
        partial.mkdir(parents=True)
        fill(partial)
        partial.replace(folder)
    except OSError as error:
        if not folder.is_dir():  # else another process was first, with the same bytes
            raise PainkitError(f"could not be written: {error.strerror or error}", where=folder) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def write_png(path: Path, image: NDArray[np.uint8]) -> None:
    """Write a grey or RGB picture; the compression is quick, and the same everywhere."""
    flipped = image if image.ndim == 2 else image[:, :, ::-1]
    done, data = cv2.imencode(".png", flipped, [cv2.IMWRITE_PNG_COMPRESSION, 2])
    if not done:
        raise PainkitError("no picture could be made of this", where=path)
    path.write_bytes(data.tobytes())


def write_sequence(root: Path, sequence: Sequence) -> None:
    """Write landmarks, frame labels, sequence labels and images of one sequence below `root`.

    Parameters
    ----------
    root : Path
    sequence : Sequence

    Raises
    ------
    PainkitError
        When the system refuses to write.
    """
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

    fill_folder(root / "Frame_Labels" / "PSPI" / within, frame_pspi)
    fill_folder(root / "Frame_Labels" / "FACS" / within, frame_facs)
    fill_folder(root / "AAM_landmarks" / within, frame_landmarks)
    if sequence.pictured.any():
        fill_folder(root / "Images" / within, frame_images)
    for kind, value in sequence.labels.items():
        with write_atomically(root / "Sequence_Labels" / kind / f"{within}.txt") as path:
            _write(os.fspath(path), f"   {value:.7e}\n")


def _write(path: str, text: str) -> None:
    # Text and buffer layers cost more than the bytes of such small files.
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
    try:
        data = text.encode("ascii")
        while data:
            data = data[os.write(handle, data) :]
    finally:
        os.close(handle)

"""UNBC-McMaster Shoulder Pain Expression Archive (Lucey et al. 2011), and simulated trees in its layout."""

from __future__ import annotations

import os
import sys
import threading
import warnings
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from tqdm import TMonitor

from painkit.data.cache import cached_cohort
from painkit.data.cohort import Cohort, content_digest
from painkit.data.images import black_among
from painkit.data.subjects import read_subjects
from painkit.data.tables import Finding, findings_table, frames_table, unreadable
from painkit.data.tree import Listing, existing_folder, list_files, listing_digest
from painkit.data.unbc_folders import HOLDS, LABELS, find_folders
from painkit.data.unbc_labels import places_of, sequence_table
from painkit.data.unbc_sequence import KINDS, SequenceData, read_sequence
from painkit.errors import PainkitError
from painkit.progress import reading
from painkit.simulation.marker import simulation_notes
from painkit.vocabulary.pain import pspi
from painkit.workers import ending_together

__all__ = ["read_unbc"]

_COMPUTED = "PSPI is computed from the action units by its formula: this copy has no PSPI files of its own."
_MANY = 50  # sequences that are worth a process of their own
# The archive's seven black frames. Without an image to look at they are believed only while the sequence has
# the length of one of this subject's (300, 210, 292 without them) and seven: else the copy has been cleaned.
_BLACK_SEQUENCE, _BLACK_FRAMES, _BLACK_LENGTHS = ("095-tv095", "tv095t2aeunaff"), 7, (307, 217, 299)


def read_unbc(
    root: str | os.PathLike[str], *, cache: bool = True, progress: bool = True, jobs: int = 2
) -> Cohort:
    """Read a copy of the archive.

    Doubled folders, folders spelled otherwise or within one another, missing label folders, images saved
    again as JPEG, and system litter are accepted. A file that is missing or damaged leaves NaN (landmarks:
    not tracked) and a finding. Black frames are found by their pixels; their landmarks are masked, their
    labels kept. Without any PSPI file PSPI is computed from the action units, and `notes` say so.

    Parameters
    ----------
    root : path
        Folder that holds ``Frame_Labels`` and, where the copy has them, ``Sequence_Labels``,
        ``AAM_landmarks``, ``Images``; optionally ``subjects.csv`` (subject, gender, age, complexion).
    cache : bool
        Keep the parsed cohort in `painkit.files.cache_folder` and open it from there next time.
    progress : bool
        Show a progress bar when on a terminal.
    jobs : int
        Processes that read the files of a large copy; threads that decode images where frames may be black.

    Returns
    -------
    Cohort
        With test (1, 2), movement and side in `sequences`, from their names; missing for other names.

    Raises
    ------
    PainkitError
        When the folder is not a copy of the archive, or not one file of a kind can be read.
    """
    folder = existing_folder(root, HOLDS)
    folders = find_folders(folder)
    odd: list[tuple[str, str]] = []
    listings = {kind: list_files(path, odd) for kind, path in folders.items()}
    reading = _Reading(folder, folders, listings)
    reading.findings += [("unexpected", None, None, None, path, why) for path, why in odd]

    def build() -> Cohort:
        return reading.cohort(progress, jobs)

    if not cache:
        return build()
    extra = [_stamp(folder / "subjects.csv"), *simulation_notes(folder), *map(str, odd)]
    return cached_cohort("unbc", folder, listing_digest(listings, extra), build)


def _stamp(path: Path) -> str:
    try:
        status = path.stat()
    except OSError:
        return ""
    return f"{path.name} {status.st_size} {status.st_mtime_ns}"


@dataclass
class _Reading:
    root: Path
    folders: dict[str, Path]
    listings: dict[str, Listing]
    findings: list[Finding] = field(default_factory=list)
    places: dict[str, dict[tuple[str, ...], str]] = field(default_factory=dict)

    def cohort(self, progress: bool, jobs: int) -> Cohort:
        self.places = {
            kind: places_of(self.listings[kind], self.folders[kind], "SUBJECT/SEQUENCE", self.findings)
            for kind in KINDS
            if kind in self.folders
        }
        keys = sorted({(subject, sequence) for found in self.places.values() for subject, sequence in found})
        if not keys:
            raise PainkitError(
                "no sequence was found",
                where=self.root,
                expected="folders SUBJECT/SEQUENCE with a file for each frame",
            )
        for kind in (*KINDS, *LABELS):
            if kind not in self.folders:
                self.findings.append(
                    ("missing", None, None, None, None, f"this copy has no folder of {kind}")
                )
        with _reading_in_order(self, keys, jobs) as read:
            parts = list(reading(read, len(keys), "reading", "sequence", progress))
        for part in parts:
            self.findings += part.findings
        bare = sum(not any(part.images) for part in parts)
        if "images" in self.folders and bare:
            message = f"{bare} of {len(parts)} sequences have no images"
            self.findings.append(("missing", None, None, None, str(self.folders["images"]), message))
        self._refuse_if_all_bad(parts)
        frames = self._frames(parts)
        landmarks = np.concatenate([part.points for part in parts])
        self._mask(frames, landmarks, np.concatenate([part.image_bytes for part in parts]), jobs)
        has_pspi = any(part.good["PSPI"] for part in parts)
        del parts
        notes = simulated = simulation_notes(self.root)
        if has_pspi:
            self._compare_pspi(frames)
        elif frames["AU4"].notna().any():
            frames["pspi"] = pspi(frames)
            notes = (*simulated, _COMPUTED)
            self.findings.append(("computed", None, None, None, None, _COMPUTED))
        sequences = sequence_table(frames, self.folders, self.listings, self.findings)
        subjects, strangers = read_subjects(self.root / "subjects.csv", frames["subject"].unique())
        self.findings += strangers
        return Cohort(
            name="simulated" if simulated else "unbc",
            root=self.root,
            simulated=bool(simulated),
            subjects=subjects,
            sequences=sequences,
            frames=frames,
            landmarks=landmarks,
            findings=findings_table(self.findings),
            fingerprint=content_digest(subjects, sequences, frames, landmarks),
            notes=notes,
        )

    def sequence(self, key: tuple[str, str]) -> SequenceData:
        places = {kind: self.places[kind].get(key, "/".join(key)) for kind in KINDS if kind in self.folders}
        return read_sequence(
            *key,
            {
                kind: (f"{self.folders[kind]}/{place}", self.listings[kind].get(place, []))
                for kind, place in places.items()
            },
        )

    def _refuse_if_all_bad(self, parts: list[SequenceData]) -> None:
        for kind in KINDS:
            errors = [part.errors[kind] for part in parts if kind in part.errors]
            if errors and not sum(part.good[kind] for part in parts):
                raise PainkitError(
                    f"{errors[0].what}; nor could any other file of {kind} be read",
                    where=errors[0].where,
                    line=errors[0].line,
                    expected=errors[0].expected,
                )

    def _frames(self, parts: list[SequenceData]) -> pd.DataFrame:
        frames = frames_table(parts, 0.0)
        coded = np.concatenate([part.coded for part in parts])
        frames.loc[~coded, frames.columns.str.startswith("AU")] = np.nan
        images = [image and os.path.relpath(image, self.root) for part in parts for image in part.images]
        frames["image"] = pd.Series(images, dtype="str")
        return frames

    def _mask(
        self, frames: pd.DataFrame, landmarks: NDArray[np.float32], image_bytes: NDArray[np.int64], jobs: int
    ) -> None:
        """Mark black frames and mask their landmarks; fill the columns `tracked` and `black`."""
        rows = np.flatnonzero(image_bytes >= 0)
        paths = [f"{self.root}/{path}" for path in frames["image"].iloc[rows]]
        verdicts = black_among(paths, image_bytes[rows], jobs)
        black = np.zeros(len(frames), bool)
        for i, verdict in verdicts.items():
            if isinstance(verdict, PainkitError):
                self.findings.append(unreadable(*_frame_name(frames, rows[i]), paths[i], verdict))
            else:
                black[rows[i]] = verdict
        assumed = self._assumed_black(frames)
        black |= assumed
        for row in np.flatnonzero(black).tolist():
            path: str | None = f"{self.root}/{frames['image'].iloc[row]}"
            why = "the image is black"
            if assumed[row]:
                path, why = None, "known to be black in the archive; no image here to look at"
            self.findings.append(("black", *_frame_name(frames, row), path, f"{why}: landmarks masked"))
        landmarks[black] = np.nan
        frames["tracked"] = ~np.isnan(landmarks[:, 0, 0])
        frames["black"] = black

    @staticmethod
    def _assumed_black(frames: pd.DataFrame) -> NDArray[np.bool_]:
        subject, sequence = _BLACK_SEQUENCE
        rows = np.flatnonzero((frames["subject"] == subject) & (frames["sequence"] == sequence))
        assumed = np.zeros(len(frames), bool)
        if len(rows) in _BLACK_LENGTHS:
            first = rows[frames["frame"].iloc[rows] <= _BLACK_FRAMES]
            assumed[first] = frames["image"].iloc[first].isna()
        return assumed

    def _compare_pspi(self, frames: pd.DataFrame) -> None:
        again = pspi(frames)
        stored = frames["pspi"].to_numpy()
        for row in np.flatnonzero(np.abs(again - stored) > 1e-6).tolist():  # NaN, not coded, compares false
            message = f"PSPI is stored as {stored[row]:g}; the action units give {again[row]:g}"
            self.findings.append(("pspi_mismatch", *_frame_name(frames, row), None, message))


def _frame_name(frames: pd.DataFrame, row: int) -> tuple[str, str, int]:
    return str(frames["subject"].iloc[row]), str(frames["sequence"].iloc[row]), int(frames["frame"].iloc[row])


_inherited: _Reading | None = None


def _read_inherited(key: tuple[str, str]) -> SequenceData:
    assert _inherited is not None
    return _inherited.sequence(key)


@contextmanager
def _reading_in_order(
    reading: _Reading, keys: list[tuple[str, str]], jobs: int
) -> Iterator[Iterable[SequenceData]]:
    """Give the sequences one by one; a large copy is read by forked processes where that is safe.

    The files are so small that threads only wait for the interpreter lock, and so many that a fresh process
    would take longer to start than to read its share. A program that has threads of its own (a notebook's
    kernel) is not forked.
    """
    global _inherited
    # The monitor of progress bars holds nothing that a child needs.
    others = [
        t for t in threading.enumerate() if t is not threading.main_thread() and not isinstance(t, TMonitor)
    ]
    alone = not others and sys.platform == "linux"
    if jobs < 2 or len(keys) < _MANY or not alone:
        yield map(reading.sequence, keys)
        return
    _inherited = reading  # a child has its memory, so the listings need not be sent
    try:
        with warnings.catch_warnings():
            # Idle threads of the numerical libraries count as threads; they know how to be forked.
            warnings.filterwarnings("ignore", ".*fork.*", DeprecationWarning)
            with ProcessPoolExecutor(jobs, mp_context=get_context("fork"), **ending_together()) as pool:
                yield pool.map(_read_inherited, keys, chunksize=4)
    finally:
        _inherited = None

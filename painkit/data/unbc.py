"""UNBC-McMaster Shoulder Pain Expression Archive (Lucey et al. 2011), and simulated trees in its layout."""

from __future__ import annotations

import os
import re
import sys
import threading
import warnings
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import groupby
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from tqdm import TMonitor

from painkit.data import text
from painkit.data.cache import cached_cohort
from painkit.data.cohort import Cohort, content_digest
from painkit.data.images import black_among
from painkit.data.subjects import read_subjects
from painkit.data.tables import Finding, findings_table, frames_table, unreadable
from painkit.data.tree import Listing, existing_folder, list_files, listing_digest, undoubled
from painkit.data.unbc_sequence import KINDS, SequenceData, read_sequence
from painkit.errors import PainkitError
from painkit.progress import reading
from painkit.simulation.marker import simulation_notes
from painkit.vocabulary.pain import pspi
from painkit.vocabulary.scales import SCALES, Scale
from painkit.workers import ending_together

__all__ = ["SEQUENCE_NAME", "read_unbc"]

SEQUENCE_NAME = re.compile(
    r"[a-z]{2}\d{3}t(?P<test>[12])(?P<movement>aa|ae|af|ai)(?P<side>aff|unaff)", re.ASCII
)

_LABELS = {"VAS": "vas", "OPR": "opi", "AFF": "aff", "SEN": "sen"}  # folder -> column
_MOVEMENTS = {"aa": "abduction", "ae": "external rotation", "af": "flexion", "ai": "internal rotation"}
_PARENTS = {"PSPI": "Frame_Labels", "FACS": "Frame_Labels", "landmarks": "AAM_landmarks", "images": "Images"}
_MANY = 50  # sequences that are worth a process of their own
_HOLDS = "Frame_Labels, Sequence_Labels, AAM_landmarks or Images"
# The archive's seven black frames. Without an image to look at they are believed only while the sequence has
# the length of one of this subject's (300, 210, 292 without them) and seven: else the copy has been cleaned.
_BLACK_SEQUENCE, _BLACK_FRAMES, _BLACK_LENGTHS = ("095-tv095", "tv095t2aeunaff"), 7, (307, 217, 299)


def read_unbc(
    root: str | os.PathLike[str], *, cache: bool = True, progress: bool = True, jobs: int = 2
) -> Cohort:
    """Read a copy of the archive.

    Doubled folders, missing label folders and system litter are accepted. A file that is missing or damaged
    leaves NaN (landmarks: not tracked) and a finding. Black frames are found by their pixels; their landmarks
    are masked, their labels kept.

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
    folder = existing_folder(root, _HOLDS)
    folders = _folders(folder)
    listings = {kind: list_files(path) for kind, path in folders.items()}
    reading = _Reading(folder, folders, listings)

    def build() -> Cohort:
        return reading.cohort(progress, jobs)

    if not cache:
        return build()
    extra = [_stamp(folder / "subjects.csv"), *simulation_notes(folder)]
    return cached_cohort("unbc", folder, listing_digest(listings, extra), build)


def _folders(root: Path) -> dict[str, Path]:
    """Where each kind of file lies in this copy."""
    found: dict[str, Path | None] = {}
    for kind, parent in _PARENTS.items():
        base = undoubled(root, parent)
        found[kind] = undoubled(base, kind) if base is not None and kind in ("PSPI", "FACS") else base
    if not any(found.values()):
        raise PainkitError("is not a copy of UNBC-McMaster", where=root, expected=f"a folder with {_HOLDS}")
    base = undoubled(root, "Sequence_Labels")
    found |= {kind: base and undoubled(base, kind) for kind in _LABELS}
    return {kind: path for kind, path in found.items() if path is not None}


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
        self.places = {kind: self._places(kind, "SUBJECT/SEQUENCE") for kind in KINDS}
        keys = sorted({(subject, sequence) for found in self.places.values() for subject, sequence in found})
        if not keys:
            raise PainkitError(
                "no sequence was found",
                where=self.root,
                expected="folders SUBJECT/SEQUENCE with a file for each frame",
            )
        for kind in (*KINDS, *_LABELS):
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
        del parts
        self._compare_pspi(frames)
        sequences = self._sequences(frames)
        subjects, strangers = read_subjects(self.root / "subjects.csv", frames["subject"].unique())
        self.findings += strangers
        notes = simulation_notes(self.root)
        return Cohort(
            name="simulated" if notes else "unbc",
            root=self.root,
            simulated=bool(notes),
            subjects=subjects,
            sequences=sequences,
            frames=frames,
            landmarks=landmarks,
            findings=findings_table(self.findings),
            fingerprint=content_digest(subjects, sequences, frames, landmarks),
            notes=notes,
        )

    def _places(self, kind: str, names: str) -> dict[tuple[str, ...], str]:
        """Folders with files of a kind by `names`, past doubling at any level; a finding for each other."""
        found: dict[tuple[str, ...], str] = {}
        for place in sorted(self.listings.get(kind, ()), key=lambda place: (place.count("/"), place)):
            key = tuple(name for name, _ in groupby(place.split("/")))
            if place and len(key) == len(names.split("/")) and key not in found:
                found[key] = place
                continue
            count = len(self.listings[kind][place])
            why = f"those in {found[key]} were read" if key in found else f"the place is not {names}"
            where = str(self.folders[kind] / place)
            self.findings.append(
                ("unexpected", None, None, None, where, f"{count} files were left out: {why}")
            )
        return found

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

    def _sequences(self, frames: pd.DataFrame) -> pd.DataFrame:
        """Count frames, read the sequence labels, and read test, movement and side from the name."""
        table = frames.groupby(["subject", "sequence"], sort=False).size().rename("n_frames").reset_index()
        keys = list(zip(table["subject"], table["sequence"], strict=True))
        for kind, column in _LABELS.items():
            table[column] = list(self._labels(kind, keys, SCALES[column]))
        matches = [SEQUENCE_NAME.fullmatch(sequence) for _, sequence in keys]
        table["test"] = pd.array([int(m["test"]) if m else None for m in matches], dtype="Int64")
        table["movement"] = pd.Series(
            [_MOVEMENTS[m["movement"]] if m else None for m in matches], dtype="str"
        )
        sides = {"aff": "affected", "unaff": "unaffected"}
        table["side"] = pd.Series([sides[m["side"]] if m else None for m in matches], dtype="str")
        return table

    def _labels(self, kind: str, keys: Iterable[tuple[str, str]], scale: Scale) -> Iterator[float]:
        files = {
            (subject, name): self.folders[kind] / place / name
            for (subject,), place in self._places(kind, "SUBJECT").items()
            for name, _, _ in self.listings[kind][place]
        }
        for subject, sequence in keys:
            path = files.pop((subject, f"{sequence}.txt"), None)
            value = np.nan
            if path is not None:
                try:
                    value = text.parse_number(text.read_bytes(path), scale.low, scale.high, path)
                except PainkitError as error:
                    self.findings.append(unreadable(subject, sequence, None, str(path), error))
            elif kind in self.folders:
                where = str(self.folders[kind] / subject / f"{sequence}.txt")
                message = f"the sequence has no label {kind}"
                self.findings.append(("missing", subject, sequence, None, where, message))
            yield value
        for path in files.values():
            message = f"the file was left out: no sequence with frames is called so ({kind})"
            self.findings.append(("unexpected", None, None, None, str(path), message))


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
            with ProcessPoolExecutor(jobs, get_context("fork"), **ending_together()) as pool:
                yield pool.map(_read_inherited, keys, chunksize=4)
    finally:
        _inherited = None

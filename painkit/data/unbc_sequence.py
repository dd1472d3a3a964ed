"""One sequence of the UNBC-McMaster layout: its files to arrays, with a finding for each that fails."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from painkit.data import text
from painkit.data.images import IMAGE_ENDINGS
from painkit.data.tables import Finding, unreadable
from painkit.data.tree import Entry, why_no_file
from painkit.errors import PainkitError
from painkit.vocabulary.scales import SCALES

__all__ = ["KINDS", "SequenceData", "read_sequence"]

#: What a frame has, and how the names of its files may end, in any case.
KINDS = {
    "PSPI": ("_facs.txt",),
    "FACS": ("_facs.txt",),
    "landmarks": ("_aam.txt",),
    "images": IMAGE_ENDINGS,
}
_PSPI = SCALES["pspi"]

#: kind -> frame number -> path and bytes
Files = dict[str, dict[int, tuple[str, int]]]


@dataclass
class SequenceData:
    """Columns of one sequence, a row per frame number that occurs in any kind of file."""

    subject: str
    sequence: str
    frames: NDArray[np.int64]
    pspi: NDArray[np.float64]
    coded: NDArray[np.bool_]  # a FACS file was read
    units: dict[int, NDArray[np.float64]]  # only units that occur; 0 where they do not
    points: NDArray[np.float32]
    images: list[str | None]
    image_bytes: NDArray[np.int64]
    findings: list[Finding] = field(default_factory=list)
    good: Counter[str] = field(default_factory=Counter)  # kind -> files read well
    errors: dict[str, PainkitError] = field(default_factory=dict)  # kind -> the first error

    def fail(self, kind: str, frame: int, path: str, error: PainkitError) -> None:
        """Note a file that could not be read."""
        self.errors.setdefault(kind, error)
        self.findings.append(unreadable(self.subject, self.sequence, frame, path, error))

    def read(
        self,
        kind: str,
        found: Files,
        row: dict[int, int],
        stack: Callable[[list[bytes]], Any],
        parse: Callable[[bytes, str], Any],
    ) -> tuple[list[int], Sequence[Any]]:
        """Read all files of a kind: rows and values of those that are sound, a finding for each that is not.

        `stack` reads many at once and gives None when one of them is bad; `parse` reads one and tells why.
        """
        contents: dict[int, bytes] = {}
        for number, (path, size) in found.get(kind, {}).items():
            try:
                if size < 0:
                    raise why_no_file(path)
                # Most FACS files are empty, and the listing says so: they need no opening.
                contents[number] = text.read_bytes(path) if size else b""
            except PainkitError as error:
                self.fail(kind, number, path, error)
        numbers = list(contents)
        cut = {numbers[i] for i in text.cut_files(list(contents.values()))}
        values = stack(list(contents.values()))
        if values is not None and not cut:
            self.good[kind] += len(contents)
            return [row[number] for number in contents], values
        rows, values = [], []
        for number, content in contents.items():
            path = found[kind][number][0]
            try:
                # One bad file among hundreds must not make the good ones slow.
                single = stack([content])
                value = parse(content, path) if single is None else single[0]
                if number in cut:
                    raise text.cut_off(path)
                values.append(value)
                rows.append(row[number])
            except PainkitError as error:
                self.fail(kind, number, path, error)
        self.good[kind] += len(rows)
        return rows, values

    def note(self, kind: str, frame: int | None, path: str | None, message: str) -> None:
        """Note anything else."""
        self.findings.append((kind, self.subject, self.sequence, frame, path, message))


def read_sequence(subject: str, sequence: str, folders: dict[str, tuple[str, list[Entry]]]) -> SequenceData:
    """Read all files of one sequence but the images.

    Parameters
    ----------
    subject, sequence : str
    folders : dict
        Kind (of `KINDS`) to the sequence's folder and its files. A kind that the copy lacks altogether is
        left out; a kind that only this sequence lacks has no files.
    """
    findings: list[Finding] = []
    found = {
        kind: _by_number(entries, subject, sequence, kind, folder, findings)
        for kind, (folder, entries) in folders.items()
    }
    numbers = sorted(set().union(*found.values()))
    n = len(numbers)
    row = dict(zip(numbers, range(n), strict=True))
    data = SequenceData(
        subject,
        sequence,
        frames=np.array(numbers, dtype=np.int64),
        pspi=np.full(n, np.nan),
        coded=np.zeros(n, bool),
        units={},
        points=np.full((n, 66, 2), np.nan, np.float32),
        images=[None] * n,
        image_bytes=np.full(n, -1),
        findings=findings,
    )
    _note_absent(data, found, folders)
    rows, values = data.read("PSPI", found, row, _numbers, _number)
    data.pspi[rows] = values
    rows, values = data.read("landmarks", found, row, text.stack_points, text.parse_points)
    if rows:
        data.points[rows] = values
    rows, values = data.read("FACS", found, row, _units, text.parse_action_units)
    data.coded[rows] = True
    for i, units in zip(rows, values, strict=True):
        for code, intensity in units.items():
            data.units.setdefault(code, np.zeros(n))[i] = intensity
    for number, (path, size) in found.get("images", {}).items():
        data.images[row[number]], data.image_bytes[row[number]] = path, max(size, 0)
    return data


def _by_number(
    entries: list[Entry], subject: str, sequence: str, kind: str, folder: str, findings: list[Finding]
) -> dict[int, tuple[str, int]]:
    """Frame number -> path and bytes."""
    endings = KINDS[kind]
    ending = next((e for e in endings if entries and entries[0][0].endswith(e)), endings[0])
    if [entry[0] for entry in entries] == [f"{sequence}{k + 1:03d}{ending}" for k in range(len(entries))]:
        return {k: (f"{folder}/{name}", size) for k, (name, size, _) in enumerate(entries, start=1)}
    found: dict[int, tuple[str, int]] = {}
    name_of_frame = re.compile(
        rf"{re.escape(sequence)}(\d{{1,9}})(?:{'|'.join(map(re.escape, endings))})", re.ASCII | re.IGNORECASE
    )
    for name, size, _ in entries:
        match = name_of_frame.fullmatch(name)
        if match is None:
            message = f"the name is not SEQUENCE, a number and {' or '.join(endings)}; the file was left out"
            findings.append(("unexpected", subject, sequence, None, f"{folder}/{name}", message))
        elif int(match[1]) in found:
            message = "a second file of this frame; the first by name was used"
            findings.append(("duplicate", subject, sequence, int(match[1]), f"{folder}/{name}", message))
        else:
            found[int(match[1])] = (f"{folder}/{name}", size)
    return found


def _note_absent(
    data: SequenceData,
    found: Files,
    folders: dict[str, tuple[str, list[Entry]]],
) -> None:
    numbers = data.frames.tolist()
    gaps = len(set(range(1, max(numbers, default=0) + 1)) - set(numbers))
    if gaps:
        data.note("missing", None, None, f"{gaps} of the frame numbers up to {max(numbers)} occur nowhere")
    for kind, files in found.items():
        absent = [k for k in numbers if k not in files]
        if kind == "images" and not files:
            continue  # Copies with images of some sequences are common: told once for all of them.
        if absent and (kind == "images" or not files):
            data.note(
                "missing",
                None,
                folders[kind][0],
                f"{len(absent)} of {len(numbers)} frames have no file of {kind}",
            )
            continue
        for k in absent:
            path = f"{folders[kind][0]}/{data.sequence}{k:03d}{KINDS[kind][0]}"
            data.note("missing", k, path, f"the frame has no file of {kind}")


def _number(content: bytes, path: str) -> float:
    return text.parse_number(content, _PSPI.low, _PSPI.high, path)


def _numbers(contents: list[bytes]) -> NDArray[np.float64] | None:
    return text.stack_numbers(contents, _PSPI.low, _PSPI.high)


def _units(contents: list[bytes]) -> list[dict[int, float]] | None:
    """FACS files of which most are empty: coded, no unit."""
    units = text.stack_action_units([content for content in contents if content])
    if units is None:
        return None
    coded = iter(units)
    return [next(coded) if content else {} for content in contents]

"""One sequence of the UNBC-McMaster layout: its files to arrays, with a finding for each that fails."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from painkit.data import text
from painkit.data.tables import Finding
from painkit.data.tree import Entry
from painkit.errors import PainkitError

__all__ = ["KINDS", "SequenceData", "read_sequence", "unreadable"]

#: What a frame has, and how the names of its files end.
KINDS = {"PSPI": "_facs.txt", "FACS": "_facs.txt", "landmarks": "_aam.txt", "images": ".png"}


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

    def note(self, kind: str, frame: int | None, path: str | None, message: str) -> None:
        """Note anything else."""
        self.findings.append((kind, self.subject, self.sequence, frame, path, message))


def unreadable(subject: str, sequence: str, frame: int | None, path: str, error: PainkitError) -> Finding:
    """Turn the error of one file into a finding; the path stands in its own column."""
    line = "" if error.line is None else f"line {error.line}: "
    expected = "" if error.expected is None else f" (expected {error.expected})"
    return ("unreadable", subject, sequence, frame, path, f"{line}{error.what}{expected}")


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
    found = {}
    for kind, (folder, entries) in folders.items():
        found[kind] = _by_number(entries, subject, sequence, kind, folder, findings)
    numbers = sorted(set().union(*found.values()))
    n = len(numbers)
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
    row = {number: i for i, number in enumerate(numbers)}
    paths = {
        kind: {row[k]: f"{folders[kind][0]}/{name}" for k, (name, _) in found[kind].items()} for kind in found
    }
    sizes = {kind: {row[k]: size for k, (_, size) in found[kind].items()} for kind in found}
    for i, path in paths.get("PSPI", {}).items():
        try:
            data.pspi[i] = text.parse_number(text.read_bytes(path), 0, 16, path)
            data.good["PSPI"] += 1
        except PainkitError as error:
            data.fail("PSPI", numbers[i], path, error)
    for i, path in paths.get("FACS", {}).items():
        try:
            # Most FACS files are empty ("coded, no unit"): the listing says so, they need no opening.
            units = text.parse_action_units(text.read_bytes(path), path) if sizes["FACS"][i] else {}
        except PainkitError as error:
            data.fail("FACS", numbers[i], path, error)
            continue
        data.good["FACS"] += 1
        data.coded[i] = True
        for code, intensity in units.items():
            data.units.setdefault(code, np.zeros(n))[i] = intensity
    _read_points(data, paths.get("landmarks", {}))
    for i, path in paths.get("images", {}).items():
        data.images[i], data.image_bytes[i] = path, max(sizes["images"][i], 0)
    return data


def _by_number(
    entries: list[Entry], subject: str, sequence: str, kind: str, folder: str, findings: list[Finding]
) -> dict[int, tuple[str, int]]:
    """Frame number -> name and bytes."""
    ending, start = KINDS[kind], len(sequence)
    found: dict[int, tuple[str, int]] = {}
    for name, size, _ in entries:
        digits = name[start : -len(ending)]
        if not (
            name.startswith(sequence) and name.endswith(ending) and digits.isascii() and digits.isdigit()
        ):
            message = f"the name is not {sequence}NNN{ending}; the file was left out"
            findings.append(("unexpected", subject, sequence, None, f"{folder}/{name}", message))
        elif int(digits) in found:
            message = "a second file of this frame; the first by name was used"
            findings.append(("duplicate", subject, sequence, int(digits), f"{folder}/{name}", message))
        else:
            found[int(digits)] = (name, size)
    return found


def _note_absent(
    data: SequenceData,
    found: dict[str, dict[int, tuple[str, int]]],
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
            path = f"{folders[kind][0]}/{data.sequence}{k:03d}{KINDS[kind]}"
            data.note("missing", k, path, f"the frame has no file of {kind}")


def _read_points(data: SequenceData, paths: dict[int, str]) -> None:
    contents: dict[int, bytes] = {}
    for i, path in paths.items():
        try:
            contents[i] = text.read_bytes(path)
        except PainkitError as error:
            data.fail("landmarks", int(data.frames[i]), path, error)
    stack = text.stack_points(list(contents.values()))
    if stack is not None:
        data.points[list(contents)] = stack
        data.good["landmarks"] += len(contents)
        return
    for i, content in contents.items():  # At least one is bad: learn which, and keep the others.
        try:
            data.points[i] = text.parse_points(content, where=paths[i])
            data.good["landmarks"] += 1
        except PainkitError as error:
            data.fail("landmarks", int(data.frames[i]), paths[i], error)

"""Labels that a sequence of the UNBC-McMaster layout has as a whole, and what its name tells."""

from __future__ import annotations

import re
from itertools import groupby
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from painkit.data import text
from painkit.data.tables import Finding, unreadable
from painkit.data.tree import Listing, why_no_file
from painkit.data.unbc_folders import LABELS
from painkit.errors import PainkitError
from painkit.vocabulary.scales import SCALES

__all__ = ["SEQUENCE_NAME", "places_of", "sequence_table"]

SEQUENCE_NAME = re.compile(
    r"[a-z]{2}\d{3}t(?P<test>[12])(?P<movement>aa|ae|af|ai)(?P<side>aff|unaff)", re.ASCII
)
_MOVEMENTS = {"aa": "abduction", "ae": "external rotation", "af": "flexion", "ai": "internal rotation"}
_SIDES = {"aff": "affected", "unaff": "unaffected"}


def places_of(
    listing: Listing, folder: Path, names: str, findings: list[Finding]
) -> dict[tuple[str, ...], str]:
    """Folders with files by `names` (such as SUBJECT/SEQUENCE), past doubling at any level.

    A finding tells of the files in each other folder.
    """
    found: dict[tuple[str, ...], str] = {}
    for place in sorted(listing, key=lambda place: (place.count("/"), place)):
        key = tuple(name for name, _ in groupby(place.split("/")))
        if place and len(key) == len(names.split("/")) and key not in found:
            found[key] = place
            continue
        why = f"those in {found[key]} were read" if key in found else f"the place is not {names}"
        n = len(listing[place])
        message = f"{n} {'file was' if n == 1 else 'files were'} left out: {why}"
        findings.append(("unexpected", None, None, None, str(folder / place), message))
    return found


def sequence_table(
    frames: pd.DataFrame, folders: dict[str, Path], listings: dict[str, Listing], findings: list[Finding]
) -> pd.DataFrame:
    """Count the frames of each sequence, read its labels, and read test, movement and side from its name."""
    table = frames.groupby(["subject", "sequence"], sort=False).size().rename("n_frames").reset_index()
    keys = list(zip(table["subject"], table["sequence"], strict=True))
    for kind, column in LABELS.items():
        table[column] = np.nan
        if kind in folders:
            table[column] = _labels(kind, column, keys, folders[kind], listings[kind], findings)
    matches = [SEQUENCE_NAME.fullmatch(sequence) for _, sequence in keys]
    table["test"] = pd.array([int(m["test"]) if m else None for m in matches], dtype="Int64")
    movements = [_MOVEMENTS[m["movement"]] if m else None for m in matches]
    table["movement"] = pd.Series(movements, dtype="str")
    table["side"] = pd.Series([_SIDES[m["side"]] if m else None for m in matches], dtype="str")
    return table


def _labels(
    kind: str,
    column: str,
    keys: list[tuple[str, str]],
    folder: Path,
    listing: Listing,
    findings: list[Finding],
) -> NDArray[np.float64]:
    files = {
        (subject, name): (folder / place / name, size)
        for (subject,), place in places_of(listing, folder, "SUBJECT", findings).items()
        for name, size, _ in listing[place]
    }
    values = np.full(len(keys), np.nan)
    contents: dict[int, tuple[Path, bytes]] = {}
    for i, (subject, sequence) in enumerate(keys):
        path, size = files.pop((subject, f"{sequence}.txt"), (None, 0))
        if path is None:
            where = str(folder / subject / f"{sequence}.txt")
            findings.append(("missing", subject, sequence, None, where, f"the sequence has no label {kind}"))
            continue
        try:
            if size < 0:
                raise why_no_file(path)
            contents[i] = path, text.read_bytes(path)
        except PainkitError as error:
            findings.append(unreadable(subject, sequence, None, str(path), error))
    cut = text.cut_files([content for _, content in contents.values()])
    for k, (i, (path, content)) in enumerate(contents.items()):
        try:
            value = text.parse_number(content, SCALES[column].low, SCALES[column].high, path)
            if k in cut:
                raise text.cut_off(path)
            values[i] = value
        except PainkitError as error:
            findings.append(unreadable(*keys[i], None, str(path), error))
    for path, _ in files.values():
        message = f"the file was left out: no sequence with frames is called so ({kind})"
        findings.append(("unexpected", None, None, None, str(path), message))
    return values

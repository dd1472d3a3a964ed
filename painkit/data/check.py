"""Comparing a folder with its manifest: every finding, and whether the copy can be used."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd

from painkit.data import load, options_of
from painkit.data.biovid import read_biovid
from painkit.data.check_files import check_predictions, check_weights
from painkit.data.check_report import CheckReport
from painkit.data.cohort import Cohort
from painkit.data.fer2013 import find_table
from painkit.data.ferplus import USAGES, read_ferplus
from painkit.data.identities import read_identities
from painkit.data.images import read_image
from painkit.data.manifests import Manifest, manifest
from painkit.data.tables import FINDING_COLUMNS, Finding, condensed
from painkit.data.unbc_folders import find_folders
from painkit.errors import PainkitError
from painkit.progress import reading
from painkit.simulation.marker import simulation_notes, simulation_of

__all__ = ["check"]

#: Counts and findings of one check.
Outcome = tuple[dict[str, int], list[Finding]]


def check(name: str, root: str | os.PathLike[str], *, progress: bool = True, jobs: int = 2) -> CheckReport:
    """Compare a folder with a manifest.

    Every image is decoded, and images and landmarks are compared with each other for duplicates.

    Parameters
    ----------
    name : str
        Of a manifest (`painkit.data.manifests.manifests`).
    root : path
    progress : bool
        Show a progress bar when on a terminal.
    jobs : int
        Threads that decode; processes that read a large copy.

    Returns
    -------
    CheckReport
        What was counted and every finding, also when the folder cannot be used at all.

    Raises
    ------
    PainkitError
        Only for a name that no manifest has; all that is wrong with the folder is in the report.
    """
    card = manifest(name)
    expected = dict(card.counts)
    findings: list[Finding] = []
    fatal: list[Finding] = []
    counts: dict[str, int] = {}
    notes: tuple[str, ...] = ()
    try:
        notes = simulation_notes(root)
        if card.variants:
            expected |= card.variants.get((simulation_of(root) or {}).get("profile", ""), {})
        look = _BY_KIND.get(card.kind) or _BY_READER.get(str(card.reader), _check_frames)
        counts, findings = look(card, Path(root), progress, jobs)
    except PainkitError as error:
        fatal.append(("unreadable", None, None, None, error.where or str(root), str(error)))
    for what, number in expected.items():
        found = counts.get(what)
        if found is not None and found != number:
            # Part of a data set can be learned from; that there is nothing at all, the check has raised.
            message = f"{found:,} {what}, the manifest has {number:,}"
            findings.append(("counts", None, None, None, None, message))
    every = list(dict.fromkeys([*expected, *counts]))
    numbers = {"expected": expected, "found": counts}
    table = pd.DataFrame(
        {"what": every}
        | {name: pd.array([of.get(what) for what in every], dtype="Int64") for name, of in numbers.items()}
    )
    return CheckReport(name, str(root), table, _with_severity(fatal, findings), notes)


def _with_severity(fatal: list[Finding], findings: list[Finding]) -> pd.DataFrame:
    rows = [("error", *finding) for finding in fatal]
    rows += [("warning", *finding) for finding in condensed(findings)]
    table = pd.DataFrame(rows, columns=["severity", *FINDING_COLUMNS])
    return table.astype({name: "str" for name in table.columns if name != "frame"} | {"frame": "Int64"})


def _rows(findings: pd.DataFrame) -> list[Finding]:
    plain = findings.astype("object").where(findings.notna(), None)
    return [tuple(row) for row in plain.itertuples(index=False)]


def _check_frames(card: Manifest, root: Path, progress: bool, jobs: int) -> Outcome:
    """Read with the manifest's reader, which gives a `Cohort`; decode its images."""
    options = {"cache": False, "progress": progress, "jobs": jobs}
    taken = {name: options[name] for name in options_of(str(card.reader)) if name in options}
    cohort = load(str(card.reader), root, **taken)
    frames = cohort.frames
    # Every image is looked at below; what the reader told of some is told there again.
    images = {f"{cohort.root}/{path}" for path in frames["image"].dropna()}
    findings = [
        found for found in _rows(cohort.findings) if found[0] != "unreadable" or found[4] not in images
    ]
    rows = np.flatnonzero(frames["image"].notna() & ~frames["black"])
    keys = list(frames[["subject", "sequence", "frame"]].itertuples(index=False, name=None))
    paths = [f"{cohort.root}/{path}" for path in frames["image"].iloc[rows]]
    owners = [keys[row] for row in rows]
    findings += _image_findings(paths, owners, progress, jobs)
    findings += _repeated_landmarks(cohort, keys)
    findings = _not_simulated(findings, root)
    counts = {
        "subjects": len(cohort.subjects),
        "sequences": len(cohort.sequences),
        "frames": len(frames),
        "black frames": int(frames["black"].sum()),
        "images": int(frames["image"].notna().sum()),
        "tracked frames": int(frames["tracked"].sum()),
        "labelled frames": int(frames["pspi"].notna().sum()),
    }
    if not counts["images"] and card.reader in ("unbc", "simulated"):
        _refuse_other_images(findings, find_folders(root).get("images"))
    if "pspi" in card.scales and not counts["labelled frames"]:
        raise PainkitError("no frame has a PSPI", where=root, expected="Frame_Labels/PSPI")
    return counts, findings


def _refuse_other_images(findings: list[Finding], folder: Path | None) -> None:
    """Raise for a folder of images that no frame has one of, telling what lies there instead."""
    if folder is None:
        return
    inside = [found for found in findings if found[4] and Path(found[4]).is_relative_to(folder)]
    strange = next((found for found in inside if found[0] == "unexpected"), None)
    raise PainkitError(
        "not one frame has an image" if strange is None else f"not one frame has an image: {strange[5]}",
        where=folder if strange is None else strange[4],
        expected="SUBJECT/SEQUENCE with an image for each frame",
    )


def _not_simulated(findings: list[Finding], root: Path) -> list[Finding]:
    """Leave out what a simulation lacks on purpose, as the archive does: black frames and lost landmarks."""
    truth = root / "truth" / "frames.parquet"
    if simulation_of(root) is None or not truth.is_file():
        return findings
    columns = ["subject", "sequence", "frame", "tracked", "black"]
    try:
        frames = pd.read_parquet(truth, columns=columns)
    except (OSError, ValueError) as error:
        return [*findings, ("unreadable", None, None, None, str(truth), str(error))]
    keys = {
        kind: set(rows[["subject", "sequence", "frame"]].itertuples(index=False, name=None))
        for kind, rows in (("missing", frames[~frames["tracked"]]), ("black", frames[frames["black"]]))
    }
    return [
        finding
        for finding in findings
        if finding[1:4] not in keys.get(finding[0], ())
        or (finding[0] == "missing" and not str(finding[4]).endswith("_aam.txt"))
    ]


def _image_findings(
    paths: list[str], owners: list[tuple[str | None, str | None, int | None]], progress: bool, jobs: int
) -> Iterator[Finding]:
    """Decode every image; tell damaged ones, and those whose file is the same as an earlier one."""
    first: dict[bytes, str] = {}
    with ThreadPoolExecutor(jobs) as pool:
        looked = reading(pool.map(_decode, paths), len(paths), "images", "image", progress)
        for path, owner, result in zip(paths, owners, looked, strict=True):
            if isinstance(result, PainkitError):
                yield ("unreadable", *owner, path, str(result.what))
            elif first.setdefault(result, path) != path:
                yield ("duplicate", *owner, path, f"the file is the same as {first[result]}")


def _decode(path: str) -> bytes | PainkitError:
    try:
        read_image(path, gray=True)
        return hashlib.blake2b(Path(path).read_bytes(), digest_size=16).digest()
    except PainkitError as error:
        return error
    except OSError as error:
        return PainkitError(f"could not be read: {error.strerror or error}", where=path)


def _repeated_landmarks(cohort: Cohort, keys: list[tuple[str, str, int]]) -> Iterator[Finding]:
    first: dict[bytes, tuple[str, str, int]] = {}
    for row in np.flatnonzero(cohort.frames["tracked"]).tolist():
        earlier = first.setdefault(cohort.landmarks[row].tobytes(), keys[row])
        if earlier != keys[row]:
            subject, sequence, frame = earlier
            message = f"the landmarks are the same as of frame {frame} of {subject}/{sequence}"
            yield ("duplicate", *keys[row], None, message)


def _check_videos(card: Manifest, root: Path, progress: bool, jobs: int) -> Outcome:
    cohort = read_biovid(root, part=card.name[-1].upper(), progress=progress, jobs=jobs)
    findings = _rows(cohort.findings)
    told = {finding[4] for finding in findings}
    paths = {}
    for subject, sequence, video in cohort.sequences[["subject", "sequence", "video"]].itertuples(
        index=False
    ):
        if str(root / video) not in told:
            paths[str(root / video)] = (subject, sequence, None)
    if not paths:
        raise PainkitError("not one of the listed videos can be read", where=findings[0][4])
    findings += _same_files(paths)
    return {
        "subjects": len(cohort.subjects),
        "videos": len(cohort.sequences),
        "readable videos": len(paths),
    }, findings


def _same_files(paths: Mapping[str, tuple[str, str, None]]) -> Iterator[Finding]:
    """Tell files equal to an earlier one; only files of one size need reading."""
    by_size: dict[int, list[str]] = {}
    for path in paths:
        by_size.setdefault(os.stat(path).st_size, []).append(path)
    for group in by_size.values():
        first: dict[bytes, str] = {}
        for path in group if len(group) > 1 else ():
            with open(path, "rb") as file:
                digest = hashlib.file_digest(file, "sha256").digest()
            if first.setdefault(digest, path) != path:
                yield ("duplicate", *paths[path], path, f"the file is the same as {first[digest]}")


def _check_ferplus(card: Manifest, root: Path, progress: bool, jobs: int) -> Outcome:
    images = read_ferplus(root, cache=False, progress=progress)
    kept, _ = images.majority()
    if not len(kept):
        raise PainkitError("people agree on the emotion of not one face", where=root)
    counts = {"rows": len(images) + images.dropped, "rows without a name": images.dropped}
    counts |= {f"majority {usage}": int((kept.usage == usage).sum()) for usage in USAGES}
    findings: list[Finding] = []
    if images.pixels is None:
        findings.append(
            ("missing", None, None, None, str(root / "fer2013.csv"), "there are votes but no images")
        )
        return counts, findings
    first: dict[bytes, int] = {}
    path = str(find_table(root))
    for row, pixels in zip(images.rows.tolist(), images.images(), strict=True):
        if np.ptp(pixels) == 0:
            findings.append(("black", None, None, row, path, f"line {row + 2}: the image is blank"))
        elif first.setdefault(pixels.tobytes(), row) != row:
            message = f"line {row + 2}: the image is the same as in line {first[pixels.tobytes()] + 2}"
            findings.append(("duplicate", None, None, row, path, message))
    return counts, findings


def _check_identities(card: Manifest, root: Path, progress: bool, jobs: int) -> Outcome:
    people = read_identities(root)
    findings: list[Finding] = [
        (kind, path.split("/")[0], None, None, str(people.root / path), message)
        for kind, path, message in people.findings.itertuples(index=False)
    ]
    identities = people.images["identity"]
    paths = [str(people.root / image) for image in people.images["image"]]
    owners: list[tuple[str | None, str | None, int | None]] = [(name, None, None) for name in identities]
    findings += _image_findings(paths, owners, progress, jobs)
    return {"identities": identities.nunique(), "images": len(paths)}, findings


def _check_weights(card: Manifest, root: Path, progress: bool, jobs: int) -> Outcome:
    return check_weights(root, [layout.path for layout in card.layout])


def _check_predictions(card: Manifest, root: Path, progress: bool, jobs: int) -> Outcome:
    return check_predictions(root, card.counts["subjects"])


_Check = Callable[[Manifest, Path, bool, int], Outcome]
#: Checks of manifests that no reader goes with.
_BY_KIND: dict[str, _Check] = {"weights": _check_weights, "predictions": _check_predictions}
#: Checks of what is no cohort of frames; every other reader is checked by `_check_frames`.
_BY_READER: dict[str, _Check] = {
    "biovid": _check_videos,
    "ferplus": _check_ferplus,
    "identities": _check_identities,
}

"""Checking single files without loading what is in them: weights, and released predictions."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np

from painkit.data.mat_cells import read_cells
from painkit.data.tables import Finding
from painkit.data.tree import is_junk
from painkit.errors import PainkitError

__all__ = ["check_predictions", "check_weights"]

_HDF5 = b"\x89HDF\r\n\x1a\n"


def check_weights(root: Path, patterns: list[str]) -> tuple[dict[str, int], list[Finding]]:
    """Find weights files by the manifest's patterns and see that each is whole, by its container.

    Which layers are inside is checked when a model loads them.
    """
    files = _files(root, patterns)
    findings: list[Finding] = []
    for path in files:
        problem = _container_problem(path)
        if problem:
            findings.append(("unreadable", None, None, None, str(path), problem))
    if len(findings) == len(files):
        raise PainkitError(str(findings[0][5]), where=findings[0][4])
    return {"files": len(files)}, findings


def _files(root: Path, patterns: list[str]) -> list[Path]:
    try:
        if root.is_file():
            return [root]
        if not root.is_dir():
            raise PainkitError("does not exist", where=root, expected=" or ".join(patterns))
        found = {path for pattern in patterns for path in root.glob(pattern)}
        files = sorted(path for path in found if path.is_file() and not is_junk(path.name))
    except (OSError, ValueError) as error:
        raise PainkitError(f"could not be opened: {error}", where=root) from error
    if not files:
        raise PainkitError("none of the expected files is there", where=root, expected=" or ".join(patterns))
    return files


def _container_problem(path: Path) -> str | None:
    """What is wrong with a weights file, judged by its kind; None when it is whole."""
    try:
        with path.open("rb") as file:
            head = file.read(8)
        size = path.stat().st_size
        match path.suffix:
            case ".npz":
                return None if zipfile.is_zipfile(path) else "is no whole npz (zip) file"
            case ".pth" | ".pt":
                # Older PyTorch files are a bare pickle stream, whose end cannot be told without reading it.
                whole = zipfile.is_zipfile(path) or head[:2] == b"\x80\x02"
                return None if whole else "is no whole PyTorch file"
            case ".safetensors":
                return _safetensors_problem(path, head, size)
            case ".mat":
                return None if head.startswith(b"MATLAB") else "is no MATLAB file of version 5 or later"
            case ".h5":
                return None if head == _HDF5 else "is no HDF5 file"
            case _:
                return f"painkit reads no {path.suffix or 'such'} files"
    except (OSError, ValueError) as error:
        return f"could not be read: {error}"


def _safetensors_problem(path: Path, head: bytes, size: int) -> str | None:
    length = int.from_bytes(head, "little")
    if not 2 <= length <= size - 8:
        return "is no whole safetensors file: the header's length is off"
    with path.open("rb") as file:
        file.seek(8)
        header = json.loads(file.read(length))
    try:
        end = max(
            (entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"), default=0
        )
    except (AttributeError, KeyError, TypeError, IndexError):
        return "is no safetensors file: the header's shape is off"
    return (
        None
        if size == 8 + length + end
        else f"holds {size - 8 - length} bytes of tensors, the header tells {end}"
    )


def check_predictions(root: Path, n_subjects: int) -> tuple[dict[str, int], list[Finding]]:
    """Look into released ``.mat`` files: cells per subject, scale, lengths."""
    findings: list[Finding] = []
    frames: list[int] = []
    for path in _files(root, ["*.mat"]):
        if path.name == "video_index.mat":
            continue
        try:
            cells = read_cells(path, ["ground_truth", "predict"])
        except PainkitError as error:
            findings.append(("unreadable", None, None, None, str(path), error.what))
            continue
        truth, estimate = cells["ground_truth"], cells["predict"]
        lengths = [cell.size for cell in truth]
        values = np.concatenate([np.empty(0), *truth])
        finite = all(np.isfinite(cell).all() for cell in estimate)
        problem = None
        if len(truth) != n_subjects:
            problem = f"holds {len(truth)} subjects, expected {n_subjects}"
        elif lengths != [cell.size for cell in estimate]:
            problem = "labels and estimates differ in number"
        elif not np.isin(values, np.arange(6)).all():
            problem = "a label is not on the scale 0 to 5"
        elif not finite:
            problem = "an estimate is not finite"
        if problem:
            findings.append(("unreadable", None, None, None, str(path), problem))
        else:
            frames.append(sum(lengths))
    if not frames:
        where, what = (findings[0][4], findings[0][5]) if findings else (str(root), "holds no predictions")
        raise PainkitError(
            str(what), where=where, expected="ground_truth and predict, a cell for each subject"
        )
    return {"files": len(frames), "subjects": n_subjects, "frames": min(frames)}, findings

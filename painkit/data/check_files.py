"""Checking single files: weights, and released predictions."""

from __future__ import annotations

import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from pickle import UnpicklingError

import h5py
import numpy as np
from safetensors import safe_open

from painkit.data.mat_cells import count_arrays, read_cells
from painkit.data.tables import Finding
from painkit.data.tree import is_junk
from painkit.errors import PainkitError

__all__ = ["check_predictions", "check_weights"]

#: Bytes; no layer of a net comes near, and a small HDF5 file can announce more than the memory holds.
_LARGEST = 1 << 32


def check_weights(root: Path, patterns: list[str]) -> tuple[dict[str, int], list[Finding]]:
    """Find weights files by the manifest's patterns and read each whole; no code in them is run.

    Which layers are inside is checked when a model loads them.
    """
    files = _files(root, patterns)
    findings: list[Finding] = []
    for path in files:
        problem = _problem(path)
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


def _problem(path: Path) -> str | None:
    """What is wrong with a weights file; None when all that is in it can be read."""
    count = _COUNTED_BY.get(path.suffix)
    if count is None:
        return f"painkit reads no {path.suffix or 'such'} files"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # on odd files torch warns first and refuses then
            number = count(path)
    except Exception as error:  # On foreign bytes the libraries fail in whichever line meets them.
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        return f"is damaged or no {path.suffix} file: {reason}"
    return None if number else "holds no numbers"


def _in_npz(path: Path) -> int:
    with path.open("rb") as file, np.lib.npyio.NpzFile(file, allow_pickle=False) as arrays:
        return sum(arrays[name].size > 0 for name in arrays.files)


def _in_safetensors(path: Path) -> int:
    with safe_open(path, framework="numpy") as file:
        return len(file.keys())


def _in_torch(path: Path) -> int:
    import torch  # Loaded on use: most checks do without.

    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:  # torch compares no checksums
            wrong = archive.testzip()
        if wrong:
            raise zipfile.BadZipFile(f"{wrong} does not fit its checksum")
    try:
        held = torch.load(path, map_location="cpu", weights_only=True)
    except UnpicklingError:  # torch tells people to load it all the same
        raise ValueError(
            "not weights alone, and code is never loaded; where you trust it, save its state dict anew"
        ) from None
    if isinstance(held, dict):
        held = held.get("state_dict", held.get("model_state_dict", held))
    return sum(isinstance(value, torch.Tensor) for value in held.values()) if isinstance(held, dict) else 0


def _in_hdf5(path: Path) -> int:
    numbers = []

    def read(name: str, item: object) -> None:
        if not isinstance(item, h5py.Dataset):
            return
        if item.external or item.is_virtual:
            raise ValueError(f"{name} keeps its numbers in another file")
        if item.nbytes > _LARGEST:
            raise ValueError(f"{name} announces {item.nbytes:,} bytes")
        if item.dtype.kind in "iuf":
            numbers.append(item[()].size > 0)

    with h5py.File(path, "r") as file:
        file.visititems(read)
    return sum(numbers)


def _in_mat(path: Path) -> int:
    with path.open("rb") as file:
        newest = file.read(10) == b"MATLAB 7.3"  # HDF5 inside
    return _in_hdf5(path) if newest else count_arrays(path)


#: Kind of file -> what counts the arrays in it, reading every one.
_COUNTED_BY: dict[str, Callable[[Path], int]] = {
    ".npz": _in_npz,
    ".safetensors": _in_safetensors,
    ".pth": _in_torch,
    ".pt": _in_torch,
    ".tar": _in_torch,
    ".h5": _in_hdf5,
    ".mat": _in_mat,
}


def check_predictions(root: Path, n_subjects: int) -> tuple[dict[str, int], list[Finding]]:
    """Look into released ``.mat`` files: cells per subject, scale, lengths.

    Raises
    ------
    PainkitError
        When no file can be scored: none is whole, or the ``video_index.mat`` beside them is not.
    """
    findings: list[Finding] = []
    frames: list[int] = []
    for path in _files(root, ["*.mat"]):
        beside = path.with_name("video_index.mat")
        if path == beside:
            continue
        index = read_cells(beside, ["video_index"])["video_index"] if beside.is_file() else None
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
        elif index is not None and [cell.sum() for cell in index] != lengths:
            problem = "the lengths in video_index.mat do not add up to its frames"
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

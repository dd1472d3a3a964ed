"""The crop store: face crops kept on disk, read by slices."""

from __future__ import annotations

import hashlib
import io
import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from painkit.digests import break_seal, read_sealed
from painkit.errors import PainkitError

__all__ = ["NOT_REQUESTED", "NO_FACE", "STORED", "UNREADABLE", "CropStore", "row_digest"]

NOT_REQUESTED, STORED, NO_FACE, UNREADABLE = 0, 1, 2, 3
_SEALED = "store.json", "status.npy", "digests.npy"


def row_digest(status: int, crop: NDArray[np.uint8] | None) -> NDArray[np.uint8]:
    """Digest (16,) of what a store holds of one frame."""
    digest = hashlib.blake2b(bytes([status]), digest_size=16)
    if crop is not None:
        digest.update(np.ascontiguousarray(crop).data)
    return np.frombuffer(digest.digest(), np.uint8)


@dataclass(frozen=True)
class _Content:
    """What a process knows of a store: all but the crops, and which of those it has compared."""

    description: dict[str, Any]
    status: NDArray[np.uint8]
    digests: NDArray[np.uint8]
    compared: NDArray[np.bool_]


@dataclass(frozen=True)
class CropStore:
    """Face crops of n frames as one uint8 array on disk, in the row order of what they were made from.

    Light to copy and to send to another process: it holds a path, and every read opens the file anew, so the
    pages it touched do not stay resident and memory is flat in the number of frames.

    Parameters
    ----------
    folder : Path
        What `build_crop_store` returned or printed.

    Raises
    ------
    PainkitError
        When the folder holds no finished store.
    """

    folder: Path

    def __post_init__(self) -> None:
        object.__setattr__(self, "folder", Path(self.folder))
        if not (self.folder / "store.json").is_file():
            raise PainkitError(
                "no finished crop store here",
                where=self.folder,
                expected="a folder made by build_crop_store",
            )

    @property
    def _content(self) -> _Content:
        try:
            written = [(self.folder / name).stat() for name in _SEALED]
        except OSError as error:
            raise PainkitError(f"is damaged: {error.strerror}", where=self.folder) from error
        return _read(self.folder, tuple((one.st_ino, one.st_size, one.st_mtime_ns) for one in written))

    @property
    def description(self) -> dict[str, Any]:
        """Crop settings, key, shape of the crops, counts and whether the images are simulated."""
        return self._content.description

    @property
    def fingerprint(self) -> str:
        """The key: digest of everything the crops depend on."""
        return str(self.description["key"])

    @property
    def crop_shape(self) -> tuple[int, ...]:
        """Height, width and channels of a crop."""
        return tuple(self.description["shape"])

    @property
    def status(self) -> NDArray[np.uint8]:
        """(n,) 0 not requested, 1 stored, 2 no face found, 3 unreadable image."""
        return self._content.status

    @property
    def usable(self) -> NDArray[np.bool_]:
        """(n,) mask of the frames that have a crop."""
        return np.asarray(self.status == STORED)

    def batch(self, rows: ArrayLike | slice) -> NDArray[np.uint8]:
        """Copy crops (b, height, width, 3), RGB, into memory.

        Each is compared with its digest when a process first reads it.

        Raises
        ------
        PainkitError
            When a row is outside the store or has no crop, or its crop is damaged: the store is then made
            anew where it is next asked for.
        """
        chosen = np.arange(len(self))[rows] if isinstance(rows, slice) else np.asarray(rows, dtype=np.intp)
        if chosen.size and (chosen.min() < 0 or chosen.max() >= len(self)):
            raise PainkitError(
                f"row {chosen.max()} asked of a store of {len(self)} frames",
                where=self.folder,
                expected="a store made from the same cohort",
            )
        if not (good := self.usable[chosen]).all():
            raise PainkitError(
                f"{(~good).sum()} of {good.size} frames have no crop, first row {chosen[~good][0]}",
                where=self.folder,
                expected="rows where `usable` holds",
            )
        content, crops = self._content, np.ascontiguousarray(self._mapped()[chosen])
        for i in np.flatnonzero(~content.compared[chosen]):
            if not np.array_equal(row_digest(STORED, crops[i]), content.digests[chosen[i]]):
                raise self._damaged(f"the crop of row {chosen[i]} is not as it was written")
        content.compared[chosen] = True
        return crops

    def _mapped(self) -> NDArray[np.uint8]:
        try:
            crops: NDArray[np.uint8] = np.load(self.folder / "crops.npy", mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError, SyntaxError) as error:
            raise self._damaged(str(error)) from error
        if crops.shape != (len(self), *self.crop_shape) or crops.dtype != np.uint8:
            raise self._damaged(f"it holds {crops.dtype} of shape {crops.shape}")
        return crops

    def _damaged(self, how: str) -> PainkitError:
        break_seal(self.folder)
        return PainkitError(
            f"is damaged: {how}", where=self.folder / "crops.npy", expected="the store built again"
        )

    def __len__(self) -> int:
        return len(self.status)

    def __fspath__(self) -> str:
        return str(self.folder)

    def __str__(self) -> str:
        return str(self.folder)

    def __repr__(self) -> str:
        # Enters the keys of runs: what the crops are, not where they lie.
        return f"CropStore({self.fingerprint})"


@lru_cache(maxsize=16)
def _read(folder: Path, written: tuple[tuple[int, ...], ...]) -> _Content:
    """Read all but the crops; once in a process, as long as the files are the same."""
    description, status, digests = (read_sealed(folder, name, f"/{folder.name}") for name in _SEALED)
    marks: NDArray[np.uint8] = np.load(io.BytesIO(status))
    return _Content(
        json.loads(description), marks, np.load(io.BytesIO(digests)), np.zeros(len(marks), np.bool_)
    )

"""The crop store: face crops kept on disk, read by slices."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from painkit.errors import PainkitError

__all__ = ["NOT_REQUESTED", "NO_FACE", "STORED", "UNREADABLE", "CropStore"]

NOT_REQUESTED, STORED, NO_FACE, UNREADABLE = 0, 1, 2, 3


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

    @cached_property
    def description(self) -> dict[str, Any]:
        """Crop settings, key, counts and whether the images are simulated."""
        try:
            return dict(json.loads((self.folder / "store.json").read_text(encoding="utf-8")))
        except (OSError, ValueError) as error:
            raise PainkitError(f"the store is damaged: {error}", where=self.folder) from error

    @property
    def key(self) -> str:
        """Digest of everything the crops depend on."""
        return str(self.description["key"])

    @property
    def fingerprint(self) -> str:
        """The key, under the name by which runs digest what they depend on."""
        return self.key

    @cached_property
    def status(self) -> NDArray[np.uint8]:
        """(n,) 0 not requested, 1 stored, 2 no face found, 3 unreadable image."""
        return self._array("status.npy")

    @property
    def usable(self) -> NDArray[np.bool_]:
        """(n,) mask of the frames that have a crop."""
        mask: NDArray[np.bool_] = self.status == STORED
        return mask

    def counts(self) -> dict[str, int]:
        """How many frames are stored, have no face, are unreadable, were not requested."""
        names = {
            "stored": STORED,
            "no_face": NO_FACE,
            "unreadable": UNREADABLE,
            "not_requested": NOT_REQUESTED,
        }
        return {name: int((self.status == code).sum()) for name, code in names.items()}

    def crops(self) -> NDArray[np.uint8]:
        """The whole (n, height, width, 3) array, RGB, mapped read-only; black where unusable."""
        return self._array("crops.npy", mmap_mode="r")

    def _array(self, name: str, **options: Any) -> NDArray[np.uint8]:
        try:
            array: NDArray[np.uint8] = np.load(self.folder / name, **options)
        except (OSError, ValueError, EOFError) as error:
            raise PainkitError(
                f"the store is damaged: {error}",
                where=self.folder / name,
                expected="delete the folder, build anew",
            ) from error
        return array

    def batch(self, rows: ArrayLike | slice) -> NDArray[np.uint8]:
        """Copy crops (b, height, width, 3) into memory.

        Raises
        ------
        PainkitError
            When a row is outside the store or has no crop.
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
        return np.ascontiguousarray(self.crops()[chosen])

    def __len__(self) -> int:
        return len(self.status)

    def __fspath__(self) -> str:
        return str(self.folder)

    def __str__(self) -> str:
        return str(self.folder)

    def __repr__(self) -> str:
        # Enters the keys of runs: what the crops are, not where they lie.
        return f"CropStore({self.key})"

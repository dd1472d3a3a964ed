"""Features of crops by a net whose layers are frozen: computed once, kept, read ever after.

On the disk lies one file for each view, a record for each row of the store: the digest of the features, and
the features. A row is there when its digest is right, so a file that was cut off, damaged or not yet written
costs the time to compute those rows and nothing else.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from painkit.data.crop_store import CropStore
from painkit.files import locked, refusals_told
from painkit.models.code import code_digest
from painkit.models.nets.resnet18 import ResNet18
from painkit.models.training.acceleration import Acceleration, true_float32
from painkit.models.training.views import VIEWS, seen
from painkit.progress import tqdm

__all__ = ["FrozenFeatures"]

# Always as many images at a time: what a library computes of one may depend on how many there are.
_BATCH: Final = {"cpu": 8, "cuda": 256}
_WRITTEN: Final = 100  # batches; a kill costs no more


@dataclass(frozen=True)
class FrozenFeatures:
    """Gives features of crops in views.

    Parameters
    ----------
    net : ResNet18
        On the device, in evaluation mode.
    store : CropStore
    acceleration : Acceleration
    to_input : callable
        Gives crops as the net takes them, on a device.
    scaling : str
        How it does: one of what the kept features depend on.
    memory : path, optional
        Folder where they are kept, apart for other crops, weights, scalings, number formats and numbers of
        threads; None keeps nothing.
    progress : bool
    """

    net: ResNet18
    store: CropStore
    acceleration: Acceleration
    to_input: Callable[[NDArray[np.uint8] | Tensor, torch.device], Tensor]
    scaling: str
    memory: str | PathLike[str] | None = None
    progress: bool = False

    def __call__(self, rows: NDArray[np.intp], views: NDArray[np.int64]) -> NDArray[np.float32]:
        """Features (n, n_features) of rows of the store, which have a crop, each in a view of `VIEWS`.

        Raises
        ------
        PainkitError
            When a row has no crop, or the system refuses to write.
        """
        pairs, back = np.unique(np.column_stack([views, rows]), axis=0, return_inverse=True)
        features = np.empty((len(pairs), self.net.n_features), np.float32)
        if self.memory is None:
            for part, values in self._computed(pairs):
                features[part] = values
            return features[back.reshape(-1)]
        folder = Path(self.memory) / f"features-{self._key}"
        with locked(folder / "features.lock", folder):  # whoever wants the same waits, and then reads them
            missing = np.ones(len(pairs), np.bool_)
            for view in np.unique(pairs[:, 0]):
                own = np.flatnonzero(pairs[:, 0] == view)
                features[own], missing[own] = self._read(_file(folder, view), pairs[own, 1])
            lacking = np.flatnonzero(missing)
            for part, values in self._computed(pairs[lacking]):
                features[lacking[part]] = values
                self._write(folder, pairs[lacking[part]], values)
        return features[back.reshape(-1)]

    @cached_property
    def _key(self) -> str:
        acceleration = self.acceleration
        facts = (
            self.store.fingerprint, self.scaling, VIEWS, acceleration.precision, acceleration.device.type,
            torch.get_num_threads(), torch.__version__, code_digest(),
        )  # fmt: skip
        content = hashlib.sha256(repr(facts).encode())
        for name, tensor in self.net.state_dict().items():
            if not name.startswith("fc."):
                content.update(name.encode())
                # Channels last, as they are.
                ordered = tensor.cpu().movedim(1, -1) if tensor.ndim == 4 else tensor.cpu()
                content.update(ordered.contiguous().numpy())
        return content.hexdigest()[:20]

    @torch.inference_mode()
    @true_float32()
    def _batch(self, pairs: NDArray[np.int64]) -> NDArray[np.float32]:
        size, device = _BATCH[self.acceleration.device.type], self.acceleration.device
        filled = pairs[np.minimum(np.arange(size), len(pairs) - 1)]
        images = self.to_input(self.store.batch(filled[:, 1]), device)
        with self.acceleration.autocast():
            values = self.net.embed(seen(images, torch.from_numpy(filled[:, 0])))
        return np.asarray(values[: len(pairs)].float().cpu().numpy())

    def _computed(self, pairs: NDArray[np.int64]) -> Iterator[tuple[slice, NDArray[np.float32]]]:
        """Compute the features of views and rows (n, 2), some at a time."""
        size = _BATCH[self.acceleration.device.type]
        with tqdm(total=len(pairs), desc="features", leave=False, disable=not self.progress) as bar:
            for start in range(0, len(pairs), size * _WRITTEN):
                part = slice(start, min(start + size * _WRITTEN, len(pairs)))
                parts = []
                for first in range(part.start, part.stop, size):
                    parts.append(self._batch(pairs[first : min(first + size, part.stop)]))
                    bar.update(len(parts[-1]))
                yield part, np.concatenate(parts)

    @property
    def _record(self) -> np.dtype[Any]:
        return np.dtype([("digest", "u1", (16,)), ("values", "<f4", (self.net.n_features,))])

    def _read(self, file: Path, rows: NDArray[np.int64]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Features of rows as far as they are there, and which are missing."""
        records = np.zeros(rows.size, self._record)
        n_written = file.stat().st_size // self._record.itemsize if file.is_file() else 0
        if n_written:
            inside = rows < n_written
            records[inside] = np.memmap(file, self._record, "r", shape=(n_written,))[rows[inside]]
        right = [
            _digest(row, one["values"]) == one["digest"].tobytes()
            for row, one in zip(rows.tolist(), records, strict=True)
        ]
        return records["values"], ~np.array(right, np.bool_)

    def _write(self, folder: Path, pairs: NDArray[np.int64], values: NDArray[np.float32]) -> None:
        for view in np.unique(pairs[:, 0]):
            with refusals_told(folder):
                file, own = _file(folder, view), pairs[:, 0] == view
                file.touch()
                with file.open("r+b") as opened:  # not mapped: a full disk would end the process
                    for row, one in zip(pairs[own, 1].tolist(), values[own], strict=True):
                        opened.seek(row * self._record.itemsize)
                        opened.write(_digest(row, one) + one.tobytes())


def _file(folder: Path, view: int) -> Path:
    return folder / f"view-{view}.bin"


def _digest(row: int, values: NDArray[np.float32]) -> bytes:
    return hashlib.blake2b(row.to_bytes(8, "little") + values.tobytes(), digest_size=16).digest()

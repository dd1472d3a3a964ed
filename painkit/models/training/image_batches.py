"""Batches of augmented face crops, read from disk while the net works on the ones before."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from painkit.data.crop_store import CropStore
from painkit.models.training.augmentation import Augmentation

__all__ = ["image_batches"]


def image_batches(
    store: CropStore,
    rows: NDArray[np.intp],
    batches: Iterable[NDArray[np.intp]],
    *,
    device: torch.device,
    augmentation: Augmentation,
    seed: int,
    to_input: Callable[[Tensor, torch.device], Tensor],
) -> Iterator[tuple[Tensor, NDArray[np.intp]]]:
    """Give the images of each batch and their positions in the training set.

    Parameters
    ----------
    store, rows : CropStore, (n,) int array
        Position i of the training set is row ``rows[i]`` of the store.
    batches : iterable of int arrays
        Positions in the training set.
    device : torch.device
        Where the images go.
    augmentation : Augmentation
    seed : int
        Of the augmentation.
    to_input : callable
        Gives crops (b, height, width, 3) uint8 as the net takes them, on a device.

    Yields
    ------
    (b, 3, height, width) float tensor, (b,) int array
    """
    generator = torch.Generator().manual_seed(seed)

    def read(positions: NDArray[np.intp]) -> Tensor:
        crops = torch.from_numpy(store.batch(rows[positions]))
        # Only from pinned memory does a copy to the GPU run beside the computation.
        return crops.pin_memory() if device.type == "cuda" else crops

    def ready() -> tuple[Tensor, NDArray[np.intp]]:
        positions, crops = waiting.popleft()
        return augmentation(to_input(crops.result(), device), generator), positions

    with ThreadPoolExecutor(1) as reader:
        waiting: deque[tuple[NDArray[np.intp], Future[Tensor]]] = deque()
        for positions in batches:
            waiting.append((positions, reader.submit(read, positions)))
            if len(waiting) > 1:
                yield ready()
        while waiting:
            yield ready()

"""The training and the estimation loop that all nets on face crops share."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from painkit.data.crop_store import FrameStore
from painkit.errors import PainkitError
from painkit.models.nets.face_net import to_input
from painkit.models.training.acceleration import Acceleration
from painkit.models.training.augmentation import Augmentation
from painkit.progress import tqdm

# Looking at the loss makes a GPU wait, so it is looked at every so many iterations.
_CHECKED = 50

__all__ = ["estimate_crops", "estimate_rows", "parameter_groups", "train_on_crops"]


def parameter_groups(net: nn.Module, weight_decay: float) -> list[dict[str, object]]:
    """Parameters with weight decay, and biases without, as in the released solver."""
    named = list(net.named_parameters())
    return [
        {"params": [p for name, p in named if not name.endswith("bias")], "weight_decay": weight_decay},
        {"params": [p for name, p in named if name.endswith("bias")], "weight_decay": 0.0},
    ]


def train_on_crops(
    net: nn.Module,
    loss: Callable[[Tensor, NDArray[np.intp]], list[Tensor]],
    store: FrameStore,
    rows: NDArray[np.intp],
    batches: Iterable[NDArray[np.intp]],
    optimizer: torch.optim.Optimizer,
    *,
    acceleration: Acceleration,
    augmentation: Augmentation,
    seed: int,
    schedule: torch.optim.lr_scheduler.LRScheduler | None = None,
    progress: bool | int = False,
) -> NDArray[np.float64]:
    """Train a net for as many iterations as there are batches.

    Parameters
    ----------
    net : Module
        On the device already.
    loss : callable
        ``loss(images, positions)`` gives weighted terms whose sum is minimised.
    store, rows : FrameStore, (n,) int array
        Position i of the training set is row ``rows[i]`` of the store.
    batches : iterable of int arrays
        Positions in the training set.
    optimizer : Optimizer
    acceleration, augmentation : see there
    seed : int
        Of augmentation and dropout.
    schedule : LRScheduler, optional
        Stepped after every iteration.
    progress : bool or int
        Show a bar; the number of iterations gives it an end.

    Returns
    -------
    (n_iterations, n_terms) array
        The terms at each iteration.

    Raises
    ------
    PainkitError
        When the loss is no longer finite.
    """
    history: list[Tensor] = []

    def read(positions: NDArray[np.intp]) -> Tensor:
        crops = torch.from_numpy(store.batch(rows[positions]))
        # Only from pinned memory does a copy to the GPU run beside the computation.
        return crops.pin_memory() if acceleration.device.type == "cuda" else crops

    generator = torch.Generator().manual_seed(seed)
    scaler = acceleration.scaler()
    net.train()
    with torch.random.fork_rng(devices=_cuda_devices(acceleration)):
        torch.manual_seed(seed)
        bar = tqdm(batches, total=int(progress) or None, disable=not progress, desc="training")
        for positions, crops in _read_ahead(bar, read):
            images = augmentation(to_input(crops, acceleration.device), generator)
            with acceleration.autocast():
                terms = loss(images, positions)
            optimizer.zero_grad(set_to_none=True)
            scaler.scale(torch.stack(terms).sum()).backward()  # type: ignore[no-untyped-call]
            scaler.step(optimizer)
            scaler.update()
            if schedule is not None:
                schedule.step()
            history.append(torch.stack(terms).detach())
            if len(history) % _CHECKED == 0:
                _refuse_divergence(history[-_CHECKED:], len(history) - _CHECKED)
    _refuse_divergence(history, 0)
    return torch.stack(history).double().cpu().numpy() if history else np.empty((0,))


@torch.inference_mode()
def estimate_crops(
    function: Callable[[Tensor], Tensor],
    net: nn.Module,
    crops: Callable[[slice], NDArray[np.uint8]],
    n: int,
    *,
    acceleration: Acceleration,
    batch_size: int = 128,
) -> NDArray[np.float32]:
    """Apply a function of a net to n crops, in evaluation mode.

    Parameters
    ----------
    function : callable
        Of images (b, 3, height, width); gives (b, ...).
    net : Module
        Moved to the device and set to evaluation mode.
    crops : callable
        Gives the uint8 crops of a slice of 0..n.
    n : int

    Returns
    -------
    (n, ...) float32 array
    """
    net.to(acceleration.device).eval()
    result = np.empty(0, np.float32)
    # An empty batch still goes through the net, so that no frames give an array of the right shape.
    for start in range(0, max(n, 1), batch_size):
        part = slice(start, min(start + batch_size, n))
        images = to_input(crops(part), acceleration.device)
        with acceleration.autocast():
            found = function(images).float().cpu().numpy()
        if start == 0:
            # One array at once: small ones between the large ones would keep the heap from shrinking.
            result = np.empty((n, *found.shape[1:]), np.float32)
        result[part] = found
    return result


def estimate_rows(
    function: Callable[[Tensor], Tensor],
    net: nn.Module,
    store: FrameStore,
    rows: NDArray[np.intp],
    *,
    acceleration: Acceleration,
) -> NDArray[np.float32]:
    """Apply a function of a net to the crops of a store's rows: (len(rows), ...), NaN where there is no crop.

    See `estimate_crops`.
    """
    usable = store.usable[rows]
    there = rows[usable]
    found = estimate_crops(
        function, net, lambda part: store.batch(there[part]), there.size, acceleration=acceleration
    )
    result = np.full((rows.size, *found.shape[1:]), np.nan, dtype=np.float32)
    result[usable] = found
    return result


def _read_ahead(
    batches: Iterable[NDArray[np.intp]], read: Callable[[NDArray[np.intp]], Tensor]
) -> Iterator[tuple[NDArray[np.intp], Tensor]]:
    """Batches with their crops; the next ones are read while the present ones train."""
    with ThreadPoolExecutor(1) as reader:
        waiting: deque[tuple[NDArray[np.intp], Future[Tensor]]] = deque()
        for positions in batches:
            waiting.append((positions, reader.submit(read, positions)))
            if len(waiting) > 1:
                ready, crops = waiting.popleft()
                yield ready, crops.result()
        for ready, crops in waiting:
            yield ready, crops.result()


def _refuse_divergence(history: list[Tensor], before: int) -> None:
    if not history:
        return
    terms = torch.stack(history)
    lost = ~torch.isfinite(terms).all(dim=1)
    if lost.any():
        at = int(lost.int().argmax())
        raise PainkitError(
            f"training diverged at iteration {before + at + 1}: loss {terms[at].tolist()}",
            expected="a smaller learning rate",
        )


def _cuda_devices(acceleration: Acceleration) -> list[torch.device]:
    return [acceleration.device] if acceleration.device.type == "cuda" else []

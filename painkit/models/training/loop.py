"""The one training loop: what a step does is handed in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from painkit.errors import PainkitError
from painkit.models.training.acceleration import true_float32
from painkit.progress import tqdm

__all__ = ["descend", "seeded", "train"]

Batch = TypeVar("Batch")

# Looking at a loss makes a GPU wait, so losses are looked at every so many iterations.
_LOOKED_AT = 50


@true_float32()
def train(
    net: nn.Module,
    step: Callable[[Batch], Sequence[Tensor]],
    batches: Iterable[Batch],
    *,
    total: int,
    description: str,
    progress: bool = False,
) -> NDArray[np.float64]:
    """Take one step a batch, with the net in training mode, and leave it in evaluation mode.

    Parameters
    ----------
    net : Module
        What is trained.
    step : callable
        Takes a batch, changes the net and gives its loss terms (scalar tensors, always as many). A step may
        hold several losses, optimizers and learning rates, and use them in turn; `descend` is the usual one.
    batches : iterable
        Of whatever the step takes; one iteration each.
    total : int
        How many there are.
    description : str
        Of the progress bar.
    progress : bool
        Show one.

    Returns
    -------
    (n_iterations, n_terms) array
        The terms at each iteration.

    Raises
    ------
    PainkitError
        When a term, or in the end a weight, is not finite.
    """
    history: list[Tensor] = []
    recent: list[Tensor] = []

    def look() -> None:
        if not recent:
            return
        terms = torch.stack(recent).double().cpu()
        lost = ~torch.isfinite(terms).all(dim=1)
        if lost.any():
            at = int(lost.int().argmax())
            iteration = sum(map(len, history)) + at + 1
            raise _diverged(f"at iteration {iteration}: loss {terms[at].tolist()}")
        history.append(terms)
        recent.clear()

    net.train()
    for batch in tqdm(batches, total=total, desc=description, leave=False, disable=not progress):
        recent.append(torch.stack([term.detach() for term in step(batch)]))
        if len(recent) == _LOOKED_AT:
            look()
    look()
    if not all(torch.isfinite(weight).all() for weight in net.parameters()):
        raise _diverged("in its last step: a weight is not finite")
    net.eval()
    return torch.cat(history).numpy() if history else np.empty((0, 0))


def descend(
    terms: list[Tensor], optimizer: torch.optim.Optimizer, *, max_norm: float | None = None
) -> list[Tensor]:
    """Take an optimizer's step down the sum of loss terms, and give the terms.

    Parameters
    ----------
    terms : list of scalar tensors
        Weighted already.
    optimizer : Optimizer
        Its parameters, and no others, move.
    max_norm : float, optional
        A longer gradient is cut to this norm.
    """
    optimizer.zero_grad(set_to_none=True)
    torch.autograd.backward(torch.stack(terms).sum())
    if max_norm is not None:
        nn.utils.clip_grad_norm_([p for group in optimizer.param_groups for p in group["params"]], max_norm)
    optimizer.step()
    return terms


@contextmanager
def seeded(seed: int, device: torch.device | str = "cpu") -> Iterator[None]:
    """Seed torch's own generators, which new weights and dropout draw from, and put them back afterwards."""
    devices = [torch.device(device)] if torch.device(device).type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        yield


def _diverged(how: str) -> PainkitError:
    return PainkitError(f"training diverged {how}", expected="a smaller learning rate")

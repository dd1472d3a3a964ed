"""Which samples a model trains on, and in what order (thinning, sampling: Wang et al. 2017, section 3.3)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from painkit.errors import PainkitError

__all__ = ["Sampling", "Thinning", "batches", "shuffled", "thin"]

Sampling = Literal["all", "uniform"]
Thinning = Literal["collapse", "literal"]

_STRETCH = 5


def thin(
    levels: ArrayLike, sequences: ArrayLike, frames: ArrayLike, rule: Thinning = "collapse"
) -> NDArray[np.intp]:
    """Leave out frames that repeat their predecessors' level.

    Parameters
    ----------
    levels : (n,) array
        Level per frame, frames in time order, sequences contiguous.
    sequences : (n,) array
        Sequence of each frame; no stretch crosses a border.
    frames : (n,) int array
        Number of each frame in its sequence. A run ends where the next number is not given: what the frames
        in between showed is not known.
    rule : {'collapse', 'literal'}
        ``'literal'``: the paper's sentence. A run of more than 5 consecutive equal levels leaves its
        first frame; shorter runs stay whole. ``'collapse'``: what the released script means to do. Going
        forward, 5 equal levels in a row leave their first frame, so a long run leaves one frame in 5, and its
        rest of less than 5.

    Returns
    -------
    (k,) int array
        Positions of the frames that stay, ascending.
    """
    y, s, t = np.asarray(levels), np.asarray(sequences), np.asarray(frames)
    if not y.shape == s.shape == t.shape or y.ndim != 1:
        raise PainkitError(
            f"levels have shape {y.shape}, sequences {s.shape}, frames {t.shape}", expected="(n,) each"
        )
    if rule not in ("collapse", "literal"):
        raise PainkitError(f"unknown thinning {rule!r}", expected="'collapse' or 'literal'")
    if not y.size:
        return np.empty(0, dtype=np.intp)
    starts = np.flatnonzero(np.r_[True, (y[1:] != y[:-1]) | (s[1:] != s[:-1]) | (t[1:] != t[:-1] + 1)])
    lengths = np.diff(np.r_[starts, y.size])
    place = np.arange(y.size) - np.repeat(starts, lengths)
    length = np.repeat(lengths, lengths)
    if rule == "literal":
        return np.flatnonzero((length <= _STRETCH) | (place == 0))
    in_whole_stretch = place < length // _STRETCH * _STRETCH
    return np.flatnonzero(~in_whole_stretch | (place % _STRETCH == 0))


def batches(
    levels: ArrayLike,
    batch_size: int,
    n_batches: int,
    rng: np.random.Generator,
    sampling: Sampling = "all",
) -> Iterator[NDArray[np.intp]]:
    """Positions of the frames of each training batch.

    Parameters
    ----------
    levels : (n,) array of discrete levels
    batch_size : int
    n_batches : int
    rng : numpy.random.Generator
    sampling : {'all', 'uniform'}
        ``'all'``: every frame once, in random order, then anew; batches run over the border. ``'uniform'``: a
        level drawn with equal chances among those that occur, then a frame of that level.

    Yields
    ------
    (batch_size,) int array
    """
    y = np.asarray(levels)
    if not y.size:
        raise PainkitError("no frame to train on")
    if batch_size < 1:
        raise PainkitError(f"batches of {batch_size}", expected="1 or more")
    if sampling == "uniform":
        members = [np.flatnonzero(y == level) for level in np.unique(y)]
        sizes = np.array([group.size for group in members])
        order = np.concatenate(members)
        offsets = np.cumsum(sizes) - sizes
        for _ in range(n_batches):
            level = rng.integers(len(members), size=batch_size)
            yield order[offsets[level] + rng.integers(sizes[level])]
    elif sampling == "all":
        queue = np.empty(0, dtype=np.intp)
        for _ in range(n_batches):
            while queue.size < batch_size:
                queue = np.concatenate([queue, rng.permutation(y.size)])
            yield queue[:batch_size]
            queue = queue[batch_size:]
    else:
        raise PainkitError(f"unknown sampling {sampling!r}", expected="'all' or 'uniform'")


def shuffled(n: int, batch_size: int, epochs: int, seed: int) -> Iterator[torch.Tensor]:
    """Positions of the batches of whole epochs, each in a new random order; its last batch may be small.

    Yields
    ------
    (batch_size or fewer,) int64 tensor
    """
    generator = torch.Generator().manual_seed(seed)
    for _ in range(epochs):
        yield from torch.split(torch.randperm(n, generator=generator), batch_size)

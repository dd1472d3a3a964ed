"""What fine-tuning to pain levels trains on (Hosseini et al., Sec. IV-A and Table I)."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from painkit.models.training.views import VIEWS

__all__ = ["Balanced", "Balancing", "balance"]

Balancing = Literal["published"]

_KEPT_ZEROS: Final = 0.2
_COPIED: Final = 2


class Balanced(NamedTuple):
    """Images to train on.

    Attributes
    ----------
    frames, views : (m,) int arrays
        Position of each image's frame, and its view (`VIEWS`); 0 is the frame itself.
    n_zero_sequences, n_thinned : int
        Sequences without pain that were dropped, and zero frames left out of the others.
    """

    frames: NDArray[np.intp]
    views: NDArray[np.int64]
    n_zero_sequences: int = 0
    n_thinned: int = 0


def balance(
    levels: ArrayLike, sequences: ArrayLike, rng: np.random.Generator, rule: Balancing | None = "published"
) -> Balanced:
    """Thin the frames without pain and copy those of high levels.

    Parameters
    ----------
    levels : (n,) array
        Levels 0-6 of training frames, and of no others: a copy of a test frame cannot come in.
    sequences : (n,) array
        Sequence of each.
    rng : numpy.random.Generator
        Draws the zero frames that stay.
    rule : {'published', None}
        ``'published'``: sequences whose frames are all of level 0 are dropped; of all other frames of level 0
        20 % stay, by chance; frames of levels 2-6 come in all of `VIEWS`. None: every frame once.
    """
    y, s = np.asarray(levels), np.asarray(sequences)
    if rule is None:
        return Balanced(np.arange(y.size), np.zeros(y.size, np.int64))
    names, of = np.unique(s, return_inverse=True)
    with_pain = np.bincount(of, weights=y > 0, minlength=names.size) > 0
    zeros = np.flatnonzero((y == 0) & with_pain[of])
    stay = rng.permutation(zeros)[: round(_KEPT_ZEROS * zeros.size)]
    own = np.sort(np.concatenate([stay, np.flatnonzero(y > 0)]))
    copied = np.flatnonzero(y >= _COPIED)
    copies = range(1, len(VIEWS))
    return Balanced(
        np.concatenate([own, *(copied for _ in copies)]),
        np.concatenate([np.zeros(own.size, np.int64), *(np.full(copied.size, k, np.int64) for k in copies)]),
        int((~with_pain).sum()),
        zeros.size - stay.size,
    )

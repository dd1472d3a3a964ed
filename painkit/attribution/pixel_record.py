"""Images, what nets say of them, and the nets: all that is needed to explain any class by the pixels."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import softmax
from torch import Tensor, nn

from painkit.errors import PainkitError

__all__ = ["PixelRecord"]


@dataclass(frozen=True, eq=False, kw_only=True)
class PixelRecord:
    """Images to explain.

    Attributes
    ----------
    images : (n, height, width, 3) uint8 array
        RGB, as `to_input` takes them.
    landmarks : (n, 66, 2) array
        Pixels (x, y) of the images; NaN where an image has none.
    frames : DataFrame
        A row for each image, with at least subject, sequence, frame.
    classes : tuple of str
        Names of the nets' outputs.
    true : (n,) int array
        Number of each image's class; -1 where nobody knows it.
    models : dict of str to Module, or to a Module for each image
        One net for all images, or for each the one that did not train on it.
    logits : dict of str to (n, k) array
        What each model says of each image, before softmax.
    to_input : callable
        From (m, height, width, 3) images to what the nets take.
    simulated : bool
    true_regions : sequence of dict of str to (height, width) bool array
        For each image, where what was shown can be seen, by name, such as ``"AU4 brow lowerer"``; empty where
        nobody knows.
    said : dict of str to sequence of str
        What a model says of each image, in words, where its outputs are no classes to choose among: a level.

    Raises
    ------
    PainkitError
        When the parts do not fit each other.
    """

    images: NDArray[np.uint8]
    landmarks: NDArray[np.floating]
    frames: pd.DataFrame
    classes: tuple[str, ...]
    true: NDArray[np.integer]
    models: Mapping[str, nn.Module | Sequence[nn.Module]]
    logits: Mapping[str, NDArray[np.floating]]
    to_input: Callable[[NDArray[np.uint8]], Tensor]
    simulated: bool
    true_regions: Sequence[Mapping[str, NDArray[np.bool_]]] = field(default_factory=tuple)
    said: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        shape = self.images.shape
        if self.images.ndim != 4 or shape[3] != 3 or not len(self.images) or self.images.dtype != np.uint8:
            raise PainkitError(
                f"images of shape {shape} and type {self.images.dtype}",
                expected="(n, height, width, 3) uint8, at least one",
            )
        n, k = len(self.images), len(self.classes)
        known = [("landmarks", self.landmarks, (n, 66, 2)), ("true classes", self.true, (n,))]
        known += [(f"logits of {name}", logits, (n, k)) for name, logits in self.logits.items()]
        for name, array, expected in known:
            if array.shape != expected:
                raise PainkitError(f"{name} of shape {array.shape}", expected=str(expected))
        if not ((self.true >= -1) & (self.true < k)).all():
            raise PainkitError(
                f"true classes from {self.true.min()} to {self.true.max()}", expected=f"-1 to {k - 1}"
            )
        if not self.models or set(self.models) != set(self.logits):
            raise PainkitError(
                f"models {', '.join(self.models)} with logits of {', '.join(self.logits)}",
                expected="the same names, at least one",
            )
        lengths = {"frames": len(self.frames), "true regions": len(self.true_regions) or n}
        lengths |= {name: len(nets) for name, nets in self.models.items() if not isinstance(nets, nn.Module)}
        lengths |= {f"words of {name}": len(words) for name, words in self.said.items()}
        for name, length in lengths.items():
            if length != n:
                raise PainkitError(f"{name}: {length} for {n} images", expected="one for each")
        lacking = {"subject", "sequence", "frame"} - set(self.frames.columns)
        if lacking:
            raise PainkitError(f"frames without {', '.join(sorted(lacking))}")
        masks = [mask for regions in self.true_regions for mask in regions.values()]
        if any(mask.shape != shape[1:3] or mask.dtype != bool for mask in masks):
            raise PainkitError("true regions of another shape or type", expected=f"bool masks {shape[1:3]}")

    def net(self, model: str, row: int) -> nn.Module:
        """Return the net that is asked about an image."""
        nets = self.models[model]
        return nets if isinstance(nets, nn.Module) else nets[row]

    def predicted(self, model: str) -> NDArray[np.intp]:
        """Return the number of each image's class, as a model has it: (n,)."""
        return np.asarray(self.logits[model].argmax(axis=1))

    def probabilities(self, model: str) -> NDArray[np.float64]:
        """Softmax of a model's logits: (n, k)."""
        return np.asarray(softmax(self.logits[model].astype(np.float64), axis=1))

    def errors_first(self, model: str) -> NDArray[np.intp]:
        """All images, (n,): those whose class a model misses, then the others; the surest first in both."""
        missed = (self.true >= 0) & (self.predicted(model) != self.true)
        return np.lexsort([-self.probabilities(model).max(axis=1), ~missed])

"""Maps of what the pixels of images contributed to a score, and running a net over images for them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from painkit.attribution.explained_net import ExplainedNet
from painkit.errors import PainkitError
from painkit.models.nets.vgg_face import VGGFace

__all__ = ["MEMORY", "BatchMaps", "PixelMaps", "Target", "check_images", "explained_outputs", "map_batches"]

Target = int | Sequence[int] | NDArray[np.integer] | None
BatchMaps = Callable[[Tensor, Tensor], tuple[Tensor, Tensor, Tensor]]
"""From images and the outputs to explain to maps, logits, and what the maps should sum to."""

MEMORY = 1 << 30
"""Bytes that the layers of one batch may take. It is fixed, not what happens to be free, so that the same
images always come in the same batches and rounding never differs."""

COPIES = 4
"""How often a batch keeps what its layers gave, hooks included: 1.6 times on the whole VGG-Face, up to 3.3 on
narrow ones (measured)."""


@dataclass(frozen=True, eq=False)
class PixelMaps:
    """One map an image.

    Attributes
    ----------
    method : str
    relevance : (n, channels, height, width) array
        In the type the net computes in; Grad-CAM's have one channel.
    target : (n,) int array
        Output that is explained.
    logits : (n, k) array
        Scores before softmax or sigmoid.
    expected : (n,) array
        What each map should sum to: the target's logit for relevance propagation, its difference to that of
        the baseline for integrated gradients. NaN for methods that promise no sum.
    """

    method: str
    relevance: NDArray[np.floating]
    target: NDArray[np.int64]
    logits: NDArray[np.floating]
    expected: NDArray[np.floating]

    @property
    def heatmaps(self) -> NDArray[np.floating]:
        """(n, height, width): sums over the colours."""
        return np.asarray(self.relevance.sum(axis=1))

    @property
    def conservation_error(self) -> NDArray[np.float64]:
        """(n,): (sum of the map - expected) / |expected|; NaN where nothing, or 0, is expected."""
        expected = np.where(self.expected == 0, np.nan, self.expected).astype(np.float64)
        total = self.relevance.sum(axis=(1, 2, 3), dtype=np.float64)
        return np.asarray((total - expected) / np.abs(expected))


def check_images(model: nn.Module, x: Tensor) -> Tensor:
    """Images in the net's own type and on its device, free of any graph.

    Raises
    ------
    PainkitError
        When they are no (n, channels, height, width) finite real numbers, or lie in 0-1 before a net that
        takes 0-255 less a mean.
    """
    if not isinstance(x, Tensor) or x.ndim != 4 or not len(x) or not x.is_floating_point():
        shown = f"{tuple(x.shape)} of {x.dtype}" if isinstance(x, Tensor) else type(x).__name__
        raise PainkitError(
            f"images: {shown}", expected="a (n, channels, height, width) float tensor, from to_input"
        )
    if not torch.isfinite(x).all():
        raise PainkitError("images with NaN or infinity", expected="finite numbers")
    if any(isinstance(module, VGGFace) for module in model.modules()) and x.min() >= 0 and x.max() <= 1:
        raise PainkitError(
            "images in 0-1 before VGG-Face",
            expected="those of painkit.models.nets.vgg_face.to_input, from 0-255",
        )
    like = next(model.parameters(), x)
    with torch.inference_mode(False):
        return x.detach().clone().to(like)


def map_batches(
    method: str,
    explained: ExplainedNet,
    x: Tensor,
    target: Target,
    one_batch: BatchMaps,
    *,
    memory: int = MEMORY,
) -> PixelMaps:
    """Explain all images, as many at a time as the memory allows.

    Parameters
    ----------
    method : str
    explained : ExplainedNet
    x : (n, channels, height, width) tensor
    target : int, (n,) ints or None
        Output to explain, of all or of each; None takes each image's highest.
    one_batch : callable
        Targets of -1 mean the highest.
    memory : int
        Bytes.

    Raises
    ------
    PainkitError
        For a target that the net does not have.
    """
    targets = torch.from_numpy(_targets(target, len(x), explained.n_outputs)).to(x.device)
    size = max(1, memory // (COPIES * max(explained.bytes_per_image, 1)))
    parts = []
    with torch.inference_mode(False), torch.enable_grad():
        for images, wanted in zip(torch.split(x, size), torch.split(targets, size), strict=True):
            maps, logits, expected = one_batch(images, wanted)
            outputs = explained_outputs(logits, wanted)
            parts.append([part.detach().cpu().numpy() for part in (maps, outputs, logits, expected)])
    relevance, found, logits_, sums = (np.concatenate(part) for part in zip(*parts, strict=True))
    return PixelMaps(method, relevance, found, logits_, sums)


def explained_outputs(logits: Tensor, target: Tensor) -> Tensor:
    """Each image's output to explain: its target, or the highest where that is -1."""
    return torch.where(target < 0, logits.detach().argmax(dim=1), target)


def _targets(target: Target, n: int, n_outputs: int) -> NDArray[np.int64]:
    if target is None:
        return np.full(n, -1, dtype=np.int64)
    found = np.asarray(target)
    if not np.issubdtype(found.dtype, np.integer) or found.shape not in ((), (n,)):
        raise PainkitError(
            f"target={target!r}", expected=f"an output's number, or one for each of {n} images"
        )
    if found.size and not (found.min() >= 0 and found.max() < n_outputs):
        wrong = found.min() if found.min() < 0 else found.max()
        raise PainkitError(
            f"target {wrong} of a net with {n_outputs} outputs", expected=f"0 to {n_outputs - 1}"
        )
    return np.broadcast_to(found, (n,)).astype(np.int64)

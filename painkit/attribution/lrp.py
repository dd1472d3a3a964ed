"""Layer-wise relevance propagation (Bach et al. 2015) with the presets of Weitz et al. (2018)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import torch
from torch import Tensor, nn
from zennit.composites import LayerMapComposite, SpecialFirstLayerMapComposite
from zennit.core import Composite, Hook
from zennit.layer import Sum
from zennit.rules import AlphaBeta as SplitBiasAlphaBeta
from zennit.rules import Epsilon, Flat, Norm, Pass
from zennit.types import Convolution, Linear

from painkit.attribution.explained_net import ACTIVATIONS, AVERAGES, DROPOUT, explained_net
from painkit.attribution.lrp_rules import AlphaBeta, nonzero
from painkit.attribution.pixel_map import (
    MEMORY,
    PixelMaps,
    Target,
    check_images,
    explained_outputs,
    map_batches,
)
from painkit.errors import PainkitError

__all__ = ["PRESETS", "Preset", "lrp"]


@dataclass(frozen=True)
class Preset:
    """Which rule each layer gets.

    Parameters
    ----------
    epsilon : float
        Of the epsilon rule on fully connected layers, and on convolutions when there is no alpha. 0 replaces
        denominators of exactly 0 and changes no other: the Z rule.
    alpha : float, optional
        Weight of positive contributions on convolutions, at least 1; None leaves them to the epsilon rule.
    beta : float, optional
        Weight of negative contributions, alpha - 1.
    flat : bool
        The first layer shares relevance equally among the pixels it sees.
    bias : {'both', 'split'}
        Alpha-beta with the whole bias in both denominators (iNNvestigate), or with its positive part in one
        and its negative part in the other (zennit).

    Raises
    ------
    PainkitError
        When alpha - beta is not 1, or a number is negative.
    """

    epsilon: float = 0.0
    alpha: float | None = None
    beta: float | None = None
    flat: bool = False
    bias: Literal["both", "split"] = "both"

    def __post_init__(self) -> None:
        if not 0 <= self.epsilon < float("inf"):
            raise PainkitError(f"epsilon {self.epsilon}", expected="a number from 0")
        if self.bias not in ("both", "split"):
            raise PainkitError(f"bias={self.bias!r}", expected="'both' or 'split'")
        if (self.alpha is None) != (self.beta is None) or (
            self.alpha is not None
            and self.beta is not None
            and not (self.beta >= 0 and abs(self.alpha - self.beta - 1) < 1e-9)
        ):
            raise PainkitError(
                f"alpha {self.alpha}, beta {self.beta}",
                expected="beta from 0 and alpha = 1 + beta, or neither",
            )

    def composite(self) -> Composite:
        """A rule for each kind of layer, as zennit applies them.

        Activations and dropout pass relevance on: they work on single numbers, and a PReLU is linear on
        either side of 0, where the Z rule passes all of it. Sums and averages share it in proportion.
        Max-pooling hands it to the largest, by its own gradient.
        """
        dense = Epsilon(nonzero if self.epsilon == 0 else self.epsilon)
        convolution: Hook = dense
        if self.alpha is not None and self.beta is not None:
            rule = AlphaBeta if self.bias == "both" else SplitBiasAlphaBeta
            convolution = rule(self.alpha, self.beta)
        layers = [
            ((*ACTIVATIONS, *DROPOUT), Pass()),
            ((Sum, *AVERAGES), Norm(nonzero)),
            ((Convolution,), convolution),
            ((Linear,), dense),
        ]
        if self.flat:
            return SpecialFirstLayerMapComposite(layers, [((Linear,), Flat(nonzero))])
        return LayerMapComposite(layers)


PRESETS: Final[dict[str, Preset]] = {
    "LRPZ": Preset(),
    "LRPEpsilon": Preset(epsilon=1e-7),
    "LRPPresetAFlat": Preset(epsilon=0.1, alpha=1, beta=0, flat=True),
    "LRPPresetBFlat": Preset(epsilon=0.1, alpha=2, beta=1, flat=True),
    "LRPPresetAFlatSplitBias": Preset(epsilon=0.1, alpha=1, beta=0, flat=True, bias="split"),
    "LRPPresetBFlatSplitBias": Preset(epsilon=0.1, alpha=2, beta=1, flat=True, bias="split"),
}
"""The four settings of Weitz et al. (2018), equal to iNNvestigate's, and zennit's own alpha-beta rule."""


def lrp(
    model: nn.Module,
    x: Tensor,
    preset: str | Preset = "LRPPresetAFlat",
    target: Target = None,
    *,
    dropout: torch.Generator | None = None,
    memory: int = MEMORY,
) -> PixelMaps:
    """Relevance of every pixel for one output of a net, starting from its score before softmax or sigmoid.

    Parameters
    ----------
    model : Module
        Of layers that a rule covers; it is not changed. Batch norm is merged into the layer before it. The
        pain level of a `PainNet` is explained by the number before its sigmoid: 0 is the middle of the scale.
    x : (n, channels, height, width) tensor
        From the net's ``to_input``.
    preset : str or Preset
        Key of `PRESETS`, or settings of your own, such as ``Preset(epsilon=0.01, alpha=1.5, beta=0.5)``.
    target : int, (n,) ints or None
        Output to explain, of all images or of each; None takes each image's highest.
    dropout : Generator, optional
        Leave dropout on, by these random numbers (Monte-Carlo dropout).
    memory : int
        Bytes that a batch may take; sets how many images go in at a time.

    Returns
    -------
    PixelMaps
        With the conservation error of every map: relevance sums to the logit where the rule conserves it
        (Z and epsilon without biases; alpha-beta with beta 0 but for places that nothing positive reaches).

    Raises
    ------
    PainkitError
        For a net that cannot be explained (a functional or re-used ReLU, a layer no rule covers), images it
        does not take, an unknown preset, or a target it does not have.
    """
    chosen = PRESETS.get(preset) if isinstance(preset, str) else preset
    if chosen is None:
        raise PainkitError(f"no preset is called {preset!r}", expected=", ".join(PRESETS))
    images = check_images(model, x)
    explained = explained_net(model, images[:1], dropout=dropout)
    composite = chosen.composite()

    def one_batch(images: Tensor, target: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        with composite.context(explained.net):
            logits = explained.net(images.requires_grad_())
            index = explained_outputs(logits, target)[:, None]
            start = torch.zeros_like(logits).scatter(1, index, logits.detach().gather(1, index))
            (relevance,) = torch.autograd.grad(logits, images, start)
        return relevance, logits, start.sum(dim=1)

    name = preset if isinstance(preset, str) else str(preset)
    return map_batches(name, explained, images, target, one_batch, memory=memory)

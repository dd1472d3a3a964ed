"""Rules of layer-wise relevance propagation that zennit lacks."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from zennit.core import Hook
from zennit.rules import ClampMod

__all__ = ["AlphaBeta", "nonzero"]

TINY = 1e-7
"""Stands in for a denominator of exactly 0, as in iNNvestigate."""


def nonzero(denominator: Tensor) -> Tensor:
    """`denominator` with exact zeros replaced: unlike an epsilon it changes no other value."""
    return torch.where(denominator == 0, TINY, denominator)


class AlphaBeta(Hook):  # type: ignore[misc]
    """Alpha-beta rule as iNNvestigate has it (Bach et al. 2015, Eq. 60; Alber et al. 2018).

    The positive contributions w+ x+ and w- x- share alpha times the relevance in proportion, the negative
    ones w- x+ and w+ x- share -beta times it. Either denominator holds the whole bias; zennit's own rule puts
    the bias's positive part in one and its negative part in the other. Where a denominator crosses zero
    relevance is not conserved.

    Parameters
    ----------
    alpha, beta : float
        alpha - beta = 1.
    """

    def __init__(self, alpha: float, beta: float) -> None:
        super().__init__()
        self.alpha, self.beta = alpha, beta

    def copy(self) -> AlphaBeta:
        """Another instance: each hooks one layer."""
        return AlphaBeta(self.alpha, self.beta)

    def forward(self, module: nn.Module, input: tuple[Tensor, ...], output: Tensor) -> None:
        """Keep the layer's input."""
        self.stored_tensors["input"] = input

    def backward(
        self, module: nn.Module, grad_input: tuple[Tensor, ...], grad_output: tuple[Tensor, ...]
    ) -> tuple[Tensor]:
        """Relevance of the layer's input from that of its output."""
        x = self.stored_tensors["input"][0].detach()
        parts = [x.clamp(min=0)]
        if (x < 0).any():  # after a ReLU there is nothing negative, which halves the work
            parts.append(x.clamp(max=0))
        relevance = torch.zeros_like(x)
        for factor, sign in ((self.alpha, 1), (-self.beta, -1)):
            if factor:
                relevance += factor * _shares(module, parts, grad_output[0], sign)
        return (relevance,)


def _shares(module: nn.Module, parts: list[Tensor], relevance: Tensor, sign: int) -> Tensor:
    """Share relevance among the contributions of one sign; `parts` are x+ and, if there is any, x-."""
    outputs = []
    for number, part in enumerate(parts):
        part.requires_grad_()
        clamp = {"min": 0.0} if sign * (-1) ** number > 0 else {"max": 0.0}
        # The bias goes whole into the first part.
        bias = {"zero_params": ["bias"]} if number else {"param_keys": ["weight"]}
        with ClampMod(**clamp, **bias)(module) as clamped, torch.enable_grad():
            outputs.append(clamped.forward(part))
    seed = relevance / nonzero(sum(output.detach() for output in outputs))
    gradients = torch.autograd.grad(outputs, parts, [seed] * len(outputs))
    return sum(
        (part.detach() * gradient for part, gradient in zip(parts, gradients, strict=True)),
        torch.zeros_like(parts[0]),
    )

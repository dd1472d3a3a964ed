"""Maps of what each pixel did, by any of the methods that are compared, under one call."""

from __future__ import annotations

import warnings
from typing import Final

import torch
from torch import Tensor, nn
from zennit.composites import LayerMapComposite
from zennit.core import Composite
from zennit.rules import ReLUDeconvNet, ReLUGuidedBackprop

from painkit.attribution.explained_net import ACTIVATIONS, ExplainedNet, Hooked, explained_net
from painkit.attribution.lrp import PRESETS, Preset, lrp
from painkit.attribution.pixel_map import (
    MEMORY,
    BatchMaps,
    PixelMaps,
    Target,
    check_images,
    explained_outputs,
    map_batches,
)
from painkit.errors import PainkitError

with warnings.catch_warnings():
    warnings.simplefilter("ignore", category=DeprecationWarning)
    from captum.attr import IntegratedGradients, LayerAttribution, LayerGradCam

__all__ = ["METHODS", "pixel_maps"]

METHODS: Final[dict[str, str]] = {
    "gradient": "How fast the score changes with each pixel (Simonyan et al. 2014).",
    "input_x_gradient": "The gradient times the pixel.",
    "integrated_gradients": "Pixel times the mean gradient on the way from the zero image, which is the mean "
    "colour where a net subtracts one; sums to the difference of the two scores (Sundararajan et al. 2017).",
    "deconvnet": "The gradient with a ReLU on the way back in place of the gradient of the ReLU on the way "
    "forward (Zeiler and Fergus 2014).",
    "guided_backpropagation": "The gradient where both of these ReLUs let it through (Springenberg et al. "
    "2015).",
    "grad_cam": "Where the last maps of features speak for the score, enlarged (Selvaraju et al. 2017).",
    **{name: f"Layer-wise relevance propagation: {preset}." for name, preset in PRESETS.items()},
}
"""Name and meaning of every method."""

N_STEPS: Final = 50
"""Of integrated gradients."""


def pixel_maps(
    model: nn.Module,
    x: Tensor,
    method: str | Preset,
    target: Target = None,
    *,
    dropout: torch.Generator | None = None,
    memory: int = MEMORY,
) -> PixelMaps:
    """Explain one output of a net by the pixels of images.

    Every method explains the same number, the score before softmax or sigmoid.

    Parameters
    ----------
    model : Module
        It is not changed. What layers it may have depends on the method; see `painkit.attribution.lrp.lrp`.
    x : (n, channels, height, width) tensor
        From the net's ``to_input``.
    method : str or Preset
        Key of `METHODS`, or settings of relevance propagation.
    target, dropout, memory
        See `painkit.attribution.lrp.lrp`.

    Raises
    ------
    PainkitError
        For a net that the method cannot explain, images it does not take, an unknown method, or a target the
        net does not have.
    """
    if isinstance(method, Preset) or method in PRESETS:
        return lrp(model, x, method, target, dropout=dropout, memory=memory)
    if method not in METHODS:
        raise PainkitError(f"no method is called {method!r}", expected=", ".join(METHODS))
    images = check_images(model, x)
    hooked: Hooked = "activations" if method in _RULES else "none"
    explained = explained_net(model, images[:1], hooked=hooked, dropout=dropout)
    if method == "integrated_gradients":
        one_batch = _integrated_gradients(explained)
    elif method == "grad_cam":
        one_batch = _grad_cam(explained)
    else:
        one_batch = _gradient(explained, method)
    return map_batches(method, explained, images, target, one_batch, memory=memory)


_RULES: Final = {"deconvnet": ReLUDeconvNet, "guided_backpropagation": ReLUGuidedBackprop}


def _gradient(explained: ExplainedNet, method: str) -> BatchMaps:
    layers = [(ACTIVATIONS, _RULES[method]())] if method in _RULES else []
    composite: Composite = LayerMapComposite(layers)

    def one_batch(images: Tensor, target: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        with composite.context(explained.net):
            logits = explained.net(images.requires_grad_())
            chosen = logits.gather(1, explained_outputs(logits, target)[:, None])
            (gradient,) = torch.autograd.grad(chosen.sum(), images)
        maps = gradient * images.detach() if method == "input_x_gradient" else gradient
        return maps, logits, _no_sum(images)

    return one_batch


def _integrated_gradients(explained: ExplainedNet) -> BatchMaps:
    method = IntegratedGradients(explained.net)

    def one_batch(images: Tensor, target: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        with torch.no_grad():
            logits, zero = explained.net(images), explained.net(torch.zeros_like(images))
        index = explained_outputs(logits, target)
        # As many images at a time as came in, not times the steps.
        maps = method.attribute(images, target=index, n_steps=N_STEPS, internal_batch_size=len(images))
        return maps, logits, (logits - zero).gather(1, index[:, None])[:, 0]

    return one_batch


def _grad_cam(explained: ExplainedNet) -> BatchMaps:
    if not explained.last_map:
        raise PainkitError("no layer of the net gives a map", expected="convolutions, for grad_cam")
    method = LayerGradCam(explained.net, explained.net.get_submodule(explained.last_map))

    def one_batch(images: Tensor, target: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        with torch.no_grad():
            logits = explained.net(images)
        index = explained_outputs(logits, target)
        small = method.attribute(images, target=index, relu_attributions=True)
        return LayerAttribution.interpolate(small, images.shape[2:], "bilinear"), logits, _no_sum(images)

    return one_batch


def _no_sum(images: Tensor) -> Tensor:
    return torch.full((len(images),), torch.nan)

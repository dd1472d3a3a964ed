"""Relevance propagation neuron by neuron, as the definitions read (Bach et al. 2015), for one small image.

Nothing of autograd or zennit is used. Each rule sees one neuron: its contributions, bias and relevance.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from torch import nn

Rule = Callable[[np.ndarray, float, float], np.ndarray]


def divide(a: np.ndarray | float, b: float) -> np.ndarray:
    return np.asarray(a) / (b if b != 0 else 1e-7)


def z_rule(z: np.ndarray, bias: float, r: float) -> np.ndarray:
    return z * divide(r, z.sum() + bias)


def epsilon_rule(epsilon: float) -> Rule:
    def rule(z: np.ndarray, bias: float, r: float) -> np.ndarray:
        total = z.sum() + bias
        return z * r / (total + (epsilon if total >= 0 else -epsilon))

    return rule


def alpha_beta_rule(alpha: float, beta: float, *, split: bool = False) -> Rule:
    def rule(z: np.ndarray, bias: float, r: float) -> np.ndarray:
        up, down = z.clip(min=0), z.clip(max=0)
        b_up, b_down = (max(bias, 0), min(bias, 0)) if split else (bias, bias)
        return alpha * up * divide(r, up.sum() + b_up) - beta * down * divide(r, down.sum() + b_down)

    return rule


def flat_rule(z: np.ndarray, bias: float, r: float) -> np.ndarray:
    return np.full_like(z, r / len(z))


def forward(layer: nn.Module, x: np.ndarray) -> np.ndarray:
    if isinstance(layer, nn.Conv2d | nn.Linear):
        return np.array([w @ x.ravel()[index] + b for index, w, b in neurons(layer, x)]).reshape(
            shape_after(layer, x)
        )
    if isinstance(layer, nn.ReLU):
        return x.clip(min=0)
    if isinstance(layer, nn.PReLU):
        slope = layer.weight.detach().numpy().reshape(-1, *(1,) * (x.ndim - 1))
        return np.where(x > 0, x, slope * x)
    if isinstance(layer, nn.MaxPool2d):
        return np.array([x.ravel()[index].max() for index in windows(layer, x)]).reshape(
            x.shape[0], x.shape[1] // 2, x.shape[2] // 2
        )
    assert isinstance(layer, nn.Flatten)
    return x.ravel()


def backward(layer: nn.Module, x: np.ndarray, r: np.ndarray, rule: Rule) -> np.ndarray:
    relevance = np.zeros(x.size)
    if isinstance(layer, nn.Conv2d | nn.Linear):
        for (index, w, b), r_out in zip(neurons(layer, x), r.ravel(), strict=True):
            np.add.at(relevance, index, rule(w * x.ravel()[index], b, r_out))
    elif isinstance(layer, nn.MaxPool2d):
        for index, r_out in zip(windows(layer, x), r.ravel(), strict=True):
            relevance[index[np.argmax(x.ravel()[index])]] += r_out
    else:
        relevance = r.ravel()
    return relevance.reshape(x.shape)


def neurons(layer: nn.Conv2d | nn.Linear, x: np.ndarray):
    """Of every output: flat indices of the inputs it sees, its weights, its bias."""
    weight = layer.weight.detach().numpy().astype(np.float64)
    bias = np.zeros(len(weight)) if layer.bias is None else layer.bias.detach().numpy().astype(np.float64)
    if isinstance(layer, nn.Linear):
        for row, b in zip(weight, bias, strict=True):
            yield np.arange(x.size), row, b
        return
    channels, height, width = x.shape
    _, out_height, out_width = shape_after(layer, x)
    per_group = channels // layer.groups
    for o in range(len(weight)):
        first = o // (len(weight) // layer.groups) * per_group
        for i, j in np.ndindex(out_height, out_width):
            index, own = [], []
            for c, u, v in np.ndindex(weight.shape[1:]):
                y = i * layer.stride[0] + u * layer.dilation[0] - layer.padding[0]
                z = j * layer.stride[1] + v * layer.dilation[1] - layer.padding[1]
                if 0 <= y < height and 0 <= z < width:
                    index.append(((first + c) * height + y) * width + z)
                    own.append(weight[o, c, u, v])
            yield np.array(index), np.array(own), bias[o]


def shape_after(layer: nn.Conv2d | nn.Linear, x: np.ndarray) -> tuple[int, ...]:
    if isinstance(layer, nn.Linear):
        return (layer.out_features,)
    sides = [
        (x.shape[k + 1] + 2 * layer.padding[k] - layer.dilation[k] * (layer.kernel_size[k] - 1) - 1)
        // layer.stride[k]
        + 1
        for k in (0, 1)
    ]
    return (layer.out_channels, *sides)


def windows(layer: nn.MaxPool2d, x: np.ndarray):
    assert layer.kernel_size == layer.stride == 2
    height, width = x.shape[1:]
    for c, i, j in np.ndindex(x.shape[0], height // 2, width // 2):
        yield np.array([(c * height + 2 * i + u) * width + 2 * j + v for u in (0, 1) for v in (0, 1)])


def plain_lrp(
    net: nn.Sequential, image: np.ndarray, target: int, *, dense: Rule, convolution: Rule, first: Rule | None
) -> np.ndarray:
    """Relevance (channels, height, width) of one image, from the target's score."""
    seen = [np.asarray(image, dtype=np.float64)]
    for layer in net:
        seen.append(forward(layer, seen[-1]))
    relevance = np.where(np.arange(seen[-1].size) == target, seen[-1], 0.0)
    weighted = [layer for layer in net if isinstance(layer, nn.Conv2d | nn.Linear)]
    for layer, x in zip(reversed(net), reversed(seen[:-1]), strict=True):
        rule = dense if isinstance(layer, nn.Linear) else convolution
        relevance = backward(layer, x, relevance, first if first and layer is weighted[0] else rule)
    return relevance

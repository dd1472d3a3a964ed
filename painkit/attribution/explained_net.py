"""A net made ready to be explained: a twin that shares its weights, with every step a module of its own.

Attribution hooks modules. What a net does outside of them (a functional ReLU, a sum), or does twice with one
module, would make it silently wrong; so the twin is run once on the first image and all it does is looked at.
"""

from __future__ import annotations

import copy
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd
from torch.nn.modules.pooling import _AdaptiveAvgPoolNd, _AvgPoolNd
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval
from torch.utils._python_dispatch import TorchDispatchMode
from zennit.canonizers import AttributeCanonizer
from zennit.layer import Sum
from zennit.types import MaxPool

from painkit.errors import PainkitError
from painkit.models.nets.face_net import PainNet, Residual
from painkit.models.nets.resnet18 import Block

__all__ = [
    "ACTIVATIONS",
    "AVERAGES",
    "DROPOUT",
    "LINEAR",
    "ExplainedNet",
    "Hooked",
    "explained_net",
    "twin_of",
]

Hooked = Literal["all", "activations", "none"]

LINEAR = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear)
ACTIVATIONS = (nn.ReLU, nn.LeakyReLU, nn.PReLU)
AVERAGES = (_AvgPoolNd, _AdaptiveAvgPoolNd)
DROPOUT = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d)
# What these do is passed through by its own gradient and may be done twice.
UNHOOKED = (MaxPool, nn.Identity, nn.Flatten, nn.Unflatten)
COVERED = (*LINEAR, *ACTIVATIONS, *AVERAGES, *DROPOUT, *UNHOOKED, Sum)
RELU_FUNCTIONS = (
    "relu",
    "relu_",
    "threshold",
    "leaky_relu",
    "leaky_relu_",
    "_prelu_kernel",
    "clamp",
    "clamp_min",
)
# Operations that only arrange numbers, or choose the largest, and are passed through by their own gradient.
ARRANGING = (
    "view", "_unsafe_view", "_reshape_alias", "alias", "detach", "clone", "permute", "transpose", "t",
    "squeeze", "unsqueeze", "expand", "slice", "select", "split", "split_with_sizes", "unbind", "stack",
    "cat", "_to_copy", "lift_fresh", "constant_pad_nd", "as_strided", "max_pool2d_with_indices",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class ExplainedNet:
    """A net ready for hooks: in evaluation mode, sums as modules, without a last sigmoid.

    Attributes
    ----------
    net : Module
        (n, ...) images -> (n, k) scores. Its weights are those of the net it was made from; hooks and changes
        of structure stay in it.
    n_outputs : int
    bytes_per_image : int
        Of all layers' outputs together.
    last_map : str
        Name of the last layer but poolings that gives a map of more than one place; empty when there is none.
    """

    net: nn.Module
    n_outputs: int
    bytes_per_image: int
    last_map: str


def explained_net(
    model: nn.Module, image: Tensor, *, hooked: Hooked = "all", dropout: torch.Generator | None = None
) -> ExplainedNet:
    """Make a net ready to be explained, and refuse one that cannot be.

    Parameters
    ----------
    model : Module
        Not changed. Of a `PainNet` what is explained is the number before its sigmoid.
    image : (1, channels, height, width) tensor
        Of the kind that will be explained.
    hooked : {'all', 'activations', 'none'}
        What the method will hook. All layers: whatever no rule of relevance propagation covers is refused,
        and batch norm is merged into the layer before it. Activations: functional and re-used ones are
        refused.
    dropout : Generator, optional
        Let dropout drop (Monte-Carlo dropout) by these random numbers, whatever other threads draw.

    Raises
    ------
    PainkitError
        Naming the layer that does what cannot be explained, or when the net does not take such images.
    """
    twin = twin_of(model).eval()
    fused = hooked == "all" and _fuse_batch_norm(twin)
    AttributeCanonizer(_steps_as_modules).apply(twin)
    trace = _Trace(twin)
    with torch.no_grad(), trace:
        scores = _scores(twin, image)
    with torch.no_grad():
        if fused and not torch.allclose(scores, _scores(twin_of(model).eval(), image), rtol=1e-3, atol=1e-4):
            raise PainkitError(
                "a batch norm does not follow the layer that stands before it in the net",
                expected="layers in the order in which they run",
            )
    if hooked != "none":
        trace.refuse_activations()
    if hooked == "all":
        trace.refuse_uncovered()
    for module in twin.modules():
        if dropout is not None and isinstance(module, DROPOUT):
            module.forward = partial(_dropped, module, dropout)  # type: ignore[method-assign]
    return ExplainedNet(twin, scores.shape[1], trace.n_bytes, trace.last_map)


def _dropped(module: _DropoutNd, generator: torch.Generator, x: Tensor) -> Tensor:
    """What is left of `x`: numbers of a plain dropout, channels of those by dimensions."""
    shape = x.shape if isinstance(module, nn.Dropout) else (*x.shape[:2], *(1,) * (x.ndim - 2))
    kept = torch.rand(shape, generator=generator, device=generator.device) >= module.p
    return torch.where(kept.to(x.device), x / (1 - module.p), 0.0)


def twin_of(model: nn.Module) -> nn.Module:
    """A copy of a net's structure on the same numbers, which need no gradients of their own.

    Raises
    ------
    PainkitError
        When something in the net cannot be copied.
    """
    memo: dict[int, Any] = {id(p): nn.Parameter(p.detach(), requires_grad=False) for p in model.parameters()}
    memo |= {id(buffer): buffer for buffer in model.buffers()}
    try:
        return copy.deepcopy(model, memo)
    except (RuntimeError, TypeError, NotImplementedError) as error:
        raise PainkitError(f"the net cannot be copied: {error}") from error


def _scores(net: nn.Module, image: Tensor) -> Tensor:
    try:
        scores = net(image)
    except (RuntimeError, TypeError, ValueError, IndexError) as error:
        raise PainkitError(
            f"the net does not take images of shape {tuple(image.shape[1:])} and type {image.dtype}: {error}"
        ) from error
    if not isinstance(scores, Tensor) or scores.ndim != 2 or len(scores) != len(image):
        shape = tuple(scores.shape) if isinstance(scores, Tensor) else type(scores).__name__
        raise PainkitError(f"the net gives {shape}", expected="a score for each class: (n, k)")
    return scores


def _fuse_batch_norm(net: nn.Module) -> bool:
    """Merge every batch norm into the layer before it; whether there was any.

    zennit merges with an epsilon too many, which moves outputs by 1e-4; torch's own fusion is exact.
    """
    leaves = [(name, module) for name, module in net.named_modules() if not list(module.children())]
    fused = False
    for (name, layer), (norm_name, norm) in pairwise(leaves):
        if not isinstance(norm, _BatchNorm) or not isinstance(layer, LINEAR) or norm.running_mean is None:
            continue
        fuse: Any = fuse_linear_bn_eval if isinstance(layer, nn.Linear) else fuse_conv_bn_eval
        _replace(net, name, fuse(layer, norm))
        _replace(net, norm_name, nn.Identity())
        fused = True
    return fused


def _replace(net: nn.Module, name: str, module: nn.Module) -> None:
    parent, _, child = name.rpartition(".")
    setattr(net.get_submodule(parent), child, module)


def _steps_as_modules(_name: str, module: nn.Module) -> dict[str, Any] | None:
    """Attributes that give our blocks a module for their sum, and end the pain net before its sigmoid."""
    total = Sum()
    if isinstance(module, Residual):
        layers = list(module)

        def residual(x: Tensor) -> Tensor:
            branch = x
            for layer in layers:
                branch = layer(branch)
            added: Tensor = total(torch.stack([x, branch], dim=-1))
            return added

        return {"forward": residual, "sum": total}
    if isinstance(module, Block):
        block = module

        def rectified(x: Tensor) -> Tensor:
            branch = block.bn2(block.conv2(block.relu(block.bn1(block.conv1(x)))))
            shortcut = x if block.downsample is None else block.downsample(x)
            found: Tensor = block.relu2(total(torch.stack([shortcut, branch], dim=-1)))
            return found

        return {"forward": rectified, "sum": total}
    if isinstance(module, PainNet):
        pain = module
        return {"forward": lambda x: pain.ip2(pain.ip1_drop(pain.embed(x)))}
    return None


@dataclass
class _Step:
    """One module at work."""

    name: str
    module: nn.Module
    leaf: bool


@dataclass(eq=False)
class _Trace(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Which modules a net runs how often, and what it computes outside of all that have none inside."""

    net: nn.Module
    stack: list[_Step] = field(default_factory=list)
    calls: Counter[str] = field(default_factory=Counter)
    outside: list[tuple[str, str]] = field(default_factory=list)
    n_bytes: int = 0
    last_map: str = ""

    def __post_init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._handles: list[Any] = []

    def __enter__(self) -> _Trace:
        for name, module in self.net.named_modules():
            step = _Step(name, module, leaf=not list(module.children()))
            self._handles += [
                module.register_forward_pre_hook(lambda *_, step=step: self.stack.append(step)),
                module.register_forward_hook(lambda *args, step=step: self._done(step, args[2])),
            ]
        super().__enter__()  # type: ignore[no-untyped-call]
        return self

    def __exit__(self, *exception: Any) -> None:
        super().__exit__(*exception)  # type: ignore[no-untyped-call]
        for handle in self._handles:
            handle.remove()

    def _done(self, step: _Step, output: object) -> None:
        self.stack.pop()
        if not step.leaf:
            return
        self.calls[step.name] += 1
        if isinstance(output, Tensor):
            self.n_bytes += output.nbytes
            pooling = isinstance(step.module, (MaxPool, *AVERAGES))
            if output.ndim == 4 and output.shape[2] * output.shape[3] > 1 and not pooling:
                self.last_map = step.name

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        if not (self.stack and self.stack[-1].leaf) and name not in ARRANGING:
            self.outside.append((name, self.stack[-1].name if self.stack else ""))
        return func(*args, **(kwargs or {}))

    def refuse_activations(self) -> None:
        """Raise `PainkitError` for a ReLU that a hook does not meet once."""
        for name, place in self.outside:
            if name in RELU_FUNCTIONS:
                raise PainkitError(
                    f"a ReLU is called as a function {self._where(place)}, where no rule can reach it",
                    expected="an nn.ReLU module for each use",
                )
        self._refuse_repeated(ACTIVATIONS)

    def refuse_uncovered(self) -> None:
        """Raise `PainkitError` for what no rule covers or a hook does not meet once."""
        self._refuse_repeated((*LINEAR, *AVERAGES, Sum))
        for name, place in self.outside:
            raise PainkitError(
                f"{name} is computed outside a layer {self._where(place)}, where no rule can reach it",
                expected="layers that rules cover, zennit.layer.Sum for a sum of two branches, and no "
                "softmax or sigmoid at the end",
            )
        modules = dict(self.net.named_modules())
        for name in self.calls:
            if not isinstance(modules[name], COVERED):
                raise PainkitError(
                    f"no rule covers the {type(modules[name]).__name__} {name!r}",
                    expected="convolutions, linear layers, ReLU, LeakyReLU, PReLU, poolings, batch norm "
                    "right after a linear layer, and scores before softmax or sigmoid",
                )
        registered = next((name for name, module in modules.items() if isinstance(module, LINEAR)), None)
        run = next((name for name in self.calls if isinstance(modules[name], LINEAR)), None)
        if registered != run:
            raise PainkitError(
                f"the layer {run!r} runs first, but {registered!r} stands first in the net",
                expected="layers in the order in which they run",
            )

    def _refuse_repeated(self, kinds: tuple[type, ...]) -> None:
        for name, count in self.calls.items():
            module = self.net.get_submodule(name)
            if count > 1 and isinstance(module, kinds):
                raise PainkitError(
                    f"the {type(module).__name__} {name!r} is used {count} times; a hook keeps the last only",
                    expected="a module for each use, as painkit.models.nets.resnet18 has",
                )

    def _where(self, place: str) -> str:
        return (
            f"in {place!r} ({type(self.net.get_submodule(place)).__name__})"
            if place
            else "in the net's own forward"
        )

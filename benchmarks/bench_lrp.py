"""Maps of relevance against one forward and backward pass of the same batch, and the memory they take.

    python benchmarks/bench_lrp.py [--width 0.25] [--size 112] [--batch 8] [--images 96] [--repeats 5]

The pass goes back to the pixels only, not to the weights; time is that of the processor, on one thread, so
that nothing else the machine does counts. Bounds, asserted under pytest: 4 passes for the Z and epsilon
rules, 10 for the alpha-beta presets; resident memory rises by no more than the limit `lrp` was given, beside
its maps.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import torch
from bench_deeplift import PeakMemory
from torch import nn

from painkit.attribution.lrp import lrp
from painkit.models.nets.face_net import VerificationNet
from painkit.models.nets.vgg_face import VGGFace

PASSES = {"LRPZ": 4, "LRPEpsilon": 4, "LRPPresetAFlat": 10, "LRPPresetBFlat": 10}
LIMIT = 200 << 20  # bytes


def report(
    width: float = 0.25, size: int = 112, batch: int = 8, images: int = 96, repeats: int = 5
) -> tuple[dict[tuple[str, str], float], float]:
    """Print all of it; return passes by net and preset, and the rise of memory as a share of the limit."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return measure(width, size, batch, images, repeats)
    finally:
        torch.set_num_threads(before)


def measure(
    width: float, size: int, batch: int, images: int, repeats: int
) -> tuple[dict[tuple[str, str], float], float]:
    torch.manual_seed(0)
    vgg, face = VGGFace(3, width=width, input_size=size), VerificationNet(3, width)
    pixels = {"VGG-Face": 50 * torch.randn(images, 3, size, size), "face net": torch.randn(batch, 3, 112, 96)}
    passes = {}
    for name, net in (("VGG-Face", vgg), ("face net", face)):
        net.eval().requires_grad_(False)
        x = pixels[name][:batch]

        def one_pass(net: nn.Module = net, x: torch.Tensor = x) -> None:
            inputs = x.clone().requires_grad_()
            torch.autograd.grad(net(inputs).amax(dim=1).sum(), inputs)

        for preset, bound in PASSES.items():
            # By turns, so that the state of the caches meets both alike.
            seconds = [(timed(one_pass), timed(lrp, net, x, preset)) for _ in range(repeats + 1)][1:]
            passing, explaining = (min(times) for times in zip(*seconds, strict=True))
            passes[name, preset] = explaining / passing
            print(
                f"{name} {preset:15} {explaining:.3f} s for {batch} images: {explaining / passing:.1f} "
                f"passes of {passing:.3f} s (must be <= {bound})"
            )
    x = pixels["VGG-Face"]
    with PeakMemory() as memory:
        found = lrp(vgg, x, "LRPPresetBFlat", memory=LIMIT)
    share = (memory.megabytes * 1e6 - 2 * found.relevance.nbytes - x.nbytes) / LIMIT
    print(f"{images} images raise resident memory by {memory.megabytes:.0f} MB, {share:.2f} of the limit")
    return passes, share


def timed(action: Callable[..., object], *arguments: object) -> float:
    start = time.process_time()
    action(*arguments)
    return time.process_time() - start


def test_a_map_takes_few_passes_and_memory_stays_in_its_limit() -> None:
    passes, share = report()
    for (name, preset), number in passes.items():
        assert number <= PASSES[preset], (name, preset)
    assert share <= 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, kind, default in (
        ("width", float, 0.25),
        ("size", int, 112),
        ("batch", int, 8),
        ("images", int, 96),
        ("repeats", int, 5),
    ):
        parser.add_argument(f"--{name}", type=kind, default=default)
    report(**vars(parser.parse_args()))


if __name__ == "__main__":
    main()

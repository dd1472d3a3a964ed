"""A local step of saliency supervision against a plain training step of the same batch, and mining.

    python benchmarks/bench_saliency.py [--width 0.25] [--batch 64] [--steps 4] [--repeats 5]

A local step runs the net, copies it into the deconvnet, runs that, takes histograms and goes back through
all of it: at most 4 plain steps. Mining of the batch's triplets costs at most 10 % of a plain step. Processor
time on one thread, all by turns, the best of each, so that it hardly depends on what else runs.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
import torch
from bench_face_training import best
from torch.nn import functional

from painkit.models.nets.deconvnet import Deconvnet, brightness, encode
from painkit.models.nets.face_net import PainNet
from painkit.models.training.loop import descend
from painkit.models.training.losses import smooth_l1
from painkit.models.training.saliency_losses import earth_movers_distance, local_loss
from painkit.models.training.triplets import mine, unit_sets
from painkit.models.training.unit_patches import PATCH_LANDMARKS, unit_histograms, unit_membership
from painkit.vocabulary.action_units import UNIT_LANDMARKS

LOCAL, MINING = 4.0, 0.1


def main(arguments: list[str] | None = None) -> tuple[float, float]:
    """Print the times; return the local step and mining in plain steps."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--width", type=float, default=0.25)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args(arguments)
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        seconds = measure(args)
    finally:
        torch.set_num_threads(before)
    local, mining = (seconds[name] / seconds["plain"] for name in ("local", "mining"))
    ms = 1000 * seconds["plain"] / args.steps
    print(
        f"width {args.width}, batch {args.batch}: plain step {ms:.0f} ms, local step {local:.2f} of it "
        f"(must be <= {LOCAL:g}), mining {100 * mining:.2f} % (must be <= {100 * MINING:g} %)"
    )
    return local, mining


def measure(args: argparse.Namespace) -> dict[str, float]:
    torch.manual_seed(0)
    rng, n = np.random.default_rng(0), args.batch
    net = PainNet(args.width).to(memory_format=torch.channels_last)
    x = torch.randn(n, 3, 112, 96).to(memory_format=torch.channels_last)
    levels = torch.from_numpy(rng.choice(6, n, p=[0.5, *[0.1] * 5])).float()
    points = torch.from_numpy(rng.uniform(0, 96, (n, len(PATCH_LANDMARKS), 2)))
    units = list(UNIT_LANDMARKS)
    coded = torch.from_numpy(rng.integers(0, 4, (n, len(units)))).float()
    membership = unit_membership(units)
    optimizer = torch.optim.SGD(net.parameters(), lr=1e-6, momentum=0.9, weight_decay=5e-4)
    features = functional.normalize(net.embed(x).detach())
    triplets = mine(features, levels)

    def plain() -> None:
        descend([smooth_l1(net(x), levels)], optimizer)

    def local() -> None:
        encoded = encode(net, x)
        found = unit_histograms(brightness(Deconvnet(net)(encoded)), points, membership)
        sets = unit_sets(coded, triplets, 1.0, found.known)
        of = [found.histograms[one] for one in triplets[:3]]
        apart = [earth_movers_distance(of[0], other) for other in of[1:]]
        descend(list(local_loss(*apart, sets, triplets.gap)), optimizer)

    def times(step: Callable[[], object]) -> Callable[[], None]:
        def several() -> None:
            for _ in range(args.steps):
                step()

        return several

    steps = {"plain": plain, "local": local, "mining": lambda: mine(features, levels)}
    for step in steps.values():
        step()
    return best(time.process_time, args.repeats, **{name: times(step) for name, step in steps.items()})


def test_a_local_step_costs_at_most_four_plain_ones_and_mining_a_tenth() -> None:
    local, mining = main(["--batch", "16"])
    assert local <= LOCAL
    assert mining <= MINING


if __name__ == "__main__":
    main()

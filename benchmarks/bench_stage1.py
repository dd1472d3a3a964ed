"""Stage-1 training against a bare torch loop with the same steps and scikit-learn's MLPRegressor.

    python benchmarks/bench_stage1.py [--frames 38700] [--epochs 5] [--repeats 5] [--threads 1]

Prints seconds of processor time per epoch (best of the repeats, taken in turn; on one thread unless told
otherwise, it hardly depends on what else runs) and the two ratios that must hold: at most 1.15 of the bare
loop, at most 1 of MLPRegressor; under pytest they are asserted.
"""

from __future__ import annotations

import argparse
import time
import warnings

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPRegressor
from threadpoolctl import threadpool_limits
from torch import nn

from painkit.models.nets.landmark_net import LandmarkNet
from painkit.models.sequences.stage1 import fit_net

BATCH = 300
LOOP, PEER = 1.15, 1.0  # bounds of the two ratios


def bare_loop(inputs: np.ndarray, targets: np.ndarray, epochs: int) -> None:
    net, loss_of = LandmarkNet(0, 2, "none"), nn.MSELoss()
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3, fused=True)
    x, y = torch.from_numpy(inputs), torch.from_numpy(targets)
    for _ in range(epochs):
        order = torch.randperm(len(x))
        a, b = x[order], y[order]
        for start in range(0, len(x), BATCH):
            optimizer.zero_grad()
            loss_of(net(a[start : start + BATCH]), b[start : start + BATCH]).backward()
            optimizer.step()


def painkit(inputs: np.ndarray, targets: np.ndarray, epochs: int) -> None:
    fit_net(inputs, targets, placement="none", epochs=epochs, batch_size=BATCH, lr=1e-3, seed=0)


def scikit_learn(inputs: np.ndarray, targets: np.ndarray, epochs: int) -> None:
    net = MLPRegressor(
        hidden_layer_sizes=(300, 100, 10, 100), batch_size=BATCH, max_iter=epochs, alpha=0.0, tol=0.0,
        n_iter_no_change=epochs + 1, random_state=0,
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", category=ConvergenceWarning)
        net.fit(inputs, targets)
    assert net.n_iter_ == epochs


def seconds_per_epoch(frames: int, epochs: int, repeats: int, threads: int) -> dict[str, list[float]]:
    """Times of every contestant, in turn."""
    rng = np.random.default_rng(0)
    inputs = rng.standard_normal((frames, 132), dtype=np.float32)
    targets = rng.uniform(0, 10, (frames, 2)).astype(np.float32)
    contestants = (bare_loop, painkit, scikit_learn)
    seconds: dict[str, list[float]] = {run.__name__: [] for run in contestants}
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        with threadpool_limits(threads):
            for run in contestants:
                run(inputs[: 10 * BATCH], targets[: 10 * BATCH], 1)
            for _ in range(repeats):
                for run in contestants:
                    start = time.process_time()
                    run(inputs, targets, epochs)
                    seconds[run.__name__].append((time.process_time() - start) / epochs)
    finally:
        torch.set_num_threads(before)
    return seconds


def report(frames: int = 38_700, epochs: int = 5, repeats: int = 5, threads: int = 1) -> tuple[float, float]:
    """Print times and ratios, and return the ratios to the bare loop and to MLPRegressor."""
    seconds = seconds_per_epoch(frames, epochs, repeats, threads)
    best = {name: min(times) for name, times in seconds.items()}
    for name, times in seconds.items():
        print(f"{name:14s} {best[name]:.3f} s/epoch (median {np.median(times):.3f}) at {frames} frames")
    to_loop, to_peer = best["painkit"] / best["bare_loop"], best["painkit"] / best["scikit_learn"]
    print(f"painkit / bare loop     {to_loop:.2f}  (must be <= {LOOP})")
    print(f"painkit / MLPRegressor  {to_peer:.2f}  (must be <= {PEER})")
    return to_loop, to_peer


def test_stage_1_costs_little_more_than_a_bare_loop() -> None:
    to_loop, to_peer = report()
    assert to_loop <= LOOP
    assert to_peer <= PEER


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, default in (("frames", 38_700), ("epochs", 5), ("repeats", 5), ("threads", 1)):
        parser.add_argument(f"--{name}", type=int, default=default)
    report(**vars(parser.parse_args()))


if __name__ == "__main__":
    main()

"""Stage-1 training against a bare torch loop with the same steps and scikit-learn's MLPRegressor.

    python benchmarks/bench_stage1.py [--frames 38700] [--epochs 5] [--repeats 5] [--threads 2]

Prints seconds per epoch (best of the repeats, taken in turn so that a busy machine slows all alike) and the
two ratios that must hold: at most 1.25 of the bare loop, at most 1 of MLPRegressor.
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

from painkit.models.landmarks_net import LandmarkNet
from painkit.models.stage1 import fit_net

BATCH = 300


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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, default in (("frames", 38_700), ("epochs", 5), ("repeats", 5), ("threads", 2)):
        parser.add_argument(f"--{name}", type=int, default=default)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    rng = np.random.default_rng(0)
    inputs = rng.standard_normal((given.frames, 132), dtype=np.float32)
    targets = rng.uniform(0, 10, (given.frames, 2)).astype(np.float32)
    threadpool_limits(given.threads)
    contestants = (bare_loop, painkit, scikit_learn)
    for run in contestants:
        run(inputs[: 10 * BATCH], targets[: 10 * BATCH], 1)
    seconds: dict[str, list[float]] = {run.__name__: [] for run in contestants}
    for _ in range(given.repeats):
        for run in contestants:
            start = time.perf_counter()
            run(inputs, targets, given.epochs)
            seconds[run.__name__].append((time.perf_counter() - start) / given.epochs)
    best = {name: min(times) for name, times in seconds.items()}
    for name, times in seconds.items():
        print(f"{name:14s} {best[name]:.3f} s/epoch (median {np.median(times):.3f}) at {given.frames} frames")
    print(f"painkit / bare loop     {best['painkit'] / best['bare_loop']:.2f}  (must be <= 1.25)")
    print(f"painkit / MLPRegressor  {best['painkit'] / best['scikit_learn']:.2f}  (must be <= 1.00)")


if __name__ == "__main__":
    main()

"""DeepLIFT of all frames against one forward and backward pass, and against shap's DeepExplainer.

    python benchmarks/bench_deeplift.py [--frames 48398] [--repeats 5] [--shap-frames 1000] [--threads 2]

Prints the time for all frames (must be at most 5 passes), the rise of the resident memory above what the
contributions themselves take (must be below 500 MB with them), and shap's time per 10,000 frames. Under
pytest the two bounds are asserted.
"""

from __future__ import annotations

import argparse
import threading
import time
import warnings

import numpy as np
import psutil
import torch

from painkit.attribution.deeplift import deeplift
from painkit.data.cohort import SequenceSample
from painkit.models.sequences.mean_voting import MeanVoting

PASSES, MEGABYTES = 5, 500  # bounds


class PeakMemory:
    """Highest resident memory of this process, sampled every millisecond, above that at the start."""

    def __enter__(self) -> PeakMemory:
        self.process, self.done = psutil.Process(), threading.Event()
        self.start = self.peak = self.process.memory_info().rss
        self.sampler = threading.Thread(target=self._sample)
        self.sampler.start()
        return self

    def _sample(self) -> None:
        while not self.done.wait(0.001):
            self.peak = max(self.peak, self.process.memory_info().rss)

    def __exit__(self, *_: object) -> None:
        self.done.set()
        self.sampler.join()
        self.megabytes = (self.peak - self.start) / 1e6


def timed(action, repeats: int) -> float:
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return min(times)


def report(
    frames: int = 48_398, repeats: int = 5, shap_frames: int = 1000, threads: int = 2
) -> tuple[float, float]:
    """Print all of it, and return the passes that DeepLIFT takes and the rise of the memory in MB."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        return measure(frames, repeats, shap_frames)
    finally:
        torch.set_num_threads(before)


def measure(frames: int, repeats: int, shap_frames: int) -> tuple[float, float]:
    rng = np.random.default_rng(0)
    lengths = np.diff(np.linspace(0, frames, 201).astype(int))
    samples = [
        SequenceSample(
            subject=f"{i % 25:03d}",
            sequence=f"{i:03d}",
            frames=np.arange(1, n + 1),
            landmarks=rng.normal(120, 20, (n, 66, 2)).astype(np.float32),
            personal=np.zeros(8, np.float32),
        )
        for i, n in enumerate(lengths)
    ]
    labels = rng.uniform(0, 5, (200, 2))
    model = MeanVoting(epochs=1, frame_step=10, random_state=0).fit(samples, labels)
    rows = torch.from_numpy(np.concatenate(model.network_inputs(samples)))

    def one_pass() -> None:
        for chunk in torch.split(rows, 2048):
            inputs = chunk.clone().requires_grad_()
            torch.autograd.grad(model.net_(inputs)[:, 0].sum(), inputs)

    one_pass()
    deeplift(model, samples[:10])
    with PeakMemory() as memory:
        found = deeplift(model, samples)
    passing, explaining = (
        timed(one_pass, repeats),
        timed(lambda: deeplift(model, samples), repeats),
    )
    passes = explaining / passing
    print(f"one forward+backward pass   {passing:.3f} s for {frames} frames x 132")
    print(f"deeplift, all of it         {explaining:.3f} s, {passes:.1f} passes (must be <= {PASSES})")
    print(f"rise of resident memory     {memory.megabytes:.0f} MB (must be < {MEGABYTES})")
    print(f"largest completeness error  {np.abs(found.completeness_error).max():.1e}")
    compare_with_shap(model, rows[:shap_frames], found.vectors[:shap_frames], explaining / frames)
    return passes, memory.megabytes


def compare_with_shap(model: MeanVoting, rows: torch.Tensor, ours: np.ndarray, seconds: float) -> None:
    """Print the time of shap's DeepExplainer beside ours for a frame, and the largest difference."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # at import shap sets up plots by calls that are being retired
        import shap

    net = torch.nn.Sequential(*model.net_.to_third, *model.net_.from_third)
    explainer = shap.DeepExplainer(net, torch.zeros(1, 132))
    start = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = explainer.shap_values(rows, check_additivity=False)
    per_ten_thousand = (time.perf_counter() - start) * 10_000 / len(rows)
    # Its values are (frames, 132, outputs) for a single zero background row: the same quantity.
    difference = np.abs(theirs[..., 0] - ours.reshape(-1, 132)).max()
    print(
        f"per 10,000 frames           shap {per_ten_thousand:.2f} s (two outputs), "
        f"painkit {seconds * 10_000:.3f} s (one)"
    )
    print(f"largest difference to shap  {difference:.1e}")


def test_all_frames_take_few_passes_and_little_memory() -> None:
    passes, megabytes = report()
    assert passes <= PASSES
    assert megabytes < MEGABYTES


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, default in (("frames", 48_398), ("repeats", 5), ("shap-frames", 1000), ("threads", 2)):
        parser.add_argument(f"--{name}", type=int, default=default)
    report(**vars(parser.parse_args()))


if __name__ == "__main__":
    main()

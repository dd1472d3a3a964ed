"""Frames a second of building a crop store from 320x240 PNG files, and peak memory at the archive's size.

    pytest benchmarks/bench_crops.py -s
    python benchmarks/bench_crops.py [--frames 48391] [--noise 3] [--jobs 2]

The floor is 300 frames a second on two cores; building and reading all 48,391 frames stays below 2 GB. What
other processes take of the machine meanwhile is left out of the rate. Noise makes drawn faces as hard to
decompress as a camera's pictures; 48 pictures stand for all.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
import psutil

from painkit.data.crop_building import build_crop_store
from painkit.data.images import read_image
from painkit.simulation.action_units import landmarks
from painkit.simulation.anatomy import draw_person
from painkit.simulation.render import render
from painkit.vocabulary.action_units import AUS

ARCHIVE, PICTURES, BATCH = 48_391, 48, 64
FLOOR, CEILING = 300, 2e9


def write_frames(folder: Path, n_pictures: int, noise: float) -> np.ndarray:
    rng, points = np.random.default_rng(0), []
    for i in range(n_pictures):
        person, aus, pose = draw_person(rng), rng.uniform(0, 2, (1, len(AUS))), np.zeros((1, 6))
        pose[0, 5] = 1
        image = render(person, aus[0], pose[0]) + rng.normal(0, noise, (240, 320, 3))
        cv2.imwrite(str(folder / f"{i}.png"), np.clip(np.round(image), 0, 255).astype(np.uint8)[..., ::-1])
        points.append(landmarks(person, aus, pose)[0])
    return np.stack(points)


def machine_busy() -> float:
    """Processor seconds of all processes since the machine started."""
    times = psutil.cpu_times()
    return sum(times[:3])  # user, nice, system


def measure(frames: int, noise: float, jobs: int) -> dict[str, float]:
    """Build a store and read every crop of it once; run in a process of its own, for its peak memory."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        points = write_frames(folder, PICTURES, noise)
        size = np.mean([p.stat().st_size for p in folder.glob("*.png")])
        wall, cpu, busy = time.perf_counter(), time.process_time(), machine_busy()
        store = build_crop_store(
            lambda i: read_image(folder / f"{i % PICTURES}.png"),
            points[np.arange(frames) % PICTURES],
            folder / "stores",
            content="bench",
            jobs=jobs,
            progress=False,
        )
        wall, cpu, busy = time.perf_counter() - wall, time.process_time() - cpu, machine_busy() - busy
        left = 1 - max(busy - cpu, 0) / (wall * psutil.cpu_count())
        assert store.usable.all()
        order = np.random.default_rng(0).permutation(frames)
        start_reading = time.perf_counter()
        for start in range(0, frames, BATCH):
            store.batch(order[start : start + BATCH])
        batch = 1000 * (time.perf_counter() - start_reading) / (frames / BATCH)
    # The kernel's high-water mark of this process, pages of mapped files included.
    status = Path("/proc/self/status").read_text().splitlines()
    peak = next(1024 * int(line.split()[1]) for line in status if line.startswith("VmHWM:"))
    return {
        "size": float(size),
        "wall rate": frames / wall,
        "rate": frames / (wall * left),
        "cost": 1000 * cpu / frames,
        "batch": batch,
        "peak": peak,
    }


def report(frames: int, noise: float, jobs: int) -> dict[str, float]:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        found = pool.submit(measure, frames, noise, jobs).result()
    print(f"\n{frames} frames of {found['size'] / 1000:.0f} kB, {jobs} threads")
    print(f"build: {found['rate']:.0f} frames/s (floor {FLOOR}), by the clock {found['wall rate']:.0f}")
    print(f"processor time: {found['cost']:.2f} ms a frame")
    print(f"batch of {BATCH}: {found['batch']:.2f} ms")
    print(f"peak memory: {found['peak'] / 1e6:.0f} MB (ceiling {CEILING / 1e6:.0f})")
    return found


def test_store_of_the_full_archive():
    found = report(ARCHIVE, noise=3, jobs=2)
    assert found["rate"] >= FLOOR
    assert found["peak"] < CEILING


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=ARCHIVE)
    parser.add_argument("--noise", type=float, default=3)
    parser.add_argument("--jobs", type=int, default=2)
    report(**vars(parser.parse_args()))


if __name__ == "__main__":
    main()

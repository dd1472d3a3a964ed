"""Frames a second of building a frame store from 320x240 PNG files, and the memory it leaves resident.

    python benchmarks/bench_crops.py [--frames 3000] [--noise 3] [--jobs 2] [--repeats 3]

The floor is 300 frames a second on two cores. On a busy machine look at the processor time per frame: two
cores give 2000 divided by it. Noise makes drawn faces as hard to decompress as a camera's pictures.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
import psutil

from painkit.data.images import read_image
from painkit.data.simulated.action_units import AUS, landmarks
from painkit.data.simulated.anatomy import draw_person
from painkit.data.simulated.render import render
from painkit.models.frames import build_frame_store


def write_frames(folder: Path, n_pictures: int, noise: float) -> np.ndarray:
    rng, points = np.random.default_rng(0), []
    for i in range(n_pictures):
        person, aus, pose = draw_person(rng), rng.uniform(0, 2, (1, len(AUS))), np.zeros((1, 6))
        pose[0, 5] = 1
        image = render(person, aus[0], pose[0]) + rng.normal(0, noise, (240, 320, 3))
        cv2.imwrite(str(folder / f"{i}.png"), np.clip(np.round(image), 0, 255).astype(np.uint8)[..., ::-1])
        points.append(landmarks(person, aus, pose)[0])
    return np.stack(points)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=3000)
    parser.add_argument("--noise", type=float, default=3)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        points = write_frames(folder, 48, args.noise)
        size = np.mean([p.stat().st_size for p in folder.glob("*.png")])
        print(f"{args.frames} frames of {size / 1000:.0f} kB, {args.jobs} threads")
        rates, costs = [], []
        for repeat in range(args.repeats):
            wall, cpu = time.perf_counter(), time.process_time()
            store = build_frame_store(
                lambda i: read_image(folder / f"{i % 48}.png"),
                points[np.arange(args.frames) % 48],
                folder / "stores",
                content=str(repeat),
                jobs=args.jobs,
                progress=False,
            )
            rates.append(args.frames / (time.perf_counter() - wall))
            costs.append(1000 * (time.process_time() - cpu) / args.frames)
            assert store.counts()["stored"] == args.frames
        print(f"build: {max(rates):.0f} frames/s (best of {args.repeats}; floor 300)")
        idle = 2000 / min(costs)
        print(f"processor time: {min(costs):.2f} ms a frame, so {idle:.0f} frames/s on two idle cores")
        rng, n = np.random.default_rng(0), 200
        wall = time.perf_counter()
        for _ in range(n):
            store.batch(rng.integers(args.frames, size=64))
        print(f"batch of 64: {1000 * (time.perf_counter() - wall) / n:.2f} ms")
        print(f"resident: {psutil.Process().memory_info().rss / 1e6:.0f} MB")


if __name__ == "__main__":
    main()

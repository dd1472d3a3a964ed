"""Subject-disjoint evaluation of head-only fine-tuning against one forward pass over the frames.

    python benchmarks/bench_seven_levels.py [--frames 1500] [--side 224] [--width 1.0] [--subjects 25]

The whole evaluation counts: features of all frames, and of the copies (mirrored, turned to either side) of
those of levels 2 to 6, computed once and written to the disk; 25 folds of a subject each, every one trained
for 180 epochs on the features and tested. Levels occur as often as in the archive; every subject has one
sequence, so none is dropped for lack of pain, and more frames without pain are trained on than would be of
the archive's. At most 1.5 times one plain forward pass over the frames, without copies. It is processor time
on one thread, in one run, so that it hardly depends on what else runs. What a fold does once (make and load
the net) counts too; with as many frames as the archive has it is nothing.

What bfloat16 saves, and how far its features are from those in float32, is told beside.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from painkit.data.crop_building import build_crop_store
from painkit.data.crop_store import CropStore
from painkit.faces.crops import FaceCrop
from painkit.models.crops.seven_levels import SevenLevels
from painkit.models.nets.resnet18 import ResNet18, to_input
from painkit.models.persistence import write_tensors
from painkit.models.training.acceleration import Acceleration, Precision

ALLOWED = 1.5
SHARES = (40_029, 2_909 + 2_351, 1_412 + 802, 242 + 270, 53 + 79 + 32, 67 + 76 + 48, 22 + 1 + 5)
"""Frames of the archive at each of the seven levels."""
EPOCHS = 180


def noise_store(folder: str, n: int, side: int) -> CropStore:
    crops = np.random.default_rng(0).integers(0, 256, (64, side, side, 3), dtype=np.uint8)
    whole = np.full((n, 66, 2), side / 2)
    whole[:, ::2], whole[:, 1::2] = 0.1 * side, 0.9 * side
    crop = FaceCrop("box", side=side)
    return build_crop_store(
        lambda i: crops[i % 64], whole, folder, content="noise", crop=crop, progress=False
    )


def frames_of(n: int, subjects: int) -> tuple[pd.DataFrame, np.ndarray]:
    """Frame table and levels: every subject has some frames of each level that occurs."""
    levels = np.repeat(np.arange(7), np.maximum(1, np.round(n * np.array(SHARES) / sum(SHARES))).astype(int))
    n = levels.size
    subject = np.arange(n) % subjects
    table = pd.DataFrame({"subject": [f"s{k:02d}" for k in subject], "sequence": "q", "frame": np.arange(n)})
    return table.assign(row=np.arange(n)), levels.astype(float)


@torch.inference_mode()
def plain(net: ResNet18, store: CropStore, how: Acceleration, n: int) -> np.ndarray:
    """One forward pass over the frames, in batches that suit the processor."""
    features = []
    for start in range(0, n, 16):
        with how.autocast():
            images = to_input(store.batch(slice(start, min(start + 16, n))), how.device)
            features.append(net.embed(images).float().numpy())
    return np.concatenate(features)


def timed(function: Callable[[], object]) -> tuple[float, object]:
    start = time.process_time()
    result = function()
    return time.process_time() - start, result


def main(arguments: list[str] | None = None) -> float:
    """Print the times; return the evaluation's in forward passes over the frames."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=1500)
    parser.add_argument("--side", type=int, default=224)
    parser.add_argument("--width", type=float, default=1.0)
    parser.add_argument("--subjects", type=int, default=25)
    args = parser.parse_args(arguments)
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with tempfile.TemporaryDirectory() as folder:
            return measure(args, Path(folder))
    finally:
        torch.set_num_threads(before)


def measure(args: argparse.Namespace, folder: Path) -> float:
    table, levels = frames_of(args.frames, args.subjects)
    store, n = noise_store(str(folder), len(table), args.side), len(table)
    torch.manual_seed(0)
    net = ResNet18(8, width=args.width).eval().to(memory_format=torch.channels_last)
    write_tensors(folder / "net.safetensors", net.state_dict())
    ways: dict[Precision, Acceleration] = {
        precision: Acceleration(torch.device("cpu"), precision) for precision in ("float32", "bfloat16")
    }
    some = min(n, 128)
    plain(net, store, ways["float32"], 16)  # warm
    forward, features = timed(lambda: plain(net, store, ways["float32"], n))
    faster, rounded = timed(lambda: plain(net, store, ways["bfloat16"], some))
    model = SevenLevels(
        store=store,
        input_size=args.side,
        width=args.width,
        pretrained=folder / "net.safetensors",
        memory=folder / "features",
        device="cpu",
    )
    copies = 3 * int((levels >= 2).sum())
    seconds, images = timed(
        lambda: sum(evaluate(model, table, levels, fold) for fold in range(args.subjects))
    )
    again, _ = timed(lambda: evaluate(model.set_params(epochs=1), table, levels, 0))
    off = np.abs(rounded - features[:some]).max() / features.std()
    ratio, once = seconds / forward, args.subjects * again / forward
    print(
        f"{n} frames of {args.side} px, width {args.width}, {args.subjects} folds x {EPOCHS} epochs on "
        f"{images / args.subjects:.0f} images: plain forward pass {forward:.1f} s "
        f"({1000 * forward / n:.1f} ms a frame), evaluation {seconds:.1f} s, {ratio:.2f} of it "
        f"(must be <= {ALLOWED:g}); {1 + copies / n:.2f} for features of frames and {copies} copies, "
        f"{once:.2f} for what folds do once\n"
        f"bfloat16: {1000 * faster / some:.1f} ms a frame; features off by at most {off:.3f} of their spread"
    )
    return ratio


def evaluate(model: SevenLevels, table: pd.DataFrame, levels: np.ndarray, fold: int) -> int:
    """Train on all subjects but one and test on that one; give how many images it trained on."""
    test = (table["subject"] == f"s{fold:02d}").to_numpy()
    model.fit(table[~test], levels[~test])
    model.predict_proba(table[test])
    return len(model.trained_)


def test_a_whole_evaluation_costs_at_most_one_and_a_half_forward_passes() -> None:
    assert main(["--frames", "1500"]) <= ALLOWED


if __name__ == "__main__":
    main()

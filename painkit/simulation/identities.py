"""People for face-verification pre-training: a folder of aligned crops for each."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np

from painkit.simulation.anatomy import draw_person
from painkit.simulation.causes import stream
from painkit.simulation.dynamics import draw_pose
from painkit.simulation.portraits import MIXTURES, face_crop, units
from painkit.simulation.profiles import Size
from painkit.simulation.writer import Task, folder_task, write_png

__all__ = ["identity_tasks"]


def identity_tasks(root: Path, size: Size, seed: int) -> list[Task]:
    """Work that writes ``identities/id0001/001.png``, ...: 112x96 crops in random pose and expression."""
    folders = [root / "identities" / f"id{i + 1:04d}" for i in range(size.identities)]
    return [
        folder_task(folder, partial(_pictures, seed=seed, number=i, count=size.pictures), size.pictures)
        for i, folder in enumerate(folders)
    ]


def _pictures(folder: Path, *, seed: int, number: int, count: int) -> None:
    rng = stream(seed, 20, number)
    person = draw_person(rng)
    names = [name for name in MIXTURES if name != "pain"]
    for i in range(count):
        aus = units(MIXTURES[str(rng.choice(names))], rng.uniform(0.1, 0.8))
        pose = draw_pose(rng, {"move": 1.6}, 8)[-1]
        crop = face_crop(person, aus, pose).astype(float)
        crop = crop * rng.uniform(0.8, 1.15) + rng.normal(0, 6) + 3 * rng.standard_normal(crop.shape)
        write_png(folder / f"{i + 1:03d}.png", np.clip(np.round(crop), 0, 255).astype(np.uint8))

"""Drawn faces with known levels, in memory: the simulator's renderer without its files."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from painkit.simulation.action_units import landmarks
from painkit.simulation.anatomy import draw_person
from painkit.simulation.render import render
from painkit.vocabulary.action_units import AUS, UNIT_LANDMARKS

# PSPI parts of each level 0-5: AU4, AU6, AU9, AU43.
_PAIN = np.array([[0, 0, 0, 0], [1, 0, 0, 0], [1, 1, 0, 0], [1, 1, 1, 0], [2, 2, 1, 0], [5, 5, 4, 1]], float)
_COLUMNS = [AUS.index(au) for au in (4, 6, 9, 43)]


@dataclass(frozen=True)
class DrawnFaces:
    """Images, landmarks (n, 66, 2) and a frame table with subject, sequence, frame, row, level."""

    images: NDArray[np.uint8]
    landmarks: NDArray[np.float64]
    table: pd.DataFrame


def with_units(table: pd.DataFrame) -> pd.DataFrame:
    """Add the coded units, as the faces were drawn; those that were not are 0."""
    level = table["level"].to_numpy(dtype=int)
    coded = dict(zip((4, 6, 9, 43), _PAIN[level].T, strict=True))
    return table.assign(**{f"AU{unit}": coded.get(unit, 0.0) for unit in UNIT_LANDMARKS})


def drawn_faces(n_people: int, n_frames: int, *, share_of_zeros: float = 0.5, seed: int = 0) -> DrawnFaces:
    """One sequence a person; levels come in short runs, zeros most often; heads move a little."""
    rng = np.random.default_rng(seed)
    rest = (1 - share_of_zeros) / 5
    images, points, rows = [], [], []
    for k in range(n_people):
        person = draw_person(rng)
        runs = rng.choice(6, size=n_frames, p=[share_of_zeros] + [rest] * 5)
        level = np.repeat(runs, 3)[:n_frames]
        aus = np.zeros((n_frames, len(AUS)))
        # AU43 is 0 or 5 in the drawing: lids open or closed.
        aus[:, _COLUMNS] = _PAIN[level] * [1, 1, 1, 5]
        pose = np.zeros((n_frames, 6))
        pose[:, :3] = rng.normal(0, 0.06, (n_frames, 3))
        pose[:, 3:5] = rng.normal(0, 5, (n_frames, 2))
        pose[:, 5] = rng.uniform(0.9, 1.1, n_frames)
        marks = landmarks(person, aus, pose)
        for i in range(n_frames):
            images.append(render(person, aus[i], pose[i]))
            points.append(marks[i])
            rows.append((f"s{k:02d}", f"s{k:02d}t1", i + 1, int(level[i])))
    table = pd.DataFrame(rows, columns=["subject", "sequence", "frame", "level"])
    table["row"] = np.arange(len(table))
    return DrawnFaces(np.stack(images), np.stack(points), table)

"""A cohort in memory: random landmarks whose first coordinate carries the label."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from painkit.data.cohort import Cohort


def small_cohort(n_subjects: int = 5, n_sequences: int = 3, n_frames: int = 4, seed: int = 0) -> Cohort:
    rng = np.random.default_rng(seed)
    names = [f"{i:03d}-ab{i:03d}" for i in range(1, n_subjects + 1)]
    sequences = pd.DataFrame(
        [(s, f"{s[4:]}t{j}") for s in names for j in range(n_sequences)], columns=["subject", "sequence"]
    )
    n = len(sequences)
    sequences["n_frames"] = n_frames
    sequences["vas"] = rng.integers(0, 11, n).astype(float)
    sequences["opi"] = rng.integers(0, 6, n).astype(float)
    frames = sequences.loc[sequences.index.repeat(n_frames), ["subject", "sequence"]].reset_index(drop=True)
    frames["frame"] = np.tile(np.arange(1, n_frames + 1), n)
    frames["pspi"] = rng.integers(0, 8, len(frames)).astype(float)
    frames["AU4"] = rng.integers(0, 6, len(frames)).astype(float)
    frames["tracked"], frames["black"] = True, False
    frames["image"] = [f"{i}.png" for i in range(len(frames))]
    landmarks = rng.normal(100, 20, (len(frames), 66, 2)).astype(np.float32)
    landmarks[:, 0, 0] = np.repeat(sequences["vas"], n_frames)
    return Cohort(
        name="simulated",
        root=Path("nowhere"),
        simulated=True,
        subjects=pd.DataFrame(
            {"subject": names, "gender": "female", "age": "young", "complexion": "fair-olive"}
        ),
        sequences=sequences,
        frames=frames,
        landmarks=landmarks,
        findings=pd.DataFrame(columns=["kind", "subject", "sequence", "frame", "path", "message"]),
        fingerprint=f"small-{seed}",
    )

"""Short sequences with a known cause, for tests of sequence-level models."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from painkit.data.cohort import SequenceSample

CAUSES = (17, 21, 48, 54)  # the landmarks that move with felt pain


def make_sequences(
    n_subjects: int = 6,
    n_sequences: int = 4,
    n_frames: int = 30,
    seed: int = 0,
    *,
    personal_effect: float = 0.0,
) -> tuple[list[SequenceSample], NDArray[np.float64], NDArray[np.str_]]:
    """Sequences, labels (n, 2) with VAS 0-10 and OPI 0-5, and subjects.

    In each sequence the landmarks `CAUSES` move down by the momentary pain, a bump whose height is the OPI;
    the VAS is twice that plus `personal_effect` for elderly subjects.
    """
    rng = np.random.default_rng(seed)
    face = rng.uniform(60, 180, (66, 2))
    samples, labels = [], []
    for subject in range(n_subjects):
        personal = np.zeros(8, dtype=np.float32)
        personal[[subject % 3, 3 + (subject // 2) % 3, 6 + subject % 2]] = 1
        offset = rng.normal(0, 15, 2)
        pain = rng.permutation(np.linspace(0, 5, n_sequences).round())
        for sequence in range(n_sequences):
            # Lengths differ by up to a half.
            n = max(1, n_frames - int(rng.integers(0, max(1, n_frames // 2))))
            bump = pain[sequence] * np.sin(np.linspace(0, np.pi, n)) ** 2
            points = np.tile(face + offset, (n, 1, 1)) + rng.normal(0, 0.5, (n, 66, 2))
            points[:, CAUSES, 1] += 3 * bump[:, None]
            vas = np.clip(
                2 * pain[sequence] * (1 - 0.1 * personal_effect) + personal_effect * personal[5], 0, 10
            )
            labels.append((vas, pain[sequence]))
            samples.append(
                SequenceSample(
                    subject=f"{subject:03d}",
                    sequence=f"{subject:03d}t{sequence}",
                    frames=np.arange(1, n + 1),
                    landmarks=points.astype(np.float32),
                    personal=personal,
                )
            )
    return samples, np.array(labels), np.array([sample.subject for sample in samples])

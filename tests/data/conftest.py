"""Hand-made data sets in the layouts of the real ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from archive_files import OTHER, OTHER_SEQUENCE, SEQUENCE, SUBJECT, Archive


@pytest.fixture(autouse=True)
def private_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("PAINKIT_CACHE", str(folder))
    return folder


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    """Two subjects with a sequence of 4 and of 3 frames; frame 2 of the first shows pain, PSPI 4+2+3+1."""
    made = Archive(tmp_path / "unbc")
    pain = "".join(
        f"   {au:.7e}   {level:.7e}   0.0000000e+00   0.0000000e+00\n"
        for au, level in ((4, 4), (6, 1), (7, 2), (9, 3), (10, 1), (43, 5), (0, 0), (12, 2))
    )
    for frame in range(1, 5):
        made.frame(SUBJECT, SEQUENCE, frame, *((10, pain) if frame == 2 else ()))
    for frame in range(1, 4):
        made.frame(OTHER, OTHER_SEQUENCE, frame)
    for subject, sequence, vas in ((SUBJECT, SEQUENCE, 7), (OTHER, OTHER_SEQUENCE, 0)):
        for kind, value in (("VAS", vas), ("OPR", 3), ("AFF", 12), ("SEN", 11)):
            made.label(kind, subject, sequence, value)
    return made


@pytest.fixture
def noise() -> Callable[[int], np.ndarray]:
    """A colour image of 48 x 64 pixels that does not compress, different for each number."""

    def draw(seed: int) -> np.ndarray:
        flat = np.full((48, 64, 3), 120, np.uint8)
        flat[8:40] = np.random.default_rng(seed).integers(60, 200, (32, 64, 3))
        return flat

    return draw

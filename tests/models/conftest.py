"""What tests of models share: one thread, and drawn faces (drawing takes a second per hundred)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from face_images import DrawnFaces, drawn_faces
from threadpoolctl import threadpool_limits

from painkit.data.crop_building import build_crop_store
from painkit.data.crop_store import CropStore


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """The order of sums, and so their rounding, depends on the number of threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    with threadpool_limits(1):
        yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def faces() -> DrawnFaces:
    return drawn_faces(10, 36)


@pytest.fixture(scope="session")
def face_store(faces: DrawnFaces, tmp_path_factory: pytest.TempPathFactory) -> CropStore:
    folder: Path = tmp_path_factory.mktemp("stores")
    return build_crop_store(
        faces.images.__getitem__, faces.landmarks, folder, content="drawn", progress=False, simulated=True
    )

"""What tests of models share: one thread, and drawn faces (drawing takes a second per hundred)."""

from __future__ import annotations

from pathlib import Path

import pytest
from face_images import DrawnFaces, drawn_faces

from painkit.data.crop_building import build_crop_store
from painkit.data.crop_store import CropStore


@pytest.fixture(scope="module", autouse=True)
def _of_one_thread(one_thread: None) -> None:
    """All tests of models compute on one thread."""


@pytest.fixture(scope="session")
def faces() -> DrawnFaces:
    return drawn_faces(10, 36)


@pytest.fixture(scope="session")
def face_store(faces: DrawnFaces, tmp_path_factory: pytest.TempPathFactory) -> CropStore:
    folder: Path = tmp_path_factory.mktemp("stores")
    return build_crop_store(
        faces.images.__getitem__, faces.landmarks, folder, content="drawn", progress=False, simulated=True
    )

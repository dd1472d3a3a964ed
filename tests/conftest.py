"""Fixtures every test may use."""

from __future__ import annotations

from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """Folder of real files that cannot ship with the project."""
    if not (SHARED / "real").is_dir():
        pytest.skip("the folder ../shared with real files is not beside this checkout")
    return SHARED

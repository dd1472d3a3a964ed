"""Simulated trees that several files read."""

from __future__ import annotations

import pytest
from tree_digest import digest

from painkit.simulation.simulation import simulate


@pytest.fixture(scope="session")
def tree(tmp_path_factory):
    return simulate(tmp_path_factory.mktemp("one") / "smoke", profile="smoke", images="thin", progress=False)


@pytest.fixture(scope="session")
def plain(tmp_path_factory):
    dest = tmp_path_factory.mktemp("two") / "plain"
    return digest(simulate(dest, profile="smoke", images="none", progress=False))

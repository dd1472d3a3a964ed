"""What attacks need: disks that can be filled, processes that can be killed, files that can be damaged."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
from collections.abc import Iterator
from multiprocessing import forkserver
from multiprocessing.context import ForkServerContext
from pathlib import Path

import pytest
from small_disk import SmallDisk
from works import write_sources


@pytest.fixture(scope="session")
def context() -> ForkServerContext:
    """Start a server that has imported everything and forks the processes to be attacked: saves seconds."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["works"])
    here = Path(__file__).parent
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join(map(str, (here, here.parent, here.parents[1]))))
        patch.setenv("PYTHONWARNINGS", "ignore")  # trackers tell what a killed process left in shared memory
        forkserver.ensure_running()
        first = context.Process(target=os.getpid)  # waits until everything is imported
        first.start()
        first.join()
    return context


@pytest.fixture(scope="session")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the works read."""
    folder = tmp_path_factory.mktemp("sources")
    write_sources(folder)
    return folder


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[SmallDisk]:
    """A disk of 64 kB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    try:
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder], capture_output=True, text=True
        )
    except FileNotFoundError:
        pytest.skip("no mount on this system")
    if done.returncode:
        pytest.skip(f"no disk can be mounted here: {done.stderr.strip()}")
    try:
        yield SmallDisk(folder)
    finally:
        subprocess.run(["umount", "-l", folder], check=True)

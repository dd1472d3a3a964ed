"""Fixtures every test may use."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import pytest
from filelock import FileLock
from notebook_names import OF_PAPER
from threadpoolctl import threadpool_limits

# The nets here are so small that a second thread only waits for the first: where other processes need the
# cores too, a test takes up to thirty times as long. Kernels and child processes inherit it.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# No verdict hangs on how fast an example ran or on which ones were drawn.
hypothesis.settings.register_profile("painkit", deadline=None, derandomize=True)
hypothesis.settings.load_profile("painkit")

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """The order of sums, and so their rounding, depends on the number of threads."""
    import torch  # slow, and few tests need it

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    with threadpool_limits(1):
        yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def shared() -> Path:
    """Folder of real files that cannot ship with the project."""
    if not (SHARED / "real").is_dir():
        pytest.skip("the folder ../shared with real files is not beside this checkout")
    return SHARED


@pytest.fixture(scope="session")
def across_workers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder that all workers of one test session share."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@pytest.fixture(scope="session", autouse=True)
def cache(across_workers: Path) -> Iterator[Path]:
    """Cache of this session alone; the kernels of the notebooks inherit it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PAINKIT_CACHE", str(across_workers / "cache"))
        yield across_workers / "cache"


@pytest.fixture(scope="session")
def smoke(across_workers: Path) -> Path:
    """The simulated cohort in its smallest profile, with all images, made once a session."""
    from painkit.simulation.simulation import simulate

    root = across_workers / "smoke"
    with FileLock(across_workers / "smoke.lock"):
        return simulate(root, profile="smoke", images="all", seed=0, progress=False)


@pytest.fixture(scope="session")
def executed(across_workers: Path, smoke: Path) -> Callable[[str], Path]:
    """Execute a notebook once a session, whichever test or worker asks first, and return its page."""
    from painkit.cli.notebooks import run_notebook

    def execute(name: str) -> Path:
        out = across_workers / "reports" / name
        page = out / f"{name}.html"
        parameters = {"root": str(smoke)}
        if name in OF_PAPER:
            parameters["out"] = str(execute(OF_PAPER[name]).parent)
        with FileLock(across_workers / f"{name}.lock"):
            if not page.exists():
                run_notebook(name, profile="smoke", parameters=parameters, out=out)
        return page

    return execute

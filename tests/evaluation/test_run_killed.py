"""A run killed at any moment goes on where it was, and ends as if nothing had happened."""

from __future__ import annotations

import multiprocessing
import signal
import time
from collections import Counter
from multiprocessing import forkserver
from multiprocessing.context import ForkServerProcess as Process
from pathlib import Path

import pandas as pd
import psutil
import pytest
from engine_estimators import scenario

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL on this system")

context = multiprocessing.get_context("forkserver")


@pytest.fixture(scope="module", autouse=True)
def server() -> None:
    """Start a server that has imported everything and forks the processes to be killed: saves seconds."""
    context.set_forkserver_preload(["engine_estimators"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(Path(__file__).parent))  # Python 3.11 preloads from nowhere else
        forkserver.ensure_running()


def start(out: Path, jobs: int, *, delay: float = 0, keep: bool = False, **environ: str) -> Process:
    out.mkdir(exist_ok=True)
    environ |= {"TRACE": str(out / "trace.txt")}
    process = context.Process(target=scenario, args=(str(out), jobs, delay, keep, environ))
    process.start()
    return process


def end(process: Process) -> int | None:
    process.join(300)
    return process.exitcode


def fold_files(out: Path) -> dict[str, int]:
    return {path.parent.name: path.stat().st_mtime_ns for path in out.glob("*/folds/[!.]*/record.json")}


def begun(out: Path) -> Counter[str]:
    """How often each fold was begun, by the subject that it leaves out."""
    lines = (out / "trace.txt").read_text().splitlines() if out.exists() else []
    return Counter(line.removeprefix("start ") for line in lines if line.startswith("start "))


def wait_for_folds(out: Path, n: int, process: Process) -> None:
    until = time.monotonic() + 300
    while len(fold_files(out)) < n:
        assert process.is_alive(), "ended before it could be killed"
        assert time.monotonic() < until
        time.sleep(0.01)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    out = tmp_path_factory.mktemp("undisturbed") / "out"
    assert end(start(out, 1)) == 0
    return pd.read_csv(out / "table.csv")


@pytest.mark.parametrize(("jobs", "kills"), [(1, (1, 3)), (2, (2,))])
def test_killed_runs_go_on(
    tmp_path: Path, undisturbed: pd.DataFrame, jobs: int, kills: tuple[int, ...]
) -> None:
    out = tmp_path / "out"
    done: dict[str, int] = {}
    settled: dict[str, int] = {}  # how often a fold had been begun when it was first seen done
    for n in kills:
        # So many folds are begun and done that `n` are; those begun after them wait for the kill.
        process = start(out, jobs, HALT=str(begun(out).total() + n - len(done)))
        wait_for_folds(out, n, process)
        workers = psutil.Process(process.pid).children(recursive=True)
        process.kill()
        assert end(process) == -signal.SIGKILL
        assert psutil.wait_procs(workers, timeout=60)[1] == [], "workers outlive a killed run"
        assert done.items() <= fold_files(out).items(), "a finished fold was lost or written again"
        done = fold_files(out)
        assert len(done) == n
        settled = {fold: begun(out)[fold] for fold in done} | settled
    assert end(start(out, 1)) == 0  # how many jobs there are makes no difference
    assert done.items() <= fold_files(out).items()
    pd.testing.assert_frame_equal(pd.read_csv(out / "table.csv"), undisturbed, check_exact=True)
    assert len(list(out.glob("*/run.yaml"))) == 1, "the same call has the same key in every process"
    started = begun(out)
    assert len(started) == 6
    assert settled.items() <= started.items(), "a finished fold was begun again"
    # Only folds that were under way at a kill may be begun again.
    assert started.total() <= 6 + jobs * len(kills)


def test_two_processes_share_one_run(tmp_path: Path, undisturbed: pd.DataFrame) -> None:
    out = tmp_path / "out"
    # No fold ends before both are at work.
    both = [start(out, 1, delay=0.05, MEET="2") for _ in range(2)]
    assert [end(process) for process in both] == [0, 0]
    pd.testing.assert_frame_equal(pd.read_csv(out / "table.csv"), undisturbed, check_exact=True)
    lines = (out / "trace.txt").read_text().split()
    assert lines.count("start") == lines.count("end") == 6


def test_killed_while_a_model_is_half_saved(tmp_path: Path) -> None:
    out = tmp_path / "out"
    environ = {"DIE_IN_SAVE": str(tmp_path / "died")}
    assert end(start(out, 1, keep=True, **environ)) == -signal.SIGKILL
    assert fold_files(out) == {}
    assert end(start(out, 1, keep=True, **environ)) == 0
    models = sorted(path.parent.name for path in out.glob("*/folds/*/model"))
    assert models == [f"{i:03d}-ab{i:03d}" for i in range(1, 7)]
    for model in out.glob("*/folds/*/model"):
        assert sorted(path.name for path in model.iterdir()) == ["first.txt", "second.txt"]

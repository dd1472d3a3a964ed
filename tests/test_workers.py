"""Workers end with their parent: killed at work or before they have any, whichever thread started them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from painkit.workers import affordable, memory_limit

pytestmark = pytest.mark.skipif(
    sys.platform == "win32", reason="a killed parent cannot be seen on this system"
)

PROGRAM = """
import os, sys, threading, time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from painkit.workers import ending_together

def start():
    global pool
    pool = ProcessPoolExecutor(1, mp_context=get_context(sys.argv[1]), **ending_together())
    print(pool.submit(os.getpid).result(timeout=300))

if __name__ == "__main__":
    if sys.argv[2] == "main":
        start()
    else:
        starter = threading.Thread(target=start)
        starter.start()
        starter.join()
        while os.path.exists(f"/proc/self/task/{starter.native_id}"):  # the system has not yet ended it
            time.sleep(0.01)
        print(pool.submit(os.getpid).result(timeout=300))  # the worker did not end with the thread
    sys.stdout.flush()
    pool.submit(time.sleep, 600)
    time.sleep(600)
"""


@pytest.mark.parametrize("thread", ["main", "other"])
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_workers_end_with_their_parent(tmp_path: Path, method: str, thread: str) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    command = [sys.executable, tmp_path / "program.py", method, thread]
    parent = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    worker = psutil.Process(int(parent.stdout.readline()))
    if thread == "other":
        assert int(parent.stdout.readline()) == worker.pid
    parent.kill()
    parent.wait()
    parent.stdout.close()
    assert psutil.wait_procs([worker], timeout=60)[1] == []


def test_a_worker_whose_parent_died_while_it_was_started_does_nothing(tmp_path: Path) -> None:
    # What runs in the worker first: the parent it is told of is no longer its parent.
    code = (
        "import sys\n"
        "from painkit.workers import ending_together\n"
        "settings = ending_together()\n"
        "settings['initializer'](1 if sys.argv[1] == 'gone' else __import__('os').getppid(), True)\n"
        "print('at work')\n"
    )
    told = [
        subprocess.run([sys.executable, "-c", code, word], capture_output=True, text=True).stdout
        for word in ("gone", "there")
    ]
    assert told == ["", "at work\n"]


def system_of(folder, groups, limits):
    """A folder as Linux lays out control groups and their limits."""
    for path, text in {"proc/self/cgroup": groups, **limits}.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    return folder


@pytest.mark.parametrize(
    ("groups", "limits", "smallest"),
    [
        ("0::/\n", {"sys/fs/cgroup/memory.max": "2147483648\n"}, 2147483648),
        # Version 2, as a batch system sets it: the group has none, one above it has.
        (
            "0::/job_7/step\n",
            {
                "sys/fs/cgroup/job_7/step/memory.max": "max\n",
                "sys/fs/cgroup/job_7/memory.max": "3000000000\n",
            },
            3e9,
        ),
        # Version 1, where other controllers have groups of their own.
        (
            "9:cpu:/a\n4:memory,hugetlb:/docker/b\n0::/\n",
            {
                "sys/fs/cgroup/memory/docker/b/memory.limit_in_bytes": "1500000000\n",
                "sys/fs/cgroup/cpu/a/memory.limit_in_bytes": "7\n",
            },
            1.5e9,
        ),
    ],
)
def test_the_limit_is_that_of_the_control_group(tmp_path, monkeypatch, groups, limits, smallest):
    monkeypatch.delenv("MEM_LIMIT", raising=False)
    assert memory_limit(system_of(tmp_path, groups, limits)) == smallest


def test_a_limit_from_jupyterhub_holds_if_it_is_the_smallest(tmp_path, monkeypatch):
    system = system_of(tmp_path, "0::/\n", {"sys/fs/cgroup/memory.max": "4000000000\n"})
    for given, smallest in (("2147483648", 2147483648), ("8000000000", 4e9), ("", 4e9)):
        monkeypatch.setenv("MEM_LIMIT", given)
        assert memory_limit(system) == smallest


def test_no_group_has_more_than_the_machine(tmp_path, monkeypatch):
    monkeypatch.delenv("MEM_LIMIT", raising=False)
    machine = memory_limit(tmp_path)
    unlimited = system_of(
        tmp_path, "4:memory:/\n", {"sys/fs/cgroup/memory/memory.limit_in_bytes": f"{2**63}"}
    )
    assert memory_limit(unlimited) == machine
    if sys.platform == "linux":
        assert machine == psutil.virtual_memory().total


@pytest.mark.parametrize(
    ("gigabytes", "jobs", "held"),
    [(2.0, 2, 1), (2.9, 8, 1), (3.0, 2, 2), (16.0, 64, 15), (0.5, 4, 1), (float("inf"), 12, 12)],
)
def test_there_are_as_many_processes_as_memory_holds(gigabytes, jobs, held):
    assert affordable(jobs, gigabytes * 1e9) == held

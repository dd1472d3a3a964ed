"""Workers end with their parent: killed at work or before they have any, whichever thread started them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import psutil
import pytest

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

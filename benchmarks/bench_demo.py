"""The demo as a newcomer has it: minutes until the page, memory of all its processes, size of the page.

`pytest benchmarks/bench_demo.py -s` runs `painkit run 01_deepfacelift --profile demo` with an empty cache:
as on this machine, 5 minutes at most on two quiet cores; and told that it may use 2 GB, as a Binder service
tells its users' servers, and then it may use no more. Memory is the proportional set size, which counts pages
that processes share once, summed over the command and all it starts. PAINKIT_BENCH_NOTEBOOKS (names with
commas between) measures others.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time

import psutil
import pytest

NOTEBOOKS = os.environ.get("PAINKIT_BENCH_NOTEBOOKS", "01_deepfacelift").split(",")
BINDER = 2 * 2**30


def memory(process):
    """Proportional set size in bytes of a process and its descendants."""
    total = 0
    for one in [process, *process.children(recursive=True)]:
        try:
            total += one.memory_full_info().pss
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue  # it just ended
    return total


@pytest.mark.parametrize("told", [{}, {"MEM_LIMIT": str(BINDER)}], ids=["this machine", "binder"])
@pytest.mark.parametrize("notebook", NOTEBOOKS)
def test_demo(notebook, told, tmp_path):
    environment = {**os.environ, "PAINKIT_CACHE": str(tmp_path / "cache"), **told}
    command = [sys.executable, "-m", "painkit", "run", notebook, "--profile", "demo"]
    start, peak = time.perf_counter(), 0
    with (tmp_path / "log").open("w") as log:
        running = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=log, stderr=log)
        process = psutil.Process(running.pid)
        while running.poll() is None:
            peak = max(peak, memory(process))
            time.sleep(0.5)
    seconds = time.perf_counter() - start
    assert running.returncode == 0, (tmp_path / "log").read_text()
    (page,) = (tmp_path / "reports" / f"{notebook}-demo").glob("*.html")
    size = page.stat().st_size / 1e6
    load = os.getloadavg()[0]
    print(
        f"\n{notebook} {told}: {seconds:.0f} s, peak {peak / 1e9:.2f} GB, page {size:.1f} MB, load {load:.1f}"
    )
    assert size < 8
    if told:
        assert peak < BINDER
    else:
        assert seconds < 300

"""Whatever is killed at any moment, and asked for again, ends as if nothing had happened, and leaves nothing.

``PAINKIT_KILLS`` is the number of kills of each work (a night's: 200), ``PAINKIT_KILLS_EACH`` how many of
them one folder gets before it is completed; ``PAINKIT_ATTACKED_SIMULATION`` says profile and images of the
simulation that is killed ("demo thin"), and ``PAINKIT_ATTACK_SEED`` gives other moments.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections.abc import Iterator
from multiprocessing.context import ForkServerContext
from multiprocessing.context import ForkServerProcess as Process
from pathlib import Path

import numpy as np
import psutil
import pytest
from works import WORKS, do_alone, files_below

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL and no sessions on this system")

KILLS = {"simulate": 3, "run": 4, "kept features": 3} | dict.fromkeys(
    ("cohort cache", "FER+ cache", "crop store", "pre-training"), 5
)
EACH = int(os.environ.get("PAINKIT_KILLS_EACH", "4"))


def finish(process: Process, out: Path) -> dict[str, str]:
    process.join(7200)
    assert process.exitcode == 0
    return json.loads(out.with_suffix(".json").read_text())


def living(session: int) -> Iterator[psutil.Process]:
    for process in psutil.process_iter():
        try:
            if os.getsid(process.pid) == session and process.status() != psutil.STATUS_ZOMBIE:
                yield process
        except (ProcessLookupError, psutil.NoSuchProcess):
            pass


def kill(process: Process) -> float:
    """Kill one process; give the seconds until nothing of its session lives."""
    process.kill()
    process.join(60)
    killed = time.monotonic()
    while left := list(living(process.pid)):
        # On an idle machine they are gone in a moment; two seconds and much more on a busy one.
        assert time.monotonic() < killed + 120, f"outlived a kill: {left}"
        time.sleep(0.02)
    return time.monotonic() - killed


@pytest.mark.parametrize("name", WORKS)
def test_killed_at_any_moment_it_ends_as_if_nothing_had_happened(
    name: str, tmp_path: Path, sources: Path, context: ForkServerContext
) -> None:
    def start(out: Path) -> Process:
        out.mkdir(exist_ok=True)
        process = context.Process(target=do_alone, args=(name, out, sources, out.with_suffix(".json")))
        process.start()
        return process

    rng = np.random.default_rng(int(os.environ.get("PAINKIT_ATTACK_SEED", "7")))
    kills = int(os.environ.get("PAINKIT_KILLS", KILLS[name]))
    begun = time.monotonic()
    undisturbed = finish(start(tmp_path / "undisturbed"), tmp_path / "undisturbed")
    first = longest = time.monotonic() - begun
    names = [
        str(path.relative_to(tmp_path / "undisturbed")) for path in files_below(tmp_path / "undisturbed")
    ]
    landed, campaigns, outlived = 0, 0, []
    while landed < kills:
        out = tmp_path / f"killed{campaigns}"
        for _ in range(min(EACH, kills - landed)):
            process = start(out)
            process.join(rng.uniform(0, 3.2 / EACH * longest))  # what was done stays done
            if process.exitcode is not None:
                longest *= 0.9  # it was done sooner: the machine is quicker than it was
                break
            longest = min(1.05 * longest, first)
            outlived.append(kill(process))
            landed += 1
        assert finish(start(out), out) == undisturbed
        assert [str(path.relative_to(out)) for path in files_below(out)] == names, "leftovers"
        shutil.rmtree(out)
        campaigns += 1
    told = (
        f"{name}: {landed} kills in {campaigns} campaigns, the last process gone {max(outlived):.2f} s later"
    )
    print(told)  # noqa: T201

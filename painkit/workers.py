"""Processes that work for this one: as many as memory holds, and they end with it, however it ends."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

__all__ = ["affordable", "ending_together", "memory_limit"]

#: Of one process that fits estimators, most of it torch itself.
PROCESS_BYTES: Final = 1_000_000_000

_PR_SET_PDEATHSIG = 1
_LOOK_EVERY = 0.2  # seconds


def affordable(jobs: int, limit: float | None = None) -> int:
    """Of so many processes at a time, as many as memory holds beside the one that starts them.

    Parameters
    ----------
    jobs : int
    limit : float, optional
        Bytes; default `memory_limit`.

    Returns
    -------
    int
        From 1 to `jobs`.
    """
    beside = (memory_limit() if limit is None else limit) // PROCESS_BYTES - 1
    return int(max(1, min(jobs, beside)))


def memory_limit(system: Path = Path("/")) -> float:
    """Bytes that this process and its workers may use; infinite where nobody says.

    What JupyterHub, and so Binder, gives a user (``MEM_LIMIT``), what Linux gives the control group, as
    containers and clusters set it, or the machine's memory: the smallest.

    Parameters
    ----------
    system : path
        Where ``proc`` and ``sys`` lie.
    """
    told = [os.environ.get("MEM_LIMIT", ""), *_of_control_groups(system)]
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        told.append(str(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")))
    return min((float(number) for number in told if number.isdecimal()), default=float("inf"))


def _of_control_groups(system: Path) -> Iterator[str]:
    try:
        groups = (system / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return
    for number, controllers, group in (line.split(":", 2) for line in groups):
        if number == "0":  # of version 2
            top, name = system / "sys/fs/cgroup", "memory.max"
        elif "memory" in controllers.split(","):
            top, name = system / "sys/fs/cgroup/memory", "memory.limit_in_bytes"
        else:
            continue
        # A limit of a group above holds, too. Inside a container its own group is the top.
        place = top / group.lstrip("/")
        for folder in (place, *place.parents):
            if folder == top or top in folder.parents:
                try:
                    yield (folder / name).read_text().strip()
                except OSError:
                    continue


def ending_together() -> dict[str, Any]:
    """Settings of a pool of processes, whose workers then do not outlive the process that calls this.

    As in ``ProcessPoolExecutor(jobs, **ending_together())`` and in joblib's ``parallel_config``. A worker
    looks before it does anything else: one whose parent died while it was being started ends at once.

    Returns
    -------
    dict
        ``initializer`` and ``initargs``.
    """
    return {
        "initializer": _end_with,
        "initargs": (os.getpid(), threading.current_thread() is threading.main_thread()),
    }


def _end_with(parent: int, started_by_main_thread: bool) -> None:
    # To Linux the end of the *thread* that started a worker is the parent's, so this is asked for only where
    # that thread ends with the process.
    if sys.platform == "linux" and started_by_main_thread:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_LOOK_EVERY)
        os._exit(1)

    if os.getppid() != parent:  # it died before the line above
        os._exit(1)
    threading.Thread(target=watch, name="end with parent", daemon=True).start()

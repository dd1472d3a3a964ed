"""Processes that work for this one end with it, however it ends."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time
from typing import Any

__all__ = ["ending_together"]

_PR_SET_PDEATHSIG = 1
_LOOK_EVERY = 0.2  # seconds


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

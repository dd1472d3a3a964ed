"""Estimation over more frames than fit into memory."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

PEAK = """
    import sys
    import numpy as np
    from painkit.models.acceleration import choose_acceleration
    from painkit.models.face_net import PainNet
    from painkit.models.face_training import estimate_crops

    crops, net = np.zeros((128, 112, 96, 3), np.uint8), PainNet(1 / 16)
    acceleration = choose_acceleration("cpu", "float32")
    estimate_crops(net, net, lambda part: crops[part.start % 128 :][: part.stop - part.start],
                   int(sys.argv[1]), acceleration=acceleration)
    with open("/proc/self/status") as lines:
        print(next(line.split()[1] for line in lines if line.startswith("VmHWM:")))
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from Linux's /proc")
def test_memory_is_flat_in_the_number_of_frames_estimated() -> None:
    """Kept results that lie between the net's large buffers hold the heap open: 83 kB a frame was seen."""
    peak = {}
    for n in (1000, 3000):
        command = [sys.executable, "-c", textwrap.dedent(PEAK), str(n)]
        peak[n] = 1024 * int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    assert (peak[3000] - peak[1000]) / 2000 < 20_000

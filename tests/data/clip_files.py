"""Writes small videos."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np


def write_clip(path: Path, numbers: Iterable[int], *, options: dict[str, str] | None = None) -> None:
    """Frames of eight grey blocks that spell the number in binary; time stamps follow the numbers."""
    with av.open(str(path), "w", options=options or {}) as container:
        stream = container.add_stream("h264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p"
        stream.time_base = Fraction(1, 25)
        stream.options = {"g": "12", "bf": "2"}
        for number in numbers:
            bits = [(number >> k) & 1 for k in range(8)]
            row = np.repeat(np.array(bits, np.uint8) * 180 + 30, 16)
            picture = np.repeat(np.tile(row, (96, 1))[..., None], 3, axis=2)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))

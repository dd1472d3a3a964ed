"""Small videos whose frames carry their number in their grey values."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray


def write_clip(
    path: Path,
    numbers: Iterable[int],
    *,
    size: tuple[int, int] = (96, 128),
    options: dict[str, str] | None = None,
) -> None:
    """Frames of eight grey blocks that spell the number in binary; time stamps follow the numbers."""
    with av.open(str(path), "w", options=options or {}) as container:
        stream = container.add_stream("h264", rate=25)
        height, width = size
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.time_base = Fraction(1, 25)
        stream.options = {"g": "12", "bf": "2"}
        for number in numbers:
            bits = [(number >> k) & 1 for k in range(8)]
            row = np.repeat(np.array(bits, np.uint8) * 180 + 30, width // 8)
            picture = np.repeat(np.tile(row, (height, 1))[..., None], 3, axis=2)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def number_of(picture: NDArray[np.uint8]) -> int:
    """The number that a frame spells."""
    middle = picture[picture.shape[0] // 2 - 8 :][:16, :, 1].reshape(16, 8, -1)
    values = middle[:, :, 4:-4].mean(axis=(0, 2))
    return int(sum(1 << k for k in range(8) if values[k] > 120))

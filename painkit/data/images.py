"""Image files: decoding, and finding black frames without decoding them all."""

from __future__ import annotations

import os
import struct
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from painkit.errors import PainkitError

__all__ = ["BLACK_LEVEL", "black_among", "is_black", "read_image"]

#: A frame is black when 99 % of its pixels are below this grey value (16 of 255 is video black).
BLACK_LEVEL = 17


def read_image(path: str | os.PathLike[str], *, gray: bool = False) -> NDArray[np.uint8]:
    """Decode an image file.

    Returns
    -------
    (height, width, 3) uint8 RGB, or (height, width) when `gray`

    Raises
    ------
    PainkitError
        When the file cannot be opened or is no whole image.
    """
    import cv2  # Loaded on use: labels and landmarks alone need neither its time nor its memory.

    try:
        data = np.fromfile(path, dtype=np.uint8)
    except (OSError, ValueError) as error:
        raise PainkitError(
            f"could not be read: {getattr(error, 'strerror', None) or error}", where=path
        ) from error
    flag = cv2.IMREAD_GRAYSCALE if gray else cv2.IMREAD_COLOR_RGB
    try:
        image = cv2.imdecode(data, flag) if len(data) else None
    except cv2.error:
        image = None
    if image is None:
        raise PainkitError(
            f"is no whole image ({len(data)} bytes)", where=path, expected="a PNG or JPEG file"
        )
    return np.asarray(image, dtype=np.uint8)


def is_black(gray: NDArray[np.uint8]) -> bool:
    """Whether 99 % of the pixels are below `BLACK_LEVEL`."""
    return bool(np.percentile(gray, 99) < BLACK_LEVEL)


def black_among(
    paths: Sequence[str], sizes: NDArray[np.int64], jobs: int = 2
) -> dict[int, bool | PainkitError]:
    """Which of many image files are black, decoding only those that may be.

    A black frame compresses to next to nothing: among compressed images only files below half the median
    size, or below a fiftieth of the uncompressed size, are decoded. Where the files are not compressed, their
    size says nothing and all are.

    Parameters
    ----------
    paths, sizes : n file names and their bytes
    jobs : int
        Threads.

    Returns
    -------
    dict
        Index of each file that was decoded to whether it is black, or to the error of a damaged file.
    """
    if not paths:
        return {}
    middle = int(np.argsort(sizes)[len(sizes) // 2])
    raw = _raw_bytes(paths[middle])
    limit = max(0.5 * sizes[middle], 0.02 * raw) if sizes[middle] < 0.9 * raw else np.inf
    tried = np.flatnonzero(sizes < limit)
    with ThreadPoolExecutor(jobs) as pool:
        return dict(zip(tried.tolist(), pool.map(_look, [paths[i] for i in tried.tolist()]), strict=True))


def _look(path: str) -> bool | PainkitError:
    try:
        return is_black(read_image(path, gray=True))
    except PainkitError as error:
        return error


def _raw_bytes(path: str) -> float:
    """Bytes of a PNG's pixels before compression; 0, so that all are decoded, for anything else."""
    try:
        with open(path, "rb") as file:
            head = file.read(29)
    except OSError:
        return 0.0
    if len(head) < 29 or not head.startswith(b"\x89PNG"):
        return 0.0
    width, height, depth, color = struct.unpack(">IIBB", head[16:26])
    return float(width * height * depth / 8 * {2: 3, 4: 2, 6: 4}.get(color, 1))

"""Image files: decoding, and finding black frames without decoding them all."""

from __future__ import annotations

import os
import struct
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from painkit.errors import PainkitError
from painkit.files import open_at_once, read_file

__all__ = ["BLACK_LEVEL", "IMAGE_ENDINGS", "LIMIT_PIXELS", "black_among", "is_black", "read_image"]

#: Of the files that `read_image` takes, in any case.
IMAGE_ENDINGS = (".png", ".jpg", ".jpeg", ".bmp")
#: An image of more pixels (8192 x 8192) is not decoded: a small file can announce one that fills the memory.
LIMIT_PIXELS = 1 << 26

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
        When the file cannot be opened, is no whole PNG, JPEG or BMP image, or has more than `LIMIT_PIXELS`.
    """
    import cv2  # Loaded on use: labels and landmarks alone need neither its time nor its memory.

    content = read_file(path)
    height, width = _announced_size(content) or (0, 0)
    if height * width > LIMIT_PIXELS:
        raise PainkitError(
            f"is an image of {width:,} x {height:,} pixels",
            where=path,
            expected=f"at most {LIMIT_PIXELS:,} pixels",
        )
    data = np.frombuffer(content, dtype=np.uint8)
    flag = cv2.IMREAD_GRAYSCALE if gray else cv2.IMREAD_COLOR_RGB
    try:
        image = cv2.imdecode(data, flag) if height * width else None
    except cv2.error:
        image = None
    if image is None:
        raise PainkitError(
            f"is no whole image ({len(data)} bytes)", where=path, expected="a PNG, JPEG or BMP file"
        )
    return np.asarray(image, dtype=np.uint8)


def _announced_size(data: bytes) -> tuple[int, int] | None:
    """Height and width as an image's header tells; None for other data."""
    if data.startswith(b"\x89PNG\r\n\x1a\n") and len(data) >= 24:
        width, height = struct.unpack(">II", data[16:24])
        return height, width
    if data.startswith(b"BM") and len(data) >= 26:
        width, height = struct.unpack("<ii", data[18:26])
        return abs(height), abs(width)  # rows may be stored from the top
    at = 2 if data.startswith(b"\xff\xd8") else len(data)
    while at + 9 <= len(data):  # JPEG: one segment after the other, up to the one that begins a frame
        mark, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4])
        if data[at] != 0xFF or (length < 2 and mark != 0xFF):
            return None
        if 0xC0 <= mark <= 0xCF and mark not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack(">HH", data[at + 5 : at + 9])
            return height, width
        at += 1 if mark == 0xFF else 2 + length  # a segment may be led in by further bytes FF
    return None


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
    """Bytes of an image's pixels before compression; 0, so that all are decoded, for anything else."""
    try:
        with open(path, "rb", opener=open_at_once) as file:
            head = file.read(1 << 16)
    except OSError:
        return 0.0
    size = _announced_size(head)
    if size is None or head.startswith(b"BM") or len(head) < 26:
        return 0.0
    bits = 24
    if head.startswith(b"\x89PNG"):
        bits = head[24] * {2: 3, 4: 2, 6: 4}.get(head[25], 1)
    return size[0] * size[1] * bits / 8

"""Image files: kinds, sizes, limits."""

from __future__ import annotations

import struct
import zlib

import cv2
import numpy as np
import pytest

from painkit.data.images import LIMIT_PIXELS, black_among, read_image
from painkit.errors import PainkitError


def encoded(ending, pixels):
    return cv2.imencode(ending, pixels[..., ::-1])[1].tobytes()


def announcing(content, width, height):
    """The same image file with another size in its header."""
    if content.startswith(b"\x89PNG"):
        head = struct.pack(">4sII", b"IHDR", width, height) + content[24:29]
        return content[:12] + head + struct.pack(">I", zlib.crc32(head)) + content[33:]
    if content.startswith(b"BM"):
        return content[:18] + struct.pack("<ii", width, -height) + content[26:]
    at = content.index(b"\xff\xc0") + 5
    return content[:at] + struct.pack(">HH", height, width) + content[at + 4 :]


@pytest.mark.parametrize("ending", [".png", ".bmp", ".jpg"])
def test_images_are_read_and_giants_are_refused_before_they_are_decoded(tmp_path, noise, ending):
    pixels = cv2.GaussianBlur(noise(1), (0, 0), 3)
    path = tmp_path / "image"
    path.write_bytes(encoded(ending, pixels))
    np.testing.assert_allclose(read_image(path).astype(int), pixels, atol=0 if ending != ".jpg" else 25)
    path.write_bytes(announcing(encoded(ending, pixels), 32_000, 33_000))
    with pytest.raises(PainkitError, match=rf"of 32,000 x 33,000 pixels \(expected at most {LIMIT_PIXELS:,}"):
        read_image(path)


@pytest.mark.parametrize(
    "content", [b"", b"GIF89a", b"\x89PNG\r\n\x1a\n", b"BM", b"\xff\xd8\xff", b"\xff\xd8" * 20]
)
def test_what_is_no_image(tmp_path, content):
    path = tmp_path / "image"
    path.write_bytes(content)
    with pytest.raises(PainkitError, match="is no whole image"):
        read_image(path)


def test_a_jpeg_with_much_before_its_size(tmp_path, noise):
    content = encoded(".jpg", noise(1))
    comment = b"\xff\xff\xfe" + struct.pack(">H", 60_000) + bytes(59_998)
    path = tmp_path / "image"
    path.write_bytes(content[:2] + comment + content[2:])
    assert read_image(path).shape == (48, 64, 3)


def test_of_many_jpegs_only_small_ones_are_decoded(tmp_path, noise):
    paths = [tmp_path / f"{k}.jpg" for k in range(5)]
    for k, path in enumerate(paths):
        path.write_bytes(encoded(".jpg", noise(k) if k != 3 else noise(k) // 30))
    sizes = np.array([path.stat().st_size for path in paths])
    assert black_among([str(path) for path in paths], sizes) == {3: True}

"""The crop store: what it holds, what it survives, what it costs."""

from __future__ import annotations

import copy
import pickle
import signal
import subprocess
import sys
import textwrap
import tracemalloc
from pathlib import Path

import cv2
import numpy as np
import psutil
import pytest
from numpy.typing import NDArray

from painkit.data.crop_building import build_crop_store
from painkit.data.crop_store import CropStore, _read
from painkit.data.images import read_image
from painkit.errors import PainkitError
from painkit.faces.alignment import TEMPLATE
from painkit.faces.crops import FaceCrop


def landmarks_at(x: float, y: float) -> NDArray[np.float64]:
    """A 66-point face that is the template moved to (x, y)."""
    points = np.tile(TEMPLATE.mean(axis=0), (66, 1))
    points[36:42], points[42:48], points[[30, 48, 54]] = TEMPLATE[0], TEMPLATE[1], TEMPLATE[2:]
    return points + np.array([x, y])


def noise_image(i: int) -> NDArray[np.uint8]:
    return np.random.default_rng(i).integers(0, 256, (240, 320, 3), dtype=np.uint8)


@pytest.fixture
def few(tmp_path: Path) -> CropStore:
    points = np.stack([landmarks_at(20 + 3 * i, 10 + i) for i in range(12)])
    points[4] = np.nan
    points[7] += 5000

    def read(i: int) -> NDArray[np.uint8]:
        if i == 9:
            raise PainkitError("is no whole image")
        return noise_image(i)

    return build_crop_store(
        read, points, tmp_path, content="few", rows=np.arange(11), progress=False, simulated=True
    )


def test_crops_are_those_of_each_image(few: CropStore) -> None:
    for i in (0, 5, 10):
        whole = noise_image(i)[10 + i : 122 + i, 20 + 3 * i : 116 + 3 * i]
        # A pure shift by whole pixels resamples nothing.
        np.testing.assert_array_equal(few.batch([i])[0], whole)


def test_frames_without_a_face_are_masked_and_counted(few: CropStore) -> None:
    assert few.description["counts"] == [1, 8, 2, 1]
    assert np.flatnonzero(~few.usable).tolist() == [4, 7, 9, 11]
    assert np.load(few.folder / "crops.npy")[[4, 7, 9, 11]].max() == 0
    assert few.description["simulated"] is True
    with pytest.raises(PainkitError, match="1 of 2 frames have no crop, first row 9"):
        few.batch([0, 9])
    with pytest.raises(PainkitError, match="row 12 asked of a store of 12"):
        few.batch([12])


@pytest.mark.parametrize("name", ["crops.npy", "status.npy", "digests.npy", "store.json", "digests.json"])
def test_a_damaged_store_is_told(name: str, few: CropStore) -> None:
    content = (few.folder / name).read_bytes()
    flipped = bytearray(content)
    flipped[-40_000 if name == "crops.npy" else -1] ^= 4  # the last crop is of a frame not asked for
    for damaged in (b"", b"{no store", content[:-5], flipped):
        (few.folder / name).write_bytes(damaged)
        with pytest.raises(PainkitError, match="is damaged"):
            CropStore(few.folder).batch([0, 10])
    (few.folder / name).unlink()
    with pytest.raises(PainkitError, match=r"is damaged|no finished crop store"):
        CropStore(few.folder).batch([0])


def test_a_damaged_crop_is_told_and_the_store_is_made_anew(tmp_path: Path) -> None:
    points = np.stack([landmarks_at(20, 10)] * 4)

    def build() -> CropStore:
        return build_crop_store(noise_image, points, tmp_path, content="x", progress=False)

    store = build()
    whole = store.batch(slice(0, 4))
    with (store.folder / "crops.npy").open("rb+") as file:
        file.seek(-1, 2)
        file.write(bytes([whole[3, -1, -1, -1] ^ 1]))
    fresh = pickle.loads(pickle.dumps(store))  # noqa: S301
    _read.cache_clear()  # as in a process that has not read it
    np.testing.assert_array_equal(fresh.batch([0, 1, 2]), whole[:3])
    with pytest.raises(PainkitError, match=r"crops\.npy: is damaged: the crop of row 3"):
        fresh.batch([2, 3])
    with pytest.warns(UserWarning, match="it is made anew"):
        again = build()
    np.testing.assert_array_equal(again.batch(slice(0, 4)), whole)


def test_a_crop_that_was_damaged_after_a_kill_is_made_again(tmp_path: Path) -> None:
    points = np.stack([landmarks_at(20, 10)] * 6)
    reads: list[int] = []

    def read(i: int) -> NDArray[np.uint8]:
        reads.append(i)
        if i == 5:
            raise PainkitError("is no image")
        return noise_image(i)

    def build() -> CropStore:
        return build_crop_store(read, points, tmp_path, content="x", jobs=1, progress=False)

    store = build()
    whole = store.batch(slice(0, 5))
    part = tmp_path / f".{store.folder.name}.part"
    store.folder.rename(part)
    for name, row, value in (("crops", 2, 7), ("status", 1, 2), ("status", 5, 2), ("digests", 4, 9)):
        array = np.lib.format.open_memmap(part / f"{name}.npy", mode="r+")
        array[row] = value
        array.flush()
    reads.clear()
    again = build()
    assert reads == [1, 2, 4, 5]
    assert again.status.tolist() == [1, 1, 1, 1, 1, 3]
    np.testing.assert_array_equal(again.batch(slice(0, 5)), whole)
    again.folder.rename(part)
    (part / "status.npy").write_bytes(b"no array")
    assert build().status.tolist() == [1, 1, 1, 1, 1, 3]


def test_room_on_the_disk_is_taken_for_the_frames_that_are_wanted(tmp_path: Path) -> None:
    n, rows = 2000, [3, 4, 1500]
    store = build_crop_store(
        noise_image, np.stack([landmarks_at(20, 10)] * n), tmp_path, content="x", rows=rows, progress=False
    )
    taken = (store.folder / "crops.npy").stat()
    if taken.st_blocks * 512 == 0:
        pytest.skip("this file system does not tell what room a file takes")
    assert taken.st_size > n * 112 * 96 * 3
    assert len(rows) * 112 * 96 * 3 <= taken.st_blocks * 512 < 50 * 112 * 96 * 3


def test_batches_are_slices(few: CropStore) -> None:
    np.testing.assert_array_equal(few.batch(slice(0, 3)), few.batch([0, 1, 2]))
    np.testing.assert_array_equal(few.batch([3, 3, 1]), few.batch([3, 3, 1, 0])[:3])
    assert few.batch([]).shape == (0, 112, 96, 3)


def test_store_travels_light(few: CropStore) -> None:
    few.status  # noqa: B018
    assert len(pickle.dumps(few)) < 2000
    np.testing.assert_array_equal(copy.deepcopy(few).batch([2]), few.batch([2]))


def test_key_follows_content_and_crop_and_a_finished_store_is_not_read_again(tmp_path: Path) -> None:
    points = np.stack([landmarks_at(10, 10)] * 3)
    reads: list[int] = []

    def read(i: int) -> NDArray[np.uint8]:
        reads.append(i)
        return noise_image(i)

    def build(content: str, crop: FaceCrop) -> CropStore:
        return build_crop_store(read, points, tmp_path, content=content, crop=crop, progress=False)

    first = build("a", FaceCrop())
    assert build("a", FaceCrop()).fingerprint == first.fingerprint
    assert sorted(reads) == [0, 1, 2]
    keys = {first.fingerprint, build("b", FaceCrop()).fingerprint, build("a", FaceCrop("box")).fingerprint}
    keys.add(build("a", FaceCrop("box", side=64)).fingerprint)
    assert len(keys) == 4
    assert len(reads) == 12


def test_thread_count_does_not_change_the_crops(tmp_path: Path) -> None:
    points = np.stack([landmarks_at(10 + 0.3 * i, 10) for i in range(40)])
    stores = [
        build_crop_store(noise_image, points, tmp_path / str(jobs), content="x", jobs=jobs, progress=False)
        for jobs in (1, 4)
    ]
    np.testing.assert_array_equal(*(store.batch(slice(0, 40)) for store in stores))


KILLED = """
    import os, signal, sys
    sys.path.insert(0, {here!r})
    import painkit.data.crop_building as building
    from test_crop_store import landmarks_at, noise_image
    import numpy as np

    building._CHUNK = 8
    points = np.stack([landmarks_at(i, 5) for i in range(40)])

    def read(i):
        if i == 21:
            os.kill(os.getpid(), signal.SIGKILL)
        return noise_image(i)

    building.build_crop_store(read, points, sys.argv[1], content="k", progress=False)
"""


def test_a_killed_build_goes_on(tmp_path: Path) -> None:
    script = textwrap.dedent(KILLED.format(here=str(Path(__file__).parent)))
    killed = subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=False)
    assert killed.returncode == -signal.SIGKILL
    (place,) = (path for path in tmp_path.iterdir() if path.is_dir())
    with pytest.raises(PainkitError, match="no finished crop store"):
        CropStore(place)
    done = int((np.load(place / "status.npy") == 1).sum())
    assert done == 16
    reads: list[int] = []

    def read(i: int) -> NDArray[np.uint8]:
        reads.append(i)
        return noise_image(i)

    points = np.stack([landmarks_at(i, 5) for i in range(40)])
    store = build_crop_store(read, points, tmp_path, content="k", progress=False)
    assert sorted(reads) == list(range(16, 40))
    whole = build_crop_store(noise_image, points, tmp_path / "whole", content="k", progress=False)
    np.testing.assert_array_equal(store.batch(slice(0, 40)), whole.batch(slice(0, 40)))


@pytest.fixture
def bad_images(tmp_path: Path) -> list[Path]:
    """A good picture in every colour mode, then files that hold none."""
    color = cv2.GaussianBlur(noise_image(0), (0, 0), 5)
    gray = np.ascontiguousarray(color[..., 0])
    kinds = {
        "color.png": color,
        "gray.png": gray,
        "rgba.png": np.dstack([color, np.full(gray.shape, 255, np.uint8)]),
        "deep.png": color.astype(np.uint16) * 257,
    }
    for name, image in kinds.items():
        cv2.imwrite(str(tmp_path / name), image)
    whole = (tmp_path / "color.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(whole[: len(whole) // 3])
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "text.png").write_text("no image")
    return [tmp_path / n for n in (*kinds, "cut.png", "empty.png", "text.png", "absent.png")]


def test_colour_modes_are_read_and_bad_files_are_masked(bad_images: list[Path], tmp_path: Path) -> None:
    points = np.stack([landmarks_at(40, 30)] * len(bad_images))
    store = build_crop_store(
        lambda i: read_image(bad_images[i]), points, tmp_path / "store", content="bad", progress=False
    )
    assert store.usable[:4].all()
    assert store.description["counts"] == [0, 4, 0, 4]
    color, gray, rgba, deep = store.batch(slice(0, 4))
    np.testing.assert_array_equal(color, rgba)
    np.testing.assert_array_equal(color, deep)
    # The grey file holds OpenCV's first channel, blue, which is last in RGB.
    np.testing.assert_array_equal(gray, np.repeat(color[..., 2:], 3, axis=2))


def mapped(name: str) -> int:
    """Resident bytes of what this process has mapped of files of that name."""
    return sum(part.rss for part in psutil.Process().memory_maps(grouped=False) if part.path.endswith(name))


@pytest.mark.skipif(sys.platform != "linux", reason="what is mapped is read from Linux's /proc")
def test_a_store_is_never_held_whole(tmp_path: Path) -> None:
    """Neither in arrays nor in mapped pages: far less than half of it at any time of building and reading."""
    n, image, seen = 3000, noise_image(0), []

    def read(i: int) -> NDArray[np.uint8]:
        if i % 50 == 0:
            seen.append(mapped("crops.npy"))
        return image

    points = np.broadcast_to(landmarks_at(40, 30), (n, 66, 2))
    tracemalloc.start()
    try:
        store = build_crop_store(read, points, tmp_path, content="p", progress=False)
        for start in range(0, n, 64):
            store.batch(slice(start, start + 64))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    whole = n * 112 * 96 * 3
    assert peak < whole / 2
    assert 0 < max(seen) < whole / 2
    assert mapped("crops.npy") == 0

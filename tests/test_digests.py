"""A byte that changed in a sealed folder is told, whichever it is."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from painkit.digests import check_seal, read_sealed, seal, sign, signed
from painkit.errors import PainkitError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "place"
    (place / "below").mkdir(parents=True)
    (place / "a.txt").write_text("content of a")
    (place / "below" / "b.bin").write_bytes(bytes(range(256)))
    (place / "large.npy").write_bytes(b"checked elsewhere")
    seal(place, "key", apart=["large.npy"])
    return place


def test_every_flipped_bit_of_every_file_is_told(folder: Path) -> None:
    check_seal(folder, "key")
    rng = np.random.default_rng(0)
    for name in ("a.txt", "below/b.bin", "digests.json"):
        content = bytearray((folder / name).read_bytes())
        for at, bit in zip(rng.integers(len(content), size=60), rng.integers(8, size=60), strict=True):
            content[at] ^= 1 << bit
            (folder / name).write_bytes(content)
            with pytest.raises(PainkitError, match=r"is damaged|is of"):
                check_seal(folder, "key")
            content[at] ^= 1 << bit
        (folder / name).write_bytes(content)
    check_seal(folder, "key")


@pytest.mark.parametrize("name", ["a.txt", "below/b.bin", "digests.json"])
def test_files_that_are_cut_or_gone_or_no_files_are_named(folder: Path, name: str) -> None:
    path = folder / name
    content = path.read_bytes()
    for damage in (content[:-1], b"", None):
        path.unlink(missing_ok=True)
        if damage is None:
            path.mkdir()
        else:
            path.write_bytes(damage)
        with pytest.raises(PainkitError, match=f"{name}: is damaged"):
            check_seal(folder, "key")


def test_folders_that_changed_places_are_told(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(folder, other)
    seal(other, "another key")
    check_seal(other, "another key")
    with pytest.raises(PainkitError, match=r"is of 'another key' .*expected 'key'"):
        check_seal(other, "key")


def test_what_is_checked_elsewhere_and_what_was_added_does_not_count(folder: Path) -> None:
    (folder / "large.npy").write_bytes(b"x")
    (folder / ".DS_Store").write_bytes(b"x")
    check_seal(folder, "key")


def test_one_file_is_read_and_checked(folder: Path) -> None:
    assert read_sealed(folder, "a.txt", "key") == b"content of a"
    (folder / "a.txt").write_text("content of b")
    assert read_sealed(folder, "below/b.bin", "key") == bytes(range(256))
    for name in ("a.txt", "large.npy", "nothing"):
        with pytest.raises(PainkitError, match=f"{name}: is damaged"):
            read_sealed(folder, name, "key")


def test_some_files_of_a_folder_can_be_sealed(folder: Path) -> None:
    seal(folder, names=["a.txt"])
    (folder / "below" / "b.bin").unlink()
    check_seal(folder)


@pytest.mark.parametrize(
    "content", [b"null", b"[]", b'{"of": "key"}', b'{"of": "key", "files": 1}', b"[" * 10**5]
)
def test_a_seal_that_is_none_is_told(folder: Path, content: bytes) -> None:
    (folder / "digests.json").write_bytes(content)
    with pytest.raises(PainkitError, match=r"digests\.json: is damaged"):
        check_seal(folder, "key")


def test_a_signed_text_tells_a_change() -> None:
    content = sign("seed: 1\nname: é\n").encode()
    assert signed(content)
    for at in range(len(content)):
        for bit in range(8):
            changed = content[:at] + bytes([content[at] ^ 1 << bit]) + content[at + 1 :]
            assert not signed(changed)
    assert not any(signed(content[:n]) for n in range(len(content)))

"""The cache: gives the same cohort, notices every change, survives damage."""

from __future__ import annotations

import os
import pickletools

import numpy as np
import pandas as pd
import pytest
from archive_files import OTHER, OTHER_SEQUENCE, SEQUENCE, SUBJECT

from painkit.data import load, text, unbc
from painkit.files import cache_folder


def read(archive):
    return load("unbc", archive.root, progress=False)


@pytest.fixture
def reads(monkeypatch):
    """Counts how often sequences were parsed."""
    count = []
    real = unbc.read_sequence

    def counted(*args):
        count.append(args[:2])
        return real(*args)

    monkeypatch.setattr(unbc, "read_sequence", counted)
    return count


def same(a, b):
    for table in ("subjects", "sequences", "frames", "findings"):
        pd.testing.assert_frame_equal(getattr(a, table), getattr(b, table))
    np.testing.assert_array_equal(a.landmarks, b.landmarks)
    for name in ("name", "root", "simulated", "fingerprint", "notes"):
        assert getattr(a, name) == getattr(b, name)


def test_second_open_parses_nothing_and_is_equal(archive, reads):
    archive.path("landmarks", SUBJECT, SEQUENCE, 2).unlink()
    first = read(archive)
    assert len(reads) == 2
    same(first, read(archive))
    assert len(reads) == 2


def test_every_change_of_the_folder_is_read(archive, reads):
    def edit_in_place():
        path = archive.path("PSPI", OTHER, OTHER_SEQUENCE, 1)
        path.write_text(path.read_text().replace("0.0", "1.0"))  # same length
        os.utime(path, ns=(1, path.stat().st_mtime_ns + 1))

    changes = [
        edit_in_place,
        lambda: archive.frame(OTHER, OTHER_SEQUENCE, 4),
        archive.path("landmarks", SUBJECT, SEQUENCE, 4).unlink,
        lambda: archive.label("VAS", SUBJECT, SEQUENCE, 2),
        lambda: (archive.root / "subjects.csv").write_text("subject,gender,age,complexion\n"),
    ]
    for change in changes:
        before = len(reads)
        change()
        fresh = read(archive)
        assert len(reads) > before
        same(fresh, load("unbc", archive.root, cache=False, progress=False))


def test_damaged_caches_are_built_again(archive, private_cache, reads):
    whole = read(archive)
    files = sorted(private_cache.glob("cohorts/*/[!.]*/*"))
    tables = {f"{name}.parquet" for name in ("subjects", "sequences", "frames", "findings")}
    assert {path.name for path in files} == tables | {"cohort.json", "landmarks.npy", "digests.json"}
    for path in files:
        content = path.read_bytes()
        for damaged in (content[: len(content) // 2], b"", content[:-1] + bytes([content[-1] ^ 1]), None):
            before = len(reads)
            if damaged is None:
                path.unlink()
            else:
                path.write_bytes(damaged)
            with pytest.warns(UserWarning, match=f"{path.name}: is damaged.*it is made anew"):
                same(whole, read(archive))
            assert len(reads) == before + 2, path


def test_old_state_and_interrupted_writes_do_not_pile_up(archive, private_cache):
    read(archive)
    archive.frame(OTHER, OTHER_SEQUENCE, 4)
    read(archive)
    assert len(list(private_cache.glob("cohorts/*/[!.]*"))) == 1
    assert not list(private_cache.rglob("*.part"))


def test_a_cache_that_cannot_be_written_costs_nothing_but_time(archive, private_cache, monkeypatch):
    (private_cache / "cohorts").write_text("a file is in the way")
    with pytest.warns(UserWarning, match="the cache .*could not be written"):
        cohort = read(archive)
    same(cohort, load("unbc", archive.root, cache=False, progress=False))


def test_no_pickle_on_disk(archive, private_cache):
    read(archive)
    for path in private_cache.rglob("*"):
        if path.is_file():
            with pytest.raises(ValueError, match=r"."):
                list(pickletools.genops(path.read_bytes()))
            assert not path.read_bytes().startswith(b"\x80")


def test_cache_folder(monkeypatch, tmp_path):
    assert str(cache_folder()) == os.environ["PAINKIT_CACHE"]
    monkeypatch.delenv("PAINKIT_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "painkit"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / ".cache" / "painkit"


def test_content_decides_the_fingerprint_not_the_place(archive, tmp_path):
    fingerprint = read(archive).fingerprint
    archive.root.rename(tmp_path / "elsewhere")
    archive.root = tmp_path / "elsewhere"
    assert read(archive).fingerprint == fingerprint
    assert text.parse_number(archive.path("PSPI", SUBJECT, SEQUENCE, 2).read_bytes(), 0, 16) == 10
    archive.path("PSPI", SUBJECT, SEQUENCE, 2).write_text("11")
    assert read(archive).fingerprint != fingerprint

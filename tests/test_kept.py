"""What is made once: by whom, how often, and what a kill leaves."""

from __future__ import annotations

import errno
import multiprocessing
import os
import signal
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest
from filelock import FileLock, Timeout

from painkit.errors import PainkitError
from painkit.kept import cached, kept, opened


def test_made_once_and_read_ever_after(tmp_path: Path) -> None:
    made: list[Path] = []

    def make(folder: Path) -> None:
        made.append(folder)
        (folder / "a.txt").write_text("1")

    for _ in range(2):
        assert (kept(tmp_path / "x", "key", make) / "a.txt").read_text() == "1"
    assert len(made) == 1
    assert sorted(p.name for p in (tmp_path / "x").iterdir() if p.is_dir()) == ["key"]


@pytest.mark.parametrize(("resumable", "seen"), [(False, []), (True, ["half"])])
def test_a_failed_make_leaves_nothing_under_the_key(tmp_path: Path, resumable: bool, seen: list[str]) -> None:
    def fail(folder: Path) -> None:
        (folder / "half").touch()
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        kept(tmp_path, "key", fail, resumable=resumable)
    assert not (tmp_path / "key").exists()
    found: list[str] = []
    kept(tmp_path, "key", lambda folder: found.extend(p.name for p in folder.iterdir()), resumable=resumable)
    assert found == seen


def _killed(folder: Path) -> None:
    (folder / "half").touch()
    os.kill(os.getpid(), signal.SIGKILL)


def _made_again(folder: Path) -> None:
    raise AssertionError("made a second time")


def _ask(parent: Path, asking: Event) -> None:
    asking.set()
    kept(parent, "key", _made_again)


def test_two_processes_make_it_once_and_a_killed_one_frees_the_lock(tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    dead = spawn.Process(target=kept, args=(tmp_path, "key", _killed))
    dead.start()
    dead.join()
    assert dead.exitcode == -signal.SIGKILL
    asking = spawn.Event()
    other = spawn.Process(target=_ask, args=(tmp_path, asking))

    def make(folder: Path) -> None:
        with pytest.raises(Timeout):
            FileLock(tmp_path / ".key.lock", timeout=0).acquire()
        other.start()
        while not asking.wait(0.1):
            assert other.is_alive()
        (folder / "by.txt").write_text("this one")

    assert (kept(tmp_path, "key", make) / "by.txt").read_text() == "this one"
    other.join()
    assert other.exitcode == 0
    assert not (tmp_path / "key" / "half").exists()


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(PainkitError, match="could not be written"):
        kept(tmp_path / "file", "key", lambda folder: None)


def test_what_is_damaged_is_told_and_made_anew(tmp_path: Path) -> None:
    made: list[int] = []

    def make(folder: Path) -> None:
        made.append(len(list(folder.iterdir())))
        (folder / "a.txt").write_text("1")

    place = kept(tmp_path, "key", make)
    (place / "a.txt").write_text("2")
    with pytest.warns(UserWarning, match=r"key/a\.txt: is damaged.*; it is made anew"):
        kept(tmp_path, "key", make, resumable=True)
    assert (place / "a.txt").read_text() == "1"
    assert kept(tmp_path, "key", make) == place
    assert made == [0, 0]
    assert sorted(path.name for path in tmp_path.iterdir()) == [".key.lock", "key"]


def test_a_folder_of_something_else_is_made_anew(tmp_path: Path) -> None:
    def make(folder: Path) -> None:
        (folder / "a.txt").write_text(folder.name)

    for key in ("one", "two"):
        kept(tmp_path, key, make, of="this")
    (tmp_path / "one").rename(tmp_path / "three")
    (tmp_path / "two").rename(tmp_path / "one")
    with pytest.warns(UserWarning, match=r"is of 'this/two'"):
        assert (kept(tmp_path, "one", make, of="this") / "a.txt").read_text() == ".one.new"
    with pytest.warns(UserWarning, match=r"is of 'this/one'"):
        kept(tmp_path, "one", make, of="that")


def test_without_what_is_needed_it_is_made_anew_and_until_then_stays(tmp_path: Path) -> None:
    def fail(folder: Path) -> None:
        raise ValueError("no")

    place = kept(tmp_path, "key", lambda folder: (folder / "a.txt").touch())
    with pytest.raises(ValueError, match="no"):
        kept(tmp_path, "key", fail, needs=["b.txt"])
    assert opened(tmp_path, "key") == place
    assert opened(tmp_path, "key", needs=["b.txt"]) is None
    kept(tmp_path, "key", lambda folder: (folder / "b.txt").touch(), needs=["b.txt"])
    assert opened(tmp_path, "key", needs=["b.txt"]) == place
    assert not (place / "a.txt").exists()


def test_a_damaged_folder_is_told_and_removed_where_it_is_only_opened(tmp_path: Path) -> None:
    assert opened(tmp_path, "key") is None
    place = kept(tmp_path, "key", lambda folder: (folder / "a.txt").write_text("1") and None)
    (place / "a.txt").write_text("2")
    with pytest.warns(UserWarning, match=r"a\.txt: is damaged"):
        assert opened(tmp_path, "key") is None
    assert not place.exists()


def test_leftovers_under_other_keys_are_removed_unless_somebody_is_at_work(tmp_path: Path) -> None:
    for name in (".dead.new", ".busy.new", ".dead.gone", ".paused.part"):
        (tmp_path / name).mkdir()
    with FileLock(tmp_path / ".busy.lock"):
        kept(tmp_path, "key", lambda folder: None)
    assert sorted(p.name for p in tmp_path.iterdir() if p.is_dir()) == [".busy.new", ".paused.part", "key"]


def test_a_cache_that_cannot_be_written_costs_what_was_built_nothing(tmp_path: Path) -> None:
    def full(made: int, folder: Path) -> None:
        (folder / "a.txt").write_text("half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    built: list[int] = []

    def build() -> int:
        built.append(7)
        return 7

    def read(folder: Path) -> int:
        return int((folder / "a.txt").read_text())

    with pytest.warns(UserWarning, match="the cache .*could not be written: No space left"):
        assert cached(tmp_path, "key", build=build, write=full, read=read) == 7
    (tmp_path / "file").touch()
    with pytest.warns(UserWarning, match="the cache .*could not be written"):
        assert cached(tmp_path / "file", "key", build=build, write=full, read=read) == 7
    assert built == [7, 7]

    def write(made: int, folder: Path) -> None:
        (folder / "a.txt").write_text(str(made))

    assert [cached(tmp_path, "key", build=build, write=write, read=read) for _ in range(3)] == [7, 7, 7]
    assert built == [7, 7, 7]

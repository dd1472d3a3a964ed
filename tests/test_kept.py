"""What is made once: by whom, how often, and what a kill leaves."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from pathlib import Path

import pytest

from painkit.errors import PainkitError
from painkit.kept import kept


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


def _slowly(folder: Path) -> None:
    with (folder / "by.txt").open("a") as file:
        file.write(f"{os.getpid()}\n")
    time.sleep(0.3)


def _killed(folder: Path) -> None:
    (folder / "half").touch()
    os.kill(os.getpid(), signal.SIGKILL)


def test_two_processes_make_it_once_and_a_killed_one_frees_the_lock(tmp_path: Path) -> None:
    fork = multiprocessing.get_context("spawn")
    dead = fork.Process(target=kept, args=(tmp_path, "key", _killed))
    dead.start()
    dead.join(60)
    assert dead.exitcode == -signal.SIGKILL
    two = [fork.Process(target=kept, args=(tmp_path, "key", _slowly)) for _ in range(2)]
    for one in two:
        one.start()
    for one in two:
        one.join(60)
    assert [one.exitcode for one in two] == [0, 0]
    assert len((tmp_path / "key" / "by.txt").read_text().split()) == 1
    assert not (tmp_path / "key" / "half").exists()


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(PainkitError, match="could not be written"):
        kept(tmp_path / "file", "key", lambda folder: None)

"""A simulated tree is whole and the same, however it was made and whatever interrupted it."""

from __future__ import annotations

import errno
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tree_digest import digest

from painkit.data import load
from painkit.errors import PainkitError
from painkit.simulation.identities import identity_tasks
from painkit.simulation.profiles import PROFILES, default_root
from painkit.simulation.simulation import simulate
from painkit.simulation.writer import discard, fill_folder

NAME = re.compile(r"^[a-z]{2}\d{3}t[12](aa|ae|af|ai)(aff|unaff)$")


def test_same_bytes_whatever_the_number_and_order_of_jobs(tree, plain, tmp_path):
    two = simulate(tmp_path / "two", profile="smoke", images="none", jobs=2, progress=False)
    assert digest(two) == plain
    for task in reversed(identity_tasks(tmp_path, PROFILES["smoke"], 0)):
        task()
    assert digest(tmp_path / "identities") == digest(tree / "identities")


# A process that is killed where it would rename the first folder of landmarks to its own name.
DIES = """
import os, signal, sys
def hook(event, args):
    if event == "os.rename" and "AAM_landmarks" in str(args[1]):
        os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(hook)
""".strip()


def test_a_killed_run_is_completed(tmp_path, plain):
    part = tmp_path / "part"
    call = f"simulate({str(part)!r}, profile='smoke', images='none')"
    code = f"{DIES}\nfrom painkit.simulation.simulation import simulate; {call}"
    run = subprocess.run([sys.executable, "-c", code], stderr=subprocess.DEVNULL, check=False)
    assert run.returncode == -signal.SIGKILL
    assert not (part / "simulation.json").exists()
    (left,) = (part / "AAM_landmarks").glob("*/.*-*")
    next(left.iterdir()).write_text("   1.0")
    simulate(part, profile="smoke", images="none", progress=False)
    assert digest(part) == plain


def test_refuses_a_folder_that_holds_anything_else(tmp_path, tree):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(PainkitError, match="not empty"):
        simulate(tmp_path, profile="smoke", progress=False)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.txt"]
    with pytest.raises(PainkitError, match="holds another simulation"):
        simulate(tree, profile="smoke", images="thin", seed=1, progress=False)
    with pytest.raises(PainkitError, match="no folder"):
        simulate(tmp_path / "thesis.txt", profile="smoke", progress=False)
    before = digest(tree)
    assert simulate(tree, profile="smoke", images="thin", progress=False) == tree
    assert digest(tree) == before


def test_two_processes_share_the_work_of_one(tmp_path, plain):
    call = f"simulate({str(tmp_path / 'cache')!r}, profile='smoke', images='none', progress=False)"
    code = f"from painkit.simulation.simulation import simulate; {call}"
    runs = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(2)]
    assert [run.wait() for run in runs] == [0, 0]
    assert digest(tmp_path / "cache") == plain


def test_what_the_system_refuses_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(PainkitError, match="could not be written"):
        simulate(tmp_path / "file" / "below", profile="smoke", images="none", progress=False)
    taken = tmp_path / "taken"
    with pytest.raises(PainkitError, match="file: could not be written"):
        fill_folder(tmp_path / "file", lambda folder: None, 1)
    with pytest.raises(PainkitError, match="No space"):
        fill_folder(taken / "new", _full_disk, 1)
    assert not any(taken.iterdir())


def _full_disk(folder: Path) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize(
    "bad",
    [{"profile": "huge"}, {"images": "some"}, {"seed": -1}, {"shortcut": 1.5}, {"shortcut": float("nan")}],
)
def test_settings_that_do_not_exist(tmp_path, bad):
    with pytest.raises(PainkitError, match=str(next(iter(bad)))):
        simulate(tmp_path / "x", progress=False, **bad)
    assert not (tmp_path / "x").exists()


def test_a_begun_simulation_does_not_pass_as_the_archive(tree, tmp_path):
    shutil.copytree(tree / "Frame_Labels", tmp_path / "Frame_Labels")
    shutil.copy(tree / "simulation.json", tmp_path / ".simulation.begun.json")
    assert load("unbc", tmp_path, cache=False, progress=False).simulated
    (tmp_path / ".simulation.begun.json").unlink()
    assert not load("unbc", tmp_path, cache=False, progress=False).simulated


def test_default_root_is_where_caches_are_kept(monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "/xdg")
    monkeypatch.delenv("PAINKIT_CACHE", raising=False)
    assert default_root("smoke").parent == Path("/xdg/painkit/simulated")
    monkeypatch.setenv("PAINKIT_CACHE", "/mine")
    assert default_root("smoke").parent == Path("/mine/simulated")
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.setenv("PAINKIT_CACHE", "~/mine")
    assert default_root("smoke").parent == Path("/home/me/mine/simulated")
    roots = {
        default_root(p, i, s, c)
        for p in ("demo", "full")
        for i in ("none", "all")
        for s in (0, 1)
        for c in (0, 0.5)
    }
    assert len(roots) == 16


def test_a_clip_has_the_same_bytes_whatever_lies_in_fresh_memory(tmp_path):
    # glibc fills memory that it gives with this byte: an encoder that reads what it never wrote shows it.
    code = (
        "import sys, numpy as np\n"
        "from fractions import Fraction\n"
        "from pathlib import Path\n"
        "from painkit.simulation.biovid import _encode\n"
        "rng = np.random.default_rng(0)\n"
        "start = np.cumsum(rng.normal(0, 1, (240, 320, 3)), axis=1) + 128\n"
        "frames = [(np.roll(start, i, 1) + rng.normal(0, 2, start.shape)).clip(0, 255).astype(np.uint8)"
        " for i in range(14)]\n"
        "_encode(Path(sys.argv[1]), frames, Fraction(25, 3))\n"
    )
    for byte in (0, 1, 2, 77):
        environ = os.environ | {"MALLOC_PERTURB_": str(byte)}
        subprocess.run([sys.executable, "-c", code, tmp_path / f"{byte}.mp4"], env=environ, check=True)
    assert len(set(digest(tmp_path).values())) == 1


def test_a_tree_is_counted_and_what_is_missing_is_made_again(tmp_path, plain, monkeypatch):
    def stop(*args: object) -> None:
        raise InterruptedError

    root = tmp_path / "tree"
    with monkeypatch.context() as patch:
        patch.setattr("painkit.simulation.simulation.write_truth", stop)
        with pytest.raises(InterruptedError):
            simulate(root, profile="smoke", images="none", progress=False)
    next((root / "AAM_landmarks/042-ll042").glob("*/*")).unlink()
    next((root / "Sequence_Labels/VAS/095-tv095").glob("*")).unlink()
    shutil.rmtree(root / "truth/regions/mean")
    simulate(root, profile="smoke", images="none", progress=False)
    assert digest(root) == plain


def test_a_worker_that_outlives_a_kill_cannot_pass_off_an_emptied_folder(tmp_path):
    folder = tmp_path / "folder"

    def swept_meanwhile(part: Path) -> None:
        (part / "1").touch()
        discard(part)
        (part / "2").touch()

    with pytest.raises(PainkitError, match="could not be written"):
        fill_folder(folder, swept_meanwhile, 2)
    assert list(tmp_path.iterdir()) == []

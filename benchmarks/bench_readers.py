"""Reading the archive's 145,000 label and landmark files: first read, second open, memory.

`pytest benchmarks/bench_readers.py -s` prints the times beside a loop that opens, reads and closes the same
files and does nothing with them, and the peak memory of a process that loads labels and landmarks. The tree
is simulated (profile ``full``, no images) unless PAINKIT_BENCH_TREE names one.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from painkit.data import load
from painkit.simulation.simulation import simulate

FOLDERS = ("Frame_Labels/PSPI", "Frame_Labels/FACS", "AAM_landmarks")


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    given = os.environ.get("PAINKIT_BENCH_TREE")
    if given:
        return Path(given)
    return simulate(
        tmp_path_factory.mktemp("tree") / "full", profile="full", images="none", jobs=2, progress=False
    )


@pytest.fixture
def empty_cache(tmp_path_factory, monkeypatch):
    def renew():
        monkeypatch.setenv("PAINKIT_CACHE", str(tmp_path_factory.mktemp("cache")))

    renew()
    return renew


@pytest.fixture(scope="module")
def paths(tree):
    return [str(path) for folder in FOLDERS for path in (tree / folder).rglob("*.txt")]


def bare_reading(paths):
    """Seconds that the system needs to hand over every file, at best."""
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        for path in paths:
            with open(path, "rb") as file:
                file.read()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def test_first_read(benchmark, tree, paths, empty_cache):
    bare = bare_reading(paths)
    cohort = benchmark.pedantic(
        load, args=("unbc", tree), kwargs={"progress": False}, setup=lambda: empty_cache(), rounds=3
    )
    ours = benchmark.stats.stats.min
    benchmark.extra_info["bare_seconds"] = bare
    benchmark.extra_info["ratio"] = ours / bare
    print(f"\n{len(paths):,} files: first read {ours:.2f} s, bare {bare:.2f} s, ratio {ours / bare:.1f}")
    assert len(cohort.frames) * 3 >= len(paths)
    assert ours / bare <= 3


def test_second_open(benchmark, tree, paths, empty_cache):
    bare = bare_reading(paths)
    first = load("unbc", tree, progress=False)
    again = benchmark.pedantic(load, args=("unbc", tree), kwargs={"progress": False}, rounds=5)
    ours = benchmark.stats.stats.min
    benchmark.extra_info["ratio"] = ours / bare
    print(f"\nsecond open {ours:.2f} s, bare reading {bare:.2f} s, ratio {ours / bare:.2f}")
    assert again.fingerprint == first.fingerprint
    assert ours < bare  # it looks at every file's size and date, and reads none of them


@pytest.mark.parametrize("cache", [False, True])
def test_peak_memory(benchmark, tree, empty_cache, cache):
    script = (
        "import sys; from painkit.data import load;"
        f"load('unbc', sys.argv[1], cache={cache}, progress=False);"
        # Not getrusage: its peak is handed down from the process that starts this one.
        "print(next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')))"
    )
    run = [sys.executable, "-c", script, str(tree)]
    told = benchmark.pedantic(subprocess.check_output, args=(run,), rounds=1)
    peak = int(told) / 1024
    benchmark.extra_info["peak_MB"] = peak
    print(f"\npeak memory {peak:.0f} MB")
    assert peak < 500

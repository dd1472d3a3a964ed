"""Files that painkit wrote, damaged at random: told or made anew, and never read as something else.

``PAINKIT_MUTATIONS`` is the number of mutations in all (a night's: 10000); ``PAINKIT_ATTACK_SEED`` gives
others.
"""

from __future__ import annotations

import os
import shutil
import warnings
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from synthetic_sequences import make_sequences
from works import (
    Digests,
    cropping,
    digest,
    pretraining,
    reading,
    reading_ferplus,
    running,
)

from painkit.data import crop_store
from painkit.errors import PainkitError
from painkit.evaluation import open_run
from painkit.models.sequences.deepfacelift import DeepFaceLIFT
from painkit.models.sequences.stage1 import fit_net
from painkit.simulation.marker import simulation_of
from painkit.simulation.simulation import simulate

SETTINGS = {"epochs": 1, "batch_size": 64, "random_state": 0}
X, Y, _ = make_sequences(3, 2, 8)


def run_again(out: Path, sources: Path) -> Digests:
    return running(out, sources, jobs=1)


def opening_a_run(out: Path, sources: Path) -> Digests:
    if not any(out.iterdir()):
        run_again(out, sources)
        for model in out.glob("*/folds/*/model"):
            shutil.rmtree(model)  # is not read with the run
    (folder,) = out.iterdir()
    done = open_run(folder)
    return {"predictions": digest(done.predictions), "info": digest(done.info)}


def opening_a_cohort(out: Path, sources: Path) -> Digests:
    return reading(out, sources, 1, "one subject")


def loading_a_model(out: Path, sources: Path) -> Digests:
    if not (out / "model").exists():
        DeepFaceLIFT(**SETTINGS).fit(X, Y).save(out / "model")
    model = DeepFaceLIFT.load(out / "model")
    return {"estimates": digest(model.predict(X)), "parameters": digest(model.get_params())}


def fetching_a_network(out: Path, sources: Path) -> Digests:
    rng = np.random.default_rng(0)
    inputs, targets = rng.normal(size=(40, 132)), rng.normal(size=(40, 1))
    net = fit_net(
        *(x.astype(np.float32) for x in (inputs, targets)),
        placement="none",
        epochs=1,
        batch_size=20,
        lr=1e-3,
        seed=0,
        memory=out,
    )
    return {name: digest(tensor.numpy()) for name, tensor in net.state_dict().items()}


def telling_a_simulation(out: Path, sources: Path) -> Digests:
    if not (out / "tree").exists():
        (out / "tree" / "files").mkdir(parents=True)
        shutil.copy(sources / "unbc" / "simulation.json", out / "tree")
    simulate(out / "tree", profile="smoke", images="none", progress=False)
    return {"settings": digest(simulation_of(out / "tree"))}


# How to get what the files hold, what share of the mutations it has, and whether damage is made good: at
# once, or where it shows late (in a crop), by the next call.
READERS: Mapping[str, tuple[Callable[[Path, Path], Digests], float, bool]] = {
    "open_run": (opening_a_run, 0.3, False),
    "run": (run_again, 0.06, True),
    "model": (loading_a_model, 0.15, False),
    "network": (fetching_a_network, 0.12, True),
    "cohort cache": (opening_a_cohort, 0.1, True),
    "FER+ cache": (reading_ferplus, 0.1, True),
    "crop store": (cropping, 0.06, True),
    "pre-training": (pretraining, 0.01, True),
    "simulation.json": (telling_a_simulation, 0.1, False),
}


def flip(content: bytearray, rng: np.random.Generator) -> bytearray:
    for at in rng.integers(len(content), size=rng.integers(1, 4)):
        content[at] ^= 1 << int(rng.integers(8))
    return content


def cut(content: bytearray, rng: np.random.Generator) -> bytearray:
    return content[: rng.integers(len(content))]


def blank(content: bytearray, rng: np.random.Generator) -> bytearray:
    start = int(rng.integers(len(content)))
    stop = min(len(content), start + 512)
    content[start:stop] = bytes(stop - start)
    return content


def exchange(content: bytearray, rng: np.random.Generator) -> bytearray:
    """Put two parts of a file in each other's place."""
    size = max(1, len(content) // 8)
    one, other = (int(i) for i in rng.integers(0, max(1, len(content) - size), size=2))
    content[one : one + size], content[other : other + size] = (
        content[other : other + size],
        content[one : one + size],
    )
    return content


def extend(content: bytearray, rng: np.random.Generator) -> bytearray:
    return content + rng.bytes(int(rng.integers(1, 100)))


def noise(content: bytearray, rng: np.random.Generator) -> bytearray:
    return bytearray(rng.bytes(len(content)))


WITHIN = (flip, flip, flip, cut, cut, blank, exchange, extend, noise)


def damage(folder: Path, rng: np.random.Generator) -> str:
    """Damage a file below a folder, or exchange two; tell what was done."""
    files = sorted(p for p in folder.rglob("*") if p.is_file() and p.suffix != ".lock" and p.stat().st_size)
    path = files[rng.integers(len(files))]
    kind = int(rng.integers(len(WITHIN) + 3))
    if kind < len(WITHIN):
        path.write_bytes(WITHIN[kind](bytearray(path.read_bytes()), rng))
        return f"{WITHIN[kind].__name__} {path.relative_to(folder)}"
    if kind == len(WITHIN):
        path.unlink()
        return f"remove {path.relative_to(folder)}"
    # A folder with one of its kind, or a file with one of its name, else any two files.
    alike = {p.parent for p in files if p.name == path.name}
    folders = sorted(
        p for p in alike if not p.is_relative_to(path.parent) and not path.parent.is_relative_to(p)
    )
    if folders and kind == len(WITHIN) + 1:
        one, other = path.parent, folders[rng.integers(len(folders))]
    else:
        others = [p for p in files if p.name == path.name and p != path] or [p for p in files if p != path]
        one, other = path, others[rng.integers(len(others))] if others else path
    if one != other:
        between = folder / "between"
        one.rename(between)
        other.rename(one)
        between.rename(other)
    return f"exchange {one.relative_to(folder)} {other.relative_to(folder)}"


@pytest.mark.parametrize("name", READERS)
def test_no_damage_is_silent_and_none_is_a_traceback(
    name: str, tmp_path: Path, sources: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PAINKIT_CACHE", str(tmp_path / "cache"))  # the works set it
    read, share, made_good = READERS[name]
    n = round(share * int(os.environ.get("PAINKIT_MUTATIONS", "1000")))
    whole, out = tmp_path / "whole", tmp_path / "out"
    whole.mkdir()
    read(whole, sources)
    shutil.copytree(whole, out)
    truth = read(out, sources)
    rng = np.random.default_rng(int(os.environ.get("PAINKIT_ATTACK_SEED", "11")))
    outcomes: Counter[str] = Counter()
    wrong: list[str] = []
    for _ in range(n):
        shutil.rmtree(out)
        shutil.copytree(whole, out, copy_function=shutil.copyfile)
        what = damage(out, rng)
        outcome, told = attempt(lambda: read(out, sources), truth)
        if outcome == "told" and made_good:
            outcome = f"told, then {attempt(lambda: read(out, sources), truth)[0]}"
        outcomes[outcome] += 1
        if outcome in ("traceback", "read as something else", "told, then told"):
            wrong.append(f"{what}: {outcome}: {told}")
    assert not wrong, "\n".join(wrong)
    print(f"{name}: {n} mutations, {dict(outcomes)}")  # noqa: T201


def attempt(read: Callable[[], Digests], truth: Digests) -> tuple[str, str]:
    """Read, and tell what came of it."""
    crop_store._read.cache_clear()  # as in a process that has read nothing yet
    with warnings.catch_warnings(record=True) as raised:
        warnings.simplefilter("always")
        try:
            found = read()
        except PainkitError as error:
            return "told", str(error)
        except Exception as error:
            return "traceback", f"{type(error).__name__}: {error}"
    told = "; ".join(str(warning.message) for warning in raised)
    if found != truth:
        return "read as something else", told
    return "made anew" if raised else "no difference", told

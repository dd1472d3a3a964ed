"""Simulate a cohort to disk."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import joblib
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from painkit.data.simulated.causes import Latents, draw_latents, stream
from painkit.data.simulated.dynamics import Signals, draw_signals, person_of
from painkit.data.simulated.profiles import THIN, Settings
from painkit.data.simulated.writer import Sequence, write_sequence
from painkit.errors import PainkitError
from painkit.files import write_atomically

__all__ = ["Labels", "simulate", "simulate_labels"]

MARKER = "simulation.json"
STARTED = ".simulation.begun.json"
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Labels:
    """A simulated cohort before it is written; frames are sorted by subject, sequence and frame.

    Parameters
    ----------
    latents : Latents
        Subjects, sequences and the PSPI of every frame.
    signals : list of Signals
        One for every sequence.
    follows, marked, pictured : ndarray of bool, shape (n_frames,)
        Where the shortcut mark follows the level, where it is, and which frames get an image.
    """

    latents: Latents
    signals: list[Signals]
    follows: Bools
    marked: Bools
    pictured: Bools


def simulate_labels(
    profile: str = "demo", images: str = "thin", seed: int = 0, shortcut: float = 0.0
) -> Labels:
    """Simulate causes and labels of a cohort in memory; landmarks and pixels follow from them.

    Parameters
    ----------
    profile, images, seed, shortcut
        As in `simulate`.

    Returns
    -------
    Labels

    Notes
    -----
    With ``shortcut=s > 0``, a frame drawn with probability s shows the mark exactly if its level is above 0; any
    other frame shows it by chance, as often as levels above 0 occur in the cohort.
    """
    settings = Settings(profile, images, seed, shortcut)
    latents = draw_latents(profile, seed)
    signals = [draw_signals(latents, seed, i) for i in range(len(latents.sequences))]
    lengths = latents.sequences["n_frames"].tolist()
    chance = np.concatenate([stream(seed, 8, i).random((n, 2)) for i, n in enumerate(lengths)])
    level = latents.level
    follows = chance[:, 0] < settings.shortcut
    marked = np.where(follows, level > 0, (chance[:, 1] < (level > 0).mean()) & (settings.shortcut > 0))
    black = np.concatenate([s.black for s in signals])
    pictured = np.full(len(level), images == "all")
    if images == "thin":
        for a, b in zip(latents.start, latents.start[1:], strict=False):
            for k, step in enumerate(THIN):
                pictured[a + np.flatnonzero(level[a:b] == k)[::step]] = True
    # Black frames are written always, so that they are known for what they are.
    return Labels(latents, signals, follows, marked & ~black, pictured | black)


def simulate(
    dest: str | os.PathLike[str],
    *,
    profile: str = "demo",
    images: str = "thin",
    seed: int = 0,
    shortcut: float = 0.0,
    jobs: int = 1,
    progress: bool = True,
) -> Path:
    """Simulate a cohort whose causes are known, in the layout of the UNBC-McMaster archive.

    Parameters
    ----------
    dest : path
        An empty or new folder, or one that holds this very simulation, whole or begun: it is then completed.
    profile : {"smoke", "demo", "full"}
        ``smoke`` has 4 subjects, 8 sequences and 304 frames; the others have the archive's 25, 200 and 48,398 and
        meet its counts exactly.
    images : {"none", "thin", "all"}
        ``thin`` draws some frames of every level of every sequence (`THIN`). With ``none``, only the black frames
        have an image, and the folders ``biovid``, ``ferplus`` and ``identities`` are left out.
    seed : int
        The same seed gives the same bytes, whatever `jobs` is.
    shortcut : float
        Share of frames in which a mark in the background follows the level, see `simulate_labels`.
    jobs : int
        Processes.
    progress : bool
        Show a progress bar.

    Returns
    -------
    Path
        `dest`. ``simulation.json`` in it is written last; ``truth/`` holds the causes.

    Raises
    ------
    PainkitError
        For an unknown setting, a `dest` that holds anything else, or when the system refuses to write.
    """
    settings = Settings(profile, images, seed, shortcut)
    root = Path(dest)
    if not _begin(root, settings):
        return root
    labels = simulate_labels(profile, images, seed, shortcut)
    work: list[Callable[[], None]] = [
        partial(write_sequence, root, sequence) for sequence in _sequences(labels, seed)
    ]
    _run(work, jobs, progress)
    subjects = labels.latents.subjects[["subject", "gender", "age", "complexion"]]
    with write_atomically(root / "subjects.csv") as path:
        subjects.to_csv(path, index=False)
    with write_atomically(root / MARKER) as path:
        path.write_text(json.dumps(settings.marker(), indent=1) + "\n", "utf-8")
    (root / STARTED).unlink(missing_ok=True)
    return root


def _begin(root: Path, settings: Settings) -> bool:
    """Whether there is anything to do; clear what a killed run left half-written."""
    if root.exists() and not root.is_dir():
        raise PainkitError("is no folder", where=root, expected="a new or empty folder")
    for name in (MARKER, STARTED):
        if (root / name).is_file():
            try:
                found = json.loads((root / name).read_text("utf-8"))
            except ValueError:
                found = None
            if found != settings.marker():
                raise PainkitError(
                    f"holds another simulation: {found}", where=root / name, expected=f"{settings.marker()}"
                )
            if name == MARKER:
                return False
            for partial_folder in root.glob("**/.*-*"):
                if partial_folder.is_dir():
                    shutil.rmtree(partial_folder, ignore_errors=True)
                else:
                    partial_folder.unlink(missing_ok=True)
            break
    else:
        if root.is_dir() and any(root.iterdir()):
            raise PainkitError("is not empty and no simulation", where=root, expected="a new or empty folder")
        with write_atomically(root / STARTED) as path:
            path.write_text(json.dumps(settings.marker()), "utf-8")
    return True


def _sequences(labels: Labels, seed: int) -> Iterator[Sequence]:
    latents = labels.latents
    number = {subject: i for i, subject in enumerate(latents.subjects["subject"])}
    people = [person_of(latents, seed, i) for i in range(len(number))]
    for i, row in enumerate(latents.sequences.to_dict("records")):
        rows = slice(latents.start[i], latents.start[i + 1])
        yield Sequence(
            subject=row["subject"],
            name=row["sequence"],
            index=i,
            seed=seed,
            person=people[number[row["subject"]]],
            signals=labels.signals[i],
            pspi=latents.pspi[rows],
            labels={"VAS": row["vas"], "OPR": row["opi"], "AFF": row["aff"], "SEN": row["sen"]},
            pictured=labels.pictured[rows],
            marked=labels.marked[rows],
        )


def _run(work: list[Callable[[], None]], jobs: int, progress: bool) -> None:
    if jobs == 1:
        done: Iterator[None] = (task() for task in work)
    else:
        done = joblib.Parallel(n_jobs=jobs, return_as="generator_unordered")(
            joblib.delayed(t)() for t in work
        )
    for _ in tqdm(done, total=len(work), desc="simulating", unit="part", disable=not progress):
        pass

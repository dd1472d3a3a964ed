"""Simulate a cohort to disk."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator
from dataclasses import astuple
from pathlib import Path

import joblib
from tqdm import tqdm

from painkit.errors import PainkitError
from painkit.files import locked, refusals_told, write_text
from painkit.simulation.biovid import biovid_tasks
from painkit.simulation.dynamics import person_of
from painkit.simulation.ferplus import ferplus_tasks
from painkit.simulation.identities import identity_tasks
from painkit.simulation.labels import Labels, simulate_labels
from painkit.simulation.marker import BEGUN, MARKER, marker_text, read_marker
from painkit.simulation.profiles import PROFILES, Settings
from painkit.simulation.truth import region_tasks, write_truth
from painkit.simulation.writer import Sequence, Task, discard, sequence_task
from painkit.workers import ending_together

__all__ = ["simulate"]


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
        ``smoke`` has 4 subjects, 8 sequences and 304 frames; the others have the archive's 25, 200 and
        48,398 and meet its counts exactly.
    images : {"none", "thin", "all"}
        ``thin`` draws some frames of every level of every sequence. With ``none``, only the black frames have
        an image, and the folders ``biovid``, ``ferplus`` and ``identities`` are left out.
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
        `dest`. ``simulation.json`` in it is written last; ``truth/`` holds the causes. Another process that
        simulates into the same folder is waited for.

    Raises
    ------
    PainkitError
        For an unknown setting, a `dest` that holds anything else, or when the system refuses to write.
    """
    settings = Settings(profile, images, seed, shortcut)
    root = Path(dest)
    # The lock is let go by the system when a process dies; it lies elsewhere to leave no trace in the tree.
    name = hashlib.sha256(os.fsencode(root.resolve())).hexdigest()[:16]
    with locked(Path(tempfile.gettempdir()) / f"painkit-{name}.lock", root):
        if _begin(root, settings):
            _complete(root, settings, jobs, progress)
    return root


def _complete(root: Path, settings: Settings, jobs: int, progress: bool) -> None:
    """Write what is missing, the marker last."""
    profile, images, seed, shortcut = astuple(settings)
    labels = simulate_labels(profile, images, seed, shortcut)
    tasks: list[Task] = []
    if images != "none":
        for make in (ferplus_tasks, biovid_tasks, identity_tasks):
            tasks += make(root, PROFILES[profile], seed)
    tasks += [sequence_task(root, sequence) for sequence in _sequences(labels, seed)]
    tasks += region_tasks(root, labels, seed)
    _run(tasks, jobs, progress)
    write_truth(root, labels, settings)
    subjects = labels.latents.subjects[["subject", "gender", "age", "complexion"]]
    write_text(root / "subjects.csv", subjects.to_csv(index=False))
    _sweep(root)
    write_text(root / MARKER, marker_text(settings.marker()))
    (root / BEGUN).unlink(missing_ok=True)


def _begin(root: Path, settings: Settings) -> bool:
    """Whether there is anything to do; clear what a killed run left half-written."""
    if root.exists() and not root.is_dir():
        raise PainkitError("is no folder", where=root, expected="a new or empty folder")
    for name in (MARKER, BEGUN):
        if (root / name).is_file():
            found = read_marker(root / name)
            if found != settings.marker():
                raise PainkitError(
                    f"holds another simulation: {found}", where=root / name, expected=f"{settings.marker()}"
                )
            if name == MARKER:
                return False
            _sweep(root)
            return True
    if root.is_dir() and any(root.iterdir()):
        raise PainkitError("is not empty and no simulation", where=root, expected="a new or empty folder")
    write_text(root / BEGUN, marker_text(settings.marker()))
    return True


def _sweep(root: Path) -> None:
    """Clear away what was left half-written; nobody else works here but workers of a killed run, if any."""
    with refusals_told(root):
        for left in [*root.glob("**/.*-*")]:
            discard(left)


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


def _run(tasks: list[Task], jobs: int, progress: bool) -> None:
    """Do what is not done, then count; what is missing, by whatever accident, is made once more."""
    for _ in range(2):
        todo = [task for task in tasks if not task.is_done()]
        if not todo:
            return
        with joblib.parallel_config("loky", n_jobs=jobs, **ending_together()):
            done = joblib.Parallel(return_as="generator_unordered")(joblib.delayed(task)() for task in todo)
            for _ in tqdm(done, total=len(todo), desc="simulating", unit="part", disable=not progress):
                pass
    for task in tasks:
        if not task.is_done():
            raise PainkitError("files are missing again after they were written", where=min(task.holds))

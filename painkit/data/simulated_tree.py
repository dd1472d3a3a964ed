"""Simulated cohorts: the archive's reader on a tree that the simulator wrote."""

from __future__ import annotations

import os
from dataclasses import fields, replace
from pathlib import Path

from painkit.data.cohort import Cohort
from painkit.data.unbc import read_unbc
from painkit.errors import PainkitError
from painkit.simulation.frame_artist import FrameArtist
from painkit.simulation.marker import MARKER, simulation_of
from painkit.simulation.profiles import VERSION, Settings, default_root

__all__ = ["read_simulated"]


def read_simulated(
    root: str | os.PathLike[str] | None = None,
    *,
    profile: str = "demo",
    seed: int = 0,
    images: str = "thin",
    cache: bool = True,
    progress: bool = True,
    jobs: int = 2,
) -> Cohort:
    """Read a simulated cohort, simulating it first when no folder is given.

    Parameters
    ----------
    root : path, optional
        Folder that ``painkit simulate`` wrote. None: one in the user's cache folder for each profile, images
        and seed, simulated at the first call and completed after an interruption.
    profile, seed, images
        As `painkit.simulation.simulation.simulate` takes them; only used when `root` is None.
    cache, progress, jobs
        As `painkit.data.unbc.read_unbc` takes them.

    Returns
    -------
    Cohort
        Called ``simulated``; `notes` say by which profile, seed and version.

    Raises
    ------
    PainkitError
        When `root` is no simulated tree, for a profile or kind of images that does not exist, when the
        simulation cannot be written, and as `read_unbc` does.
    """
    if root is None:
        from painkit.simulation.simulation import simulate  # not needed to read one that is there

        root = default_root(profile, images, seed)
        simulate(root, profile=profile, images=images, seed=seed, jobs=jobs, progress=progress)
    elif Path(root).is_dir() and not (Path(root) / MARKER).is_file():
        raise PainkitError(
            f"has no {MARKER}, so it was not simulated",
            where=root,
            expected="a folder written by 'painkit simulate'; real archives are read as 'unbc'",
        )
    cohort = read_unbc(root, cache=cache, progress=progress, jobs=jobs)
    told = simulation_of(root) or {}
    known = {field.name: told[field.name] for field in fields(Settings) if field.name in told}
    # Of another version of the simulator this one would draw other faces.
    current = told.get("version") == VERSION
    return replace(cohort, draw=FrameArtist(Settings(**known))) if current else cohort

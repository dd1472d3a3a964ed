"""The file that tells what was simulated from data about people."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from painkit.digests import digest
from painkit.errors import PainkitError

__all__ = ["BEGUN", "MARKER", "marker_text", "read_marker", "simulation_notes", "simulation_of"]

#: Written last into a simulated tree, with the settings of the simulation.
MARKER = "simulation.json"
#: The same while the simulation is not whole.
BEGUN = ".simulation.begun.json"


def simulation_of(root: str | os.PathLike[str]) -> dict[str, Any] | None:
    """Settings of the simulation that wrote a folder.

    Parameters
    ----------
    root : path
        A simulated tree, or one of the sets that lie in it (``biovid``, ``ferplus``, ``identities``).

    Returns
    -------
    dict or None
        None for data that were not simulated.

    Raises
    ------
    PainkitError
        When there is a marker that cannot be read.
    """
    folder = Path(root).resolve()
    for path in (place / name for place in (folder, folder.parent) for name in (MARKER, BEGUN)):
        if not path.is_file():
            continue
        return read_marker(path)
    return None


def marker_text(settings: Mapping[str, Any]) -> str:
    """Write the settings of a simulation as JSON, with a digest of themselves."""
    content = digest(json.dumps(settings, sort_keys=True).encode())
    return json.dumps({**settings, "digest": content}, indent=1) + "\n"


def read_marker(path: Path) -> dict[str, Any]:
    """Read what `marker_text` gave.

    Raises
    ------
    PainkitError
        When a byte of it was changed.
    """
    try:
        content = path.read_bytes()
        settings: dict[str, Any] = json.loads(content)
        del settings["digest"]
        if content != marker_text(settings).encode():
            raise ValueError("its digest differs")
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise PainkitError(
            f"is damaged, or was changed since it was written: {error}",
            where=path,
            expected="JSON written by this version of the simulator",
        ) from None
    return settings


def simulation_notes(root: str | os.PathLike[str]) -> tuple[str, ...]:
    """What must be said of every result on a simulated folder; nothing for other data."""
    settings = simulation_of(root)
    if settings is None:
        return ()
    told = ", ".join(f"{key} {settings[key]}" for key in ("profile", "seed", "version") if key in settings)
    return (f"Simulated: {told}. No number from these data says anything about people.",)

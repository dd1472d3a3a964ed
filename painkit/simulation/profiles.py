"""What a simulation holds, how large it is, and where it is kept when nobody says where."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from painkit.errors import PainkitError
from painkit.files import cache_folder

__all__ = ["IMAGES", "PROFILES", "THIN", "VERSION", "Settings", "Size", "default_root"]

VERSION: Final = 6
"""Of the simulation; counts up when the same settings give other files."""
IMAGES: Final = ("none", "thin", "all")
THIN: Final = (50, 12, 10, 8, 6, 6)
"""``thin`` keeps the first and then every k-th frame of each level 0-5 of a sequence, and all black ones."""


@dataclass(frozen=True)
class Size:
    """How much is simulated beside the archive.

    Parameters
    ----------
    clip_subjects : int
        Subjects in BioVid's layout.
    clips : int
        Clips of every such subject and class.
    clip_step : int
        Every k-th of the 138 frames of a clip is drawn, at a k-th of the rate.
    faces : int
        Rows of the FER+ files.
    identities, pictures : int
        People for face verification, and pictures of each.
    """

    clip_subjects: int
    clips: int
    clip_step: int
    faces: int
    identities: int
    pictures: int


PROFILES: Final = {
    "smoke": Size(clip_subjects=3, clips=1, clip_step=10, faces=48, identities=6, pictures=3),
    "demo": Size(clip_subjects=20, clips=1, clip_step=3, faces=800, identities=60, pictures=6),
    "full": Size(clip_subjects=20, clips=2, clip_step=1, faces=4000, identities=240, pictures=10),
}


@dataclass(frozen=True)
class Settings:
    """Everything the files of a simulation depend on.

    Parameters
    ----------
    profile : str
        ``smoke``, ``demo`` or ``full``.
    images : str
        ``none``, ``thin`` or ``all``.
    seed : int
    shortcut : float
        Share of frames, 0-1, in which a mark in the background follows the level; 0 leaves the mark out.

    Raises
    ------
    PainkitError
        For a value that is none of these.
    """

    profile: str = "demo"
    images: str = "thin"
    seed: int = 0
    shortcut: float = 0.0

    def __post_init__(self) -> None:
        for name, value, known in (("profile", self.profile, PROFILES), ("images", self.images, IMAGES)):
            if value not in known:
                raise PainkitError(f"unknown {name} {value!r}", expected=", ".join(known))
        if not 0 <= self.shortcut <= 1:
            raise PainkitError(f"shortcut is {self.shortcut}", expected="a share from 0 to 1")
        if self.seed < 0:
            raise PainkitError(f"seed is {self.seed}", expected="a whole number from 0")

    def marker(self) -> dict[str, Any]:
        """What ``simulation.json`` says."""
        return {
            "what": "simulated cohort; results on it say nothing about people",
            "version": VERSION,
            **asdict(self),
        }


def default_root(profile: str = "demo", images: str = "thin", seed: int = 0, shortcut: float = 0.0) -> Path:
    """Where a simulation with these `Settings` is kept when no folder is given: below `cache_folder`."""
    Settings(profile, images, seed, shortcut)
    return cache_folder() / "simulated" / f"v{VERSION}-{profile}-{images}-seed{seed}-shortcut{shortcut:g}"

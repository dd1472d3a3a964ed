"""FER2013 (Goodfellow et al. 2013) with the votes of FER+ (Barsoum et al. 2016)."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from painkit.data.cohort import content_digest
from painkit.data.csv_table import read_csv, refuse
from painkit.data.fer2013 import SIDE, find_table, read_pixels
from painkit.data.summary import CohortSummary
from painkit.data.tree import existing_folder
from painkit.errors import PainkitError
from painkit.files import cache_folder, ends_in_line
from painkit.kept import cached
from painkit.simulation.marker import simulation_notes
from painkit.vocabulary.classes import EMOTIONS, VOTES

__all__ = ["USAGES", "EmotionImages", "read_ferplus"]

USAGES = ("Training", "PublicTest", "PrivateTest")
_HOLDS = "fer2013new.csv and, for the images, fer2013.csv"


@dataclass(frozen=True, eq=False)
class EmotionImages:
    """Small grey faces and what ten people saw in each.

    Attributes
    ----------
    root : Path
    votes : (n, 10) int64
        Votes for each of `VOTES`.
    usage : (n,) str
        Training, PublicTest or PrivateTest.
    names : (n,) str
    rows : (n,) int64
        Row in the files (0-based), by which votes and images are joined.
    dropped : int
        Rows left out because they have no name: no face, by all votes.
    fingerprint : str
    pixels : (n_files, 48, 48) uint8 or None
        All images in file order, mapped from disk; None when there is no table of them.
    notes : tuple of str
        What a reader of results must know: that the faces were simulated.
    """

    root: Path
    votes: NDArray[np.int64]
    usage: NDArray[np.str_]
    names: NDArray[np.str_]
    rows: NDArray[np.int64]
    dropped: int
    fingerprint: str
    pixels: NDArray[np.uint8] | None
    notes: tuple[str, ...] = ()

    @property
    def simulated(self) -> bool:
        """Whether no real person is shown."""
        return bool(self.notes)

    def __len__(self) -> int:
        return len(self.rows)

    def images(self, index: ArrayLike | slice = slice(None)) -> NDArray[np.uint8]:
        """Read images: (48, 48) for one index, (k, 48, 48) for several; uint8 grey.

        Raises
        ------
        PainkitError
            When only the votes are there.
        """
        if self.pixels is None:
            raise PainkitError(
                "there are votes but no images", where=self.root, expected="fer2013.csv beside fer2013new.csv"
            )
        chosen = self.rows[index if isinstance(index, slice) else np.asarray(index)]
        return np.asarray(self.pixels[chosen])

    def majority(self) -> tuple[EmotionImages, NDArray[np.int64]]:
        """Keep the faces on whose emotion most people agree.

        As in the published code (its mode ``majority``): single votes are dropped; the largest count must
        exceed half of what remains, votes for unknown and no face included; and it must be an emotion.

        Returns
        -------
        EmotionImages
            The rows kept: 25,060 training, 3,199 public test and 3,153 private test rows of the real votes.
        (n_kept,) int64
            Index into `EMOTIONS`.
        """
        votes = np.where(self.votes > 1, self.votes, 0)
        winner = votes.argmax(axis=1)
        agreed = (2 * votes.max(axis=1) > votes.sum(axis=1)) & (winner < len(EMOTIONS))
        return self.take(np.flatnonzero(agreed)), winner[agreed]

    def probability(self) -> tuple[EmotionImages, NDArray[np.float64]]:
        """Keep the faces on whose emotions, three at most, most people agree, with the shares of their votes.

        As in the published code (its modes ``probability`` and ``crossentropy``): single votes are dropped;
        emotions are taken by their votes, those of equal votes together, until they hold three quarters of
        them, there are three, or it is the turn of unknown or no face, which is not taken behind an emotion.
        What was taken must exceed half of the votes, be three emotions at most, and begin with an emotion.

        Returns
        -------
        EmotionImages
            The rows kept.
        (n_kept, 8) float64
            Share of each of `EMOTIONS`; rows sum to 1.
        """
        left, k = np.where(self.votes > 1, self.votes, 0), len(EMOTIONS)
        total = left.sum(axis=1)
        taken, active = np.zeros_like(left), np.ones(len(left), np.bool_)
        for _ in range(3):
            active &= (4 * taken.sum(axis=1) < 3 * total) & ((taken > 0).sum(axis=1) < 3)
            top = left.max(axis=1, keepdims=True)
            turn = active[:, None] & (left == top) & (top > 0)
            turn[:, k + 1] &= ~turn[:, k]
            taken += np.where(turn, top, 0)
            left[turn] = 0
            none = turn[:, k:].any(axis=1)
            taken[none & (taken[:, :k] > 0).any(axis=1), k:] = 0
            active &= ~none
        n_taken = (taken > 0).sum(axis=1)
        kept = (2 * taken.sum(axis=1) > total) & (n_taken <= 3) & (taken[:, :k].sum(axis=1) > 0)
        emotions = taken[kept, :k]
        return self.take(np.flatnonzero(kept)), emotions / emotions.sum(axis=1, keepdims=True)

    def take(self, index: ArrayLike) -> EmotionImages:
        """Keep the rows of an index or a mask."""
        chosen = np.asarray(index)
        rows = self.rows[chosen]
        return replace(
            self,
            votes=self.votes[chosen],
            usage=self.usage[chosen],
            names=self.names[chosen],
            rows=rows,
            fingerprint=content_digest(self.fingerprint, ",".join(map(str, rows))),
        )

    def summary(self) -> CohortSummary:
        """Counts, to print or to show in a notebook."""
        kept, label = self.majority()
        facts = {"Rows with a name": f"{len(self):,} ({self.dropped:,} without left out: no face)"}
        facts |= {name: f"{int((self.usage == name).sum()):,}" for name in USAGES}
        facts["Images"] = "not there, votes only" if self.pixels is None else f"{SIDE} x {SIDE} grey"
        shares = ", ".join(
            f"{n:,} {name}" for name, n in zip(EMOTIONS, np.bincount(label, minlength=8), strict=True)
        )
        facts["Majority mode"] = f"{len(kept):,} ({shares})"
        facts["Fingerprint"] = self.fingerprint
        title = "SIMULATED faces (no real person) and votes" if self.simulated else "FER+ votes"
        return CohortSummary(f"{title} read from {self.root}", facts, self.notes)

    def _repr_html_(self) -> str:
        return self.summary()._repr_html_()

    def __repr__(self) -> str:
        kind = "simulated FER+" if self.simulated else "FER+"
        return f"<{kind}: {len(self)} rows, {'no images' if self.pixels is None else 'images'}>"


def read_ferplus(root: str | os.PathLike[str], *, cache: bool = True, progress: bool = True) -> EmotionImages:
    """Read the votes of FER+, and the images of FER2013 where they are there.

    Parameters
    ----------
    root : path
        Folder with ``fer2013new.csv`` and, for images, ``fer2013.csv`` or ``icml_face_data.csv``.
    cache : bool
        Keep the decoded images in the cache folder and map them from there; else they are kept in memory.
    progress : bool
        Show a progress bar when on a terminal.

    Returns
    -------
    EmotionImages
        Without the rows that have no name. `pixels` is None when neither table of images is there.

    Warns
    -----
    UserWarning
        When the cache cannot be written; the images are then kept in memory.

    Raises
    ------
    PainkitError
        When a file is damaged or the two do not belong together, naming file and line.
    """
    folder = existing_folder(root, _HOLDS)
    path = folder / "fer2013new.csv"
    table = read_csv(path, required=("Usage", "Image name", *VOTES))
    if not len(table):
        raise PainkitError("has no row", where=path, line=2, expected="a row for each image")
    counts = (
        table[list(VOTES)].apply(pd.to_numeric, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    )
    bad = ~((counts >= 0) & (counts <= 10) & (counts == np.floor(counts)))
    for vote, wrong in zip(VOTES, bad.T, strict=True):
        refuse(table[vote], wrong, path, "a whole number of votes from 0 to 10")
    refuse(table["Usage"], ~table["Usage"].isin(USAGES), path, ", ".join(USAGES))
    # Joined by row: from row 60 on the number in the name is no longer the row, and rows without a name
    # (no face in the image) still have their image in fer2013.csv.
    rows = np.flatnonzero(table["Image name"].notna())
    usage = table["Usage"].to_numpy(dtype=np.str_)
    votes = counts.astype(np.int64)
    sums = votes.sum(axis=1)
    if sums[-1] < np.median(sums) and not ends_in_line(path):
        what = f"the file ends within a line: its last row has {sums[-1]} votes"
        raise PainkitError(what, where=path, line=len(table) + 1, expected="a whole file")
    images = find_table(folder)
    return EmotionImages(
        root=folder,
        votes=votes[rows],
        usage=usage[rows],
        names=table["Image name"].iloc[rows].to_numpy(dtype=np.str_),
        rows=rows,
        dropped=len(table) - len(rows),
        fingerprint=content_digest(table),
        pixels=None if images is None else _pixels(images, usage, cache, progress),
        notes=simulation_notes(folder),
    )


def _pixels(path: Path, usage: NDArray[np.str_], cache: bool, progress: bool) -> NDArray[np.uint8]:
    status = path.stat()
    key = content_digest(
        f"{path.resolve()} {status.st_size} {status.st_mtime_ns} {len(usage)}", ",".join(usage)
    )
    build = partial(read_pixels, path, usage, progress)
    if not cache:
        return build()
    return cached(cache_folder() / "ferplus", key, build=build, write=_keep_pixels, read=_kept_pixels)


def _keep_pixels(pixels: NDArray[np.uint8], folder: Path) -> None:
    np.save(folder / "pixels.npy", pixels, allow_pickle=False)


def _kept_pixels(folder: Path) -> NDArray[np.uint8]:
    return np.asarray(np.load(folder / "pixels.npy", mmap_mode="r", allow_pickle=False))

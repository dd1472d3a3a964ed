"""Sets of faces with one folder a person, as verification nets are trained on."""

from __future__ import annotations

import os
from dataclasses import dataclass
from os import PathLike
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from painkit.data.images import IMAGE_ENDINGS, read_image
from painkit.data.text import parse_points, read_bytes
from painkit.data.tree import existing_folder, list_files, listing_digest, why_no_file
from painkit.errors import PainkitError
from painkit.simulation.marker import simulation_notes
from painkit.vocabulary.landmarks import N_LANDMARKS

__all__ = ["IdentityImages", "read_identities"]


@dataclass(frozen=True, eq=False)
class IdentityImages:
    """Images of many people, several of each.

    Attributes
    ----------
    root : Path
    images : DataFrame
        identity, image (path relative to `root`), row (its number); sorted.
    landmarks : (n, 66, 2) float32
        Pixels; NaN where an image has no landmark file.
    findings : DataFrame
        kind, path, message: identities with a single image, landmark files that cannot be read.
    fingerprint : str
        Digest of names, sizes and times.
    notes : tuple of str
        What a reader of results must know: that the people were simulated.
    """

    root: Path
    images: pd.DataFrame
    landmarks: NDArray[np.float32]
    findings: pd.DataFrame
    fingerprint: str
    notes: tuple[str, ...] = ()

    @property
    def simulated(self) -> bool:
        """Whether no real person is shown."""
        return bool(self.notes)

    def image(self, i: int) -> NDArray[np.uint8]:
        """Decode image `i`: (height, width, 3) uint8 RGB; `PainkitError` when the file is damaged."""
        if not 0 <= i < len(self.images):
            raise PainkitError(
                f"there is no image {i}", where=self.root, expected=f"0 to {len(self.images) - 1}"
            )
        return read_image(self.root / self.images["image"].iloc[i])


def read_identities(root: str | PathLike[str]) -> IdentityImages:
    """Read a folder with one sub-folder a person.

    Parameters
    ----------
    root : path
        ``<root>/<identity>/<name>.png`` (or jpg, jpeg, bmp), also further down; where ``<name>_aam.txt`` lies
        beside an image it holds 66 landmarks, ``x y`` a line in pixels.

    Returns
    -------
    IdentityImages
        Images are listed, not decoded.

    Raises
    ------
    PainkitError
        When the folder is missing or empty, cannot be opened, or no person has two images. A landmark file
        that cannot be read is a finding.
    """
    folder = existing_folder(root, "one folder of images a person")
    odd: list[tuple[str, str]] = []
    listing = list_files(folder, odd)
    found: list[tuple[str, str]] = []
    points: list[NDArray[np.float32]] = []
    findings = [("unexpected", os.path.relpath(path, folder), why) for path, why in odd]
    for place in sorted(listing):
        names = {name: size for name, size, _ in listing[place]}
        for name in sorted(names):
            if not place or PurePosixPath(name).suffix.lower() not in IMAGE_ENDINGS:
                continue
            found.append((place.split("/")[0], f"{place}/{name}"))
            points.append(np.full((N_LANDMARKS, 2), np.nan, dtype=np.float32))
            beside = f"{PurePosixPath(name).stem}_aam.txt"
            if beside in names:
                path = folder / place / beside
                try:
                    if names[beside] < 0:
                        raise why_no_file(path)
                    points[-1] = parse_points(read_bytes(path), path)
                except PainkitError as error:
                    findings.append(("unreadable", f"{place}/{beside}", str(error)))
    images = pd.DataFrame(found, columns=["identity", "image"])
    images["row"] = np.arange(len(images))
    counts = images["identity"].value_counts(sort=False)
    findings += [("single", name, "the only image of its identity") for name in counts.index[counts == 1]]
    if not (counts > 1).any():
        raise PainkitError(
            f"{len(counts)} identities with {len(images)} images: none has two",
            where=folder,
            expected="one folder a person with several images each",
        )
    return IdentityImages(
        root=folder,
        images=images,
        landmarks=np.stack(points),
        findings=pd.DataFrame(findings, columns=["kind", "path", "message"]),
        fingerprint=listing_digest({"identities": listing}),
        notes=simulation_notes(folder),
    )

"""Tables of FaceLandmarkImg, OpenFace's tool for images: a file an image, a row a face."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from painkit.data.feature_files import FeatureRows, Reading
from painkit.data.feature_parts import Part, Parts, digits_of, folder_subject
from painkit.errors import PainkitError

__all__ = ["add_images", "is_of_image"]


def is_of_image(table: pd.DataFrame) -> bool:
    """Whether a table is of faces in an image, not of frames."""
    return {"face", "confidence"} <= set(table.columns) and "frame" not in table


def add_images(
    folder: Path,
    tables: list[tuple[Path, pd.DataFrame]],
    base: Path,
    read: Callable[[pd.DataFrame, Path], FeatureRows],
    reading: Reading,
) -> None:
    """Add the images of one folder as one sequence, called like the folder.

    The frame of an image is the number at the end of its name, or its place among the names where one has
    none. An image without a face is not tracked; nor is one with several, as nothing tells whose they are.

    Parameters
    ----------
    folder : Path
    tables : list of path and table
        Tables in the order of the names.
    base : Path
        What is read: a folder, or a single table.
    read : callable
        Gives the rows of tables put together, or raises `PainkitError`.
    reading : Reading
        A table that cannot be read is a finding.
    """
    paths = [path for path, _ in tables]
    numbers = digits_of([path.as_posix() for path in paths]) or list(range(len(paths)))
    lines = [_face(table, number) for (_, table), number in zip(tables, numbers, strict=True)]
    try:
        rows = read(pd.concat(lines, ignore_index=True), folder)
    except PainkitError as error:
        sound = []
        for (path, table), line in zip(tables, lines, strict=True):
            with reading.file(path):
                read(line, path)
                sound.append((path, table))
        if len(sound) == len(tables):
            reading.leave_out(folder, error)
        elif sound:
            add_images(folder, sound, base, read, reading)
        return
    order = np.argsort(rows.frames, kind="stable")
    again = np.flatnonzero(np.diff(rows.frames[order]) == 0)
    if len(again):
        one, other = paths[order[again[0]]], paths[order[again[0] + 1]]
        what = f"{one.name} and {other.name} are both frame {rows.frames[order[again[0]]]}"
        reading.leave_out(folder, PainkitError(what, where=folder, expected="a folder for each sequence"))
        return
    for path, table in tables:
        if len(table) > 1:
            message = f"the image shows {len(table)} faces, nothing tells whose they are: it is not tracked"
            reading.findings.append(("not_tracked", None, None, None, str(path), message))
    name = folder.name if paths[0] != base else paths[0].stem
    subject = name if base in (folder, paths[0]) else folder_subject(folder, base, name)
    reading.add(rows, Parts([Part(subject, name, order, rows.frames[order])], [], set()), folder, paths)


def _face(table: pd.DataFrame, number: int) -> pd.DataFrame:
    """The one row of an image; without success where it shows no face or several."""
    return table.reindex([0]).assign(frame=str(number), success="1" if len(table) == 1 else "0")

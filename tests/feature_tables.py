"""Writes hand-made tables in the layouts of OpenFace and py-feat."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

#: Columns of OpenFace before the landmarks; PSPI needs all of the units.
OPENFACE = ["frame", "face_id", "timestamp", "confidence", "success"]
OPENFACE += [f"AU{n:02d}_r" for n in (4, 6, 7, 9, 10, 45)]
#: Columns of py-feat before the landmarks.
PYFEAT = ["frame", "FaceScore", "AU04", "AU43", "input", "Identity"]


def table(
    columns: Sequence[str],
    rows: Iterable[Sequence[Any]],
    separator: str = ", ",
    *,
    points: int = 68,
    scale: float = 1,
    name: str = "{axis}_{k}",
) -> str:
    """Rows of the given columns, each with the same landmarks (100 + k, 200 + k) after them."""
    names = [*columns, *(name.format(axis=axis, k=k) for axis in "xy" for k in range(points))]
    values = [f"{(start + k) * scale:.6g}" for start in (100, 200) for k in range(points)]
    lines = [separator.join([*map(str, row), *values]) for row in rows]
    return "\n".join([separator.join(names), *lines]) + "\n"


def openface(
    frames: Iterable[int], *, face: int = 0, au4: float = 0, **columns: Any
) -> list[tuple[Any, ...]]:
    """Rows for the columns `OPENFACE`, and further ones, of a face that shows AU4 alone."""
    return [(n, face, n / 25, 0.9, 1, au4, 0, 0, 0, 0, 0, *columns.values()) for n in frames]


def one_face(tool: str, frames: Iterable[int], *, au4: float = 0) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Columns and rows of one of the tools, of a face that shows AU4 alone."""
    if tool == "openface":
        return OPENFACE, openface(frames, au4=au4)
    return PYFEAT, [(n, 0.9, au4, 0, "", "") for n in frames]

"""One page over all notebooks that were run: what came out of each, what it cost, where everything lies."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from painkit.cli.page import render
from painkit.cli.page_facts import facts, parameter_table
from painkit.errors import PainkitError
from painkit.files import write_text

__all__ = ["Entry", "entries", "write_index"]


@dataclass(frozen=True)
class Entry:
    """One executed notebook.

    Attributes
    ----------
    title, profile : str
    facts : list of (str, str)
        When, in what time, by which version, in which precision.
    heading : str
        Of the sentences: whether the cohort was simulated.
    came_out : list of str
        Sentences; empty where the notebook wrote none.
    failed : str
        The error it ended with; "" for none.
    links : list of (str, str)
        What a file is, and its address below the folder of the index.
    """

    title: str
    profile: str
    facts: list[tuple[str, str]]
    heading: str
    came_out: list[str]
    failed: str
    links: list[tuple[str, str]]


def entries(folder: Path) -> list[Entry]:
    """Read what was run in a folder, or in folders of it, by their names.

    Raises
    ------
    PainkitError
        When nothing was.
    """
    found = []
    for notebook in sorted(path for depth in ("*.ipynb", "*/*.ipynb") for path in folder.glob(depth)):
        content = _read(notebook)
        if content is not None:
            found.append(_entry(content, notebook, folder))
    if not found:
        raise PainkitError(
            "holds no executed notebook",
            where=folder,
            expected="a folder that `painkit run` has written to, such as reports",
        )
    return found


def write_index(folder: Path) -> Path:
    """Write ``index.html`` over all that was run in a folder and return its path.

    Raises
    ------
    PainkitError
        When nothing was, or the folder is none.
    """
    if not folder.is_dir():
        raise PainkitError("is no folder", where=folder, expected="one that `painkit run` has written to")
    text = render("index.html.j2", entries=entries(folder))
    index = folder / "index.html"
    write_text(index, text)
    return index


def _read(notebook: Path) -> dict[str, Any] | None:
    """Return an executed notebook; None for a file that is something else."""
    try:
        content = json.loads(notebook.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    told = content.get("metadata", {}).get("papermill") if isinstance(content, dict) else None
    return content if isinstance(told, dict) and isinstance(content.get("cells"), list) else None


def _entry(content: Mapping[str, Any], notebook: Path, folder: Path) -> Entry:
    page, place = notebook.with_suffix(".html"), notebook.parent
    failed = _failure(content) or ("" if page.is_file() else "it was not executed to its end")
    files = [("page", page)] if page.is_file() else []
    files += [("notebook", notebook), *((path.name, path) for path in sorted(place.glob("*.csv")))]
    heading, came_out = _came_out(place)
    return Entry(
        title=_title(content) or notebook.stem,
        profile=parameter_table(content, notebook).profile,
        facts=facts(content, notebook),
        heading=heading,
        came_out=came_out,
        failed=failed,
        links=[(name, quote(path.relative_to(folder).as_posix())) for name, path in files],
    )


def _title(content: Mapping[str, Any]) -> str:
    for cell in content["cells"]:
        if cell.get("cell_type") == "markdown":
            first = "".join(cell.get("source", "")).strip().split("\n", 1)[0]
            return first.lstrip("# ") if first.startswith("# ") else ""
    return ""


def _failure(content: Mapping[str, Any]) -> str:
    for cell in content["cells"]:
        for output in cell.get("outputs", []):
            if output.get("output_type") == "error":
                return f"{output.get('ename')}: {output.get('evalue')}"
    return ""


def _came_out(place: Path) -> tuple[str, list[str]]:
    """Heading and sentences of ``what_came_out.json``; nothing where there is none."""
    try:
        told = json.loads((place / "what_came_out.json").read_text(encoding="utf-8"))
        return str(told["heading"]), [str(sentence) for sentence in told["sentences"]]
    except (OSError, ValueError, RecursionError, TypeError, KeyError):
        return "", []

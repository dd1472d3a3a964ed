"""What every notebook does: find its sizes and folder, load a cohort, keep a table as a file and show it."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable
from html import escape
from importlib.resources import files
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import yaml
from IPython.display import HTML

import painkit.data
from painkit.data.cohort import Cohort
from painkit.errors import PainkitError, unknown
from painkit.figures.style import SIMULATED
from painkit.files import write_text

__all__ = [
    "came_out",
    "keeper",
    "load_cohort",
    "notebook_folder",
    "paragraph",
    "profiles",
    "report_folder",
    "show",
    "sizes",
    "some",
]

#: Readers of frames with landmarks; the others give videos, or single images.
_OF_FRAMES = ("unbc", "openface", "pyfeat", "simulated")


def notebook_folder() -> Path:
    """Return the folder of the notebooks: the checkout's, else the copy inside the installed package."""
    package = Path(str(files("painkit")))
    for folder in (package.parent / "notebooks", package / "_share" / "notebooks"):
        if folder.is_dir():
            return folder
    raise PainkitError("the notebooks are missing from this installation", where=package)


def profiles(notebook: str, folder: Path | None = None) -> dict[str, dict[str, Any]]:
    """Sizes of a notebook by profile, as ``profiles.yaml`` lists them; none where it is not listed.

    Parameters
    ----------
    notebook : str
        Such as ``01_deepfacelift``.
    folder : Path, optional
        Where ``profiles.yaml`` lies; default beside the notebooks.

    Raises
    ------
    PainkitError
        When the file cannot be read as that.
    """
    path = (folder or notebook_folder()) / "profiles.yaml"
    expected = "notebook: {profile: {parameter: value}}"
    try:
        listed = yaml.safe_load(path.read_text(encoding="utf-8"))
        return {str(name): dict(given or {}) for name, given in (listed.get(notebook) or {}).items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, yaml.YAMLError, AttributeError, TypeError, RecursionError) as error:
        raise PainkitError(f"cannot be read: {error}", where=path, expected=expected) from error


def sizes(notebook: str, profile: str, **given: Any) -> SimpleNamespace:
    """Settle a notebook's sizes: what was given, else (None) what the profile says.

    Parameters
    ----------
    notebook, profile : str
        A row of ``profiles.yaml``.
    **given
        Parameters of the notebook's own cell.

    Raises
    ------
    PainkitError
        For a profile that does not exist, or a size that neither gives.
    """
    known = profiles(notebook)
    if profile not in known:
        raise unknown("profile", profile, known, where=notebook)
    listed = known[profile]
    lacking = [name for name, value in given.items() if value is None and name not in listed]
    if lacking:
        raise PainkitError(
            f"profile {profile!r} of {notebook} gives no {lacking[0]}", expected="a value for it"
        )
    return SimpleNamespace(
        **{name: listed[name] if value is None else value for name, value in given.items()}
    )


def report_folder(notebook: str, profile: str, out: str | Path | None = None) -> Path:
    """Return the folder of a notebook's runs and tables.

    Parameters
    ----------
    notebook, profile : str
        Name it.
    out : path, optional
        The folder itself. Default: ``reports/NOTEBOOK-PROFILE`` where the notebook is executed, as
        `painkit run` has it; beside the folder of the notebooks where that is in there, as in Lab.
    """
    here = Path.cwd()
    base = here.parent if here == notebook_folder() else here
    return base / "reports" / f"{notebook}-{profile}" if out is None else Path(out)


def load_cohort(data: str, root: str | Path | None, **options: Any) -> Cohort:
    """Read the data set a notebook is pointed at.

    Parameters
    ----------
    data : str
        A reader that gives frames, see `painkit.data.load`.
    root : path or None
        None simulates, where `data` is "simulated".
    **options
        Passed on where the reader has them: the profile of a simulation means nothing to an archive.

    Raises
    ------
    PainkitError
        When the data set has no frames to look at, before it is read, and as `painkit.data.load` does.
    """
    if data not in _OF_FRAMES:
        raise unknown("data set of frames", data, _OF_FRAMES)
    known = painkit.data.options_of(data)
    cohort: Cohort = painkit.data.load(data, root, **{k: v for k, v in options.items() if k in known})
    if cohort.frames.empty:
        raise PainkitError("holds no frames", where=cohort.root)
    return cohort


def some(values: Iterable[str], n: int, *, seed: int = 0) -> list[str]:
    """Draw `n` of some names, all where there are fewer; sorted."""
    names = pd.Series(list(values))
    return sorted(names.sample(min(n, len(names)), random_state=seed))


def paragraph(text: str) -> HTML:
    """Lay a sentence or more out for the page, as text: notes and warnings may quote names from the data."""
    return HTML(f"<p>{escape(text)}</p>")  # type: ignore[no-untyped-call]


def show(
    table: pd.DataFrame,
    columns: Iterable[str] | None = None,
    *,
    decimals: int = 3,
    caption: str = "",
    file: str = "table",
) -> HTML:
    """Lay a table out for the page; whatever it holds is shown as text, headers too.

    Below it a link saves the whole table as CSV, all columns and digits of it; nothing is fetched for that.

    Parameters
    ----------
    table : DataFrame
        An index without a name, or one that only counts, is left out.
    columns : iterable of str, optional
        Which, in this order; default all.
    decimals : int
        Of numbers.
    caption : str
        What the table shows. A page names a table without one by the section it stands in.
    file : str
        Name of the CSV, without its ending.
    """
    chosen = table if columns is None else table[list(columns)]
    if chosen.empty:
        return HTML("<p>no rows</p>")  # type: ignore[no-untyped-call]
    named = any(name is not None for name in chosen.index.names)
    # In the last line of the header, not in a line of its own.
    laid = chosen.reset_index(col_level=chosen.columns.nlevels - 1) if named else chosen
    text = laid.to_html(
        index=not named and not isinstance(table.index, pd.RangeIndex),
        float_format=lambda number: f"{number:z.{decimals}f}",
        na_rep="",
        justify="left",
        escape=True,
        border=0,
    )
    if caption:
        text = text.replace("<thead>", f"<caption>{escape(caption)}</caption><thead>", 1)
    whole = base64.b64encode(_csv(table).encode()).decode()
    link = f'<a download="{escape(file)}.csv" href="data:text/csv;base64,{whole}">Save as CSV</a>'
    return HTML(f'<div class="kept-table">{text}{link}</div>')  # type: ignore[no-untyped-call]


def _csv(table: pd.DataFrame) -> str:
    return str(table.to_csv(index=not isinstance(table.index, pd.RangeIndex)))


def keeper(out: str | Path) -> Callable[..., HTML]:
    """Give the notebook its ``keep(table, name)``.

    Parameters
    ----------
    out : path
        Folder of the tables, made when it is not there.

    Returns
    -------
    callable
        ``keep(table, name, columns=None, decimals=3, caption=None)`` writes the whole table to
        ``out/name.csv`` and shows it, or some of its columns; see `show`. Without a caption its name is one.
    """

    def keep(
        table: pd.DataFrame,
        name: str,
        columns: Iterable[str] | None = None,
        *,
        decimals: int = 3,
        caption: str | None = None,
    ) -> HTML:
        write_text(Path(out) / f"{name}.csv", _csv(table))
        told = name.replace("_", " ").capitalize() if caption is None else caption
        return show(table, columns, decimals=decimals, caption=told, file=name)

    return keep


def came_out(sentences: Iterable[str], out: str | Path, *, simulated: bool) -> HTML:
    """Write what came out to ``out/what_came_out.json`` and show it; on a page it stands at the top.

    Parameters
    ----------
    sentences : iterable of str
        Made from the tables; empty ones are left out.
    out : path
        Folder of the tables.
    simulated : bool
        Whether the cohort is: the first line says so.
    """
    told = [sentence for sentence in sentences if sentence]
    heading = f"What came out{'. ' + SIMULATED if simulated else ''}"
    content = {"heading": heading, "sentences": told}
    write_text(Path(out) / "what_came_out.json", json.dumps(content, indent=1, ensure_ascii=False))
    items = "".join(f"<li>{escape(sentence)}</li>" for sentence in told)
    return HTML(  # type: ignore[no-untyped-call]
        f'<div class="what-came-out"><p>{escape(heading)}</p><ul>{items}</ul></div>'
    )

"""Finding, parameterising and executing the notebooks."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from painkit.errors import PainkitError
from painkit.notebook import notebook_folder, profiles
from painkit.simulation.profiles import PROFILES

__all__ = ["find_notebook", "run_notebook"]


def find_notebook(name: str) -> Path:
    """Return the notebook called `name` (with or without ``.ipynb``), or the file at that path.

    Raises
    ------
    PainkitError
        When there is none; the message lists those that exist.
    """
    given = Path(name)
    if given.suffix == ".ipynb" and given.is_file():
        return given
    folder = notebook_folder()
    found = folder / f"{given.stem if given.suffix == '.ipynb' else given.name}.ipynb"
    if found.is_file():
        return found
    known = ", ".join(sorted(path.stem for path in folder.glob("*.ipynb")))
    raise PainkitError(f"no notebook {name!r}", where=folder, expected=f"a path or one of {known}")


def _declared(notebook: Path) -> list[str]:
    """Return the names in the notebook's cell tagged ``parameters``."""
    from nbformat import ValidationError
    from nbformat.reader import NotJSONError
    from papermill import inspect_notebook

    try:
        return list(inspect_notebook(str(notebook)))
    except (ValueError, KeyError, AttributeError, NotJSONError, ValidationError) as error:
        raise PainkitError(
            f"cannot be read: {error}", where=notebook, expected="a Python notebook"
        ) from error


def _parameters(notebook: Path, declared: list[str], profile: str, chosen: dict[str, Any]) -> dict[str, Any]:
    """Put the profile beside the user's choice, refusing what the notebook does not declare."""
    unknown = sorted(set(chosen) - set(declared))
    if unknown:
        raise PainkitError(
            f"unknown parameter {', '.join(unknown)}",
            where=notebook,
            expected=f"one of {', '.join(declared)}",
        )
    known = profiles(notebook.stem, notebook.parent) or {name: {} for name in PROFILES}
    if profile not in known:
        raise PainkitError(
            f"unknown profile {profile!r}", where=notebook, expected=f"one of {', '.join(known)}"
        )
    return ({"profile": profile} if "profile" in declared else {}) | chosen


def run_notebook(
    name: str, *, profile: str = "demo", parameters: dict[str, Any] | None = None, out: Path | None = None
) -> Path:
    """Execute a notebook with papermill and export it to one HTML page.

    Parameters
    ----------
    name : str
        Notebook name or path.
    profile : str
        Of the sizes that ``profiles.yaml`` lists; of a notebook without any, a profile of the simulation.
    parameters : dict, optional
        Values that win over the profile's.
    out : Path, optional
        Folder for the executed notebook, its page and the files it writes; default
        ``reports/NAME-PROFILE``. The notebook's own ``out`` parameter is set to it, so that a run which was
        cut off goes on where it was.

    Returns
    -------
    Path
        The HTML page.

    Raises
    ------
    PainkitError
        Unknown notebook, profile or parameter; a kernel that is not installed or died; or a cell that failed,
        with its error. The executed notebook up to that cell stays in `out`.
    """
    import papermill
    from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel
    from papermill.exceptions import PapermillExecutionError

    from painkit.cli.page import write_page

    notebook = find_notebook(name)
    folder = (out or Path("reports") / f"{notebook.stem}-{profile}").resolve()
    if folder.exists() and not folder.is_dir():
        raise PainkitError("is a file", where=folder, expected="a folder for the report")
    declared = _declared(notebook)
    values = _parameters(notebook, declared, profile, parameters or {})
    if "out" in declared:
        values.setdefault("out", str(folder))
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PainkitError(f"cannot be made: {error.strerror}", where=folder) from error
    executed = folder / notebook.name
    # For the kernel. The executed notebook keeps every state of a bar: one a second is enough.
    os.environ.setdefault("PAINKIT_TEXT_PROGRESS", "1")
    os.environ.setdefault("TQDM_MININTERVAL", "1")
    try:
        papermill.execute_notebook(
            str(notebook),
            str(executed),
            parameters=values,
            progress_bar=True,
            stderr_file=sys.stderr,  # progress bars of long cells stay visible
            shutdown_kernel="immediate",
        )
    except PapermillExecutionError as error:
        told = (error.evalue.strip().splitlines() or [""])[0]
        raise PainkitError(
            f"cell {error.exec_count} failed: {error.ename}: {told}; see {executed}", where=notebook
        ) from error
    except NoSuchKernel as error:
        known = ", ".join(sorted(KernelSpecManager().find_kernel_specs()))
        raise PainkitError(
            f"asks for the kernel {error.name!r}, which is not installed", where=notebook, expected=known
        ) from error
    # What nbclient and jupyter_client raise for a kernel that dies, or never answers.
    except RuntimeError as error:
        raise PainkitError(f"the kernel failed: {error}; see {executed}", where=notebook) from error
    return write_page(executed)

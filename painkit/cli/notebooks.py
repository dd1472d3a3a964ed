"""Finding, parameterising and executing the notebooks."""

from __future__ import annotations

import os
import sys
from functools import cache
from pathlib import Path
from typing import Any

from painkit.cli.notebook_parameters import check_parameters, declared_parameters
from painkit.errors import PainkitError, unknown
from painkit.files import write_text
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
    raise unknown("notebook", name, sorted(path.stem for path in folder.glob("*.ipynb")), where=folder)


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
        Unknown notebook, profile or parameter, or a value of another type than its default's, before
        anything is written; a kernel that is not installed or died; or a cell that failed, with its error.
        The executed notebook up to that cell stays in `out`.
    """
    import papermill
    from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel
    from papermill.exceptions import PapermillExecutionError

    from painkit.cli.page import write_page

    notebook = find_notebook(name)
    profile = str((parameters or {}).get("profile", profile))
    folder = (out or Path("reports") / f"{notebook.stem}-{profile}").resolve()
    if folder.exists() and not folder.is_dir():
        raise PainkitError("is a file", where=folder, expected="a folder for the report")
    given = parameters or {}
    declared = declared_parameters(notebook)
    check_parameters(notebook, declared, given)
    known = profiles(notebook.stem, notebook.parent) or dict.fromkeys(PROFILES)
    if profile not in known:
        raise unknown("profile", profile, known, where=notebook)
    values = {"profile": profile, "out": str(folder)}
    values = {name: value for name, value in values.items() if name in declared} | given
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PainkitError(f"cannot be made: {error.strerror}", where=folder) from error
    executed = folder / notebook.name
    # For the kernel. The executed notebook keeps every state of a bar: one a second is enough.
    os.environ.setdefault("PAINKIT_TEXT_PROGRESS", "1")
    os.environ.setdefault("TQDM_MININTERVAL", "1")
    _write_notebooks_whole(executed.anchor)
    try:
        papermill.execute_notebook(
            str(notebook),
            str(executed),
            parameters=values,
            progress_bar=True,
            stderr_file=sys.stderr,  # progress bars of long cells stay visible
            shutdown_kernel="immediate",
            # A kernel warns that it listens without encryption (on this machine alone), and of its end.
            extra_arguments=["--IPKernelApp.log_level=CRITICAL"],
        )
    except PapermillExecutionError as error:
        told = (error.evalue.strip().splitlines() or [""])[0]
        raise PainkitError(
            f"cell {error.exec_count} failed: {error.ename}: {told}; see {executed}", where=notebook
        ) from error
    except NoSuchKernel as error:
        installed = ", ".join(sorted(KernelSpecManager().find_kernel_specs()))
        raise PainkitError(
            f"asks for the kernel {error.name!r}, which is not installed", where=notebook, expected=installed
        ) from error
    # What nbclient and jupyter_client raise for a kernel that dies, or never answers.
    except RuntimeError as error:
        raise PainkitError(f"the kernel failed: {error}; see {executed}", where=notebook) from error
    except OSError as error:
        raise PainkitError(f"could not be executed: {error}", where=notebook) from error
    return write_page(executed)


@cache
def _write_notebooks_whole(anchor: str) -> None:
    """Let papermill, which saves after every cell, leave no half of a notebook on a disk that is full."""
    from papermill.iorw import LocalHandler, papermill_io

    class WholeFiles(LocalHandler):  # type: ignore[misc]
        def write(self, buf: str, path: str) -> None:
            write_text(path, buf)

    papermill_io.register(anchor, WholeFiles())  # every absolute path begins so

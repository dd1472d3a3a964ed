"""Commands and how their errors reach a terminal.

Exit status: 0 done (or usable, or no leak), 1 the input is not as it should be (or leaks), 2 wrong usage (of
`audit`: or no table of folds).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

import painkit
from painkit.cli.notebook_parameters import NotebookCommand, declared_parameters, read_parameters
from painkit.errors import PainkitError, unknown

app = typer.Typer(
    name="painkit",
    help="Pain estimation from faces: the papers' models, honest evaluation, attribution, simulation.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
)
data_app = typer.Typer(
    help="The data sets painkit reads, and whether a copy is as it should be.", no_args_is_help=True
)
app.add_typer(data_app, name="data")


@contextmanager
def told_plainly(status: int = 1) -> Iterator[None]:
    """Print a PainkitError as one message and leave with this status."""
    try:
        yield
    except PainkitError as error:
        Console(stderr=True).print(
            f"[bold red]error[/] {escape(str(error))}", soft_wrap=True, highlight=False
        )
        raise typer.Exit(status) from error


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"painkit {painkit.__version__}")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Hold the options that stand before a command."""


@data_app.command("list")
def data_list(
    as_json: Annotated[bool, typer.Option("--json", help="Print the manifests as JSON.")] = False,
) -> None:
    """List the data sets and weights files, their licences and how to ask for access."""
    from painkit.data.manifests import manifests

    with told_plainly():
        known = manifests()
    if as_json:
        typer.echo(json.dumps([manifest.model_dump(mode="json") for manifest in known], indent=2))
        return
    table = Table("name", "title", "licence", "access")
    for manifest in known:
        table.add_row(
            manifest.name, escape(manifest.title), escape(manifest.licence), escape(manifest.access)
        )
    Console().print(table)


@data_app.command("check")
def data_check(
    name: Annotated[str, typer.Argument(help="Data set, as `painkit data list` names it.")],
    root: Annotated[Path, typer.Argument(help="Folder (or file) of your copy.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
) -> None:
    """Compare a folder with its manifest and print every finding; exit 0 usable, 1 not, 2 wrong usage."""
    from painkit.data.check import check
    from painkit.data.manifests import manifests

    with told_plainly():
        known = [manifest.name for manifest in manifests()]
        if name not in known:
            raise typer.BadParameter(str(unknown("data set", name, known)), param_hint="NAME")
        if not root.exists():
            raise typer.BadParameter(f"{root} does not exist", param_hint="ROOT")
        report = check(name, root)
    if as_json:
        typer.echo(report.to_json())
    else:
        report.print(Console())
    raise typer.Exit(0 if report.usable else 1)


@app.command()
def simulate(
    dest: Annotated[Path, typer.Argument(help="Folder to write the cohort to.")],
    profile: Annotated[str, typer.Option(help="smoke, demo or full.")] = "demo",
    images: Annotated[str, typer.Option(help="none, thin or all.")] = "thin",
    seed: Annotated[int, typer.Option(help="The same seed gives the same bytes.")] = 0,
    shortcut: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Share of frames whose background mark follows the level.")
    ] = 0.0,
    jobs: Annotated[int, typer.Option(help="Processes; -1 means all cores.")] = -1,
) -> None:
    """Write a cohort with known causes in the archive's own layout. It says nothing about people."""
    from painkit.simulation.simulation import simulate as write

    with told_plainly():
        if jobs == 0:
            raise typer.BadParameter("0 processes do no work", param_hint="--jobs")
        root = write(dest, profile=profile, images=images, seed=seed, shortcut=shortcut, jobs=jobs)
    typer.echo(f"simulated cohort: {root}")


@app.command()
def score(
    files: Annotated[
        list[Path],
        typer.Argument(
            help="CSV/Parquet tables with columns subject, sequence, frame, y_true, y_pred "
            "(and fold, target, y_std, p_0, p_1, ... if known), or released .mat files."
        ),
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
    scale: Annotated[
        str | None,
        typer.Option(
            help="Scale of y_true, over the file's target column: level, pspi, vas, opi, stimulus, pain, ..."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the subject bootstrap.")] = 0,
) -> None:
    """Score predictions: metrics with intervals over subjects, trivial and published rows beside them."""
    from painkit.scoring.score import score as score_files

    if as_json and as_csv:
        raise typer.BadParameter("choose one of --json and --csv")
    with told_plainly():
        report = score_files(files, scale=scale, seed=seed)
    if as_json:
        typer.echo(report.to_json())
    elif as_csv:
        typer.echo(report.to_csv(), nl=False)
    else:
        report.print(Console())


@app.command()
def audit(
    file: Annotated[
        Path,
        typer.Argument(
            help="CSV table with columns subject, sequence, frame, fold, one row a sample (and set: train, "
            "validation, test; and source_frame of augmented copies, if there are)."
        ),
    ],
    near: Annotated[int, typer.Option(min=1, help="Frames of a sequence so close are near copies.")] = 5,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Tell what a table of folds leaks, before any model; exit 0 no leak, 1 a leak, 2 no such table."""
    from painkit.evaluation.fold_audit import audit_folds

    with told_plainly(2):
        report = audit_folds(file, near=near)
    if as_json:
        typer.echo(report.to_json())
    else:
        report.print(Console())
    raise typer.Exit(1 if report.leaky else 0)


@app.command(cls=NotebookCommand)
def run(
    notebook: Annotated[str, typer.Argument(help="Name as in notebooks/ (01_deepfacelift) or a path.")],
    profile: Annotated[str, typer.Option(help="smoke, demo or full: sizes of data and training.")] = "demo",
    parameter: Annotated[
        list[str] | None,
        typer.Option(
            "-p",
            "--parameter",
            metavar="NAME VALUE",
            help="Set a parameter of the notebook (JSON, else text); repeat for more.",
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the report; default reports/NOTEBOOK-PROFILE.")
    ] = None,
) -> None:
    """Execute a notebook and write it with one self-contained HTML page that needs no network."""
    from painkit.cli.notebooks import find_notebook, run_notebook

    with told_plainly():
        given = read_parameters(parameter or [], declared_parameters(find_notebook(notebook)))
        page = run_notebook(notebook, profile=profile, parameters=given, out=out)
    typer.echo(f"report: {page}\nnotebook: {page.with_suffix('.ipynb')}")
    for table in sorted(page.parent.glob("*.csv")):
        typer.echo(f"table: {table}")


@app.command()
def report(
    folder: Annotated[Path, typer.Argument(help="Folder that `painkit run` has written to.")] = Path(
        "reports"
    ),
) -> None:
    """Write one page over all notebooks that were run: what came out, what it cost, links."""
    from painkit.cli.report import write_index

    with told_plainly():
        index = write_index(folder)
    typer.echo(f"index: {index}")

"""`painkit run`: parameters are checked, pages need no network, a failing cell is told."""

import re

import nbformat
import pytest
from typer.testing import CliRunner

from painkit.cli import app
from painkit.cli.notebook_parameters import read_parameters
from painkit.cli.notebooks import find_notebook, run_notebook
from painkit.errors import PainkitError

PARAMETERS = "epochs = 3\nout = 'nowhere'\ntitle = 'none'"
PLOT = "import plotly.graph_objects as go\ngo.Figure(go.Scatter(y=[1, 2, 4]))"


def write_notebook(path, *cells):
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = nbformat.v4.new_notebook(metadata={"kernelspec": kernel})
    first, *rest = (nbformat.v4.new_code_cell(cell) for cell in cells)
    first.metadata["tags"] = ["parameters"]
    notebook.cells = [first, *rest]
    nbformat.write(notebook, path)
    return path


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    notebook = write_notebook(
        folder / "small.ipynb",
        PARAMETERS,
        "from pathlib import Path\nPath(out, 'epochs.txt').write_text(f'{epochs} {title}')",
        PLOT,
        "import pandas as pd\npd.DataFrame({'subject': ['<script>alert(1)</script>']})",
        "import sys\nprint(f' {50}%|#####     | 1/2', file=sys.stderr)",
    )
    result = CliRunner().invoke(
        app,
        ["run", str(notebook), "-p", "epochs", "7", "--out", str(folder / "out"), "-p", "title", "a: b: c"],
    )
    assert result.exit_code == 0, result.output
    return folder / "out" / "small.html"


@pytest.mark.notebook
def test_parameters_reach_the_notebook_and_out_is_the_report_folder(page):
    assert (page.parent / "epochs.txt").read_text() == "7 a: b: c"


@pytest.mark.notebook
def test_page_fetches_nothing_and_holds_its_plot_and_plotly_once(page):
    text = page.read_text()
    fetched = re.findall(r"<(?:script|link|img|iframe)[^>]*(?:src|href)=[\"'](?!data:|#)([^\"']+)", text)
    assert fetched == []
    assert re.findall(r"@import\s+url\(['\"]?https?:", text) == []
    assert text.count("Plotly.newPlot(") >= 1
    assert len(re.findall(r"plotly\.js v\d", text)) == 1


@pytest.mark.notebook
def test_text_from_data_is_escaped_and_progress_bars_are_left_out(page):
    text = page.read_text()
    assert "<script>alert(1)</script>" not in text
    assert "&lt;script&gt;alert(1)" in text
    assert "50%|" not in text


def test_a_parameter_the_notebook_does_not_declare_is_refused_by_name(tmp_path):
    notebook = write_notebook(tmp_path / "small.ipynb", PARAMETERS)
    with pytest.raises(PainkitError, match=r"unknown parameter epoch .*expected one of epochs, out, title"):
        run_notebook(str(notebook), parameters={"epoch": 5}, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_profile_the_notebook_has_no_sizes_for_is_refused(tmp_path):
    notebook = write_notebook(tmp_path / "small.ipynb", PARAMETERS)
    (tmp_path / "profiles.yaml").write_text("small:\n  smoke: {epochs: 1}\n")
    with pytest.raises(PainkitError, match=r"unknown profile 'huge'.*expected one of smoke"):
        run_notebook(str(notebook), profile="huge", out=tmp_path / "out")


@pytest.mark.notebook
def test_a_failing_cell_is_told_with_its_error_and_the_executed_notebook_stays(tmp_path):
    notebook = write_notebook(tmp_path / "small.ipynb", PARAMETERS, "1 / 0")
    with pytest.raises(PainkitError, match=r"ZeroDivisionError: division by zero; see .*out.small\.ipynb"):
        run_notebook(str(notebook), out=tmp_path / "out")
    assert "ZeroDivisionError" in (tmp_path / "out" / "small.ipynb").read_text()
    assert not (tmp_path / "out" / "small.html").exists()


def test_a_report_folder_that_is_a_file_is_refused(tmp_path):
    notebook = write_notebook(tmp_path / "small.ipynb", PARAMETERS)
    (tmp_path / "out").write_text("mine")
    with pytest.raises(PainkitError, match="out: is a file"):
        run_notebook(str(notebook), out=tmp_path / "out")
    assert (tmp_path / "out").read_text() == "mine"


def test_an_unknown_notebook_lists_those_that_exist():
    with pytest.raises(PainkitError, match=r"no notebook '99_nothing' .*00_tour"):
        find_notebook("99_nothing")


@pytest.mark.parametrize("content", ["", "{}", "not JSON", "\x00\x01"])
def test_a_file_that_is_no_notebook_is_told(tmp_path, content):
    (tmp_path / "odd.ipynb").write_text(content)
    with pytest.raises(PainkitError, match=r"odd\.ipynb: cannot be read"):
        run_notebook(str(tmp_path / "odd.ipynb"), out=tmp_path / "out")


def test_values_are_read_as_yaml_and_text_that_is_no_yaml_is_kept():
    given = ["jobs=2", "root=null", "folds=[1, 2]", "title=a: b: c", "jobs=3"]
    assert read_parameters(given) == {"jobs": 3, "root": None, "folds": [1, 2], "title": "a: b: c"}


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["run", "00_tour", "-p", "seed"], 2),
        (["run", "99_nothing"], 1),
        (["data", "check", "nothing", "."], 2),
        (["data", "check", "unbc", "no/such/folder"], 2),
        (["score", "no/such/file.csv"], 1),
        (["score", "--json", "--csv", "x.csv"], 2),
        (["--version"], 0),
        (["data", "list"], 0),
    ],
)
def test_exit_status(arguments, status):
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == status, result.output

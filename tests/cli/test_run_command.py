"""`painkit run`: parameters are checked, pages need no network, a failing cell is told."""

import re
import subprocess
import sys
from contextlib import nullcontext

import nbformat
import pytest
import typer
from typer.testing import CliRunner

from painkit.cli import app
from painkit.cli.notebook_parameters import (
    Parameter,
    check_parameters,
    declared_parameters,
    read_parameters,
)
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
def ran(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    notebook = write_notebook(
        folder / "small.ipynb",
        PARAMETERS,
        "from pathlib import Path\nPath(out, 'epochs.csv').write_text(f'{epochs} {title}')",
        PLOT,
        "import pandas as pd\npd.DataFrame({'subject': ['<script>alert(1)</script>']})",
        "from painkit.progress import tqdm\nfor _ in tqdm('ab', desc='folds'): pass",
        "from painkit.progress import ahead\nahead('about 3 hours of it')",
        "import sys, tqdm\nfor _ in tqdm.tqdm('ab'): print('mind this', file=sys.stderr)",
    )
    result = CliRunner().invoke(
        app,
        ["run", str(notebook), "-p", "epochs", "7", "--out", str(folder / "out"), "-p", "title", "a: b: c"],
    )
    assert result.exit_code == 0, result.output
    return folder / "out" / "small.html", result


@pytest.fixture(scope="module")
def page(ran):
    return ran[0]


@pytest.mark.notebook
def test_progress_inside_the_notebook_reaches_the_terminal(ran):
    assert re.search(r"folds: 100%\|.*2/2", ran[1].stderr)
    assert "Ahead: about 3 hours of it" in ran[1].stderr  # what a cell gives stands on its page
    assert "Ahead:" not in ran[0].read_text()


@pytest.mark.notebook
def test_a_run_ends_with_where_everything_is(ran, page):
    files = [
        ("report", page),
        ("notebook", page.with_suffix(".ipynb")),
        ("table", page.parent / "epochs.csv"),
    ]
    assert ran[1].stdout.splitlines() == [f"{what}: {path}" for what, path in files]


@pytest.mark.notebook
def test_parameters_reach_the_notebook_and_out_is_the_report_folder(page):
    assert (page.parent / "epochs.csv").read_text() == "7 a: b: c"


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
    assert "100%|" in page.with_suffix(".ipynb").read_text()
    assert "100%|" not in text
    # Between two states of a bar stand warnings, which are kept: in one box, without a blank line.
    boxes = re.findall(r'class="[^"]*output_stderr[^"]*">\s*<pre>(.*?)</pre>', text, re.DOTALL)
    assert boxes == ["mind this\nmind this\n"]


@pytest.mark.notebook
def test_a_kernel_does_not_warn_into_the_first_bar(ran):
    assert "IPKernelApp" not in ran[1].stderr


def test_a_parameter_the_notebook_does_not_declare_is_refused_by_name(tmp_path):
    notebook = write_notebook(tmp_path / "small.ipynb", PARAMETERS)
    with pytest.raises(
        PainkitError, match=r"no parameter 'epoch'; did you mean 'epochs'\? \(expected epochs, out, title\)"
    ):
        run_notebook(str(notebook), parameters={"epoch": 5}, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_profile_the_notebook_has_no_sizes_for_is_refused(tmp_path):
    notebook = write_notebook(tmp_path / "small.ipynb", PARAMETERS)
    (tmp_path / "profiles.yaml").write_text("small:\n  smoke: {epochs: 1}\n")
    with pytest.raises(PainkitError, match=r"no profile 'huge'.*expected smoke\)"):
        run_notebook(str(notebook), profile="huge", out=tmp_path / "out")


@pytest.mark.parametrize("listing", [None, "other:\n  smoke: {}\n"])
def test_a_notebook_without_sizes_has_the_profiles_of_the_simulation(tmp_path, listing):
    notebook = write_notebook(tmp_path / "small.ipynb", PARAMETERS)
    if listing:
        (tmp_path / "profiles.yaml").write_text(listing)
    with pytest.raises(PainkitError, match=r"no profile 'huge'.*expected smoke, demo, full"):
        run_notebook(str(notebook), profile="huge", out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.notebook
def test_a_kernel_that_dies_is_told_and_the_executed_notebook_stays(tmp_path):
    notebook = write_notebook(tmp_path / "small.ipynb", PARAMETERS, "import os\nos._exit(1)")
    result = CliRunner().invoke(app, ["run", str(notebook), "--out", str(tmp_path / "out")])
    assert result.exit_code == 1, result.output
    assert re.search(r"small\.ipynb: the kernel failed: .*died.*see .*out.small\.ipynb", result.stderr)
    assert "os._exit(1)" in (tmp_path / "out" / "small.ipynb").read_text()


@pytest.mark.notebook
def test_a_kernel_that_is_not_installed_is_told_with_those_that_are(tmp_path):
    notebook = write_notebook(tmp_path / "small.ipynb", PARAMETERS)
    content = nbformat.read(notebook, as_version=4)
    content.metadata.kernelspec.name = "python1"
    nbformat.write(content, notebook)
    with pytest.raises(PainkitError, match=r"small\.ipynb: .*kernel 'python1'.*expected .*python3"):
        run_notebook(str(notebook), out=tmp_path / "out")


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


@pytest.mark.parametrize(
    "content", ["", "{}", "[]", "not JSON", "\x00\x01", '{"cells": ' + "[" * 100_000, "9" * 5000]
)
def test_a_file_that_is_no_notebook_is_told(tmp_path, content):
    (tmp_path / "odd.ipynb").write_text(content)
    with pytest.raises(PainkitError, match=r"odd\.ipynb: cannot be read"):
        run_notebook(str(tmp_path / "odd.ipynb"), out=tmp_path / "out")


@pytest.mark.parametrize(
    ("declared", "value", "fits"),
    [
        ("seed = 0", 3, True),
        ("seed = 0", "abc", False),
        ("seed = 0", 1.5, False),
        ("seed = 0", True, False),
        ("seed = 0", None, False),
        ("lr = 0.1", 1, True),
        ("thin = True", 1, False),
        ("epochs: int = None", None, True),
        ("epochs: int = None", "3", False),
        ("folds: list[int] = None", [1], True),
        ("net: dict = None", [1], False),
        ("rows = None", "all", True),
        ("rows = None", ["a"], True),
        ("root: str = None", 2024, False),
        ("out = 'here'", "there", True),
        ("steps = range(3)", 4, True),
    ],
)
def test_a_value_is_of_the_type_that_the_notebook_declares(tmp_path, declared, value, fits):
    """By its annotation, else by its default; where neither tells, anything goes."""
    notebook = write_notebook(tmp_path / "small.ipynb", declared)
    parameters = declared_parameters(notebook)
    [name] = parameters
    told = nullcontext() if fits else pytest.raises(PainkitError, match=rf"parameter {name} is .*expected")
    with told:
        check_parameters(notebook, parameters, {name: value})


def test_a_wrong_type_is_told_before_anything_is_written(tmp_path):
    notebook = write_notebook(tmp_path / "small.ipynb", PARAMETERS)
    result = CliRunner().invoke(
        app, ["run", str(notebook), "-p", "epochs", "abc", "--out", str(tmp_path / "o")]
    )
    assert result.exit_code == 1
    assert "parameter epochs is 'abc' (expected int, such as 3)" in result.stderr
    assert not (tmp_path / "o").exists()


def test_text_stays_text_where_the_notebook_declares_it():
    declared = {"root": Parameter("None", str), "device": Parameter("'cpu'", str), "n": Parameter("1", int)}
    given = ["root=2024", "device=1e3", "n=2024", "root=2025", "other=7"]
    assert read_parameters(given, declared) == {"root": "2025", "device": "1e3", "n": 2024, "other": 7}
    assert read_parameters(["root=null", 'device="2"'], declared) == {"root": None, "device": "2"}
    assert read_parameters(["root=[1", "device=true"], declared) == {"root": "[1", "device": "true"}


def test_values_are_read_as_json_and_later_ones_win():
    given = ["jobs=2", "root=null", "folds=[1, 2]", 'gp={"restarts": 3}', "lr=1e-4", "thin=true", "jobs=3"]
    assert read_parameters(given, {}) == {
        "jobs": 3, "root": None, "folds": [1, 2], "gp": {"restarts": 3}, "lr": 0.0001, "thin": True
    }  # fmt: skip
    assert read_parameters(["a=True", "b=False", "c=None", 'd="1"'], {}) == {
        "a": True, "b": False, "c": None, "d": "1"
    }  # fmt: skip


@pytest.mark.parametrize(
    "text",
    ["042", "0642_12", "1_000", "2024-01-01", "1:30", "0x1F", "a: b: c", "a: b", "#3", "*.jpg", "on", ""],
)
def test_text_that_only_resembles_a_value_stays_as_it_was_typed(text):
    assert read_parameters([f"x={text}"], {}) == {"x": text}


@pytest.mark.parametrize("text", ["[smooth L1, OSVR-L1]", "{epochs: 3}", "[1, 2"])
def test_a_list_that_is_no_json_is_refused_rather_than_taken_as_text(text):
    with pytest.raises(typer.BadParameter, match="rows"):
        read_parameters([f"rows={text}"], {})


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["run", "00_tour", "-p", "seed"], 2),
        (["run", "00_tour", "-p", "rows", "[a, b]"], 2),
        (["run", "99_nothing"], 1),
        (["run", "00_tour", "--profile", "huge"], 1),
        (["simulate", "unwritten", "--jobs", "0"], 2),
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


@pytest.mark.parametrize(
    ("arguments", "meant"),
    [
        (["rnu"], "run"),
        (["data", "chekc"], "check"),
        (["data", "check", "ubnc", "."], "unbc"),
        (["run", "00_tuor"], "00_tour"),
        (["run", "00_tour", "--profile", "smke"], "smoke"),
        (["run", "00_tour", "-p", "sed", "1"], "seed"),
        (["score", "x.csv", "--scale", "stimulis"], "stimulus"),
    ],
)
def test_the_nearest_name_is_told(tmp_path, monkeypatch, arguments, meant):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.csv").write_text("subject,sequence,frame,y_true,y_pred\na,x,1,0,1\n")
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code in (1, 2)
    assert re.search(rf"did you mean '{meant}'", " ".join(result.stderr.split()), re.IGNORECASE)


def test_python_runs_the_package_as_the_command():
    command = [sys.executable, "-m", "painkit", "--version"]
    assert re.match(r"painkit \d", subprocess.run(command, capture_output=True, text=True, check=True).stdout)

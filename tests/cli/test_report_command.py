"""`painkit report`: one page over all that was run, written whole or not at all."""

import json

import nbformat
import pytest
from bs4 import BeautifulSoup
from typer.testing import CliRunner

from painkit.cli import app
from painkit.cli.report import write_index
from painkit.errors import PainkitError


def executed(folder, title, *outputs, page=True, came_out=()):
    """A notebook as papermill leaves it, and what lies beside it."""
    folder.mkdir(parents=True)
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    told = {"end_time": "2026-01-02T03:04:05+00:00", "duration": 131.4, "parameters": {"profile": "smoke"}}
    parameters = nbformat.v4.new_code_cell('profile = "demo"', metadata={"tags": ["parameters"]})
    cell = nbformat.v4.new_code_cell("run()", outputs=list(outputs))
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_markdown_cell(f"# {title}\n\nmore"), parameters, cell],
        metadata={"papermill": told, "painkit": {"version": "0.0.7"}, "kernelspec": kernel},
    )
    nbformat.write(notebook, folder / "one.ipynb")
    (folder / "table 1.csv").write_text("a,b\n1,2\n")
    if page:
        (folder / "one.html").write_text("<p>page</p>")
    if came_out:
        content = {"heading": "What came out. Simulated", "sentences": list(came_out)}
        (folder / "what_came_out.json").write_text(json.dumps(content))


def test_every_notebook_is_listed_with_what_came_out_its_cost_and_its_files(tmp_path):
    executed(tmp_path / "a", "First", came_out=["A <b> beats B.", "C is open."])
    executed(tmp_path / "b", "Second")
    result = CliRunner().invoke(app, ["report", str(tmp_path)])
    assert result.exit_code == 0, result.output
    assert result.stdout == f"index: {tmp_path / 'index.html'}\n"
    page = BeautifulSoup((tmp_path / "index.html").read_text(), "html.parser")
    first, second = page.select(".cards > li")
    assert [first.h2.get_text(), second.h2.get_text()] == ["First (smoke)", "Second (smoke)"]
    shown = " ".join(first.get_text().split())
    for told in ("2026-01-02 03:04 UTC", "2 min 11 s", "painkit 0.0.7", "A <b> beats B.", "C is open."):
        assert told in shown
    links = [link["href"] for link in page.select("a")]
    assert links[:3] == ["a/one.html", "a/one.ipynb", "a/table%201.csv"]
    assert not page.select("script, img, link")


def test_a_run_that_failed_is_listed_as_that(tmp_path):
    error = nbformat.v4.new_output("error", ename="ValueError", evalue="<no>", traceback=[])
    executed(tmp_path / "a", "First", error, page=False)
    executed(tmp_path / "b", "Second", page=False)
    write_index(tmp_path)
    page = BeautifulSoup((tmp_path / "index.html").read_text(), "html.parser")
    told = [line.get_text() for line in page.select(".failed")]
    assert told == ["Not finished: ValueError: <no>", "Not finished: it was not executed to its end"]


@pytest.mark.parametrize("what", ["no folder", "empty", "a notebook that was not executed", "no notebook"])
def test_where_nothing_was_run_that_is_told_and_nothing_is_written(tmp_path, what):
    folder = tmp_path / "reports"
    if what != "no folder":
        folder.mkdir()
    if what == "a notebook that was not executed":
        nbformat.write(nbformat.v4.new_notebook(), folder / "one.ipynb")
    if what == "no notebook":
        (folder / "one.ipynb").write_text("[" * 100_000)
    with pytest.raises(PainkitError, match=r"reports.*expected .*painkit run"):
        write_index(folder)
    assert not (folder / "index.html").exists()
    assert CliRunner().invoke(app, ["report", str(folder)]).exit_code == 1


def test_a_disk_that_is_full_leaves_the_index_that_was_there(tmp_path, monkeypatch):
    executed(tmp_path / "a", "First")
    before = write_index(tmp_path).read_text()
    executed(tmp_path / "b", "Second")
    (tmp_path / "b" / "one.html").unlink()

    def full(*_args, **_kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_text", full)
    with pytest.raises((PainkitError, OSError), match="space"):
        write_index(tmp_path)
    assert (tmp_path / "index.html").read_text() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b", "index.html"]

"""`painkit data` and `painkit simulate`, as a user calls them."""

import json
import shutil

import pytest
from typer.testing import CliRunner

from painkit.cli import app


def call(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_list_names_every_data_set_and_its_licence():
    names = {card["name"]: card for card in json.loads(call("data", "list", "--json").output)}
    assert {"unbc", "biovid-a", "biovid-d", "ferplus", "simulated"} <= set(names)
    assert all(card["licence"] and card["access"] for card in names.values())


def test_a_whole_copy_is_usable_and_a_damaged_one_is_told(smoke, tmp_path):
    whole = call("data", "check", "simulated", smoke, "--json")
    assert whole.exit_code == 0, whole.output
    assert json.loads(whole.stdout)["usable"] is True
    (tmp_path / "Images").mkdir()
    empty = call("data", "check", "unbc", tmp_path)
    assert empty.exit_code == 1
    assert "NOT usable" in empty.output


def test_findings_are_a_line_a_kind_and_what_is_simulated_on_purpose_is_none(smoke, tmp_path):
    """A simulation lacks landmarks and blackens frames as the archive does; a file that is gone is told."""
    assert "no findings" in call("data", "check", "simulated", smoke).output
    copy = shutil.copytree(smoke, tmp_path / "copy [b]")
    lost = sorted((copy / "AAM_landmarks" / "042-ll042").rglob("*_aam.txt"))[:3]
    for path in lost:
        path.unlink()
    output = call("data", "check", "simulated", copy).output
    assert f"simulated in {copy}: usable" in output
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in output.splitlines() if "│" in line]
    at = next(k for k, row in enumerate(rows) if row[:2] == ["3", "missing (warning)"])
    told = "".join(row[2] for row in rows[at:]).replace(" ", "")
    assert told == f"{lost[0].relative_to(copy)}: the frame has no file of landmarks".replace(" ", "")
    assert max(map(len, output.splitlines())) <= 118
    machine = json.loads(call("data", "check", "simulated", copy, "--json").stdout)
    assert [finding["path"] for finding in machine["findings"]] == [str(path) for path in lost]


@pytest.mark.parametrize("options", [["--profile", "huge"], ["--images", "some"]])
def test_simulate_refuses_what_it_does_not_know_and_writes_nothing(tmp_path, options):
    result = call("simulate", tmp_path / "new", *options)
    assert result.exit_code == 1
    assert not (tmp_path / "new").exists()


def test_simulate_leaves_a_folder_of_other_files_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    result = call("simulate", tmp_path, "--profile", "smoke")
    assert result.exit_code == 1
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]

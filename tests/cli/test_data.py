"""`painkit data` and `painkit simulate`, as a user calls them."""

import json

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

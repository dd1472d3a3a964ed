"""The three lists of what painkit needs name the same: pyproject.toml, environment.yml and binder's."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.version import Version

TREE = Path(__file__).parents[1]
# What PyPI and conda-forge call differently.
CONDA_NAMES = {"opencv-python-headless": "opencv", "torch": "pytorch-cpu"}
PROJECT = tomllib.loads((TREE / "pyproject.toml").read_text())["project"]
# Classes open the explorers under Voila, so its extra is asked for, too.
ASKED = [Requirement(text) for text in PROJECT["dependencies"] + PROJECT["optional-dependencies"]["voila"]]


def conda_requirements():
    listed = yaml.safe_load((TREE / "environment.yml").read_text())["dependencies"]
    from_pip = next(entry for entry in listed if isinstance(entry, dict))["pip"]
    texts = [entry for entry in listed if isinstance(entry, str)] + from_pip
    # conda writes python=3.12 for python==3.12.*
    return [Requirement(re.sub(r"(?<![<>=!~])=(?!=)(.+)", r"==\1.*", text)) for text in texts]


def lowest(requirement):
    return max(
        (Version(s.version) for s in requirement.specifier if s.operator == ">="), default=Version("0")
    )


@pytest.mark.parametrize("asked", ASKED, ids=lambda requirement: requirement.name)
def test_the_conda_environment_covers_what_the_project_asks_for(asked):
    listed = {requirement.name: requirement for requirement in conda_requirements()}
    name = CONDA_NAMES.get(asked.name, asked.name)
    assert name in listed
    assert lowest(listed[name]) >= lowest(asked)


def test_the_conda_environment_asks_for_nothing_else():
    known = {CONDA_NAMES.get(asked.name, asked.name) for asked in ASKED}
    assert {requirement.name for requirement in conda_requirements()} == known | {"python", "pip"}


def test_the_conda_environment_has_a_supported_python():
    python = next(r for r in conda_requirements() if r.name == "python")
    (specifier,) = python.specifier
    version = specifier.version.removesuffix(".*")
    assert f"Programming Language :: Python :: {version}" in PROJECT["classifiers"]


def test_binder_takes_the_same_environment():
    assert (TREE / "binder" / "environment.yml").read_text() == (TREE / "environment.yml").read_text()


def test_the_versions_that_tests_run_with_are_those_the_project_asks_for():
    pinned = [
        Requirement(line)
        for line in (TREE / "constraints.txt").read_text().splitlines()
        if line.strip() and not line.startswith("#")
    ]
    versions = {re.sub("[-_.]+", "-", r.name).lower(): r for r in pinned}
    for asked in ASKED:
        pin = versions[re.sub("[-_.]+", "-", asked.name).lower()]
        (version,) = {specifier.version for specifier in pin.specifier}
        assert asked.specifier.contains(version), asked.name

"""A full disk is told in one sentence, costs nothing that was done, and once it has room all goes on."""

from __future__ import annotations

import json
from multiprocessing.context import ForkServerContext
from pathlib import Path

import nbformat
import pytest
from conftest import SmallDisk
from works import WORKS, do_alone, files_below

from painkit.cli.notebooks import run_notebook
from painkit.errors import PainkitError
from painkit.models.persistence import write_tensors


@pytest.mark.parametrize("name", WORKS)
def test_works_on_a_full_disk(
    name: str, tmp_path: Path, small_disk: SmallDisk, sources: Path, context: ForkServerContext
) -> None:
    def work(out: Path) -> dict[str, str]:
        out.mkdir(exist_ok=True)
        told = tmp_path / "told.json"
        process = context.Process(target=do_alone, args=(name, out, sources, told, 1))
        process.start()
        process.join(600)
        assert process.exitcode == 0  # no signal either
        return json.loads(told.read_text())

    truth = work(tmp_path / "undisturbed")
    out, told = small_disk.folder / "out", []
    for kib in (16, 64, 250, 1000):
        small_disk.resize(kib)
        found = work(out)
        assert found == truth or "No space left on device" in found["PainkitError"]
        told.append(found != truth)
    if "cache" not in name:  # those give what they could not keep
        assert any(told)
    small_disk.resize(100_000)
    assert work(out) == truth
    names = [
        [str(path.relative_to(place)) for path in files_below(place)]
        for place in (out, tmp_path / "undisturbed")
    ]
    assert names[0] == names[1], "leftovers"


def test_tensors_on_a_full_disk(small_disk: SmallDisk) -> None:
    import torch

    path = small_disk.folder / "net.safetensors"
    write_tensors(path, {"a": torch.zeros(10)})
    before = path.read_bytes()
    with pytest.raises(PainkitError, match=r"net\.safetensors: could not be written: No space left"):
        write_tensors(path, {"a": torch.zeros(100_000)})
    assert path.read_bytes() == before


@pytest.mark.notebook
def test_a_notebook_on_a_full_disk_is_whole_or_not_there(tmp_path: Path, small_disk: SmallDisk) -> None:
    cells = [nbformat.v4.new_code_cell(f"print({text!r} * 30_000)") for text in "abc"]
    source = tmp_path / "long.ipynb"
    kernel = {"kernelspec": {"name": "python3", "language": "python", "display_name": "Python 3"}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), source)
    with pytest.raises(PainkitError, match=r"long\.ipynb: could not be written: No space left") as raised:
        run_notebook(str(source), out=small_disk.folder)
    assert "nothing was changed" in str(raised.value)
    assert [path.name for path in small_disk.folder.iterdir()] == ["long.ipynb"]
    kept = nbformat.read(small_disk.folder / "long.ipynb", as_version=4)
    assert [cell.source for cell in kept.cells[-3:]] == [cell.source for cell in cells]
    small_disk.resize(10_000)
    page = run_notebook(str(source), out=small_disk.folder)
    assert page.read_text().count("c" * 30_000) == 1

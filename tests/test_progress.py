"""Bars go where somebody sees them: text by papermill, none under Voila."""

import os
import subprocess
import sys

import pytest

LOOP = "from painkit.progress import tqdm\nprint(list(tqdm(range(2), disable=False)))"


@pytest.mark.parametrize(("variable", "seen"), [("PAINKIT_TEXT_PROGRESS", True), ("VOILA_BASE_URL", False)])
def test_bars_by_where_a_kernel_runs(variable, seen):
    environment = {k: v for k, v in os.environ.items() if k != "PAINKIT_TEXT_PROGRESS"} | {variable: "1"}
    done = subprocess.run(
        [sys.executable, "-c", LOOP], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout == "[0, 1]\n"
    assert ("2/2" in done.stderr) == seen

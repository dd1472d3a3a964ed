"""Pages in headless Chromium: how soon words are seen, and how soon the last figure is.

`pytest benchmarks/bench_pages.py -s` prints it for the pages of the smallest runs. Figures are drawn one by
one behind the first paint; beside that stands the same page with all of them drawn at once. On two cores with
nothing else to do the first paint must follow within 3 s. `PAINKIT_REPORTS=DIR` takes the pages that are
there, such as those of the demo, instead.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from painkit.cli.notebooks import run_notebook

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from browsing import CHROMIUM, browsed
from notebook_names import NOTEBOOKS, OF_PAPER

ONE_BY_ONE = "    setTimeout(next);\n  };\n  setTimeout(next);"
AT_ONCE = "    next();\n  };\n  next();"
PAINT = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? null"
TRIES = 3


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    if given := os.environ.get("PAINKIT_REPORTS"):
        return sorted(Path(given).resolve().glob("*/*.html"))
    out = tmp_path_factory.mktemp("reports")
    return [run_notebook(name, profile="smoke", out=out / name) for name in NOTEBOOKS if name not in OF_PAPER]


def seen(path: Path) -> tuple[float, float]:
    """Seconds to the first paint, and until every figure is drawn."""
    with browsed() as (page, _):
        begin = time.perf_counter()
        page.goto(path.as_uri(), wait_until="commit")
        page.wait_for_function(f"{PAINT} !== null")
        page.wait_for_function(
            "[...document.querySelectorAll('.plotly-graph-div')].every(one => one.querySelector('.modebar'))"
            " && document.readyState === 'complete'"
        )
        return page.evaluate(PAINT) / 1000, time.perf_counter() - begin


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
def test_words_are_seen_before_the_figures(pages: list[Path], tmp_path: Path) -> None:
    late = {}
    for path in pages:
        text = path.read_text(encoding="utf-8")
        assert text.count(ONE_BY_ONE) == 1
        at_once = tmp_path / path.name
        at_once.write_text(text.replace(ONE_BY_ONE, AT_ONCE), encoding="utf-8")
        behind, before = (min(seen(one) for _ in range(TRIES)) for one in (path, at_once))
        print(
            f"\n{path.stem}, {len(text) / 1e6:.1f} MB: first paint {behind[0]:.2f} s, "
            f"all drawn {behind[1]:.1f} s; at once {before[0]:.2f} s, {before[1]:.1f} s"
        )
        if behind[0] > 3:
            late[path.stem] = behind[0]
    assert late == {}

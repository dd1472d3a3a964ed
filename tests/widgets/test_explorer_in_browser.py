"""The explorer in JupyterLab: a person moves the frame slider with the keyboard and the face changes."""

import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.notebook]

CHROMIUM = next(
    (
        found
        for name in ("chromium", "chromium-browser", "google-chrome", "chrome")
        if (found := shutil.which(name)) is not None
    ),
    None,
)
TOKEN = "painkit-test"
# What the browser shows at the end, for whoever wants to see it.
PICTURE = os.environ.get("PAINKIT_SCREENSHOT", str(Path(tempfile.gettempdir(), "painkit-explorer.png")))
# The landmarks of the large face: the first pair of axes.
POINTS = ".js-plotly-plot .subplot.xy .scatterlayer .points path.point"
# The first of the maps side by side, below: boxes and estimates have the second and third pair.
FIRST_MAP = POINTS.replace(".xy", ".x4y4")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="module")
def lab(tmp_path_factory, smoke):
    """JupyterLab serving the explorer's notebook with the parameters of the smallest profile."""
    from papermill import execute_notebook

    from painkit.cli.notebooks import find_notebook

    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine")
    folder = tmp_path_factory.mktemp("lab")
    parameters = {
        "root": str(smoke),
        "profile": "smoke",
        "protocol": "subject_k_fold:2",
        "epochs": 2,
        "frame_step": 2,
        "deepfacelift": {"inner_folds": 2, "gp_restarts": 1},
        "jobs": 1,
        "out": str(folder / "out"),
    }
    execute_notebook(
        str(find_notebook("explore_landmarks")),
        str(folder / "explore.ipynb"),
        parameters=parameters,
        prepare_only=True,
        progress_bar=False,
    )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {
        **os.environ,
        "JUPYTER_CONFIG_DIR": str(folder / "config"),
        "JUPYTER_DATA_DIR": str(folder / "data"),
    }
    command = [
        sys.executable,
        "-m",
        "jupyterlab",
        "--no-browser",
        "--ip=127.0.0.1",
        f"--port={port}",
        "--allow-root",
    ]
    command += [f"--IdentityProvider.token={TOKEN}", f"--ServerApp.root_dir={folder}", "--LabApp.news_url="]
    with (folder / "lab.log").open("w") as log:
        server = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=environment)
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(240):
            try:
                urllib.request.urlopen(f"{address}/api?token={TOKEN}", timeout=5).close()
                break
            except OSError:
                assert server.poll() is None, (folder / "lab.log").read_text()
                time.sleep(0.5)
        yield f"{address}/lab/tree/explore.ipynb?token={TOKEN}"
    finally:
        server.terminate()
        server.wait(timeout=30)


@pytest.fixture
def page(lab):
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(viewport={"width": 1500, "height": 1600})
        page.set_default_timeout(300_000)
        page.goto(lab)
        # Run All before the kernel is connected and idle opens a dialog that blocks; the status bar knows.
        page.locator("#jp-main-statusbar", has_text="| Idle").wait_for()
        page.wait_for_selector(".jp-NotebookPanel-toolbar .jp-Notebook-ExecutionIndicator[data-status=idle]")
        try:
            yield page
        finally:
            page.screenshot(path=PICTURE)
        browser.close()


def colours(page, selector=POINTS):
    """Return the fill of each landmark of a face, as drawn."""
    fills = page.locator(selector).evaluate_all("points => points.map(point => getComputedStyle(point).fill)")
    assert len(fills) == 66, fills
    return fills


def run_all(page):
    page.locator(".lm-MenuBar-item", has_text="Run").click()
    page.locator(".lm-Menu-item", has_text="Run All Cells").first.click()
    page.locator(".jp-InputPrompt", has_text="[*]").first.wait_for()


def test_the_arrow_key_on_the_frame_slider_redraws_the_face(page):
    run_all(page)
    slider = page.locator(".widget-slider", has_text="frame").locator(".noUi-handle")
    slider.first.wait_for()
    page.wait_for_selector(POINTS)
    page.wait_for_timeout(1000)
    before, caption = colours(page), page.locator("text=/frame \\d+/").first.inner_text()
    assert len(set(colours(page, FIRST_MAP))) > 10  # shares of the landmarks, not yet touched by any control
    slider.first.focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function(
        "([selector, before]) => before.join() !== "
        "[...document.querySelectorAll(selector)].map(point => getComputedStyle(point).fill).join()",
        arg=[POINTS, before],
    )
    assert colours(page) != before
    assert re.search(r"frame \d+", caption)

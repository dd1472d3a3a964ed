"""Explorers in a browser: JupyterLab or Voila serves one notebook, headless Chromium opens it."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import nbformat

HERE = Path(__file__).parent
TREE = HERE.parents[1]
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
LAB = ["jupyterlab", "--allow-root", "--IdentityProvider.token=", "--LabApp.news_url=", "--ip=127.0.0.1"]
VOILA = ["voila", "explore.ipynb", "--Voila.ip=127.0.0.1"]


LANDMARKS = """
from explanations import linear
from painkit.widgets import LandmarkExplorer
LandmarkExplorer(linear({root!r}))
"""
PIXELS = """
from painkit.widgets import PixelExplorer
from pixel_records import drawn_faces
PixelExplorer(drawn_faces({settings}))
"""


def explorer_site(folder, *cells, dark):
    """Write a notebook of cells that each show an explorer, and the servers' settings; give the folder.

    Its metadata are those of the project's own notebook, which tell Voila what to say while it loads.
    """
    metadata = nbformat.read(TREE / "notebooks" / "explore_landmarks.ipynb", 4).metadata
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(cell) for cell in cells], metadata=metadata
    )
    nbformat.write(notebook, folder / "explore.ipynb")
    shutil.copytree(TREE / "painkit" / "widgets" / "voila_template", folder / "data/voila/templates/painkit")
    settings = folder / "settings/@jupyterlab/apputils-extension"
    settings.mkdir(parents=True)
    theme = {"theme": "JupyterLab Dark" if dark else "JupyterLab Light"}
    (settings / "themes.jupyterlab-settings").write_text(json.dumps(theme))
    (settings / "notification.jupyterlab-settings").write_text(json.dumps({"fetchNews": "false"}))
    return folder


@contextmanager
def served(folder, command):
    """Serve a folder by a Jupyter application; give its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {
        **os.environ,
        "PYTHONPATH": f"{TREE}{os.pathsep}{HERE}",
        "JUPYTER_CONFIG_DIR": str(folder / "config"),
        "JUPYTER_DATA_DIR": str(folder / "data"),
        "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"),
        "JUPYTER_PREFER_ENV_PATH": "0",
    }
    log = folder / f"{command[0]}.log"
    with log.open("w") as written:
        server = subprocess.Popen(
            [sys.executable, "-m", *command, "--no-browser", f"--port={port}"],
            stdout=written,
            stderr=subprocess.STDOUT,
            env=environment,
            cwd=folder,
        )
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(240):
            try:
                urllib.request.urlopen(f"{address}/static/", timeout=5).close()
                break
            except urllib.error.HTTPError:
                break  # it answers
            except OSError:
                assert server.poll() is None, log.read_text()
                time.sleep(0.5)
        yield address
    finally:
        server.terminate()
        server.wait(timeout=30)


@contextmanager
def browsed(width=1400, height=1000):
    """Open a page of headless Chromium; give it and the list of answers it got from elsewhere."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(viewport={"width": width, "height": height})
        page.set_default_timeout(120_000)
        elsewhere = []
        local = ("http://127.0.0.1", "ws://127.0.0.1", "data:", "blob:")
        page.on("response", lambda got: got.url.startswith(local) or elsewhere.append(got.url))
        yield page, elsewhere
        browser.close()


def run_in_lab(page, address):
    """Open the notebook in JupyterLab, run it and give the explorer all the width there is."""
    page.goto(f"{address}/lab/tree/explore.ipynb")
    # Run All before the kernel is connected and idle opens a dialog that blocks; the status bar knows.
    page.locator("#jp-main-statusbar", has_text="| Idle").wait_for()
    page.wait_for_selector(".jp-NotebookPanel-toolbar .jp-Notebook-ExecutionIndicator[data-status=idle]")
    page.locator(".lm-MenuBar-item", has_text="Run").click()
    page.locator(".lm-Menu-item", has_text="Run All Cells").first.click()
    page.wait_for_selector(".pk-root")
    page.keyboard.press("Control+b")  # the file browser goes

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
# A user's own figure, one of the project's, and one that plotly is asked to offer for upload.
FIGURES = """
import plotly.graph_objects as go
from painkit.figures.style import finish
own = go.Figure(go.Scatter(y=[1, 2, 4]), layout={"height": 160})
own.show()
finish(go.Figure(own), "three numbers", simulated=True, height=160).show()
own.show(config={"showSendToCloud": True})
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


def run_in_lab(page, address):
    """Open the notebook in JupyterLab, run it and give the explorer all the width there is."""
    page.goto(f"{address}/lab/tree/explore.ipynb")
    # Run All before the kernel is connected and idle opens a dialog that blocks; the status bar knows.
    page.locator("#jp-main-statusbar", has_text="| Idle").wait_for()
    page.wait_for_selector(".jp-NotebookPanel-toolbar .jp-Notebook-ExecutionIndicator[data-status=idle]")
    page.locator(".lm-MenuBar-item", has_text="Run").click()
    page.locator(".lm-Menu-item", has_text="Run All Cells").first.click()
    told = page.locator(".pk-root, .jp-RenderedText[data-mime-type$=error]").first
    told.wait_for()
    assert page.locator(".pk-root").count(), told.inner_text()
    page.keyboard.press("Control+b")  # the file browser goes

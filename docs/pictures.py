"""Pictures of the README, of the demo's page and explorer: ``python docs/pictures.py docs``.

Needs Chromium, Playwright, and the page of ``painkit run 01_deepfacelift --profile demo`` in ``reports/``.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from painkit.data.simulated_tree import read_simulated
from painkit.figures.faces import peak_sequence

TREE = Path(__file__).parents[1]
PORT = 8899
REPORT = TREE / "reports" / "01_deepfacelift-demo" / "01_deepfacelift.html"


def _save(page: Page, path: Path) -> None:
    page.screenshot(path=path, type="jpeg", quality=85)


def _page(page: Page, folder: Path) -> None:
    page.set_viewport_size({"width": 1200, "height": 750})
    page.goto(REPORT.as_uri())
    page.wait_for_selector(".plotly .main-svg")
    _save(page, folder / "page.jpg")


def _explorer(page: Page, folder: Path) -> None:
    page.set_viewport_size({"width": 1200, "height": 1030})
    page.goto(f"http://127.0.0.1:{PORT}", timeout=0)
    page.wait_for_selector(".pk-trace", timeout=600_000)
    cohort = read_simulated(profile="demo", images="none")
    subject, sequence = peak_sequence(cohort)
    page.get_by_label("subject", exact=True).first.select_option(subject)
    page.get_by_label("sequence", exact=True).first.select_option(sequence)
    page.get_by_text(f" of {len(cohort.rows_of(subject, sequence))}").wait_for()  # End is its last frame then
    page.get_by_role("slider", name="frame").first.focus()
    page.keyboard.press("End")  # pain comes late
    for _ in range(14):
        page.keyboard.press("ArrowLeft")
    time.sleep(3)  # the face comes after the numbers
    page.locator(".pk-root").evaluate("root => root.scrollIntoView()")
    _save(page, folder / "explorer.jpg")


def main(folder: Path) -> None:
    """Write ``page.jpg`` and ``explorer.jpg``."""
    command = ["-m", "voila", "notebooks/explore_landmarks.ipynb", "--no-browser", f"--port={PORT}"]
    voila = subprocess.Popen([sys.executable, *command], cwd=TREE)
    try:
        with sync_playwright() as playwright:
            chromium = playwright.chromium.launch(
                executable_path=shutil.which("chromium"), args=["--no-sandbox"]
            )
            page = chromium.new_page(device_scale_factor=1.5)
            _page(page, folder)
            for _ in range(120):
                try:
                    urllib.request.urlopen(f"http://127.0.0.1:{PORT}/static/", timeout=5).close()
                    break
                except urllib.error.HTTPError:
                    break  # it answers
                except OSError:
                    time.sleep(0.5)
            _explorer(page, folder)
            chromium.close()
    finally:
        voila.terminate()
        voila.wait()


if __name__ == "__main__":
    main(Path(sys.argv[1]))

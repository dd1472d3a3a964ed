"""Headless Chromium, and a look for what would send a figure away."""

import shutil
import sys
from contextlib import contextmanager

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
# Plotly 7 has a button "Share chart..." that uploads a figure. Whatever bears that name, of plotly or not.
UPLOADS = """all => all.flatMap(one => [one, ...one.querySelectorAll("*")]).flatMap(node => [
  ...[...node.attributes].map(({value}) => value),
  ...(node.matches("button, a") ? [node.textContent] : []),
]).filter(words => words.length < 100 && /share chart/i.test(words))"""


@contextmanager
def browsed(width=1400, height=1000):
    """Open a page of headless Chromium; give it and the list of answers it got from elsewhere."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(viewport={"width": width, "height": height})
        page.set_default_timeout(120_000)
        # Shown with a test that fails: an error in the page leaves an explorer as it was, without a word.
        page.on("console", lambda said: said.type == "error" and sys.stderr.write(f"{said.text}\n"))
        page.on("pageerror", lambda error: sys.stderr.write(f"{error}\n"))
        elsewhere = []
        local = ("http://127.0.0.1", "ws://127.0.0.1", "file:", "data:", "blob:")
        page.on("response", lambda got: got.url.startswith(local) or elsewhere.append(got.url))
        yield page, elsewhere
        browser.close()


def uploads(places):
    """Names of what would upload a figure, in places of a page."""
    return places.evaluate_all(UPLOADS)

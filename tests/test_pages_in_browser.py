"""Pages of a cohort whose names are markup, opened in Chromium: they are text and nothing runs or leaves."""

import csv
import shutil

import plotly.graph_objects as go
import pytest
from browsing import CHROMIUM, FLAGS, uploads

from painkit.cli.notebooks import run_notebook
from painkit.figures.style import finish

pytestmark = [pytest.mark.browser, pytest.mark.notebook]

# What a file's name can hold: all but a slash. Each would run, wherever it is not escaped.
SUBJECTS = [
    "<img src=x onerror=window.hacked=1>",
    '"><svg onload=window.hacked=2>',
    "'\"&amp;<b>bold<img src=x onerror=window.hacked=3>",
    '<a href="https:elsewhere.example">me<details open ontoggle=window.hacked=4>',
]
SEQUENCES = [
    f"{odd}<img src=x onerror=window.hacked='{odd}'>"
    for odd in ("", '">', "'>", "&lt;", "{{7*7}}", "%{x}", "`", "<script>")
]
SHORT = {
    "01_deepfacelift": {
        "jobs": 1,
        "epochs": 1,
        "frame_step": 8,
        "rnn": {"epochs": 1, "frame_step": 16},
        "hcrf": {"max_iter": 1, "frame_step": 16},
        "n_resamples": 20,
    },
    "02_facenet_regression": {
        "jobs": 1,
        "iterations": 2,
        "pretraining_iterations": 2,
        "rows": ["smooth L1", "smooth L1 + L1 center loss + sampling", "OSVR-L1"],
        "n_resamples": 20,
    },
    "03_saliency": {
        "jobs": 1,
        "iterations": 2,
        "pretraining_iterations": 2,
        "supervision": {"iterations": 2},
        "rows": ["smooth L1 + L1 center loss", "method 2 (global + local)"],
        "n_resamples": 20,
    },
    "04_lrp_emotions": {"jobs": 1, "iterations": 2, "n_resamples": 20},
    "05_seven_levels": {"jobs": 1, "rates": {"epochs": 1}, "n_resamples": 20},
}
# Of whom the pages speak by name; that of the expressions names classes only.
SHOWS_SEQUENCES = ("00_tour", "01_deepfacelift", "02_facenet_regression")
SHOWS_SUBJECTS = (*SHOWS_SEQUENCES, "03_saliency")
# The labels that come up under the mouse hold names, too: of one trace a plot.
HOVER = """[...document.querySelectorAll('.js-plotly-plot')].filter(plot => {
    const number = plot.data.findIndex(
        trace => trace.type === 'bar' || (trace.text && trace.type !== 'heatmap'));
    if (number < 0) return false;
    const {xaxis = 'x', yaxis = 'y'} = plot.data[number];
    Plotly.Fx.hover(plot, [{curveNumber: number, pointNumber: 0}], [xaxis + yaxis]);
    return true;
}).length"""


@pytest.fixture(scope="module")
def hostile(smoke, tmp_path_factory):
    """The smallest cohort in the archive's layout, under other names."""
    root = tmp_path_factory.mktemp("hostile")
    images = smoke / "Images"
    subjects = dict(zip(sorted(path.name for path in images.iterdir()), SUBJECTS, strict=True))
    sequences = dict(zip(sorted(path.name for path in images.glob("*/*")), SEQUENCES, strict=True))
    for folder in ("Images", "AAM_landmarks", "Frame_Labels", "Sequence_Labels"):
        for path in filter(lambda path: path.is_file(), (smoke / folder).rglob("*")):
            name = path.relative_to(smoke).as_posix()
            for old, new in [*subjects.items(), *sequences.items()]:
                name = name.replace(old, new)
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, root / name)
    with (smoke / "subjects.csv").open(newline="") as read, (root / "subjects.csv").open("w") as written:
        csv.writer(written).writerows([subjects.get(row[0], row[0]), *row[1:]] for row in csv.reader(read))
    return root


@pytest.fixture(scope="module")
def hostile_clips(smoke, tmp_path_factory):
    """Clips of posed expressions, as a user's own table lists them, of other subjects and file names.

    Names of clips of pain have a pattern, which the index is checked against.
    """
    root = tmp_path_factory.mktemp("clips") / "biovid"
    shutil.copytree(smoke / "biovid", root)
    with (root / "videos.csv").open(newline="") as read:
        rows = list(csv.DictReader(read))
    subjects = dict(zip(sorted({row["subject"] for row in rows}), SUBJECTS, strict=False))
    with (root / "videos.csv").open("w", newline="") as written:
        table = csv.DictWriter(written, ["subject", "class", "path"])
        table.writeheader()
        for number, row in enumerate(rows):
            path = root / row["path"]
            path = path.rename(
                path.with_name(f"{number} {SEQUENCES[number % len(SEQUENCES)]}".replace("/", "") + ".mp4")
            )
            renamed = {"subject": subjects[row["subject"]], "path": path.relative_to(root).as_posix()}
            table.writerow({**row, **renamed})
    return root


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield opened
        opened.close()


@pytest.fixture
def visit(browser):
    """Open a file and wait for its plots; give the page and what it did that it should not."""
    page = browser.new_page(viewport={"width": 1400, "height": 1000})
    faults = []
    page.on("dialog", lambda dialog: (faults.append(f"dialog {dialog.message}"), dialog.dismiss()))
    page.on("pageerror", lambda error: faults.append(f"error {error}"))
    page.on(
        "request",
        lambda asked: asked.url.startswith(("file:", "data:", "blob:")) or faults.append(asked.url),
    )

    def open_file(path, plots):
        page.goto(path.as_uri())
        page.wait_for_function(f"document.querySelectorAll('.modebar').length >= {plots}")
        return page, faults

    yield open_file
    page.close()


@pytest.mark.parametrize("name", ["00_tour", *SHORT])
def test_names_are_text_wherever_they_stand(name, smoke, hostile, hostile_clips, tmp_path, visit):
    given = {"data": "unbc", "root": str(hostile), **SHORT.get(name, {})}
    if name in ("02_facenet_regression", "03_saliency"):
        given["identities"] = str(smoke / "identities")
    if name == "05_seven_levels":
        given["ferplus"] = str(smoke / "ferplus")
    if name == "04_lrp_emotions":
        given |= {"data": "biovid", "root": str(hostile_clips)}
    written = run_notebook(name, profile="smoke", parameters=given, out=tmp_path)
    plots = written.read_text().count('class="plotly-graph-div"')
    assert plots >= 5
    page, faults = visit(written, plots)
    assert page.evaluate(HOVER) > 0
    shown = page.inner_text("body")
    if name in SHOWS_SUBJECTS:
        assert [text for text in SUBJECTS if text not in shown] == []
    if name in SHOWS_SEQUENCES:
        assert [text for text in SEQUENCES if text in shown]
    # A link, or bold letters, of a name; plotly's own buttons are links.
    assert page.locator(".js-plotly-plot a:not(.modebar-btn), .js-plotly-plot [style*=bold]").count() == 0
    page.wait_for_timeout(300)
    assert page.evaluate("window.hacked") is None
    assert faults == []


def test_a_figure_has_no_button_that_uploads_it_wherever_it_is_shown(tmp_path, visit):
    """As Lab shows it: with plotly's own configuration."""
    figure = go.Figure(go.Scatter(y=[1, 2, 4]))
    figure.write_html(tmp_path / "plain.html", include_plotlyjs=True)
    page, _ = visit(tmp_path / "plain.html", 1)
    assert uploads(page.locator("body"))  # so the look sees it where it is
    finish(figure, "three numbers", simulated=True).write_html(tmp_path / "own.html", include_plotlyjs=True)
    page, faults = visit(tmp_path / "own.html", 1)
    assert uploads(page.locator("body")) == []
    assert faults == []


def test_a_page_is_held_from_fetching_what_a_notebook_shows(tmp_path, visit, browser):
    import nbformat

    from painkit.cli.page import write_page

    html = '<img src="https://elsewhere.example/a.png"><link rel="stylesheet" href="https://elsewhere.example/b">'
    output = nbformat.v4.new_output("display_data", {"text/html": html})
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("show()", outputs=[output])])
    nbformat.write(notebook, tmp_path / "one.ipynb")
    page, _ = visit(write_page(tmp_path / "one.ipynb"), 0)
    told = []
    page.on("requestfailed", lambda asked: told.append((asked.url, asked.failure)))
    page.reload()
    page.wait_for_timeout(300)
    assert {failure for _, failure in told} == {"csp"}
    assert {url for url, _ in told} == {"https://elsewhere.example/a.png", "https://elsewhere.example/b"}

"""Pages of the smallest runs in Chromium: named, readable at any width, light, dark and on paper, alone."""

import pytest
from browsing import CHROMIUM, browsed
from notebook_names import NOTEBOOKS, OF_PAPER
from page_looks import CONTRASTS, CUT, PARTS, SETTLED, names, outside, overlapping

from painkit.cli.report import write_index

pytestmark = [
    pytest.mark.browser,
    pytest.mark.notebook,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine"),
]

WIDTHS = (1400, 800, 420)
MOST_BYTES = 8_000_000


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_page_is_named_and_readable_in_any_width_and_light(name, executed):
    path = executed(name)
    assert path.stat().st_size < MOST_BYTES
    with browsed() as (page, elsewhere):
        requests = []
        page.on("request", lambda asked: requests.append(asked.url))
        page.goto(path.as_uri())
        page.evaluate(SETTLED)
        everything_is_named(page)
        contents_are_complete(page)
        if name not in OF_PAPER:
            a_sequence_moves(page)
        nothing_overlaps_or_is_cut(page)
        page.evaluate("document.querySelectorAll('details').forEach(one => (one.open = true))")
        words_stand_out(page)
        on_paper(page)
        assert elsewhere == []
        assert [url for url in requests if not url.startswith(("file:", "data:", "blob:"))] == []


def everything_is_named(page):
    """Every figure and table has a name for those who do not see it, a caption, and a way to save it."""
    told = names(page, "figure", "table")
    assert [one for one in told if not one[1]] == []
    count = page.evaluate("['figure', 'table'].map(one => document.querySelectorAll(`main ${one}`).length)")
    figures = sum(role == "figure" for role, _ in told)
    assert figures == count[0]
    lacking = """all => all.filter(one => !one.querySelector("figcaption > strong")?.textContent.trim()
      || !one.querySelector("figcaption :is(button.save, a.save[download])")).length"""
    assert page.locator("main figure").evaluate_all(lacking) == 0
    outside_figures = """all => all.filter(one => !one.closest("figure, .parameters")).length"""
    assert page.locator("main :is(table, .js-plotly-plot)").evaluate_all(outside_figures) == 0


def contents_are_complete(page):
    """The contents list has every heading, in order, and each of its links leads there."""
    listed = page.locator("nav.contents a").evaluate_all(
        "all => all.map(one => [one.textContent.trim(), Boolean(document.querySelector(one.hash))])"
    )
    headings = page.locator("main :is(h2, h3)").evaluate_all("all => all.map(one => one.textContent.trim())")
    came_out = ["What came out"] if page.locator("#what-came-out").count() else []
    assert listed == [[text, True] for text in came_out + headings]


def a_sequence_moves(page):
    """Play goes through the frames of the one view that moves, pictures and all; it needs no kernel."""
    (state,) = page.locator(".js-plotly-plot:has(.slider-group)").all()
    shown = """plot => [plot._fullLayout.sliders[0].active, plot._fullLayout.images[0].source]"""
    before = state.evaluate(shown)
    state.locator(".updatemenu-button", has_text="Play").click()
    page.wait_for_function(
        """before => {
          const plot = document.querySelector(".js-plotly-plot:has(.slider-group)");
          const {sliders, images} = plot._fullLayout;
          return sliders[0].active !== before[0] && images[0].source !== before[1];
        }""",
        arg=before,
    )
    state.locator(".updatemenu-button", has_text="Pause").click()
    page.evaluate(SETTLED)


def nothing_overlaps_or_is_cut(page):
    """In a window that is opened with the width."""
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 1000})
        page.reload()
        page.evaluate(SETTLED)
        parts = page.evaluate(PARTS)
        assert (width, overlapping(parts)) == (width, [])
        assert (width, outside(parts)) == (width, [])
        assert (width, page.evaluate(CUT)) == (width, [])


def words_stand_out(page):
    """On a light page and on a dark one."""
    for look, dark in (("light", False), ("dark", True)):
        page.emulate_media(color_scheme=look)
        page.evaluate(SETTLED)
        assert is_dark(page) is dark
        faint = [(words, round(ratio, 2)) for words, ratio in page.evaluate(CONTRASTS) if ratio < 4.5]
        assert (look, faint) == (look, [])


def test_the_index_of_what_was_run_is_readable_in_any_width_and_light(executed):
    index = write_index(executed("00_tour").parent)
    with browsed() as (page, elsewhere):
        page.goto(index.as_uri())
        nothing_overlaps_or_is_cut(page)
        words_stand_out(page)
        assert [link for link in page.locator("a").all_inner_texts() if not link.strip()] == []
        assert elsewhere == []


def is_dark(page):
    shade = page.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)")
    return sum(shade) < 3 * 128


def on_paper(page):
    """A printed page is light, without what is of no use on paper, and no plot is wider than it."""
    page.set_viewport_size({"width": 720, "height": 1000})
    page.emulate_media(media="print", color_scheme="dark")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.evaluate(SETTLED)
    assert is_dark(page) is False
    assert page.locator("nav:visible, .save:visible, .code:visible, .modebar-container:visible").count() == 0
    assert page.locator(".parameters table:visible").count() == page.locator(".parameters table").count()
    right = page.locator(".js-plotly-plot .main-svg").evaluate_all(
        "all => Math.max(0, ...all.map(one => one.getBoundingClientRect().right))"
    )
    assert right <= 720
    inks = page.locator(".js-plotly-plot .xtick text").evaluate_all(
        "all => all.map(one => getComputedStyle(one).fill)"
    )
    assert all(sum(map(int, ink.strip("rgb()").split(", "))) < 3 * 128 for ink in inks)

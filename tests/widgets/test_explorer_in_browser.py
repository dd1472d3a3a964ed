"""The landmark explorer as a person meets it, in JupyterLab (dark) and in Voila (light)."""

import io
import os
import re
import tempfile
from pathlib import Path
from xml.etree import ElementTree

import cv2
import numpy as np
import pandas as pd
import pytest
from explanations import linear
from served import CHROMIUM, LAB, VOILA, browsed, explorer_site, run_in_lab, served, wait_for_face

pytestmark = [
    pytest.mark.browser,
    pytest.mark.notebook,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine"),
]

# What the browser shows, for whoever wants to see it.
PICTURES = Path(os.environ.get("PAINKIT_SCREENSHOTS", tempfile.gettempdir()))
WIDTHS = (420, 800, 1400, 1600)
SLIDER = ".pk-player input"
# Boxes of all that can be read or used inside the explorer, in pixels of the page.
BOXES = """root => {
  const boxes = [];
  const add = (words, {left, top, right, bottom}) =>
    right > left && bottom > top && boxes.push({words, left, top, right, bottom});
  const walk = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  for (let node; (node = walk.nextNode()); ) {
    if (!node.data.trim() || node.parentElement.closest("title, option, button, select")) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    for (const box of range.getClientRects()) add(node.data, box);
  }
  for (const control of root.querySelectorAll("button, select, input[type=range], input[type=checkbox]"))
    add(control.getAttribute("aria-label") ?? control.tagName, control.getBoundingClientRect());
  return boxes;
}"""
CLIPPED = """root => [...root.querySelectorAll("*")].filter(node => {
  if (node instanceof SVGTextElement) {
    const text = node.getBoundingClientRect(), picture = node.ownerSVGElement.getBoundingClientRect();
    return text.width > 0 && (text.left < picture.left - 1 || text.right > picture.right + 1
      || text.bottom > picture.bottom + 1 || text.top < picture.top - 1);
  }
  if (node instanceof SVGElement || node.tagName === "OPTION") return false;
  return node.clientWidth > 0 && node.scrollWidth > node.clientWidth + 1;
}).map(node => node.outerHTML.slice(0, 120))"""
CONTROLS = ".pk-root :is(button, select, input)"
FOCUSED = f"[...document.querySelectorAll('{CONTROLS}')].indexOf(document.activeElement)"


@pytest.fixture(scope="module")
def result(smoke):
    return linear(smoke)


def test_explorer_in_jupyterlab(tmp_path, smoke, result):
    with served(explorer_site(tmp_path, smoke, dark=True), LAB) as address, browsed() as (page, elsewhere):
        run_in_lab(page, address)
        look(page, "lab-dark")
        assert brightness(page, "backgroundColor") < 80 < 170 < brightness(page, "color")
        keys_move_the_frame(page, result)
        arrow_keys_stay_with_the_slider(page)
        assert elsewhere == []


def test_explorer_in_voila(tmp_path, smoke, result):
    with served(explorer_site(tmp_path, smoke, dark=False), VOILA) as address, browsed() as (page, elsewhere):
        page.goto(address, wait_until="commit")
        page.locator("#loading_text", has_text=re.compile("explorer .* every frame")).wait_for()
        wait_for_face(page)
        look(page, "voila-light")
        assert brightness(page, "color") < 80 < 170 < brightness(page, "backgroundColor")
        everything_has_a_name(page)
        tab_reaches_every_control(page)
        keys_move_the_frame(page, result)
        colours_and_bars_are_the_contributions(page, result)
        vectors_point_along_the_contributions(page, result)
        a_click_on_the_trace_goes_to_the_frame(page)
        play_ends_at_the_last_frame(page)
        pictures_and_tables_are_saved(page, result)
        other_sequences_are_opened(page, result)
        assert elsewhere == []


def look(page, name):
    """Nothing overlaps or is cut at any width, with and without the truth; all the width is used."""
    root = page.locator(".pk-root")
    for truth in (False, True):
        page.get_by_label("what really moved").set_checked(truth)
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 3200})
            page.wait_for_timeout(400)
            root.screenshot(path=PICTURES / f"painkit-{name}-{width}{'-truth' * truth}.png")
            around = root.evaluate(
                "root => [root.clientWidth, root.parentElement.clientWidth, root.scrollWidth]"
            )
            assert around[0] == around[1] >= around[2], (width, around)
            assert overlapping(root.evaluate(BOXES)) == [], width
            assert root.evaluate(CLIPPED) == [], width
    page.get_by_label("what really moved").set_checked(False)


def overlapping(boxes):
    """Pairs whose boxes share more than a pixel in both directions."""
    edges = np.array([[box[side] for side in ("left", "top", "right", "bottom")] for box in boxes])
    low, high = np.maximum(edges[:, None, :2], edges[:, :2]), np.minimum(edges[:, None, 2:], edges[:, 2:])
    first, second = np.nonzero(np.triu(((high - low) > 1).all(axis=2), 1))
    return [(boxes[i]["words"], boxes[j]["words"]) for i, j in zip(first, second, strict=True)]


def brightness(page, kind):
    colour = page.locator(".pk-root").evaluate(f"root => getComputedStyle(root).{kind}")
    return float(np.mean([int(part) for part in re.findall(r"\d+", colour)[:3]]))


def everything_has_a_name(page):
    tree = page.context.new_cdp_session(page).send("Accessibility.getFullAXTree")["nodes"]
    told = {
        (node["role"]["value"], node.get("name", {}).get("value", ""))
        for node in tree
        if node["role"]["value"]
        in ("button", "combobox", "radio", "checkbox", "slider", "image", "radiogroup")
    }
    assert not [node for node in told if not node[1].strip()]
    roles = pd.Series(role for role, _ in told).value_counts()
    assert roles[["slider", "radio", "checkbox"]].tolist() == [1, 4, 2]
    expected = {
        ("slider", "frame"),
        ("button", "Play"),
        ("button", "previous subject"),
        ("button", "next sequence"),
        ("combobox", "subject"),
        ("combobox", "colour range of the"),
        ("radio", "VAS"),
        ("radio", "average face"),
        ("checkbox", "x and y as vectors"),
        ("button", "save as CSV"),
    }
    assert expected <= told
    words = page.locator(SLIDER).get_attribute("aria-valuetext")
    assert re.fullmatch(r"frame \d+, \d+ of \d+; estimate .* VAS; PSPI .*; largest contribution .*", words)


def tab_reaches_every_control(page):
    page.locator(".pk-controls button").first.focus()
    reached = set()
    for _ in range(40):
        reached.add(page.evaluate(FOCUSED))
        page.keyboard.press("Tab")
    controls = page.locator(CONTROLS)
    # One radio button of a group takes the focus; arrow keys go to the others.
    unchecked = controls.evaluate_all(
        "all => all.flatMap((one, i) => one.type === 'radio' && !one.checked ? [i] : [])"
    )
    assert reached - {-1} == set(range(controls.count())) - set(unchecked)


def frame_shown(page):
    return int(re.match(r"frame (\d+)", page.locator(".pk-player output").inner_text())[1])


def keys_move_the_frame(page, result):
    subject, sequence = (
        page.get_by_label(name, exact=True).input_value() for name in ("subject", "sequence")
    )
    numbers = result.cohort.frames["frame"].to_numpy()[result.tracked_rows(subject, sequence)]
    page.locator(SLIDER).focus()
    shown = []
    for key in ("Home", "ArrowRight", "ArrowRight", "ArrowLeft", "PageUp", "End", "ArrowRight"):
        page.keyboard.press(key)
        shown.append(frame_shown(page))
    assert shown == [*numbers[[0, 1, 2, 1, 11, -1, -1]]]
    page.keyboard.press("Home")
    page.keyboard.press("Space")
    page.get_by_role("button", name="Pause").wait_for()
    page.keyboard.press("Space")
    page.get_by_role("button", name="Play").wait_for()
    page.keyboard.press("Home")


def arrow_keys_stay_with_the_slider(page):
    page.locator(SLIDER).focus()
    page.keyboard.press("ArrowDown")
    assert page.locator(SLIDER).evaluate("slider => slider === document.activeElement")
    assert page.locator(".jp-Notebook.jp-mod-editMode").count() == 0


def told_by_points(page):
    words = page.locator(".pk-large circle title").evaluate_all("all => all.map(one => one.textContent)")
    return np.array([float(re.search(r": ([+−]?[\d.]+)", one)[1].replace("−", "-")) for one in words])


def here(page, result, frame):
    subject, sequence = (
        page.get_by_label(name, exact=True).input_value() for name in ("subject", "sequence")
    )
    rows = result.tracked_rows(subject, sequence)
    return rows, rows[frame]


def colours_and_bars_are_the_contributions(page, result):
    page.locator(SLIDER).focus()
    for frame in (0, 1):
        rows, row = here(page, result, frame)
        scores = result.contributions["vas"].scores
        np.testing.assert_allclose(told_by_points(page), scores[row], atol=5.1e-4)
        values = page.locator(".pk-bars").first.locator(".pk-row text:last-child").all_text_contents()
        largest = np.sort(np.abs(scores[row]))[::-1]
        np.testing.assert_allclose(
            [abs(float(value.replace("−", "-"))) for value in values], largest[: len(values)], atol=5.1e-4
        )
        page.keyboard.press("ArrowRight")
    # One range for the sequence: a frame has the deepest colour only where its range is its own.
    assert np.abs(scores[here(page, result, 2)[1]]).max() < 0.9 * np.abs(scores[rows]).max()
    deepest = {"rgb(103,0,31)", "rgb(5,48,97)"}
    assert deepest.isdisjoint(fills(page))
    page.get_by_label("colour range").select_option("frame")
    assert not deepest.isdisjoint(fills(page))
    page.get_by_label("colour range").select_option("sequence")


def fills(page):
    return page.locator(".pk-large circle").evaluate_all("all => all.map(one => one.getAttribute('fill'))")


def vectors_point_along_the_contributions(page, result):
    page.get_by_label("x and y as").check()
    drawn = re.findall(r"l([-\d.e]+),([-\d.e]+)", page.locator(".pk-arrows").get_attribute("d"))
    along = result.contributions["vas"].vectors[here(page, result, 2)[1]].astype(float) @ [1, 1j]
    strokes = np.array(drawn, float) @ [1, 1j]
    np.testing.assert_allclose(np.angle(strokes / along), 0, atol=1e-4)
    page.get_by_label("x and y as").uncheck()


def a_click_on_the_trace_goes_to_the_frame(page):
    box = page.locator(".pk-trace").bounding_box()
    last = int(page.locator(SLIDER).get_attribute("max"))
    for share, expected in ((0.999, last), (0.001, 0)):
        page.mouse.click(box["x"] + share * box["width"], box["y"] + box["height"] / 2)
        assert page.locator(SLIDER).input_value() == str(expected)


def play_ends_at_the_last_frame(page):
    last = int(page.locator(SLIDER).get_attribute("max"))
    page.locator(SLIDER).focus()
    page.keyboard.press("End")
    page.keyboard.press("PageDown")
    page.keyboard.press("Space")
    page.get_by_role("button", name="Pause").wait_for()
    page.get_by_role("button", name="Play").wait_for()
    assert page.locator(SLIDER).input_value() == str(last)


def pictures_and_tables_are_saved(page, result):
    saved = {}
    for kind in ("PNG", "SVG", "CSV"):
        with page.expect_download() as download:
            page.get_by_role("button", name=f"save as {kind}").click()
        saved[kind] = Path(download.value.path()).read_bytes()
        assert download.value.suggested_filename.startswith("042-ll042-ll042t1aaaff")
    (PICTURES / "painkit-saved.png").write_bytes(saved["PNG"])
    picture = cv2.imdecode(np.frombuffer(saved["PNG"], np.uint8), cv2.IMREAD_COLOR)
    svg = ElementTree.fromstring(saved["SVG"])
    assert picture.shape[:2] == (2 * int(svg.get("height")), 2 * int(svg.get("width")))
    words = " ".join(svg.itertext())
    assert "Simulated cohort" in words
    assert "contribution of a landmark, VAS 0-10" in words
    table = pd.read_csv(io.BytesIO(saved["CSV"]))
    rows, _ = here(page, result, 0)
    np.testing.assert_allclose(
        table["contribution"], result.contributions["vas"].scores[rows].ravel(), rtol=1e-5, atol=1e-6
    )
    assert table["simulated"].all()


def other_sequences_are_opened(page, result):
    page.get_by_role("button", name="next subject").click()
    page.wait_for_function(
        "document.querySelector('.pk-root select[id*=sequence]').value.startsWith('ak064')"
    )
    page.get_by_role("button", name="next sequence").click()
    page.get_by_label("OPI", exact=True).check()
    page.get_by_text("contribution to the estimate, OPI 0-5").wait_for()
    rows, row = here(page, result, 0)
    assert page.locator(SLIDER).get_attribute("max") == str(len(rows) - 1)
    np.testing.assert_allclose(told_by_points(page), result.contributions["opi"].scores[row], atol=5.1e-4)
    page.get_by_label("of", exact=True).select_option("action units")
    assert "AU4 brow lowerer" in page.locator(".pk-bars").first.text_content()

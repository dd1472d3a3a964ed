"""What every explorer must be in a browser: readable at any width, named, reached by keyboard, saved."""

import re
from pathlib import Path
from xml.etree import ElementTree

import cv2
import numpy as np
import pandas as pd

SLIDER = ".pk-player input"
WIDTHS = (420, 800, 1400, 1600)
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
  for (const control of root.querySelectorAll("button, select, input:not([type=radio])"))
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
# The page has not moved for a while.
SETTLED = """() => new Promise(done => {
  let last = "", since = performance.now();
  const look = () => {
    const all = [...document.querySelectorAll(".pk-root")];
    const now = all.map(one => [one.clientWidth, one.clientHeight]).join();
    if (now !== last) [last, since] = [now, performance.now()];
    performance.now() - since > 250 ? done() : requestAnimationFrame(look);
  };
  look();
})"""
CONTROLS = ".pk-root :is(button, select, input):not(:disabled)"
FOCUSED = f"[...document.querySelectorAll('{CONTROLS}')].indexOf(document.activeElement)"


def nothing_overlaps(explorers, name, folder):
    """Nothing overlaps or is cut at any width, and all the width is used."""
    page = explorers[0].page
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 4000})
        page.evaluate(SETTLED)
        for i, explorer in enumerate(explorers):
            explorer.screenshot(path=folder / f"painkit-{name}-{i + 1}-{width}.png")
            around = explorer.evaluate(
                "root => [root.clientWidth, root.parentElement.clientWidth, root.scrollWidth]"
            )
            assert around[0] == around[1] >= around[2], (width, around)
            assert (width, overlapping(explorer.evaluate(BOXES))) == (width, [])
            assert (width, explorer.evaluate(CLIPPED)) == (width, [])


def overlapping(boxes):
    """Pairs whose boxes share more than a pixel in both directions."""
    edges = np.array([[box[side] for side in ("left", "top", "right", "bottom")] for box in boxes])
    low, high = np.maximum(edges[:, None, :2], edges[:, :2]), np.minimum(edges[:, None, 2:], edges[:, 2:])
    first, second = np.nonzero(np.triu(((high - low) > 1).all(axis=2), 1))
    return [(boxes[i]["words"], boxes[j]["words"]) for i, j in zip(first, second, strict=True)]


def brightness(explorer, kind):
    colour = explorer.evaluate(f"root => getComputedStyle(root).{kind}")
    return float(np.mean([int(part) for part in re.findall(r"\d+", colour)[:3]]))


def names_of_controls(page):
    """Role and name of every control and picture of the page; none is nameless."""
    tree = page.context.new_cdp_session(page).send("Accessibility.getFullAXTree")["nodes"]
    roles = ("button", "combobox", "radio", "checkbox", "slider", "spinbutton", "image", "radiogroup")
    told = [
        (node["role"]["value"], node.get("name", {}).get("value", ""))
        for node in tree
        if node["role"]["value"] in roles
    ]
    assert not [node for node in told if not node[1].strip()]
    return pd.Series([name for _, name in told], [role for role, _ in told])


def tab_reaches_every_control(page):
    page.locator(".pk-controls button, .pk-controls select").first.focus()
    reached = set()
    controls = page.locator(CONTROLS)
    seen = controls.evaluate_all("all => all.map(one => one.checkVisibility())")
    for _ in range(len(seen) + 5):
        reached.add(page.evaluate(FOCUSED))
        page.keyboard.press("Tab")
    # One radio button of a group takes the focus, the first where none is checked; arrow keys do the rest.
    resting = controls.evaluate_all(
        """all => all.flatMap((one, i) => {
          if (one.type !== "radio" || one.checked) return [];
          const group = all.filter(other => other.name === one.name);
          return group.some(other => other.checked) || group[0] !== one ? [i] : [];
        })"""
    )
    assert reached - {-1} == {i for i, visible in enumerate(seen) if visible} - set(resting)


def saved(explorer, begins):
    """What the three buttons save: the picture in pixels, its words, and the table as bytes."""
    found = {}
    for kind in ("PNG", "SVG", "CSV"):
        with explorer.page.expect_download() as download:
            explorer.get_by_role("button", name=f"save as {kind}").click()
        found[kind] = Path(download.value.path()).read_bytes()
        assert download.value.suggested_filename.startswith(begins)
    picture = cv2.imdecode(np.frombuffer(found["PNG"], np.uint8), cv2.IMREAD_COLOR)
    svg = ElementTree.fromstring(found["SVG"])
    assert picture.shape[:2] == (2 * int(svg.get("height")), 2 * int(svg.get("width")))
    return picture, " ".join(svg.itertext()), found["CSV"]

"""What every explorer must be in a browser: readable at any width, named, reached by keyboard, saved."""

import re
from pathlib import Path
from xml.etree import ElementTree

import cv2
import numpy as np

SLIDER = ".pk-player input"
WIDTHS = (420, 800, 1400, 1600)
# Boxes of all that can be read, used or looked at inside the explorer, in pixels of the page: words and
# controls, pictures, and inside them what stands for data. `inside` numbers the picture, 0 is none.
BOXES = """root => {
  const boxes = [], pictures = [null, ...root.querySelectorAll("svg[role=img]")];
  const add = (kind, words, node, {left, top, right, bottom}) => {
    const inside = Math.max(0, pictures.indexOf(node.closest("svg[role=img]")));
    if (right > left && bottom > top) boxes.push({kind, words, left, top, right, bottom, inside});
  };
  const walk = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  for (let node; (node = walk.nextNode()); ) {
    if (!node.data.trim() || node.parentElement.closest("title, option, button, select")) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    for (const box of range.getClientRects()) add("words", node.data, node.parentElement, box);
  }
  const all = (kind, chosen) => {
    for (const node of root.querySelectorAll(chosen))
      add(kind, node.getAttribute("aria-label") ?? node.outerHTML, node, node.getBoundingClientRect());
  };
  all("words", "button, select, input:not([type=radio])");
  all("picture", "svg[role=img]");
  all("data", ".pk-trace > :is(path, rect), .pk-map circle, .pk-row rect[class]");
  return boxes;
}"""
# Words that end before they should: in a picture, in a box, in a chooser. Below the chooser of images its
# name stands once more, over as many lines as it takes.
CLIPPED = """root => [...root.querySelectorAll("*")].filter(node => {
  if (node instanceof SVGTextElement) {
    const text = node.getBoundingClientRect(), picture = node.ownerSVGElement.getBoundingClientRect();
    return text.width > 0 && (text.left < picture.left - 1 || text.right > picture.right + 1
      || text.bottom > picture.bottom + 1 || text.top < picture.top - 1);
  }
  if (node instanceof SVGElement || node.tagName === "OPTION") return false;
  if (node.tagName === "SELECT" && node.offsetWidth && !node.id.includes("-image-")) {
    const alone = node.cloneNode();
    alone.append(...[...node.selectedOptions].map(one => one.cloneNode(true)));
    alone.style.cssText = "position: absolute; max-width: none; width: max-content";
    node.after(alone);
    const wide = alone.offsetWidth;
    alone.remove();
    return wide > node.offsetWidth + 1;
  }
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
CONTROLS = ":is(button, select, input):not(:disabled)"
FOCUSED = f"root => [...root.querySelectorAll('{CONTROLS}')].indexOf(document.activeElement)"


def set_width(page, width):
    page.set_viewport_size({"width": width, "height": 4000})
    page.evaluate(SETTLED)


def nothing_overlaps(explorers, name, folder):
    """Nothing overlaps or is cut at any width, and all the width is used."""
    page = explorers[0].page
    for width in WIDTHS:
        set_width(page, width)
        for i, explorer in enumerate(explorers):
            explorer.screenshot(path=folder / f"painkit-{name}-{i + 1}-{width}.png")
            around = explorer.evaluate(
                "root => [root.clientWidth, root.parentElement.clientWidth, root.scrollWidth]"
            )
            assert around[0] == around[1] >= around[2], (width, around)
            assert (width, overlapping(explorer.evaluate(BOXES))) == (width, [])
            assert (width, explorer.evaluate(CLIPPED)) == (width, [])


def overlapping(boxes):
    """Pairs that share more than a pixel in both directions, but for data, and a picture and what it shows"""
    edges = np.array([[box[side] for side in ("left", "top", "right", "bottom")] for box in boxes])
    low, high = np.maximum(edges[:, None, :2], edges[:, :2]), np.minimum(edges[:, None, 2:], edges[:, 2:])
    found = np.argwhere(np.triu(((high - low) > 1).all(axis=2), 1))
    pairs = [(boxes[i], boxes[j]) for i, j in found]
    return [
        (one["words"], other["words"])
        for one, other in pairs
        if "words" in (one["kind"], other["kind"])
        and not ("picture" in (one["kind"], other["kind"]) and one["inside"] == other["inside"])
    ]


def place(explorer, selector):
    """Where the first of them lies: left, top, right, bottom."""
    box = explorer.locator(selector).first.bounding_box()
    return box["x"], box["y"], box["x"] + box["width"], box["y"] + box["height"]


def in_one_row(explorer, selector):
    """Whether the middles of all children lie on a line."""
    middles = explorer.locator(f"{selector} > *").evaluate_all(
        "all => all.map(one => one.getBoundingClientRect()).map(({top, bottom}) => (top + bottom) / 2)"
    )
    return np.ptp(middles) <= 2


def brightness(explorer, kind):
    colour = explorer.evaluate(f"root => getComputedStyle(root).{kind}")
    return float(np.mean([int(part) for part in re.findall(r"\d+", colour)[:3]]))


def names_of_controls(explorer):
    """Role and name of every control and picture; none is nameless, and a slider says its value in words."""
    devtools = explorer.page.context.new_cdp_session(explorer.page)
    label = explorer.get_attribute("aria-label")
    root = f"document.querySelector('.pk-root[aria-label=\"{label}\"]')"
    node = devtools.send("Runtime.evaluate", {"expression": root})["result"]["objectId"]
    tree = devtools.send("Accessibility.queryAXTree", {"objectId": node})["nodes"]
    roles = (
        "button",
        "combobox",
        "radio",
        "checkbox",
        "slider",
        "spinbutton",
        "image",
        "radiogroup",
        "group",
    )
    told = [
        (node["role"]["value"], node.get("name", {}).get("value", ""))
        for node in tree
        if not node["ignored"] and node["role"]["value"] in roles
    ]
    assert not [node for node in told if not node[1].strip()]
    words = explorer.locator("input[type=range]").evaluate_all(
        "all => all.map(one => one.getAttribute('aria-valuetext'))"
    )
    assert words == [one for one in words if re.search(r"[a-z%]", one or "")]
    return set(told)


def tab_reaches_every_control(explorer):
    """From the first control on, until the explorer is left."""
    controls = explorer.locator(CONTROLS)
    controls.first.focus()
    reached = []
    while (now := explorer.evaluate(FOCUSED)) >= 0 and now not in reached:
        reached.append(now)
        explorer.page.keyboard.press("Tab")
    # One radio button of a group takes the focus, the first where none is checked; arrow keys do the rest.
    expected = controls.evaluate_all(
        """all => all.flatMap((one, i) => {
          const group = all.filter(other => other.type === "radio" && other.name === one.name);
          const chosen = group.find(other => other.checked) ?? group[0] ?? one;
          return one.checkVisibility() && chosen === one ? [i] : [];
        })"""
    )
    assert reached == expected


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

"""What a page looks like in a browser: where words and pictures lie, how they are called and stand out."""

import numpy as np

# All that is read, used or looked at, as polygons in pixels of the page: a turned label has a turned box.
# Pictures are faces and maps; panels are where data are drawn.
PARTS = """() => {
  const parts = [];
  const around = ({left, top, right, bottom}) => [[left, top], [right, top], [right, bottom], [left, bottom]];
  const add = (kind, words, corners, more = {}) => parts.push({kind, words, corners, ...more});
  const seen = node => node.checkVisibility({opacityProperty: true, visibilityProperty: true});
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node; (node = walk.nextNode()); ) {
    const within = node.parentElement;
    if (!node.data.trim() || within.closest("script, style, svg, .skip, nav") || !seen(within)) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    for (const box of range.getClientRects()) {
      if (box.width && box.height) add("words", node.data, around(box));
    }
  }
  document.querySelectorAll(".js-plotly-plot").forEach((plot, number) => {
    const turned = text => {
      const {x, y, width, height} = text.getBBox(), matrix = text.getScreenCTM();
      return [[x, y], [x + width, y], [x + width, y + height], [x, y + height]].map(([x, y]) => {
        const point = new DOMPoint(x, y).matrixTransform(matrix);
        return [point.x, point.y];
      });
    };
    for (const text of plot.querySelectorAll("text")) {
      if (!text.textContent.trim() || !seen(text) || text.closest(".hoverlayer")) continue;
      const {left, right, top, bottom} = text.ownerSVGElement.getBoundingClientRect();
      add("words", text.textContent, turned(text), {
        plot: number, apart: Boolean(text.closest(".legend, .updatemenu-button, .slider-container")),
        within: [left, top, right, bottom],
      });
    }
    for (const image of plot.querySelectorAll("image:not(.heatmaplayer *)")) {
      add("picture", "picture", around(image.getBoundingClientRect()));
    }
    const {left, top} = plot.getBoundingClientRect();
    for (const {xaxis, yaxis} of Object.values(plot._fullLayout._plots)) {
      const [x, y] = [left + xaxis._offset, top + yaxis._offset];
      add("panel", "data", around({left: x, top: y, right: x + xaxis._length, bottom: y + yaxis._length}));
    }
  });
  return parts;
}"""
# What is wider than the window, and what is cut without a way to scroll there.
CUT = """() => [...document.querySelectorAll("body, body *:not(svg, svg *, script, style)")].filter(node => {
  const {overflowX} = getComputedStyle(node);
  if (node.matches(".skip") || !node.checkVisibility()) return false;
  if (node === document.body) return document.documentElement.scrollWidth > innerWidth;
  return overflowX !== "auto" && overflowX !== "visible" && node.clientWidth > 0
    && node.scrollWidth > node.clientWidth + 1;
}).map(node => node.outerHTML.slice(0, 120))"""
# Contrast of every text with what is behind it, where that is one colour: 1 is none, 21 black on white.
CONTRASTS = """() => {
  const rgba = text => {
    const [r, g, b, a = 1] = (text.match(/[\\d.]+/g) ?? [0, 0, 0, 0]).map(Number);
    return {r, g, b, a};
  };
  const light = ({r, g, b}) => [r, g, b].map(one => one / 255)
    .map(one => one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4)
    .reduce((sum, one, i) => sum + one * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = node => {
    for (let one = node; one; one = one.parentElement) {
      const colour = rgba(getComputedStyle(one).backgroundColor);
      if (colour.a === 1) return colour;
    }
    return rgba("rgb(255, 255, 255)");
  };
  const told = [];
  const add = (words, ink, paper) => {
    const [one, other] = [light(ink), light(paper)];
    told.push([words.trim().slice(0, 60), (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05)]);
  };
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node; (node = walk.nextNode()); ) {
    const within = node.parentElement;
    if (!node.data.trim() || within.closest("script, style, svg, .skip")) continue;
    if (!within.checkVisibility()) continue;
    add(node.data, rgba(getComputedStyle(within).color), behind(within));
  }
  for (const text of document.querySelectorAll(".js-plotly-plot text")) {
    if (!text.textContent.trim() || !text.checkVisibility()) continue;
    if (text.closest(".hoverlayer, .heatmaplayer")) continue;
    const button = text.closest(".updatemenu-button, .updatemenu-header")?.querySelector("rect");
    const {fill, fillOpacity} = button ? getComputedStyle(button) : {fillOpacity: "0"};
    const paper = Number(fillOpacity) > 0 ? rgba(fill) : behind(text.closest(".js-plotly-plot"));
    add(text.textContent, rgba(getComputedStyle(text).fill), paper);
  }
  return told;
}"""
# All plots are drawn, and nothing has moved for a while.
SETTLED = """() => new Promise(done => {
  let last = "", since = performance.now();
  const look = () => {
    const plots = [...document.querySelectorAll(".plotly-graph-div")];
    const drawn = plots.every(one => one.querySelector(".modebar"));
    const widths = plots.map(one => one.querySelector("svg")?.clientWidth);
    const now = [document.body.scrollHeight, innerWidth, ...widths].join();
    if (now !== last || !drawn) [last, since] = [now, performance.now()];
    performance.now() - since > 500 ? done() : requestAnimationFrame(look);
  };
  look();
})"""


def overlapping(parts):
    """Pairs that lie on each other: words on words, on a picture, or what stands apart from data on data."""
    low = np.array([np.min(part["corners"], axis=0) for part in parts])
    high = np.array([np.max(part["corners"], axis=0) for part in parts])
    words = np.array([part["kind"] == "words" for part in parts])
    pairs = []
    for i in np.flatnonzero(words):
        near = ((np.minimum(high[i], high) - np.maximum(low[i], low)) > 1).all(axis=1)
        for j in np.flatnonzero(near):
            kind = parts[j]["kind"]
            if (kind == "words" and j <= i) or (kind == "panel" and not parts[i].get("apart")):
                continue
            if _meet(np.array(parts[i]["corners"]), np.array(parts[j]["corners"])):
                pairs.append((parts[i]["words"].strip()[:60], parts[j]["words"].strip()[:60]))
    return pairs


def _meet(one, other, margin=1.5):
    """Whether two rectangles, turned or not, share more than the margin in every direction."""
    for corners in (one, other):
        for side in np.diff(corners[:3], axis=0):
            length = np.linalg.norm(side)
            if length == 0:
                return False
            across = np.array([-side[1], side[0]]) / length
            a, b = one @ across, other @ across
            if min(a.max(), b.max()) - max(a.min(), b.min()) <= margin:
                return False
    return True


def outside(parts):
    """Words of a plot that go over its edge."""
    found = []
    for part in parts:
        if "within" in part:
            left, top, right, bottom = part["within"]
            corners = np.array(part["corners"])
            if (corners < [left - 1, top - 1]).any() or (corners > [right + 1, bottom + 1]).any():
                found.append(part["words"].strip()[:60])
    return found


def names(page, *roles):
    """Role and name of all that has one of these roles in the tree that a screen reader reads."""
    tree = page.context.new_cdp_session(page).send("Accessibility.getFullAXTree")["nodes"]
    return [
        (node["role"]["value"], node.get("name", {}).get("value", "").strip())
        for node in tree
        if not node["ignored"] and node["role"]["value"] in roles
    ]

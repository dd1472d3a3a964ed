"""The body of a page: contents, figures and tables with their captions, folded code."""

from __future__ import annotations

import base64
import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass

from bs4 import BeautifulSoup, Tag
from markupsafe import Markup

from painkit.cli.page_figures import Figure

__all__ = ["Body", "Heading", "lay_out"]

_NUMBER = re.compile(r"[-−+]?\d[\d,]*(?:\.\d+)?(?: %| \[.*\])?|-")


@dataclass(frozen=True)
class Heading:
    """One line of the contents list."""

    level: int
    anchor: str
    text: str


@dataclass(frozen=True)
class Body:
    """What a page shows, in order.

    Attributes
    ----------
    title : str
    intro : Markup
        Title and what stands below it, up to the first section or output.
    came_out : Markup
        The sentences that say what came out; empty for none.
    main : Markup
    contents : tuple of Heading
        Sections and subsections.
    """

    title: str
    intro: Markup
    came_out: Markup
    main: Markup
    contents: tuple[Heading, ...]


def lay_out(html: str, figures: Sequence[Figure], *, name: str) -> Body:
    """Order and name what an exported notebook holds.

    Parameters
    ----------
    html : str
        The cells, as nbconvert's template ``basic`` exports them.
    figures : sequence of Figure
        By the number in ``data-figure``.
    name : str
        Of the notebook, for the files that are saved.
    """
    page = BeautifulSoup(html, "html.parser")
    contents = _contents(page)
    came_out = page.select_one(".what-came-out")
    told = Markup(came_out.extract().decode_contents()) if came_out else Markup("")
    _fold_code(page)
    named: set[str] = set()
    for number, place in enumerate(page.select("[data-figure]"), start=1):
        _name_figure(page, place, figures[int(str(place["data-figure"]))], number, named)
    for number, table in enumerate(page.select("table"), start=1):
        _name_table(page, table, number, name)
    first = page.select_one(".text_cell")
    is_title = first is not None and first.find("h1") is not None and not first.find_previous(class_="cell")
    intro = Markup(str(first.extract())) if first is not None and is_title else Markup("")
    heading = BeautifulSoup(intro, "html.parser").find("h1")
    title = heading.get_text() if heading else name
    return Body(title, intro, told, Markup(str(page)), contents)


def _contents(page: BeautifulSoup) -> tuple[Heading, ...]:
    found = []
    for link in page.select("a.anchor-link"):
        link.decompose()
    anchors: set[str] = set()
    for heading in page.find_all(["h2", "h3"]):
        text = heading.get_text().strip()
        anchor = _free(re.sub(r"\W+", "-", text.lower()).strip("-") or "section", anchors)
        heading["id"] = anchor
        found.append(Heading(int(heading.name[1]), anchor, text))
    return tuple(found)


def _free(name: str, taken: set[str]) -> str:
    number, chosen = 2, name
    while chosen in taken:
        chosen, number = f"{name}-{number}", number + 1
    taken.add(chosen)
    return chosen


def _fold_code(page: BeautifulSoup) -> None:
    for code in page.select(".input"):
        folded = page.new_tag("details", attrs={"class": "code"})
        summary = page.new_tag("summary")
        summary.string = "Code"
        code.wrap(folded)
        folded.insert(0, summary)


def _section(place: Tag) -> str:
    heading = place.find_previous(["h1", "h2", "h3"])
    return heading.get_text().strip() if heading else ""


def _caption(page: BeautifulSoup, anchor: str, title: str, *more: str) -> Tag:
    caption = page.new_tag("figcaption")
    # Without a number: those of the paper stand in the titles.
    strong = page.new_tag("strong", attrs={"id": anchor})
    strong.string = f"{title.rstrip('.')}."
    caption.append(strong)
    for text in filter(None, more):
        told = page.new_tag("span", attrs={"class": "more"})
        told.string = f" {text.rstrip('.')}."
        caption.append(told)
    return caption


def _name_figure(page: BeautifulSoup, place: Tag, figure: Figure, number: int, named: set[str]) -> None:
    title = figure.title or _section(place) or "Figure"
    label = f"figure-{number}-name"
    attributes = {"id": f"figure-{number}", "class": "plot", "aria-labelledby": label}
    whole = page.new_tag("figure", attrs=attributes)
    file = _free(re.sub(r"\W+", "_", title.lower()).strip("_")[:60] or "figure", named)
    save = page.new_tag("button", attrs={"type": "button", "class": "save", "data-file": file})
    save.string = "Save as SVG"
    caption = _caption(page, label, title, figure.caption, figure.subtitle)
    caption.extend([" ", save])
    scroll = page.new_tag("div", attrs={"class": "scroll"})
    height = figure.spec["layout"].get("height", 450)
    plot = page.new_tag(
        "div",
        attrs={
            "class": "plotly-graph-div",
            "data-figure": str(place["data-figure"]),
            "style": f"height:{height}px;min-width:{figure.spec['width']}px",
        },
    )
    scroll.append(plot)
    whole.extend([caption, scroll])
    place.replace_with(whole)


def _name_table(page: BeautifulSoup, table: Tag, number: int, name: str) -> None:
    own, link = table.find("caption"), None
    given = own.get_text().strip() if own else ""
    if own:
        own.decompose()
    around = table.find_parent(class_="kept-table")
    if around is not None:
        link = around.find("a", attrs={"download": True})
    if isinstance(link, Tag) and link["download"] == "table.csv":
        link["download"] = f"{name}_table_{number}.csv"
    if link is None:
        link = page.new_tag("a", attrs={"download": f"{name}_table_{number}.csv", "href": _as_csv(table)})
    else:
        link.extract()
    link["class"] = "save"
    link.string = "Save as CSV"
    label = f"table-{number}-name"
    caption = _caption(page, label, given or _section(table) or "Table")
    caption.extend([" ", link])
    attributes = {"id": f"table-{number}", "class": "table", "aria-labelledby": label}
    whole = page.new_tag("figure", attrs=attributes)
    scroll = page.new_tag(
        "div", attrs={"class": "scroll", "tabindex": "0", "role": "region", "aria-labelledby": label}
    )
    table["aria-labelledby"] = label
    (around or table).replace_with(whole)
    scroll.append(table)
    whole.extend([caption, scroll])
    for cell in table.find_all("td"):
        if _NUMBER.fullmatch(cell.get_text().strip()):
            cell["class"] = "number"


def _as_csv(table: Tag) -> str:
    written = io.StringIO()
    rows = ([cell.get_text().strip() for cell in row.find_all(["th", "td"])] for row in table.find_all("tr"))
    csv.writer(written).writerows(rows)
    return f"data:text/csv;base64,{base64.b64encode(written.getvalue().encode()).decode()}"

"""Outputs of an executed notebook that a page shows in another way: figures, bars, widgets."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import escape
from typing import Any, Final

import nbformat
from bs4 import BeautifulSoup
from nbconvert.preprocessors import Preprocessor

from painkit.progress import AHEAD

__all__ = ["Figure", "PlotlyOutputs", "plain"]

_PLOTLY: Final = "application/vnd.plotly.v1+json"
_WIDGET: Final = "application/vnd.jupyter.widget-view+json"
# A state of a progress bar, with or without a known end; its line ends where the terminal did. Or a step up.
_BAR = re.compile(rf"[^\r\n]*(?:\d+%\||\d+\w* \[\d+:\d\d, |{AHEAD})[^\r\n]*|\x1b\[A")
_TITLE_PX: Final = 44
"""Height of the title and subtitle that `painkit.figures.style.finish` leaves room for."""


@dataclass(frozen=True)
class Figure:
    """One plotly figure of a page.

    Attributes
    ----------
    title, subtitle, caption : str
        Plain text; the page shows them in place of the figure's own title.
    spec : dict
        data, layout and frames without a title, and what brings it back where the figure is saved.
    """

    title: str
    subtitle: str
    caption: str
    spec: dict[str, Any]


class PlotlyOutputs(Preprocessor):
    """Take plotly's figures out, drop progress bars and parameter cells, and tell where a widget stands.

    Parameters
    ----------
    notebook : str
        File name, for readers who want the widget.

    Attributes
    ----------
    specs : list of Figure
        In the order of the notebook; ``<div data-figure="0">`` stands where the first one was.
    """

    def __init__(self, notebook: str) -> None:
        super().__init__()
        self.notebook = notebook
        self.specs: list[Figure] = []

    def preprocess(
        self, nb: nbformat.NotebookNode, resources: dict[str, Any]
    ) -> tuple[nbformat.NotebookNode, dict[str, Any]]:
        """Leave the cells of parameters out: the page shows them as one table."""
        told = {"parameters", "injected-parameters"}
        nb.cells = [cell for cell in nb.cells if not told & set(cell.metadata.get("tags", []))]
        return super().preprocess(nb, resources)  # type: ignore[no-any-return]

    def preprocess_cell(
        self, cell: nbformat.NotebookNode, resources: dict[str, Any], index: int
    ) -> tuple[nbformat.NotebookNode, dict[str, Any]]:
        """Change the outputs of one cell."""
        kept: list[nbformat.NotebookNode] = []
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            if output.get("name") == "stderr":
                # Bar by bar, for what is written between two of them starts a line in the notebook alone.
                output.text = _BAR.sub("", "".join(output.text))
                if kept and kept[-1].get("name") == "stderr":
                    kept[-1].text += output.text
                    continue
            elif _BAR.search("".join(data.get("text/plain", ""))):
                continue
            if _PLOTLY in data:
                data["text/html"] = f'<div data-figure="{len(self.specs)}"></div>'
                self.specs.append(_figure(data.pop(_PLOTLY)))
            elif _WIDGET in data:
                data.clear()
                data["text/html"] = (
                    '<p class="widget">The interactive explorer stands here in JupyterLab, in '
                    f"<code>{escape(self.notebook)}</code>.</p>"
                )
            kept.append(output)
        if "outputs" in cell:
            for output in kept:
                if output.get("name") == "stderr":
                    lines = re.split(r"[\r\n]+", output.text)
                    output.text = "".join(f"{line}\n" for line in lines if line.strip())
            cell.outputs = [output for output in kept if output.get("text") != ""]
        return cell, resources


def plain(text: str) -> str:
    """Text of plotly's markup."""
    return BeautifulSoup(text.replace("<br>", " "), "html.parser").get_text()


def _figure(told: dict[str, Any]) -> Figure:
    layout = dict(told.get("layout", {}))
    title = layout.pop("title", {})
    title = {"text": title} if isinstance(title, str) else title
    layout.pop("template", None)  # the page has its own, for light and dark
    told_more = layout.get("meta")
    meta = told_more if isinstance(told_more, dict) else {}
    # Room for the title goes with it, so that all else stays as large as it is.
    margin = dict(layout.get("margin", {}))
    cut = min(_TITLE_PX, margin.get("t", 100) - 10) if title.get("text") else 0
    if cut:
        layout["margin"] = {**margin, "t": margin.get("t", 100) - cut}
        if "height" in layout:
            layout["height"] -= cut
    layout.pop("width", None)
    return Figure(
        title=plain(title.get("text") or ""),
        subtitle=plain((title.get("subtitle") or {}).get("text") or ""),
        caption=str(meta.get("caption") or ""),
        spec={
            "data": told.get("data", []),
            "layout": layout,
            "frames": told.get("frames", []),
            "title": title,
            "cut": cut,
            "legend": meta.get("legend"),
            "width": meta.get("width", 560),
        },
    )

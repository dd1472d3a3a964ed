"""An executed notebook as one HTML page that shows its plots without a network."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import nbformat
import plotly.io
from jinja2 import DictLoader
from nbconvert import HTMLExporter
from nbconvert.preprocessors import Preprocessor
from plotly.offline import get_plotlyjs

from painkit.files import write_atomically

__all__ = ["write_page"]

_PLOTLY = "application/vnd.plotly.v1+json"
_PROGRESS = re.compile(r"\d+%\|")
_WIDGET = "application/vnd.jupyter.widget-view+json"

# nbconvert's page fetches require.js, MathJax, mermaid and the widget manager from the network: left out.
_TEMPLATE = """\
{%- extends 'lab/index.html.j2' -%}
{%- block html_head_js -%}
{%- if resources.plotly -%}<script>{{ resources.plotly }}</script>{%- endif -%}
{%- endblock -%}
{%- block jupyter_widgets -%}{%- endblock -%}
{%- block html_head_js_mathjax -%}{%- endblock -%}
{%- block html_head_js_mermaidjs -%}{%- endblock -%}
"""


class _StaticOutputs(Preprocessor):
    """Turn plotly outputs into HTML, drop progress bars, and say where a widget stands in the notebook."""

    def preprocess_cell(
        self, cell: nbformat.NotebookNode, resources: dict[str, Any], index: int
    ) -> tuple[nbformat.NotebookNode, dict[str, Any]]:
        kept = []
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            if output.output_type == "stream":
                output.text = _without_bars("".join(output.text))
                if not output.text:
                    continue
            elif _PROGRESS.search("".join(data.get("text/plain", ""))):
                continue
            if _PLOTLY in data:
                resources["plotly"] = get_plotlyjs()
                figure = data.pop(_PLOTLY)
                data["text/html"] = plotly.io.to_html(
                    {part: figure[part] for part in ("data", "layout", "frames") if part in figure},
                    include_plotlyjs=False,
                    full_html=False,
                    auto_play=False,
                    validate=False,
                    config={"responsive": True, "displaylogo": False},
                )
            elif _WIDGET in data:
                data.clear()
                data["text/html"] = (
                    "<p><em>An interactive view stands here; open the notebook to use it.</em></p>"
                )
            kept.append(output)
        if "outputs" in cell:
            cell.outputs = kept
        return cell, resources


def _without_bars(text: str) -> str:
    """Leave out the lines that are states of progress bars; a warning between them stays."""
    if not _PROGRESS.search(text):
        return text
    lines = re.split(r"[\r\n]+", text.replace("\x1b[A", ""))
    return "".join(f"{line}\n" for line in lines if line.strip() and not _PROGRESS.search(line))


def write_page(notebook: Path) -> Path:
    """Write ``NAME.html`` beside an executed notebook and return its path.

    The page embeds plotly's script once and refers to nothing outside itself.
    """
    # A child of lab's index under a name of its own; the loader keeps nbconvert's templates reachable.
    exporter = HTMLExporter(
        extra_loaders=[DictLoader({"painkit.html.j2": _TEMPLATE})], template_file="painkit.html.j2"
    )
    exporter.exclude_input_prompt = exporter.exclude_output_prompt = True
    exporter.register_preprocessor(_StaticOutputs, enabled=True)
    content = nbformat.read(notebook, as_version=4)
    body, _ = exporter.from_notebook_node(content, resources={"metadata": {"name": notebook.stem}})
    page = notebook.with_suffix(".html")
    with write_atomically(page) as temporary:
        temporary.write_text(body, encoding="utf-8")
    return page

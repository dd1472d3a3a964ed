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
# A state of a progress bar, with or without a known end; its line ends where the terminal did. Or a step up.
_BAR = re.compile(r"[^\r\n]*(?:\d+%\||\d+\w* \[\d+:\d\d, )[^\r\n]*|\x1b\[A")
_WIDGET = "application/vnd.jupyter.widget-view+json"

# nbconvert's page fetches require.js, MathJax, mermaid and the widget manager from the network: left out. The
# policy holds the browser to it, whatever a notebook shows: nothing is fetched and nothing is sent.
_TEMPLATE = """\
{%- extends 'lab/index.html.j2' -%}
{%- block html_head_js -%}
<meta http-equiv="Content-Security-Policy" content="default-src 'none';
 script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; img-src data: blob:; font-src data:;
 form-action 'none'; base-uri 'none'">
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
                resources["plotly"] = get_plotlyjs()
                figure = data.pop(_PLOTLY)
                data["text/html"] = plotly.io.to_html(
                    {part: figure[part] for part in ("data", "layout", "frames") if part in figure},
                    include_plotlyjs=False,
                    full_html=False,
                    auto_play=False,
                    validate=False,
                    config={"responsive": True, "displaylogo": False, "showSendToCloud": False},
                )
            elif _WIDGET in data:
                data.clear()
                data["text/html"] = (
                    "<p><em>An interactive view stands here; open the notebook to use it.</em></p>"
                )
            kept.append(output)
        if "outputs" in cell:
            for output in kept:
                if output.get("name") == "stderr":
                    lines = re.split(r"[\r\n]+", output.text)
                    output.text = "".join(f"{line}\n" for line in lines if line.strip())
            cell.outputs = [output for output in kept if output.get("text") != ""]
        return cell, resources


def write_page(notebook: Path) -> Path:
    """Write ``NAME.html`` beside an executed notebook and return its path.

    The page embeds plotly's script once and refers to nothing outside itself.
    """
    # A child of lab's index under a name of its own; the loader keeps nbconvert's templates reachable.
    exporter = HTMLExporter(
        extra_loaders=[DictLoader({"painkit.html.j2": _TEMPLATE})], template_file="painkit.html.j2"
    )
    exporter.exclude_input_prompt = exporter.exclude_output_prompt = True
    exporter.embed_images = True
    exporter.register_preprocessor(_StaticOutputs, enabled=True)
    content = nbformat.read(notebook, as_version=4)
    about = {"name": notebook.stem, "path": str(notebook.parent)}
    body, _ = exporter.from_notebook_node(content, resources={"metadata": about})
    page = notebook.with_suffix(".html")
    with write_atomically(page) as temporary:
        temporary.write_text(body, encoding="utf-8")
    return page

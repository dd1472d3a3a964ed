"""An executed notebook as one HTML page that shows its plots without a network."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import nbformat
import plotly.io
from jinja2 import Environment, PackageLoader, select_autoescape
from markupsafe import Markup
from nbconvert import HTMLExporter
from plotly.offline import get_plotlyjs
from pygments.formatters import HtmlFormatter

import painkit
from painkit.cli.page_facts import facts, parameter_table
from painkit.cli.page_figures import PlotlyOutputs
from painkit.cli.page_layout import lay_out
from painkit.files import write_atomically, write_text

__all__ = ["render", "write_page"]

_FOLDER: Final = files("painkit.cli") / "page_template"


def write_page(notebook: Path) -> Path:
    """Write ``NAME.html`` beside an executed notebook and return its path.

    The page embeds plotly's script once and refers to nothing outside itself.
    """
    content = nbformat.read(notebook, as_version=4)
    if "painkit" not in content.metadata:  # which version executed it, for pages made later
        content.metadata["painkit"] = {"version": painkit.__version__}
        with write_atomically(notebook) as temporary:
            nbformat.write(content, temporary)
    told, parameters = facts(content, notebook), parameter_table(content, notebook)
    exporter = HTMLExporter(template_name="basic")
    exporter.exclude_input_prompt = exporter.exclude_output_prompt = True
    exporter.embed_images = True
    figures = PlotlyOutputs(notebook.name)
    exporter.register_preprocessor(figures, enabled=True)
    about = {"name": notebook.stem, "path": str(notebook.parent)}
    body, _ = exporter.from_notebook_node(content, resources={"metadata": about})
    page = lay_out(body, figures.specs, name=notebook.stem)
    text = render(
        "page.html.j2",
        page=page,
        facts=told,
        parameters=parameters,
        plotly=Markup(get_plotlyjs()) if figures.specs else "",
        figures=_as_script([one.spec for one in figures.specs]),
        templates=_as_script({look: _template(look) for look in ("plotly_white", "plotly_dark")}),
    )
    written = notebook.with_suffix(".html")
    write_text(written, text)
    return written


def render(template: str, **values: Any) -> str:
    """Fill one of the page templates; text is escaped, the style sheet and the script are put in."""
    environment = Environment(
        loader=PackageLoader("painkit.cli", "page_template"),
        autoescape=select_autoescape(default=True, default_for_string=True),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    light, dark = (HtmlFormatter(style=name).get_style_defs(".highlight") for name in ("default", "monokai"))
    code = f"{light}\n@media screen and (prefers-color-scheme: dark) {{\n{dark}\n}}"
    style = _FOLDER.joinpath("page.css").read_text(encoding="utf-8")
    script = _FOLDER.joinpath("page.js").read_text(encoding="utf-8")
    return environment.get_template(template).render(
        style=Markup(f"{code}\n{style}"), script=Markup(script), **values
    )


def _as_script(value: Any) -> Markup:
    """JSON that can stand in a script element: no text in it can end the element."""
    return Markup(json.dumps(value, separators=(",", ":")).replace("<", "\\u003c"))


def _template(name: str) -> dict[str, Any]:
    """A template of plotly's whose paper lets the page through."""
    layout = plotly.io.templates[name].to_plotly_json()["layout"]
    return {"layout": {**layout, "paper_bgcolor": "rgba(0,0,0,0)", "plot_bgcolor": "rgba(0,0,0,0)"}}

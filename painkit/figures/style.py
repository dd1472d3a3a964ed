"""One look for every figure, and the mark that says "simulated"."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from itertools import cycle
from textwrap import wrap
from typing import Any, Final

import cv2
import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

__all__ = [
    "LEVEL_COLORS",
    "LINE",
    "SERIES",
    "SIMULATED",
    "color_of",
    "colors_of",
    "finish",
    "in_lines",
    "in_words",
    "interval",
    "picture",
]

#: The mark on everything drawn from simulated data.
SIMULATED: Final = "Simulated cohort: these numbers say nothing about people."

#: Pain levels 0 to 6, pale to dark.
LEVEL_COLORS: Final = ("#e8e8e8", "#fde0c5", "#f9b282", "#f07f52", "#d6503a", "#a62a2f", "#6b0f1a")

# Okabe and Ito's colours, told apart by colour-blind readers. Pain that others see in a face is red.
_COLORS: Final = {
    "vas": "#0072B2",
    "opi": "#E69F00",
    **dict.fromkeys(("level", "seven_levels", "pspi", "pain", "stimulus"), "#D55E00"),
    "disgust": "#009E73",
    "happiness": "#56B4E9",
    **{f"level {number}": color for number, color in enumerate(LEVEL_COLORS)},
}

#: Models, settings and all else that is no target: Tol's muted colours, told apart by colour-blind readers.
SERIES: Final = ("#332288", "#44AA99", "#CC6677", "#999933", "#AA4499", "#117733", "#88CCEE", "#882255")

#: Of what is marked on a figure: zero, chance, a label.
LINE: Final = "#555"


def color_of(target: str) -> str:
    """Colour of a target or class, the same in every figure; that of the first series for any other."""
    return _COLORS.get(target, SERIES[0])


def colors_of(names: Iterable[str]) -> dict[str, str]:
    """Colours of classes that are drawn together: their own, and others that are told apart."""
    others = cycle(SERIES)
    return {name: _COLORS.get(name) or next(others) for name in names}


def in_lines(name: str, width: int = 18) -> str:
    """Break a name into lines, for a narrow panel."""
    return "<br>".join(wrap(name, width, break_long_words=False, break_on_hyphens=False))


def in_words(
    table: pd.DataFrame,
    value: str = "value",
    *,
    unit: str = "",
    decimals: int = 2,
    ends: tuple[str, str] = ("low", "high"),
) -> list[str]:
    """Say each value with its unit and its interval: what a reader sees under the mouse."""
    said = []
    for number, low, high in table[[value, *ends]].to_numpy(np.float64):
        told = f"{number:z.{decimals}f}{unit}" if np.isfinite(number) else "undefined"
        if np.isfinite([low, high]).all():
            told += f"<br>95 % interval {low:z.{decimals}f} to {high:z.{decimals}f}"
        said.append(told)
    return said


def interval(table: pd.DataFrame, value: str = "value", **look: Any) -> dict[str, Any]:
    """Error bars from columns low and high about a column."""
    return {"array": table["high"] - table[value], "arrayminus": table[value] - table["low"], **look}


def picture(image: NDArray[np.uint8], *, photo: bool = False, **place: Any) -> dict[str, Any]:
    """Layout image of an (h, w, 3) RGB array, a pixel to a unit of its axes; it needs no file.

    A large photo may be compressed as one, for a page holds dozens; all else is kept exactly.
    """
    kind, options = ("jpeg", [cv2.IMWRITE_JPEG_QUALITY, 88]) if photo else ("png", [])
    _, encoded = cv2.imencode(f".{kind}", image[..., ::-1], options)
    source = f"data:image/{kind};base64," + base64.b64encode(encoded.tobytes()).decode("ascii")
    size = {"x": 0, "y": 0, "sizex": image.shape[1], "sizey": image.shape[0]}
    return {"source": source, **size, "sizing": "stretch", "layer": "below", **place}


_LINE_PX, _SIDES_PX = 22, 80
"""Height of a line of the legend, and the margins on both sides."""

# The markup that painkit's own captions use; all other tags and entities come from names in the data.
_FOREIGN = re.compile(r"<(?!/?(?:br|sub|extra)>)|&")


def finish(
    figure: go.Figure,
    title: str,
    *,
    simulated: bool,
    height: int = 420,
    legend: bool = False,
    narrowest: int = 560,
) -> go.Figure:
    """Set title, size and look; a figure of simulated data says so in its subtitle.

    All that the figure holds by now is shown as text, whatever tags there may be in a name. The button that
    sends a figure to plotly's cloud is left out, wherever the figure is opened: faces stay on the machine.

    Parameters
    ----------
    figure : plotly.graph_objects.Figure
        Changed in place.
    title : str
        What the figure shows.
    simulated : bool
        Whether any of its data come from the simulator.
    height : int
        Height in pixels.
    legend : bool
        Whether the names of the traces stand below all else, and make the figure higher. Never over the data.
    narrowest : int
        Width in pixels that the figure needs; where a page has less, the figure scrolls.

    Returns
    -------
    plotly.graph_objects.Figure
        The same figure.
    """
    subtitle = {"text": SIMULATED} if simulated else None
    names, name_px = _legend(figure) if legend else (0, 1)
    # Room for the lines that it takes where the figure is narrowest; a page takes back what is left over.
    below = _LINE_PX * -(-names // max(1, (narrowest - _SIDES_PX) // name_px))
    figure.for_each_annotation(lambda note: note.update(font_size=13), {"font": {"size": 16}})  # of panels
    for part in (*figure.data, *figure.frames, figure.layout):
        told = part.to_plotly_json()
        part.update({key: text for key, value in told.items() if (text := _as_text(value)) is not value})
    return figure.update_layout(
        template="plotly_white",
        colorway=SERIES,
        height=height + below,
        showlegend=legend,
        legend={"orientation": "h", "yref": "container", "y": 0, "yanchor": "bottom", "x": 0},
        title={
            "text": _as_text(title),
            "x": 0.01,
            "xanchor": "left",
            "y": 0.98,
            "yanchor": "top",
            "subtitle": subtitle,
        },
        margin={"l": 60, "r": 20, "t": 90, "b": 50 + below},
        meta={
            "width": narrowest,
            "legend": {"names": names, "name_px": name_px, "line_px": _LINE_PX, "px": below},
        },
        font={"size": 13},
        hoverlabel={"align": "left"},
        modebar={"remove": ["sendChartToCloud"]},
    )


def _legend(figure: go.Figure) -> tuple[int, int]:
    """How many names there are and the width of the longest, in pixels."""
    traces = [trace for trace in figure.data if trace.showlegend is not False]
    shapes = [shape for shape in figure.layout.shapes if shape.showlegend]
    names = [len(part.name) for part in (*traces, *shapes) if part.name]
    return len(names), 45 + 7 * max(names, default=1)


def _as_text(value: Any) -> Any:
    """Escape what plotly would take for markup in all strings of a part; the part itself if there is none."""
    if isinstance(value, str):
        return _FOREIGN.sub(lambda found: "&amp;" if found[0] == "&" else "&lt;", value)
    if isinstance(value, dict):
        old = list(value.values())
        new = [_as_text(one) for one in old]
        return value if _same(old, new) else dict(zip(value, new, strict=True))
    if isinstance(value, list | tuple):
        new = [_as_text(one) for one in value]
        return value if _same(value, new) else new
    if isinstance(value, np.ndarray) and value.dtype == object:
        new = [_as_text(one) for one in value.ravel()]
        return value if _same(value.ravel(), new) else np.array(new, dtype=object).reshape(value.shape)
    return value


def _same(old: Iterable[Any], new: Iterable[Any]) -> bool:
    return all(one is other for one, other in zip(old, new, strict=True))

"""One look for every figure, and the mark that says "simulated"."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from typing import Any, Final

import cv2
import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

__all__ = ["AT_ONCE", "LEVEL_COLORS", "QUALITATIVE", "SIMULATED", "finish", "interval", "picture"]

#: The mark on everything drawn from simulated data.
SIMULATED: Final = "Simulated cohort: these numbers say nothing about people."

#: Okabe and Ito's colours, told apart by colour-blind readers.
QUALITATIVE: Final = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#000000")

#: Pain levels 0 to 6, pale to dark.
LEVEL_COLORS: Final = ("#e8e8e8", "#fde0c5", "#f9b282", "#f07f52", "#d6503a", "#a62a2f", "#6b0f1a")


#: How a slider's stop goes to its frame.
AT_ONCE: Final = {
    "mode": "immediate",
    "frame": {"duration": 0, "redraw": True},
    "transition": {"duration": 0},
}


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


# The markup that painkit's own captions use; all other tags and entities come from names in the data.
_FOREIGN = re.compile(r"<(?!/?(?:br|sub|extra)>)|&")


def finish(figure: go.Figure, title: str, *, simulated: bool, height: int = 420) -> go.Figure:
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

    Returns
    -------
    plotly.graph_objects.Figure
        The same figure.
    """
    subtitle = {"text": SIMULATED} if simulated else None
    for part in (*figure.data, *figure.frames, figure.layout):
        told = part.to_plotly_json()
        part.update({key: text for key, value in told.items() if (text := _as_text(value)) is not value})
    return figure.update_layout(
        template="plotly_white",
        colorway=QUALITATIVE,
        height=height,
        title={
            "text": _as_text(title),
            "x": 0.01,
            "xanchor": "left",
            "y": 0.98,
            "yanchor": "top",
            "subtitle": subtitle,
        },
        margin={"l": 60, "r": 20, "t": 90, "b": 50},
        font={"size": 13},
        hoverlabel={"align": "left"},
        modebar={"remove": ["sendChartToCloud"]},
    )


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

"""One sequence through time: pictures, what explains them, and the values over the frames below them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from painkit.figures.faces import face_traces
from painkit.figures.style import LINE, finish, picture

__all__ = ["Trace", "View", "moving_view", "stops_through"]

_AT_ONCE: Final = {
    "mode": "immediate",
    "frame": {"duration": 0, "redraw": True},
    "transition": {"duration": 0},
}
_MOTION: Final = {
    "frame": {"duration": 150, "redraw": True},
    "transition": {"duration": 0},
    "fromcurrent": True,
}
_PICTURE_PX, _TRACE_PX, _BELOW_PX = 320, 100, 95
"""Heights of a picture, of the values of one target, and of the slider."""


@dataclass(frozen=True, eq=False, kw_only=True)
class View:
    """A panel that shows one picture at every stop.

    Attributes
    ----------
    name : str
    captions : sequence of str
        Below the picture of each stop.
    images : sequence of (h, w, 3) uint8 array or None
        Of one shape; None where a stop has none.
    points : (stops, 66, 2) array, optional
        Landmarks in pixels of the images.
    values : (stops, 66) array, optional
        Colours the landmarks around 0.
    unit : str
        Of `values`.
    """

    name: str
    captions: Sequence[str]
    images: Sequence[NDArray[np.uint8] | None]
    points: NDArray[np.floating] | None = None
    values: NDArray[np.floating] | None = None
    unit: str = ""

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the pictures, of the landmarks' extent where there is none."""
        there = next((image for image in self.images if image is not None), None)
        if there is not None:
            return there.shape[0], there.shape[1]
        right, low = np.nanmax(self.points, axis=(0, 1)) if self.points is not None else (1, 1)
        return int(np.ceil(1.05 * low)), int(np.ceil(1.05 * right))


@dataclass(frozen=True, eq=False, kw_only=True)
class Trace:
    """A panel of values over all frames, of one scale.

    Attributes
    ----------
    scale : str
        Name and unit, such as ``"level 0-5"``.
    lines : mapping of str to (n_frames,) array
        By name; NaN leaves a gap.
    colors : mapping of str to str
    dotted : collection of str
        Lines that are labels, not estimates.
    span : (float, float), optional
        Of the axis; default what the lines need.
    """

    scale: str
    lines: Mapping[str, NDArray[np.floating]]
    colors: Mapping[str, str]
    dotted: Collection[str] = ()
    span: tuple[float, float] | None = None


def stops_through(n: int, count: int, peak: int | None = None) -> NDArray[np.intp]:
    """Choose at most `count` of `n` places, evenly spread, the peak among them."""
    stops = np.unique(np.linspace(0, n - 1, min(count, n)).astype(np.intp))
    if peak is not None and len(stops):
        stops[np.argmin(np.abs(stops - peak))] = peak
    return stops


def moving_view(
    frames: NDArray[np.integer],
    stops: NDArray[np.intp],
    views: Sequence[View],
    traces: Sequence[Trace],
    title: str,
    *,
    simulated: bool,
    start: int = 0,
) -> go.Figure:
    """Draw a sequence that moves by slider or button, on an exported page, too: it needs no kernel.

    Parameters
    ----------
    frames : (n,) array
        Numbers of the sequence's frames.
    stops : (k,) array
        Places in `frames` where the slider stops.
    views : sequence of View
        Side by side.
    traces : sequence of Trace
        One below the other, with a line where the slider stands.
    title : str
    simulated : bool
    start : int
        Stop that is shown first.
    """
    columns, height = len(views), _PICTURE_PX + len(traces) * _TRACE_PX
    figure = make_subplots(
        1 + len(traces),
        columns,
        specs=[[{}] * columns, *([{"colspan": columns}, *[None] * (columns - 1)] for _ in traces)],
        row_heights=[_PICTURE_PX, *[_TRACE_PX] * len(traces)],
        column_titles=[view.name for view in views],
        horizontal_spacing=0.14 if any(view.values is not None for view in views) else 0.03,
        vertical_spacing=min(55 / height, 0.9 / max(len(traces), 1)),
    )
    cells = [figure.get_subplot(1, column) for column in range(1, columns + 1)]
    ends = [_add_trace(figure, frames, trace, row) for row, trace in enumerate(traces, start=2)]
    moving = len(figure.data)
    states = [_state(frames[stop], i, views, cells, ends, moving) for i, stop in enumerate(stops)]
    for trace in states[start].data:
        figure.add_trace(trace)
    figure.frames = states
    for number, (view, cell) in enumerate(zip(views, cells, strict=True)):
        bare = {"showgrid": False, "zeroline": False, "showticklabels": False, "constrain": "domain"}
        cell.xaxis.update(range=[0, view.shape[1]], title={"standoff": 4, "font": {"size": 12}}, **bare)
        cell.yaxis.update(range=[view.shape[0], 0], scaleanchor=cell.yaxis.anchor, **bare)
        if view.values is not None:
            figure.update_layout({_coloraxis(number): _colors(view, cell)})
    figure.update_layout(states[start].layout)
    if traces:
        figure.update_xaxes(title_text="frame", row=1 + len(traces), col=1)
    figure.update_layout(
        sliders=[
            {
                "active": start,
                "currentvalue": {"prefix": "frame "},
                "steps": [
                    {"args": [[state.name], _AT_ONCE], "label": state.name, "method": "animate"}
                    for state in states
                ],
                "pad": {"t": 42, "l": 140},
            }
        ],
        updatemenus=[
            {
                "type": "buttons",
                "showactive": False,
                "direction": "right",
                # Beside the slider, never over a face.
                **{"x": 0, "y": 0, "xanchor": "left", "yanchor": "top", "pad": {"t": 48}},
                "buttons": [
                    {"label": "Play", "method": "animate", "args": [None, _MOTION]},
                    {"label": "Pause", "method": "animate", "args": [[None], _AT_ONCE]},
                ],
            }
        ],
    )
    legend, top = any(len(trace.lines) > 1 for trace in traces), 80 + 25 * any(view.name for view in views)
    height, width = height + top + _BELOW_PX + 40, 560 if len(views) == 1 else 740
    finish(figure, title, simulated=simulated, height=height, legend=legend, narrowest=width)
    return figure.update_layout(margin={"t": top, "b": figure.layout.margin.b + _BELOW_PX - 10})


def _add_trace(
    figure: go.Figure, frames: NDArray[np.integer], trace: Trace, row: int
) -> tuple[str, str, float, float]:
    """Draw one panel of values; return its axes and the ends of the line that moves over it."""
    for name, values in trace.lines.items():
        label = name in trace.dotted
        figure.add_scatter(
            x=frames,
            y=values,
            mode="lines+markers" if len(frames) < 80 else "lines",
            marker={"size": 4},
            line={"color": trace.colors[name], "width": 1.8, "dash": "dot" if label else "solid"},
            name=name,
            hovertemplate=f"frame %{{x}}: %{{y:.2f}} {trace.scale}<extra></extra>",
            row=row,
            col=1,
        )
    known = np.concatenate([np.asarray(values, float) for values in trace.lines.values()])
    known = known[np.isfinite(known)]
    low, high = trace.span or (float(known.min(initial=0)), float(known.max(initial=1)))
    margin = 0.06 * (high - low or 1.0)
    cell = figure.get_subplot(row, 1)
    cell.yaxis.update(range=[low - margin, high + margin], title={"text": trace.scale, "font": {"size": 12}})
    x, y = cell.yaxis.anchor, cell.xaxis.anchor
    return x, y, low - margin, high + margin


def _state(
    frame: int,
    stop: int,
    views: Sequence[View],
    cells: Sequence[Any],
    ends: Sequence[tuple[str, str, float, float]],
    first: int,
) -> go.Frame:
    """What is seen at one stop: pictures with their captions, landmarks, and where in time that is."""
    data: list[go.Scatter] = []
    images, axes = [], {}
    for number, (view, cell) in enumerate(zip(views, cells, strict=True)):
        x, y = cell.yaxis.anchor, cell.xaxis.anchor
        image = view.images[stop]
        if image is not None:
            images.append(picture(image, photo=True, xref=x, yref=y))
        if view.points is not None:
            data += face_traces(
                view.points[stop],
                on_image=image is not None,
                values=None if view.values is None else view.values[stop],
                unit=view.unit,
                coloraxis=_coloraxis(number),
                size=4 if view.values is None else 8,
            )
        else:  # an axis without a trace is not drawn
            data.append(go.Scatter(x=[0], y=[0], mode="markers", marker_opacity=0, hoverinfo="skip"))
        for part in data[-2 if view.points is not None else -1 :]:
            part.update(xaxis=x, yaxis=y, showlegend=False)
        axes[x.replace("x", "xaxis")] = {"title": {"text": view.captions[stop]}}
    for x, y, low, high in ends:
        data.append(
            go.Scatter(
                x=[frame, frame],
                y=[low, high],
                mode="lines",
                line={"color": LINE, "width": 1.5},
                hoverinfo="skip",
                showlegend=False,
                xaxis=x,
                yaxis=y,
            )
        )
    return go.Frame(
        data=data,
        traces=list(range(first, first + len(data))),
        name=str(frame),
        layout={"images": images, **axes},
    )


def _coloraxis(number: int) -> str:
    return f"coloraxis{number + 1 if number else ''}"


def _colors(view: View, cell: Any) -> dict[str, Any]:
    """One scale for all stops, with a bar beside the picture."""
    assert view.values is not None
    known = np.abs(view.values[np.isfinite(view.values)])
    top = float(known.max(initial=0.0)) or 1.0
    low, high = cell.yaxis.domain
    bar = {"title": {"text": view.unit, "side": "top"}, "thickness": 12, "x": cell.xaxis.domain[1]}
    bar |= {"y": (low + high) / 2, "len": high - low}
    return {"colorscale": "RdBu_r", "cmin": -top, "cmax": top, "colorbar": bar}

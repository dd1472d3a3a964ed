"""Triplets with the patches of their action units, the supervision's losses, and mass in regions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from painkit.figures.pixel_maps import heatmap_colors
from painkit.figures.style import LINE, SERIES, finish, in_words, interval, picture
from painkit.vocabulary.action_units import UNIT_LANDMARKS

__all__ = ["attention_map", "losses", "mass"]

#: Colours of the sets A, B and neither.
_SETS: Final = {"A": SERIES[4], "B": SERIES[1], "neither": "#999"}


def attention_map(
    images: NDArray[np.uint8],
    maps: NDArray[np.floating],
    landmarks: NDArray[np.floating],
    sets: Mapping[int, str],
    captions: Sequence[str],
    *,
    patch: int,
    simulated: bool,
) -> go.Figure:
    """Draw the faces of a triplet above their maps, with the patches of each action unit.

    Parameters
    ----------
    images : (3, h, w, 3) uint8 array
    maps : (3, h, w) array
    landmarks : (3, 66, 2) array
        Pixels of the images.
    sets : mapping of int to str
        Of each unit "A", "B" or "neither"; where patches overlap, A is drawn above B.
    captions : sequence of str
        Of each face.
    patch : int
        Side of the patches in pixels.
    simulated : bool
    """
    height, width = images.shape[1:3]
    figure = make_subplots(
        2, len(images), column_titles=list(captions), horizontal_spacing=0.02, vertical_spacing=0.03
    )
    for column, (image, heatmap, points) in enumerate(zip(images, maps, landmarks, strict=True), start=1):
        for row, one in enumerate((image, heatmap_colors(heatmap)), start=1):
            figure.add_layout_image(picture(one), row=row, col=column)
            for name in ("neither", "B", "A"):
                units = [unit for unit, own in sets.items() if own == name]
                x, y, told = _squares(points, units, patch)
                figure.add_scatter(
                    x=x, y=y, mode="lines", line={"color": _SETS[name], "width": 1.5}, text=told,
                    hoverinfo="text", name=f"set {name}", legendgroup=name,
                    showlegend=row == column == 1 and bool(units), row=row, col=column,
                )  # fmt: skip
    axis = {"showgrid": False, "zeroline": False, "showticklabels": False}
    figure.update_xaxes(range=[0, width], constrain="domain", **axis)
    figure.update_yaxes(range=[height, 0], constrain="domain", **axis)
    for row in (1, 2):
        for column in range(1, len(images) + 1):
            cell = figure.get_subplot(row, column)
            cell.yaxis.update(scaleanchor=cell.xaxis.anchor.replace("y", "x"))
    title = "A triplet, its saliency maps, and the patches of relevant (A) and irrelevant (B) units"
    finish(figure, title, simulated=simulated, height=600, legend=True)
    return figure.update_layout(margin={"l": 10, "t": 110})


def _squares(
    points: NDArray[np.floating], units: Sequence[int], patch: int
) -> tuple[list[float | None], list[float | None], list[str]]:
    """Outlines of the patches of some units, one after another, and what each says."""
    x: list[float | None] = []
    y: list[float | None] = []
    told: list[str] = []
    corner = patch / 2 * np.array([[-1, -1], [1, -1], [1, 1], [-1, 1], [-1, -1]])
    for unit in units:
        for point in np.concatenate(UNIT_LANDMARKS[unit]):
            # A pixel's middle lies at its number plus one half in the picture.
            outline = np.rint(points[point]) + 0.5 + corner
            x += [*outline[:, 0].tolist(), None]
            y += [*outline[:, 1].tolist(), None]
            told += [f"AU{unit}"] * 6
    return x, y, told


def losses(table: pd.DataFrame, *, simulated: bool) -> go.Figure:
    """Draw each loss over the iterations of the supervision, a line for each row.

    Parameters
    ----------
    table : DataFrame
        As from `painkit.papers.saliency.supervision_losses`.
    simulated : bool
    """
    names = list(dict.fromkeys(table["loss"]))
    figure = make_subplots(1, max(len(names), 1), subplot_titles=names or None)
    rows = list(dict.fromkeys(table["row"]))
    for (row, loss), part in table.groupby(["row", "loss"], sort=False):
        figure.add_scatter(
            x=part["iteration"],
            y=part["value"],
            name=str(row),
            legendgroup=str(row),
            showlegend=not any(trace.name == str(row) for trace in figure.data),
            mode="lines+markers" if len(part) < 30 else "lines",
            hovertemplate=f"{row}<br>iteration %{{x}}: {loss} loss %{{y:.3f}}<extra></extra>",
            line={
                "color": SERIES[rows.index(row) % len(SERIES)],
                "dash": "solid" if part["descended"].all() else "dot",
            },
            row=1,
            col=names.index(loss) + 1,
        )
    # With room at the ends: a first tick would stand on the 0 of the other axis.
    low, high = (table["iteration"].min(), table["iteration"].max()) if len(table) else (0, 1)
    room = 0.04 * (high - low) or 0.5
    ticks = [low] if low == high else None
    figure.update_xaxes(title="iteration", range=[low - room, high + room], tickvals=ticks)
    figure.update_yaxes(rangemode="tozero")
    title = "Losses of the supervision, mean over folds (dotted: only looked at)"
    return finish(figure, title, simulated=simulated, height=370, legend=True)


def mass(table: pd.DataFrame, what: str = "Saliency", *, simulated: bool) -> go.Figure:
    """Draw how much of the maps lies in the true regions, over their area, and how that changes.

    Parameters
    ----------
    table : DataFrame
        As from `painkit.papers.saliency_maps.mass_in_pain_regions`.
    what : str
        What the maps show.
    simulated : bool
    """
    figure = make_subplots(
        1, 2, subplot_titles=["over the regions' area", "change from the first row"], shared_yaxes=True
    )
    for column, (value, low, high) in enumerate(
        (("value", "low", "high"), ("change", "change_low", "change_high")), start=1
    ):
        own = table[[value, low, high]].set_axis(["value", "low", "high"], axis=1) * 100
        figure.add_scatter(
            x=own["value"],
            y=table["row"],
            error_x=interval(own, thickness=1.2),
            mode="markers",
            marker={"size": 9, "color": SERIES[0]},
            hovertext=[
                f"{row}<br>{said}"
                for row, said in zip(table["row"], in_words(own, unit=" points", decimals=1), strict=True)
            ],
            hoverinfo="text",
            row=1,
            col=column,
        )
        figure.add_vline(x=0, line={"width": 1, "dash": "dot", "color": LINE}, row=1, col=column)
    figure.update_xaxes(title="points of the map's mass, %")
    figure.update_yaxes(autorange="reversed", automargin=True)
    title = f"{what} where pain moved the face, with 95 % intervals"
    return finish(figure, title, simulated=simulated, height=180 + 40 * len(table), narrowest=740)

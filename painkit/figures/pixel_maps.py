"""Maps of relevance beside the images they explain, and what classes and regions they are about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.colors import get_colorscale, sample_colorscale, unlabel_rgb
from plotly.subplots import make_subplots

from painkit.figures.style import LINE, SERIES, colors_of, finish, in_lines, in_words, interval, picture

__all__ = ["DIVERGING", "confusion_matrix", "heatmap_colors", "heatmaps", "recall_by_fold", "region_shares"]

#: Blue speaks against the class, red for it; white is 0.
DIVERGING: Final = "RdBu_r"

_OUTERMOST: Final = 99.5
"""Percentile of the magnitude in a map that has the full colour: one pixel may be far beyond all others."""


def heatmap_colors(heatmap: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Colour a map: (h, w, 3) RGB, white at 0, full red and blue at the 99.5th percentile of magnitude."""
    largest = float(np.percentile(np.abs(heatmap), _OUTERMOST)) or float(np.abs(heatmap).max()) or 1.0
    scale = sample_colorscale(get_colorscale(DIVERGING), np.linspace(0, 1, 256).tolist())
    colors = np.array([unlabel_rgb(color) for color in scale])
    index = np.rint((np.clip(heatmap / largest, -1, 1) + 1) * 127.5).astype(int)
    return np.asarray(np.rint(colors[index]), np.uint8)


def heatmaps(
    images: NDArray[np.uint8],
    captions: Sequence[str],
    maps: Mapping[str, NDArray[np.floating]],
    title: str,
    *,
    simulated: bool,
    label: str = "relevance for the class",
) -> go.Figure:
    """Draw images, a row each, with one map a column.

    Parameters
    ----------
    images : (n, h, w, 3) uint8 array
    captions : sequence of str
        Of each row, such as its true and predicted class.
    maps : mapping of str to (n, h, w) array
        By the name of the method. Each map is coloured by its own largest magnitude.
    title : str
    simulated : bool
    label : str
        What the maps show.
    """
    n, (height, width) = len(images), images.shape[1:3]
    figure = make_subplots(
        n,
        1 + len(maps),
        column_titles=["image", *(in_lines(name, 13) for name in maps)],
        horizontal_spacing=0.01,
        vertical_spacing=min(0.12 / n, 0.3 / max(n - 1, 1)),
    )
    # Few columns stand together on the left, not each alone in a wide panel.
    used = min(1.0, (1 + len(maps)) / 4)
    figure.for_each_xaxis(lambda axis: axis.update(domain=[used * end for end in axis.domain]))
    figure.for_each_annotation(lambda note: note.update(x=used * note.x))
    columns = [images, *(np.stack([heatmap_colors(one) for one in found]) for found in maps.values())]
    for column, pictures in enumerate(columns, start=1):
        for row, one in enumerate(pictures, start=1):
            figure.add_scatter(
                x=[width / 2],
                y=[height / 2],
                mode="markers",
                marker_opacity=0,
                hoverinfo="skip",
                row=row,
                col=column,
            )
            figure.add_layout_image(picture(one), row=row, col=column)
    axis = {"showgrid": False, "zeroline": False, "showticklabels": False, "ticks": ""}
    figure.update_xaxes(range=[0, width], constrain="domain", **axis)
    figure.update_yaxes(range=[height, 0], **axis)
    for row in range(1, n + 1):
        for column in range(1, 2 + len(maps)):
            cell = figure.get_subplot(row, column)
            cell.yaxis.update(scaleanchor=cell.xaxis.anchor.replace("y", "x"), constrain="domain")
        figure.update_yaxes(title_text=captions[row - 1], row=row, col=1, title_font_size=11)
    # What is nowhere below 0 has the red half of the scale alone.
    lowest = min([0.0, *(float(np.min(found)) for found in maps.values() if found.size)])
    ticks = [-1, 0, 1] if lowest < 0 else [0, 1]
    shades = sample_colorscale(get_colorscale(DIVERGING), np.linspace(0.5 + ticks[0] / 2, 1, 21).tolist())
    bar = {"colorscale": shades, "cmin": ticks[0], "cmax": 1, "color": [0], "showscale": True}
    bar["colorbar"] = {
        "title": {
            "text": f"{label},<br>share of the map's largest",
            "side": "right",
            "font": {"size": 11},
        },
        "thickness": 12,
        "tickvals": ticks,
        "x": 1.01 * used,
    }
    figure.add_scatter(x=[None], y=[None], mode="markers", marker=bar, hoverinfo="skip", row=1, col=1)
    figure.update_layout(showlegend=False)
    finish(figure, title, simulated=simulated, height=130 + 160 * n)
    return figure.update_layout(margin={"t": 110, "b": 10})


def confusion_matrix(counts: pd.DataFrame, title: str, *, simulated: bool) -> go.Figure:
    """Draw counts of true (rows) against predicted classes (columns), coloured by the share of the row."""
    values = counts.to_numpy(np.float64)
    totals = values.sum(axis=1, keepdims=True)
    share = np.divide(100 * values, totals, where=totals > 0, out=np.full(values.shape, np.nan))
    # A class without any frame has no shares; its cells stay empty, and its name says so.
    text = [
        ["" if np.isnan(part) else f"{count:.0f}<br>{part:.0f} %" for count, part in zip(*row, strict=True)]
        for row in zip(values, share, strict=True)
    ]
    names = [
        str(name) if total else f"{name}<br>(none)"
        for name, total in zip(counts.index, totals[:, 0], strict=True)
    ]
    figure = go.Figure(
        go.Heatmap(
            z=share,
            x=list(counts.columns),
            y=names,
            text=text,
            texttemplate="%{text}",
            colorscale="Blues",
            zmin=0,
            zmax=100,
            xgap=2,
            ygap=2,
            colorbar={"title": {"text": "% of the true class", "side": "right"}},
            hovertemplate="true %{y}, called %{x}: %{z:.1f} %<extra></extra>",
        )
    )
    figure.update_xaxes(title="predicted class", showgrid=False)
    figure.update_yaxes(title="true class", autorange="reversed", showgrid=False)
    return finish(figure, title, simulated=simulated, height=420)


def recall_by_fold(folds: pd.DataFrame, chance: float, *, simulated: bool) -> go.Figure:
    """Draw accuracy and mean recall of every fold and their mean, with chance as a line.

    The spread over folds, a row of the table, is the error bar of the mean.
    """
    spread = folds[folds["fold"] == "spread"]
    folds = folds[folds["fold"] != "spread"]
    bars = [spread[m].iloc[0] if len(spread) else np.nan for m in ("accuracy", "recall")]
    is_mean = folds["fold"] == "mean"
    figure = go.Figure(
        [
            go.Bar(
                x=folds["fold"],
                y=folds[metric],
                name=name,
                marker_color=SERIES[i],
                error_y={"array": np.where(is_mean, bars[i], np.nan), "thickness": 1.2, "color": LINE},
                hovertext=[
                    f"{fold}: {name} {value:.2f}"
                    + (f"<br>standard deviation over the folds {bars[i]:.2f}" if fold == "mean" else "")
                    for fold, value in zip(folds["fold"], folds[metric], strict=True)
                ],
                hoverinfo="text",
            )
            for i, (metric, name) in enumerate(
                (("accuracy", "accuracy"), ("recall", "mean recall of the classes"))
            )
        ]
    )
    figure.add_hline(
        y=chance,
        line={"dash": "dot", "color": LINE},
        name=f"chance of mean recall, {chance:.2f}",
        showlegend=True,
    )
    figure.update_xaxes(type="category")
    figure.update_yaxes(title="share", range=[0, 1])
    title = "Every fold, and the mean with the standard deviation over the folds"
    return finish(figure, title, simulated=simulated, height=320, legend=True)


def region_shares(shares: pd.DataFrame, title: str, *, simulated: bool) -> go.Figure:
    """Draw the share of positive relevance in each region, by class, with intervals.

    Parameters
    ----------
    shares : DataFrame
        class, name, value, low, high, area; the rows of one kind of region.
    title : str
    simulated : bool
    """
    figure = go.Figure()
    classes = {str(label): part for label, part in shares.groupby("class", sort=False)}
    colors, area = colors_of(classes), shares.drop_duplicates("name").set_index("name")["area"]
    for number, (label, part) in enumerate(classes.items()):
        own = 100 * part[["value", "low", "high"]]
        names = [str(name) for name in part["name"]]
        figure.add_scatter(
            # Side by side, so that no interval covers another.
            x=part["name"].map(area.index.get_loc) + 0.6 * ((number + 0.5) / len(classes) - 0.5),
            y=own["value"],
            error_y=interval(own, thickness=1.4, width=3, color="#777"),
            mode="markers",
            name=f"{label}, with 95 % interval",
            marker={"color": colors[label], "size": 9, "line": {"width": 0.6, "color": "#777"}},
            hovertext=[
                f"{label}, {name}: {said} of positive relevance<br>{100 * area[name]:.1f} % of the picture"
                for name, said in zip(names, in_words(own, unit=" %", decimals=1), strict=True)
            ],
            hoverinfo="text",
        )
    for place, share in enumerate(area):
        figure.add_shape(
            type="line",
            x0=place - 0.4,
            x1=place + 0.4,
            y0=100 * share,
            y1=100 * share,
            line={"width": 2, "color": LINE, "dash": "dot"},
            name="share of the picture",
            showlegend=place == 0,
        )
    figure.update_xaxes(tickvals=list(range(len(area))), ticktext=list(area.index), automargin=True)
    figure.update_yaxes(title="share of positive relevance, %", rangemode="tozero")
    return finish(figure, title, simulated=simulated, height=380, legend=True)

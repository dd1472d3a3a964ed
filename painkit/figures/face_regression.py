"""Face crops, features and errors by level."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from painkit.data.cohort import Cohort
from painkit.data.crop_store import CropStore
from painkit.figures.style import LEVEL_COLORS, SERIES, finish, in_words, interval, picture
from painkit.vocabulary.pain import LEVELS
from painkit.vocabulary.scales import SCALES

__all__ = ["crops_by_level", "features_by_level", "level_errors"]


def crops_by_level(
    cohort: Cohort, store: CropStore, *, scale: str = "level", per_level: int = 2, seed: int = 0
) -> go.Figure:
    """Draw a strip of crops of each pain level, drawn at random.

    Parameters
    ----------
    cohort : Cohort
    store : CropStore
        Its crops.
    scale : str
        Key of `LEVELS`.
    per_level : int
        Crops of each level, fewer where there are fewer.
    seed : int
        Of the choice.
    """
    level = LEVELS[scale](cohort.frames["pspi"].to_numpy())
    rng = np.random.default_rng(seed)
    numbers = range(SCALES[scale].high + 1)
    members = [rng.permutation(np.flatnonzero(store.usable & (level == k))) for k in numbers]
    rows = np.concatenate([np.sort(some[:per_level]) for some in members])
    n, gap = len(rows), 6
    height, width, _ = store.crop_shape
    strip = np.full((height, n * (width + gap) - gap, 3), 255, dtype=np.uint8)
    for i, crop in enumerate(store.batch(rows)):
        strip[:, i * (width + gap) : i * (width + gap) + width] = crop
    captions = [
        f"level {level[row]:g}<br><sub>{subject}</sub>"
        for row, subject in zip(rows, cohort.frames["subject"].iloc[rows], strict=True)
    ]
    figure = go.Figure()
    figure.add_layout_image(picture(strip, xref="x", yref="y"))
    # A figure without a trace has no axes to hang the captions on.
    centers = np.arange(n) * (width + gap) + width / 2
    figure.add_scatter(
        x=centers, y=np.full(n, height / 2), mode="markers", marker_opacity=0, text=captions, hoverinfo="text"
    )
    figure.update_xaxes(
        range=[0, strip.shape[1]], tickvals=centers, ticktext=captions, showgrid=False, zeroline=False
    )
    figure.update_yaxes(range=[height, 0], visible=False, scaleanchor="x")
    title = "Crops of each level, as the net sees them"
    return finish(figure, title, simulated=cohort.simulated, height=250).update_layout(
        margin={"l": 10, "r": 10, "t": 75, "b": 60}, showlegend=False
    )


def features_by_level(tables: Mapping[str, pd.DataFrame], *, simulated: bool) -> go.Figure:
    """Draw projected features coloured by level, a panel for each row; a menu changes the fold.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        Columns subject, sequence, frame, fold, level, x, y, explained; the same folds in each.
    simulated : bool
        Whether the cohort is simulated.
    """
    folds = list(dict.fromkeys(next(iter(tables.values()))["fold"]))
    names = [name.replace(" + ", "<br>+ ", 1) for name in tables]
    figure = make_subplots(1, len(tables), subplot_titles=names, horizontal_spacing=0.08)
    shown = []
    for fold in folds:
        for column, table in enumerate(tables.values(), start=1):
            mine = table[table["fold"] == fold]
            for level in range(6):
                part = mine[mine["level"] == level]
                figure.add_scattergl(
                    x=part["x"],
                    y=part["y"],
                    mode="markers",
                    marker={
                        "size": 7,
                        "color": LEVEL_COLORS[level],
                        "line": {"width": 0.6, "color": "#777"},
                        "opacity": 0.85,
                    },
                    name=f"level {level}",
                    text=part["subject"].str.cat(part["frame"].astype(str), sep=", frame "),
                    hovertemplate=f"%{{text}}<br>level {level}<extra></extra>",
                    legendgroup=str(level),
                    showlegend=column == 1,
                    visible=fold == folds[0],
                    row=1,
                    col=column,
                )
                shown.append(fold)
    figure.update_xaxes(title_text="first component")
    figure.update_yaxes(title_text="second component", col=1)
    figure.update_layout(
        updatemenus=[
            {
                "buttons": [
                    {
                        "label": str(fold),
                        "method": "restyle",
                        "args": [{"visible": [one == fold for one in shown]}],
                    }
                    for fold in folds
                ],
                **{"x": 1, "xanchor": "right", "y": 1, "yanchor": "bottom", "pad": {"b": 44}},
            }
        ],
    )
    title = "The 50 features of held-out subjects, on two principal components"
    finish(figure, title, simulated=simulated, height=460, legend=True, narrowest=740)
    return figure.update_layout(margin_t=150, legend_itemsizing="constant")


def level_errors(table: pd.DataFrame, rows: Sequence[str] | None = None, *, simulated: bool) -> go.Figure:
    """Draw the mean absolute error at each level, with intervals, a line for each row.

    Parameters
    ----------
    table : DataFrame
        Columns row, level, value, low, high, frames, groups.
    rows : sequence of str, optional
        Which are drawn where they are there; default all.
    simulated : bool
        Whether the cohort is simulated.
    """
    figure = go.Figure()
    table = table if rows is None else table[table["row"].isin(rows)]
    names = list(dict.fromkeys(table["row"]))
    for number, name in enumerate(names):
        part = table[table["row"] == name]
        figure.add_scatter(
            # Side by side, so that intervals do not cover each other.
            x=part["level"] + 0.5 * ((number + 0.5) / len(names) - 0.5),
            y=part["value"],
            error_y=interval(part, thickness=1, width=2),
            mode="markers",
            marker={"size": 7, "color": SERIES[number % len(SERIES)], "symbol": number // 8 * 2},
            name=name,
            hovertext=[
                f"{name}<br>level {level}: mean absolute error {said}<br>{frames} frames of {groups} subjects"
                for level, frames, groups, said in zip(
                    part["level"], part["frames"], part["groups"], in_words(part), strict=True
                )
            ],
            hoverinfo="text",
        )
    figure.update_xaxes(title_text="labelled level 0-5", tickvals=list(range(6)))
    figure.update_yaxes(title_text="mean absolute error, levels", rangemode="tozero")
    title = "Error at each level (mean over the subjects that have it), with 95 % intervals"
    return finish(figure, title, simulated=simulated, height=420, legend=True)

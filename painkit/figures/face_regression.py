"""Face crops, estimated and labelled pain beside the frame's face, features and errors by level."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from painkit.data.cohort import Cohort
from painkit.data.crop_store import CropStore
from painkit.figures.style import AT_ONCE, LEVEL_COLORS, QUALITATIVE, finish, interval, picture
from painkit.vocabulary.pain import LEVELS, level_0_5
from painkit.vocabulary.scales import SCALES

__all__ = ["crops_by_level", "features_by_level", "intensity_trace", "level_errors"]

_LINES = ("#222", *(QUALITATIVE[i] for i in (5, 0, 2, 1, 3)))


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


def intensity_trace(
    cohort: Cohort,
    store: CropStore,
    predictions: Mapping[str, pd.DataFrame],
    sequence: tuple[str, str] | None = None,
    *,
    count: int = 60,
) -> go.Figure:
    """Draw labelled and estimated pain over the frames of a sequence, and the face at the cursor (Fig. 1).

    The faces are inside the figure: the slider needs no kernel and works on an exported page.

    Parameters
    ----------
    cohort : Cohort
    store : CropStore
        Its crops.
    predictions : mapping of str to DataFrame
        subject, sequence, row (of ``cohort.frames``), y_true, y_pred (levels 0-5) of each model. NaN leaves
        a gap.
    sequence : (subject, sequence), optional
        Default: the one with most levels and, among those, most frames.
    count : int
        At most so many frames, evenly spread, get a stop of the slider.
    """
    if sequence is None:
        first = next(iter(predictions.values())).dropna(subset=["y_true", "y_pred"])
        known = first.groupby(["subject", "sequence"])["y_true"].agg(["nunique", "size"])
        sequence = known.sort_values(["nunique", "size"]).index[-1]
    rows = cohort.rows_of(*sequence)
    frame = cohort.frames["frame"].to_numpy()[rows]
    level = level_0_5(cohort.frames["pspi"].to_numpy()[rows])
    estimates = {
        name: table.set_index("row")["y_pred"].reindex(rows).to_numpy(float)
        for name, table in predictions.items()
    }
    figure = make_subplots(1, 2, column_widths=[0.74, 0.26], horizontal_spacing=0.04)
    lines = {"labelled": level, **estimates}
    for (name, values), color in zip(lines.items(), _LINES, strict=False):
        figure.add_scatter(
            x=frame,
            y=values,
            mode="lines+markers",
            marker_size=4,
            line={"color": color, "width": 1.8, "dash": "dot" if name == "labelled" else "solid"},
            name=name,
        )
    cursor = len(figure.data)
    stops = np.unique(np.linspace(0, len(frame) - 1, min(count, len(frame))).astype(int))
    has_face = store.usable[rows]
    height, width, _ = store.crop_shape
    states = []
    for i in stops:
        crop = store.batch([rows[i]])[0] if has_face[i] else np.full((height, width, 3), 235, dtype=np.uint8)
        line = go.Scatter(x=[frame[i], frame[i]], y=[-0.2, 5.2], hoverinfo="skip", showlegend=False)
        line.update(mode="lines", line={"color": "#888", "width": 1.5})
        caption = f"frame {frame[i]}: level {level[i]:g}"
        told = ", ".join(f"{values[i]:.2f}" for values in estimates.values())
        caption += f"<br>estimated {told}" if has_face[i] else "<br>no face"
        states.append(
            go.Frame(
                data=[line],
                traces=[cursor],
                name=str(frame[i]),
                layout={
                    "images": [picture(crop, xref="x2", yref="y2")],
                    "xaxis2": {"title": {"text": caption, "standoff": 4}},
                },
            )
        )
    start = int(np.argmin(np.abs(stops - int(np.nanargmax(level)))))
    figure.add_trace(states[start].data[0])
    figure.frames = states
    axis = {"showgrid": False, "zeroline": False, "showticklabels": False}
    figure.update_xaxes(range=[0, width], **axis, constrain="domain", row=1, col=2)
    figure.update_yaxes(range=[height, 0], **axis, scaleanchor="x2", constrain="domain", row=1, col=2)
    figure.update_xaxes(title_text="frame", row=1, col=1)
    figure.update_yaxes(title_text="pain level, 0-5", range=[-0.2, 5.2], row=1, col=1)
    # An axis without a trace is not drawn.
    figure.add_scatter(
        x=[width / 2], y=[height / 2], marker_opacity=0, hoverinfo="skip", showlegend=False, row=1, col=2
    )
    figure.update_layout(states[start].layout)
    steps = [{"args": [[state.name], AT_ONCE], "label": state.name, "method": "animate"} for state in states]
    figure.update_layout(
        sliders=[
            {
                "active": start,
                "steps": steps,
                "currentvalue": {"prefix": "frame "},
                "len": 0.72,
                "pad": {"t": 45},
            }
        ],
        legend={"orientation": "h", "y": 1.0, "yanchor": "bottom"},
    )
    title = f"Pain in {', '.join(sequence)}, estimated and labelled"
    return finish(figure, title, simulated=cohort.simulated, height=520).update_layout(margin_t=110)


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
    figure = make_subplots(1, len(tables), subplot_titles=list(tables), horizontal_spacing=0.06)
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
                "x": 1,
                "xanchor": "right",
                "y": 1.12,
                "yanchor": "bottom",
            }
        ],
        legend={"orientation": "h", "y": -0.18, "itemsizing": "constant"},
    )
    return finish(
        figure,
        "The 50 features of held-out subjects, on two principal components",
        simulated=simulated,
        height=480,
    ).update_layout(margin_t=125)


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
            marker={"size": 7, "color": QUALITATIVE[number % len(QUALITATIVE)], "symbol": number // 8 * 2},
            name=name,
            customdata=part[["level", "frames", "groups"]],
            hovertemplate="level %{customdata[0]}: %{y:.2f}<br>%{customdata[1]} frames of "
            f"%{{customdata[2]}} subjects<extra>{name}</extra>",
        )
    figure.update_xaxes(title_text="labelled level", tickvals=list(range(6)))
    figure.update_yaxes(title_text="mean absolute error, levels", rangemode="tozero")
    figure.update_layout(legend={"x": 1.01, "y": 1, "font": {"size": 11}})
    return finish(
        figure, "Error at each level (mean over the subjects that have it)", simulated=simulated, height=460
    )

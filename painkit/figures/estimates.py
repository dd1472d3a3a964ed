"""Estimates beside the labels: errors by subject, estimates with their bands, calibration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots
from scipy.stats import norm

from painkit.figures.style import LINE, color_of, finish, in_words, interval
from painkit.vocabulary.scales import SCALES, scale_of

__all__ = ["bands_by_subject", "coverage", "errors_by_subject", "frame_estimates"]


def errors_by_subject(
    predictions: pd.DataFrame, *, baseline: pd.DataFrame | None = None, title: str, simulated: bool
) -> go.Figure:
    """Draw each subject's mean absolute error, one panel for each target (DeepFaceLIFT, Fig. 2A and B).

    A dotted line marks the mean over subjects.

    Parameters
    ----------
    predictions : DataFrame
        Columns subject, target, y_true, y_pred.
    baseline : DataFrame, optional
        The same subjects estimated by something simpler, drawn as a dot.
    title : str
        Title of the figure.
    simulated : bool
        Whether the cohort is simulated.
    """
    targets = list(dict.fromkeys(predictions["target"]))

    def error(table: pd.DataFrame, target: str) -> pd.Series[float]:
        chosen = table[table["target"] == target]
        return (chosen["y_true"] - chosen["y_pred"]).abs().groupby(chosen["subject"]).mean()

    errors = {target: error(predictions, target) for target in targets}
    # Of subjects, not of sequences: Table 1 pools, and there a subject with more sequences counts more.
    titles = [f"{_label(target)}: mean over subjects {mine.mean():.2f}" for target, mine in errors.items()]
    figure = make_subplots(
        len(targets), 1, shared_xaxes=True, subplot_titles=titles, vertical_spacing=0.3 / max(len(targets), 2)
    )
    for row, (target, mine) in enumerate(errors.items(), start=1):
        figure.add_bar(
            x=mine.index,
            y=mine,
            marker_color=color_of(target),
            hovertemplate=f"%{{x}}: mean absolute error %{{y:.2f}}, {_label(target)}<extra></extra>",
            name=target.upper(),
            showlegend=False,
            row=row,
            col=1,
        )
        if baseline is not None and (baseline["target"] == target).any():
            figure.add_scatter(
                x=mine.index,
                y=error(baseline, target).reindex(mine.index),
                mode="markers",
                marker={"color": "#222", "symbol": "line-ew-open", "size": 12, "line": {"width": 2}},
                hovertemplate=f"%{{x}}, mean voting: %{{y:.2f}}, {_label(target)}<extra></extra>",
                name="mean voting",
                showlegend=not any(trace.name == "mean voting" for trace in figure.data),
                row=row,
                col=1,
            )
        figure.add_hline(
            y=float(mine.mean()),
            line={"dash": "dot", "width": 1.2, "color": LINE},
            name="mean over subjects",
            showlegend=row == 1,
            row=row,
            col=1,
        )
        figure.update_yaxes(title_text=f"MAE, {target.upper()}", rangemode="tozero", row=row, col=1)
    figure.update_xaxes(type="category", tickangle=-60, automargin=True)
    return finish(figure, title, simulated=simulated, height=160 + 200 * len(targets), legend=True)


def _label(target: str) -> str:
    return scale_of(target).label if target in SCALES else target


def bands_by_subject(
    predictions: pd.DataFrame,
    subjects: Sequence[str],
    *,
    target: str = "vas",
    level: float = 0.9,
    simulated: bool,
) -> go.Figure:
    """Draw labels, estimates and Gaussian bands of a few subjects' sequences (DeepFaceLIFT, Fig. 2C-F).

    Parameters
    ----------
    predictions : DataFrame
        Columns subject, sequence, target, y_true, y_pred, y_std.
    subjects : sequence of str
        One panel each.
    target : str
        Which target.
    level : float
        Share of the estimates that the band should hold.
    simulated : bool
        Whether the cohort is simulated.
    """
    columns = 2
    rows = -(-len(subjects) // columns)
    figure = make_subplots(
        rows,
        columns,
        subplot_titles=list(subjects),
        shared_yaxes="all",
        vertical_spacing=0.16,
        horizontal_spacing=0.05,
    )
    half = norm.ppf(0.5 + level / 2)
    label, color = _label(target), color_of(target)
    for number, subject in enumerate(subjects):
        place = {"row": number // columns + 1, "col": number % columns + 1}
        mine = predictions[(predictions["subject"] == subject) & (predictions["target"] == target)]
        x = np.arange(1, len(mine) + 1)
        low, high = mine["y_pred"] - half * mine["y_std"], mine["y_pred"] + half * mine["y_std"]
        figure.add_scatter(
            x=np.r_[x, x[::-1]],
            y=np.r_[high, low[::-1]],
            mode="lines",
            fill="toself",
            fillcolor=color,
            opacity=0.2,
            line={"width": 0},
            hoverinfo="skip",
            name=f"{level:.0%} band",
            showlegend=number == 0,
            **place,
        )
        figure.add_scatter(
            x=x,
            y=mine["y_pred"],
            hovertext=[
                f"{sequence}: estimate {estimate:.2f}, {label}<br>{level:.0%} band {below:.2f} to {above:.2f}"
                for sequence, estimate, below, above in zip(
                    mine["sequence"], mine["y_pred"], low, high, strict=True
                )
            ],
            hoverinfo="text",
            mode="lines+markers",
            line={"color": color},
            name="estimate",
            showlegend=number == 0,
            **place,
        )
        figure.add_scatter(
            x=x,
            y=mine["y_true"],
            text=mine["sequence"],
            hovertemplate=f"%{{text}}: reported %{{y:g}}, {label}<extra></extra>",
            mode="lines+markers",
            line={"color": "#222", "dash": "dot"},
            name="reported",
            showlegend=number == 0,
            **place,
        )
        step = 1 if len(mine) <= 10 else None
        figure.update_xaxes(dtick=step, tickformat="d", **place)
    figure.update_xaxes(title_text="sequence", row=rows)
    figure.update_yaxes(title_text=label, col=1)
    title = f"{target.upper()} estimates with {level:.0%} bands of the Gaussian process"
    return finish(figure, title, simulated=simulated, height=250 * rows + 90, legend=True)


def frame_estimates(
    estimates: Mapping[str, NDArray[np.floating]], *, labels: Sequence[str], simulated: bool
) -> go.Figure:
    """Draw stage-1 estimates over the frames of a few sequences.

    Parameters
    ----------
    estimates : mapping of str to (n_frames, n_labels) array
        Panel titles and frame estimates; NaN leaves a gap.
    labels : sequence of str
        What the columns estimate.
    simulated : bool
        Whether the cohort is simulated.
    """
    figure = make_subplots(
        len(labels),
        len(estimates),
        column_titles=list(estimates),
        shared_yaxes="rows",
        shared_xaxes="columns",
        horizontal_spacing=0.03,
        vertical_spacing=0.08,
    )
    for column, values in enumerate(estimates.values(), start=1):
        for row, label in enumerate(labels, start=1):
            figure.add_scatter(
                x=np.arange(1, len(values) + 1),
                y=values[:, row - 1],
                mode="lines",
                line={"color": color_of(label), "width": 1.5},
                hovertemplate=f"frame %{{x}}: estimate %{{y:.2f}}, {_label(label)}<extra></extra>",
                name=label.upper(),
                row=row,
                col=column,
            )
            figure.update_yaxes(title_text=_label(label), row=row, col=1)
    figure.update_xaxes(title_text="frame", row=len(labels))
    title = "Stage 1: an estimate for every frame"
    return finish(figure, title, simulated=simulated, height=130 + 140 * len(labels), narrowest=740)


def coverage(table: pd.DataFrame, *, simulated: bool) -> go.Figure:
    """Draw how often bands of a stated level hold the label; on the diagonal they do what they say.

    Parameters
    ----------
    table : DataFrame
        Rows "coverage 50%" and "coverage 90%" of `painkit.metrics.evaluate`, by target.
    simulated : bool
        Whether the cohort is simulated.
    """
    figure = go.Figure()
    figure.add_scatter(
        x=[0, 1],
        y=[0, 1],
        mode="lines",
        line={"dash": "dot", "color": LINE},
        hoverinfo="skip",
        name="as stated",
    )
    targets = dict(list(table.groupby("target", sort=False)))
    for number, (target, part) in enumerate(targets.items()):
        stated = part["metric"].str.extract(r"(\d+)%")[0].astype(float) / 100
        shares = 100 * part[["value", "low", "high"]]
        figure.add_scatter(
            # Side by side, so that no interval covers another.
            x=stated + 0.012 * (number - (len(targets) - 1) / 2),
            y=part["value"],
            error_y=interval(part, thickness=1.4),
            mode="markers+lines",
            line={"color": color_of(str(target))},
            hovertext=[
                f"{str(target).upper()}: bands of {level:.0%} hold {said} % of the labels"
                for level, said in zip(stated, in_words(shares, decimals=0), strict=True)
            ],
            hoverinfo="text",
            name=f"{str(target).upper()}, with 95 % interval",
        )
    figure.update_xaxes(title_text="stated level of the band", tickformat=".0%", range=[-0.02, 1.02])
    figure.update_yaxes(title_text="share of labels inside", tickformat=".0%", range=[-0.04, 1.04])
    return finish(figure, "Calibration of the bands", simulated=simulated, legend=True)

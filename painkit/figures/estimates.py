"""Estimates beside the labels: errors by subject, estimates with their bands, calibration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots
from scipy.stats import norm

from painkit.figures.style import QUALITATIVE, finish, interval

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
    figure = make_subplots(
        len(targets), 1, subplot_titles=[target.upper() for target in targets], vertical_spacing=0.2
    )

    def error(table: pd.DataFrame, target: str) -> pd.Series[float]:
        chosen = table[table["target"] == target]
        return (chosen["y_true"] - chosen["y_pred"]).abs().groupby(chosen["subject"]).mean()

    for row, target in enumerate(targets, start=1):
        mine = error(predictions, target)
        figure.add_bar(
            x=mine.index, y=mine, marker_color=QUALITATIVE[row - 1], name=target.upper(), row=row, col=1
        )
        if baseline is not None and (baseline["target"] == target).any():
            other = error(baseline, target).reindex(mine.index)
            marker = {"color": "#222", "symbol": "line-ew-open", "size": 12, "line": {"width": 2}}
            figure.add_scatter(
                x=mine.index, y=other, mode="markers", marker=marker, name="mean voting", row=row, col=1
            )
        mean = float(mine.mean())
        # Of subjects, not of sequences: Table 1 pools, and there a subject with more sequences counts more.
        figure.add_hline(
            y=mean,
            line={"dash": "dot", "width": 1},
            annotation={
                "text": f"mean over subjects {mean:.2f}",
                "xanchor": "right",
                "bgcolor": "rgba(255,255,255,0.8)",
            },
            row=row,
            col=1,
        )
        figure.update_yaxes(title_text="MAE", row=row, col=1)
    figure.update_xaxes(tickangle=-60)
    return finish(figure, title, simulated=simulated, height=330 * len(targets))


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
    figure = make_subplots(rows, columns, subplot_titles=list(subjects), vertical_spacing=0.16)
    half = norm.ppf(0.5 + level / 2)
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
            fillcolor="rgba(0,114,178,0.18)",
            line={"width": 0},
            hoverinfo="skip",
            name=f"{level:.0%} band",
            showlegend=number == 0,
            **place,
        )
        for column, name, colour in (("y_pred", "estimate", QUALITATIVE[0]), ("y_true", "reported", "#222")):
            figure.add_scatter(
                x=x,
                y=mine[column],
                text=mine["sequence"],
                mode="lines+markers",
                line={"color": colour, "dash": "solid" if column == "y_pred" else "dot"},
                name=name,
                showlegend=number == 0,
                **place,
            )
    figure.update_xaxes(title_text="sequence")
    figure.update_yaxes(title_text=target.upper())
    title = f"{target.upper()} estimates with {level:.0%} bands of the Gaussian process"
    return finish(figure, title, simulated=simulated, height=300 * rows + 60)


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
    figure = make_subplots(1, len(estimates), subplot_titles=list(estimates), shared_yaxes=True)
    for column, values in enumerate(estimates.values(), start=1):
        for number, label in enumerate(labels):
            figure.add_scatter(
                x=np.arange(1, len(values) + 1),
                y=values[:, number],
                mode="lines",
                line={"color": QUALITATIVE[number], "width": 1.5},
                name=label.upper(),
                showlegend=column == 1,
                row=1,
                col=column,
            )
    figure.update_xaxes(title_text="frame")
    figure.update_yaxes(title_text="frame estimate", row=1, col=1)
    return finish(figure, "Stage 1: an estimate for every frame", simulated=simulated, height=360)


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
        x=[0, 1], y=[0, 1], mode="lines", line={"dash": "dot", "color": "#888"}, name="as stated"
    )
    for target, part in table.groupby("target", sort=False):
        figure.add_scatter(
            x=part["metric"].str.extract(r"(\d+)%")[0].astype(float) / 100,
            y=part["value"],
            error_y=interval(part),
            mode="markers+lines",
            name=str(target).upper(),
        )
    figure.update_xaxes(title_text="stated level of the band", tickformat=".0%")
    figure.update_yaxes(title_text="share of labels inside", tickformat=".0%")
    return finish(figure, "Calibration of the bands", simulated=simulated)

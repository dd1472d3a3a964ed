"""What the labels of a cohort look like."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from painkit.data.cohort import Cohort
from painkit.figures.style import LEVEL_COLORS, QUALITATIVE, finish
from painkit.vocabulary.pain import level_0_5, seven_levels

__all__ = ["balanced_levels", "level_shares", "pspi_histogram", "sequence_labels"]


def level_shares(cohort: Cohort) -> go.Figure:
    """Draw each subject's share of frames at levels 0-5 (PSPI through 0,1,2,3,4-5,6+), most pain on top."""
    labelled = cohort.frames.dropna(subset=["pspi"])
    level = pd.Series(level_0_5(labelled["pspi"].to_numpy()), index=labelled.index, dtype=int)
    counts = pd.crosstab(labelled["subject"], level).reindex(columns=range(6), fill_value=0)
    counts = counts.loc[counts[0].div(counts.sum(axis=1)).sort_values(ascending=False).index]
    shares = counts.div(counts.sum(axis=1), axis=0) * 100
    figure = go.Figure(
        [
            go.Bar(
                y=shares.index,
                x=shares[number],
                customdata=counts[number],
                orientation="h",
                name=f"level {number}",
                marker={"color": LEVEL_COLORS[number], "line": {"color": "#888", "width": 0.3}},
                hovertemplate=f"%{{y}}, level {number}: %{{x:.1f}} % (%{{customdata}} frames)<extra></extra>",
            )
            for number in range(6)
        ]
    )
    figure.update_layout(
        barmode="stack", legend={"orientation": "h", "y": 1, "yanchor": "bottom", "traceorder": "normal"}
    )
    figure.update_xaxes(title="share of frames, %", range=[0, 100])
    missing = len(cohort.frames) - len(labelled)
    note = f" ({missing} frames without a label left out)" if missing else ""
    return finish(
        figure,
        f"Pain level of every frame, by subject{note}",
        simulated=cohort.simulated,
        height=180 + 22 * len(shares),
    )


def sequence_labels(cohort: Cohort) -> go.Figure:
    """Draw the histograms of VAS (0-10) and OPI (0-5) over sequences, and how they go together."""
    figure = make_subplots(
        1, 3, subplot_titles=("VAS, 0-10 (self-report)", "OPI, 0-5 (observer)", "VAS against OPI")
    )
    for column, (label, top) in enumerate((("vas", 10), ("opi", 5)), start=1):
        values = cohort.sequences[label].dropna()
        counts = values.round().value_counts().reindex(range(top + 1), fill_value=0)
        figure.add_bar(
            x=list(counts.index), y=counts.to_numpy(), row=1, col=column, marker_color=QUALITATIVE[column - 1]
        )
        figure.update_yaxes(title_text="sequences", row=1, col=column)
    both = cohort.sequences.dropna(subset=["vas", "opi"])
    jitter = np.random.default_rng(0).uniform(-0.18, 0.18, (2, len(both)))
    figure.add_scatter(
        x=both["opi"] + jitter[0],
        y=both["vas"] + jitter[1],
        text=both["subject"].str.cat(both["sequence"], sep=" / "),
        hovertemplate="%{text}<extra></extra>",
        mode="markers",
        marker={"color": QUALITATIVE[2], "opacity": 0.55, "size": 6},
        row=1,
        col=3,
    )
    figure.update_xaxes(title_text="OPI (spread a little)", row=1, col=3)
    figure.update_yaxes(title_text="VAS", row=1, col=3)
    figure.update_layout(showlegend=False)
    return finish(figure, "Labels of the sequences", simulated=cohort.simulated)


def pspi_histogram(cohort: Cohort) -> go.Figure:
    """Draw the number of frames at each PSPI, coloured by the seven levels (Hosseini et al., Fig. 4)."""
    counts = cohort.frames["pspi"].dropna().astype(int).value_counts().reindex(range(17), fill_value=0)
    level = seven_levels(counts.index).astype(int)
    figure = go.Figure()
    for number, color in enumerate(LEVEL_COLORS):
        own = counts[level == number]
        figure.add_bar(
            x=own.index,
            y=own.to_numpy(),
            name=f"level {number}",
            marker={"color": color, "line": {"color": "#888", "width": 0.5}},
            hovertemplate=f"PSPI %{{x}}, level {number}: %{{y}} frames<extra></extra>",
        )
    figure.update_xaxes(title="PSPI, 0-16", dtick=1)
    figure.update_yaxes(title="frames (log scale)", type="log", dtick=1)
    figure.update_layout(barmode="overlay", legend={"orientation": "h", "y": 1, "yanchor": "bottom"})
    missing = len(cohort.frames) - int(counts.sum())
    note = f" ({missing} without a label left out)" if missing else ""
    return finish(figure, f"Frames at each PSPI{note}", simulated=cohort.simulated)


def balanced_levels(counts: pd.DataFrame, *, simulated: bool) -> go.Figure:
    """Draw how many images of each level there are, a bar for each column.

    Parameters
    ----------
    counts : DataFrame
        Index level; a column for each stage, such as before and after balancing.
    simulated : bool
    """
    figure = go.Figure(
        [
            go.Bar(x=[f"level {level}" for level in counts.index], y=counts[name], name=name)
            for name in counts.columns
        ]
    )
    figure.update_yaxes(title="images (log scale)", type="log", dtick=1)
    figure.update_layout(barmode="group", legend={"orientation": "h", "y": 1, "yanchor": "bottom"})
    return finish(figure, "Levels before and after balancing", simulated=simulated)

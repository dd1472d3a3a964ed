"""What the labels of a cohort look like."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from painkit.data.cohort import Cohort
from painkit.figures.style import LEVEL_COLORS, SERIES, color_of, finish
from painkit.vocabulary.pain import level_0_5, seven_levels
from painkit.vocabulary.scales import scale_of

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
    figure.update_layout(barmode="stack")
    figure.update_xaxes(title="share of frames, %", range=[0, 100])
    figure.update_yaxes(type="category", automargin=True)
    missing = len(cohort.frames) - len(labelled)
    note = f" ({missing} frames without a label left out)" if missing else ""
    return finish(
        figure,
        f"Pain level of every frame, by subject{note}",
        simulated=cohort.simulated,
        height=140 + 22 * len(shares),
        legend=True,
    ).update_layout(legend_traceorder="normal")


def sequence_labels(cohort: Cohort) -> go.Figure:
    """Draw the histograms of VAS (0-10) and OPI (0-5) over sequences, and how they go together."""
    titles = ("VAS (self-report)", "OPI (observer)", "both of each sequence")
    figure = make_subplots(1, 3, subplot_titles=titles, horizontal_spacing=0.09)
    for column, label in enumerate(("vas", "opi"), start=1):
        scale = scale_of(label)
        values = cohort.sequences[label].dropna()
        counts = values.round().value_counts().reindex(range(scale.high + 1), fill_value=0)
        figure.add_bar(
            x=list(counts.index),
            y=counts.to_numpy(),
            marker_color=color_of(label),
            hovertemplate=f"{label.upper()} %{{x}}: %{{y}} sequences<extra></extra>",
            row=1,
            col=column,
        )
        # Whole sequences: plotly would mark fifths where there are few.
        step = 1 if counts.max() <= 5 else None
        figure.update_xaxes(title_text=scale.label, dtick=1 if scale.high <= 5 else 2, row=1, col=column)
        figure.update_yaxes(dtick=step, row=1, col=column)
    figure.update_yaxes(title_text="sequences", row=1, col=1)
    both = cohort.sequences.dropna(subset=["vas", "opi"])
    jitter = np.random.default_rng(0).uniform(-0.18, 0.18, (2, len(both)))
    figure.add_scatter(
        x=both["opi"] + jitter[0],
        y=both["vas"] + jitter[1],
        text=both["subject"].str.cat(both["sequence"], sep=" / "),
        customdata=both[["vas", "opi"]],
        hovertemplate="%{text}<br>VAS %{customdata[0]:g}, OPI %{customdata[1]:g}<extra></extra>",
        mode="markers",
        marker={"color": SERIES[4], "opacity": 0.6, "size": 6},
        row=1,
        col=3,
    )
    figure.update_xaxes(title_text="OPI 0-5, spread a little", dtick=1, range=[-0.5, 5.5], row=1, col=3)
    figure.update_yaxes(title_text="VAS 0-10", dtick=2, range=[-0.5, 10.5], row=1, col=3)
    title = "Labels of the sequences"
    return finish(figure, title, simulated=cohort.simulated, height=380, narrowest=740)


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
    figure.update_layout(barmode="overlay")
    missing = len(cohort.frames) - int(counts.sum())
    note = f" ({missing} without a label left out)" if missing else ""
    return finish(figure, f"Frames at each PSPI{note}", simulated=cohort.simulated, legend=True)


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
            go.Bar(
                x=[f"level {level}" for level in counts.index],
                y=counts[name],
                name=name,
                hovertemplate=f"%{{x}}: %{{y}} images, {name}<extra></extra>",
            )
            for name in counts.columns
        ]
    )
    figure.update_yaxes(title="images (log scale)", type="log", dtick=1)
    figure.update_layout(barmode="group")
    return finish(figure, "Levels before and after balancing", simulated=simulated, legend=True)

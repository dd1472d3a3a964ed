"""Values over the frames of a sequence."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from painkit.data.cohort import Cohort
from painkit.figures.style import color_of, finish

__all__ = ["pain_and_units"]


def pain_and_units(cohort: Cohort, subject: str, sequence: str) -> go.Figure:
    """Draw PSPI (0-16) over the frames of one sequence, above the intensities (0-5) of its coded units."""
    frames = cohort.frames.iloc[cohort.rows_of(subject, sequence)]
    units = [name for name in frames.columns if name.startswith("AU") and (frames[name] > 0).any()]
    figure = make_subplots(2, 1, shared_xaxes=True, row_heights=[0.4, 0.6], vertical_spacing=0.05)
    figure.add_scatter(
        x=frames["frame"],
        y=frames["pspi"],
        mode="lines",
        line={"color": color_of("pspi"), "shape": "hv"},
        hovertemplate="frame %{x}: PSPI %{y:g} of 16<extra></extra>",
        name="PSPI",
        row=1,
        col=1,
    )
    lost = frames.loc[~frames["tracked"], "frame"]
    figure.add_scatter(
        x=lost,
        y=np.zeros(len(lost)),
        mode="markers",
        marker={"symbol": "x", "color": "#555", "size": 6},
        hovertemplate="frame %{x}: no landmarks<extra></extra>",
        name="no landmarks",
        showlegend=bool(len(lost)),
        row=1,
        col=1,
    )
    figure.add_heatmap(
        x=frames["frame"],
        y=units,
        z=frames[units].to_numpy().T,
        zmin=0,
        zmax=5,
        colorscale="Oranges",
        colorbar={
            "title": {"text": "intensity, 0-5", "side": "right"},
            "len": 0.6,
            "y": 0.3,
            "thickness": 14,
        },
        hovertemplate="frame %{x}, %{y}: intensity %{z:g} of 5<extra></extra>",
        row=2,
        col=1,
    )
    figure.update_xaxes(title_text="frame", row=2, col=1)
    figure.update_yaxes(title_text="PSPI 0-16", rangemode="tozero", row=1, col=1)
    title = f"Pain and action units in {subject}, {sequence}"
    return finish(figure, title, simulated=cohort.simulated, height=430, legend=bool(len(lost)))

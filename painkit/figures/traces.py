"""Values over the frames of a sequence."""

from __future__ import annotations

from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from painkit.data.cohort import Cohort
from painkit.figures.style import color_of, finish
from painkit.vocabulary.scales import UNIT_SCALES

__all__ = ["pain_and_units"]

_PSPI_PX, _UNIT_PX, _GAP_PX = 120, 18, 20


def pain_and_units(cohort: Cohort, subject: str, sequence: str) -> go.Figure:
    """Draw PSPI (0-16) over the frames of one sequence, above its action units, those that occur.

    Without PSPI the units stand alone. They are on the scale of the cohort, see `Cohort.units`.

    Raises
    ------
    PainkitError
        When there is no such sequence.
    """
    frames = cohort.frames.iloc[cohort.rows_of(subject, sequence)]
    units = [name for name in frames.columns if name.startswith("AU") and (frames[name] > 0).any()]
    labelled = bool(frames["pspi"].notna().any())
    heights = [_PSPI_PX] * int(labelled) + [_UNIT_PX * max(len(units), 3)]
    rows, inside = len(heights), sum(heights) + _GAP_PX * (len(heights) - 1)
    figure = make_subplots(
        rows, 1, shared_xaxes=True, row_heights=heights, vertical_spacing=_GAP_PX / inside if labelled else 0
    )
    lost = frames.loc[~frames["tracked"], "frame"]
    if labelled:
        figure.add_scatter(
            x=frames["frame"],
            y=frames["pspi"],
            mode="lines",
            line={"color": color_of("pspi"), "shape": "hv"},
            hovertemplate="frame %{x}: PSPI %{y:.3~g} of 16<extra></extra>",
            name="PSPI",
            row=1,
            col=1,
        )
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
        figure.update_yaxes(title_text="PSPI 0-16", rangemode="tozero", row=1, col=1)
    scale = UNIT_SCALES[cohort.units]
    what = scale.label.removesuffix(f" {scale.low}-{scale.high}")
    bar: dict[str, Any] = {"title": {"text": scale.label, "side": "right"}, "thickness": 14}
    figure.add_heatmap(
        x=frames["frame"],
        y=units,
        z=frames[units].to_numpy().T,
        zmin=scale.low,
        zmax=scale.high,
        colorscale="Oranges",
        colorbar=bar | {"len": heights[-1] / inside, "y": 0, "yanchor": "bottom", "lenmode": "fraction"},
        hovertemplate=f"frame %{{x}}, %{{y}}: {what} %{{z:.3~g}} of {scale.high}<extra></extra>",
        row=rows,
        col=1,
    )
    figure.update_xaxes(title_text="frame", row=rows, col=1)
    figure.update_yaxes(dtick=1, tickfont_size=10, row=rows, col=1)
    title = f"{'Pain and action' if labelled else 'Action'} units in {subject}, {sequence}"
    shown = labelled and bool(len(lost))
    return finish(figure, title, simulated=cohort.simulated, height=140 + inside, legend=shown)

"""One look for every figure, and the mark that says "simulated"."""

from __future__ import annotations

from typing import Final

import plotly.graph_objects as go

__all__ = ["LEVEL_COLORS", "QUALITATIVE", "SIMULATED", "finish"]

#: The mark on everything drawn from simulated data.
SIMULATED: Final = "Simulated cohort: these numbers say nothing about people."

#: Okabe and Ito's colours, told apart by colour-blind readers.
QUALITATIVE: Final = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#000000")

#: Pain levels 0 to 6, pale to dark.
LEVEL_COLORS: Final = ("#e8e8e8", "#fde0c5", "#f9b282", "#f07f52", "#d6503a", "#a62a2f", "#6b0f1a")


def finish(figure: go.Figure, title: str, *, simulated: bool, height: int = 420) -> go.Figure:
    """Set title, size and look; a figure of simulated data says so in its subtitle.

    Parameters
    ----------
    figure : plotly.graph_objects.Figure
        Changed in place.
    title : str
        What the figure shows.
    simulated : bool
        Whether any of its data come from the simulator.
    height : int
        Height in pixels.

    Returns
    -------
    plotly.graph_objects.Figure
        The same figure.
    """
    subtitle = {"text": SIMULATED} if simulated else None
    return figure.update_layout(
        template="plotly_white",
        colorway=QUALITATIVE,
        height=height,
        title={
            "text": title,
            "x": 0.01,
            "xanchor": "left",
            "y": 0.98,
            "yanchor": "top",
            "subtitle": subtitle,
        },
        margin={"l": 60, "r": 20, "t": 90, "b": 50},
        font={"size": 13},
        hoverlabel={"align": "left"},
    )

"""How much each statistic of a sequence counts: relevance by fold, Shapley values by sequence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import pandas as pd
import plotly.graph_objects as go

from painkit.figures.style import LINE, color_of, finish

__all__ = ["relevance_by_fold", "shap_values"]


def relevance_by_fold(table: pd.DataFrame, *, simulated: bool) -> go.Figure:
    """Draw each statistic's ARD relevance in every fold, most relevant first (DeepFaceLIFT, Fig. 4B).

    Parameters
    ----------
    table : DataFrame
        Columns statistic, fold, relevance (-ln length-scale on z-scored statistics; higher is more relevant).
    simulated : bool
        Whether the cohort is simulated.
    """
    medians = table.groupby("statistic")["relevance"].median().sort_values(ascending=False)
    figure = _values_and_medians(
        table["relevance"], table["statistic"], medians, table["fold"].astype(str), "in the fold", "fold"
    )
    figure.update_xaxes(title_text="relevance, -ln(length-scale)")
    title = "Relevance of the statistics over the folds (higher is more relevant)"
    return finish(figure, title, simulated=simulated, height=150 + 26 * len(medians), legend=True)


def shap_values(table: pd.DataFrame, statistics: Sequence[str], *, simulated: bool) -> go.Figure:
    """Draw the Shapley value of each statistic for each sequence, largest mean magnitude first.

    Parameters
    ----------
    table : DataFrame
        As from `painkit.attribution.shap_statistics`: subject, sequence and one column for each statistic.
    statistics : sequence of str
        Columns to draw.
    simulated : bool
        Whether the cohort is simulated.
    """
    long = table.melt(["subject", "sequence"], list(statistics), "statistic", "shapley")
    by_statistic = long.groupby("statistic")["shapley"]
    order = long["shapley"].abs().groupby(long["statistic"]).mean().sort_values(ascending=False).index
    text = long["subject"].str.cat(long["sequence"], sep=" / ")
    figure = _values_and_medians(
        long["shapley"], long["statistic"], by_statistic.median()[order], text, "of the sequence", "sequence"
    )
    figure.add_vline(x=0, line={"width": 1, "color": LINE})
    figure.update_xaxes(title_text="Shapley value, VAS 0-10")
    title = "What each statistic adds to the estimate of a sequence"
    return finish(figure, title, simulated=simulated, height=150 + 26 * len(order), legend=True)


def _values_and_medians(
    values: pd.Series[float],
    statistic: pd.Series[str],
    medians: pd.Series[float],
    of: pd.Series[str],
    told: str,
    one: str,
) -> go.Figure:
    """Dots of every value and a line at the median, a row for each statistic in the order of the medians."""
    color = color_of("vas")
    names = statistic.map(_words)
    figure = go.Figure()
    figure.add_scatter(
        x=values,
        y=names,
        mode="markers",
        marker={"color": color, "size": 7, "opacity": 0.55},
        text=of,
        hovertemplate=f"%{{y}}: %{{x:.2f}} {told} %{{text}}<extra></extra>",
        name=f"one {one}",
    )
    figure.add_scatter(
        x=medians,
        y=medians.index.map(_words),
        mode="markers",
        marker={"symbol": "line-ns", "size": 16, "line": {"width": 2.5, "color": color}},
        hovertemplate="%{y}: median %{x:.2f}<extra></extra>",
        name="median",
    )
    order = [_words(name) for name in medians.index]
    return figure.update_yaxes(categoryorder="array", categoryarray=order[::-1], automargin=True)


def _words(statistic: str) -> str:
    """``vas_moment3`` as VAS: 3rd moment."""
    label, _, name = statistic.partition("_")
    return f"{label.upper()}: {_STATISTICS.get(name, name)}"


_STATISTICS: Final = {
    "min": "minimum",
    "max": "maximum",
    "moment3": "3rd moment",
    "moment4": "4th moment",
    "moment5": "5th moment",
    "iqr": "interquartile range",
}

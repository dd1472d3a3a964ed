"""Measured values with their intervals, beside the published ones."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import shorten

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from painkit.figures.style import QUALITATIVE, finish, interval

__all__ = [
    "feature_costs",
    "leak_inflation",
    "relevance_by_fold",
    "rows_with_intervals",
    "shap_values",
    "training_lengths",
    "verification",
]


def rows_with_intervals(
    table: pd.DataFrame, metrics: Sequence[str] | None = None, *, title: str, simulated: bool
) -> go.Figure:
    """Draw one dot with its interval for each row and metric, and the published value as a diamond.

    Parameters
    ----------
    table : DataFrame
        Columns row, metric, value, low, high, and optionally published_on_archive. Order is kept.
    metrics : sequence of str, optional
        A panel each; default all.
    title : str
        Title of the figure.
    simulated : bool
        Whether the measured values come from a simulated cohort.
    """
    metrics = list(dict.fromkeys(table["metric"]) if metrics is None else metrics)
    names = list(dict.fromkeys(table["row"]))
    figure = make_subplots(
        1, len(metrics), shared_yaxes=True, subplot_titles=metrics, horizontal_spacing=0.03
    )
    for column, metric in enumerate(metrics, start=1):
        part = table[table["metric"] == metric]
        figure.add_scatter(
            x=part["value"],
            y=part["row"],
            error_x=interval(part, thickness=1),
            mode="markers",
            marker={"color": QUALITATIVE[0], "size": 8},
            name=f"measured here{', simulated' if simulated else ''}, with interval",
            showlegend=column == 1,
            row=1,
            col=column,
        )
        if "published_on_archive" in part:
            figure.add_scatter(
                x=part["published_on_archive"],
                y=part["row"],
                mode="markers",
                marker={"color": QUALITATIVE[5], "symbol": "diamond-open", "size": 9},
                name="published, on the archive",
                showlegend=column == 1,
                row=1,
                col=column,
            )
    figure.update_yaxes(categoryorder="array", categoryarray=names[::-1])
    figure.update_layout(legend={"orientation": "h", "yref": "container", "y": 0, "yanchor": "bottom"})
    finish(figure, title, simulated=simulated, height=200 + 24 * len(names))
    return figure.update_layout(margin={"l": 10, "b": 70}).update_yaxes(automargin=True)


def verification(auc: pd.DataFrame, *, simulated: bool) -> go.Figure:
    """Draw the AUC on people held out, before and after pre-training, and the line of chance.

    Parameters
    ----------
    auc : DataFrame
        row, metric, value, low, high; the row "gain" is on another scale and left out.
    simulated : bool
        Whether the people are.
    """
    shown = auc[auc["row"] != "gain"]
    if shown.empty:
        return finish(go.Figure(), "Nothing was pre-trained here", simulated=simulated, height=120)
    title = "Verification AUC on people held out"
    figure = rows_with_intervals(shown, title=title, simulated=simulated)
    return figure.add_vline(x=0.5, line={"dash": "dot", "width": 1})


def feature_costs(table: pd.DataFrame, *, simulated: bool) -> go.Figure:
    """Draw how much the error rises when one personal feature, or OPI, is left out (DeepFaceLIFT, Fig. 4A).

    Parameters
    ----------
    table : DataFrame
        Columns question (what is left out), difference (MAE without it minus MAE with all), low, high.
    simulated : bool
        Whether the cohort is simulated.
    """
    figure = go.Figure(
        go.Bar(
            x=table["question"],
            y=table["difference"],
            error_y=interval(table, "difference"),
            marker_color=QUALITATIVE[1],
        )
    )
    figure.add_hline(y=0, line={"width": 1})
    figure.update_yaxes(title_text="MAE without it minus MAE with all (VAS, 0-10)")
    return finish(figure, "What each personal feature is worth", simulated=simulated)


def relevance_by_fold(table: pd.DataFrame, *, simulated: bool) -> go.Figure:
    """Draw each statistic's ARD relevance in every fold, most relevant first (DeepFaceLIFT, Fig. 4B).

    Parameters
    ----------
    table : DataFrame
        Columns statistic, fold, relevance (-ln length-scale on z-scored statistics; higher is more relevant).
    simulated : bool
        Whether the cohort is simulated.
    """
    order = table.groupby("statistic")["relevance"].median().sort_values(ascending=False).index
    figure = go.Figure(
        go.Box(
            x=table["statistic"],
            y=table["relevance"],
            boxpoints="all",
            pointpos=0,
            jitter=0.3,
            text=table["fold"].astype(str),
            marker_color=QUALITATIVE[2],
        )
    )
    figure.update_xaxes(categoryorder="array", categoryarray=list(order))
    figure.update_yaxes(title_text="relevance, -ln(length-scale)")
    return finish(
        figure, "Relevance of the statistics over the folds (higher is more relevant)", simulated=simulated
    )


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
    order = table[list(statistics)].abs().mean().sort_values(ascending=False).index
    text = table["subject"].str.cat(table["sequence"], sep=" / ")
    figure = go.Figure(
        [
            go.Box(
                y=table[name],
                name=name,
                boxpoints="all",
                pointpos=0,
                jitter=0.4,
                text=text,
                marker_color=QUALITATIVE[4],
            )
            for name in order
        ]
    )
    figure.update_layout(showlegend=False)
    figure.update_yaxes(title_text="Shapley value, VAS")
    return finish(figure, "What each statistic adds to the estimate of a sequence", simulated=simulated)


def training_lengths(table: pd.DataFrame, *, simulated: bool) -> go.Figure:
    """Draw errors, and paired differences with their intervals, against the epochs of stage 1.

    Parameters
    ----------
    table : DataFrame
        As from `painkit.papers.deepfacelift.training_lengths`.
    simulated : bool
        Whether the cohort is simulated.
    """
    figure = make_subplots(1, 2, subplot_titles=["MAE (VAS, 0-10)", "difference, paired over subjects"])
    best = table.drop_duplicates("epochs")
    lines = [("the best setting of the published table", best["epochs"], best["a"])]
    parts = dict(list(table.groupby("question", sort=False)))
    lines += [(part["row_b"].iloc[0], part["epochs"], part["b"]) for part in parts.values()]
    for colour, (name, epochs, values) in zip(QUALITATIVE, lines, strict=False):
        figure.add_scatter(x=epochs, y=values, name=name, line={"color": colour}, row=1, col=1)
    for colour, (question, part) in zip(QUALITATIVE[1:], parts.items(), strict=False):
        figure.add_scatter(
            x=part["epochs"],
            y=part["difference"],
            error_y=interval(part, "difference"),
            name=question,
            line={"color": colour, "dash": "dot"},
            row=1,
            col=2,
        )
    figure.add_hline(y=0, line={"width": 1}, row=1, col=2)
    ticks = sorted(set(table["epochs"]))
    figure.update_xaxes(
        type="log", tickvals=ticks, ticktext=[str(n) for n in ticks], title_text="epochs of stage 1"
    )
    figure.update_layout(legend={"orientation": "h", "yref": "container", "y": 0, "yanchor": "bottom"})
    finish(figure, "How long stage 1 is trained", simulated=simulated, height=480)
    return figure.update_layout(margin={"b": 150})


def leak_inflation(*tables: pd.DataFrame, simulated: bool) -> go.Figure:
    """Draw how much better each leak makes a score look, and how many test samples have a near copy.

    Parameters
    ----------
    *tables : DataFrame
        As from `painkit.evaluation.audit.audit`, one for each estimator; metrics of one name share a panel.
    simulated : bool
        Whether the cohort is simulated.
    """
    table = pd.concat(tables, ignore_index=True)
    metrics, models = list(dict.fromkeys(table["metric"])), list(dict.fromkeys(table["row"]))
    leaks = [leak for leak in dict.fromkeys(table["leak"]) if leak != table["leak"].iloc[0]]
    titles = [f"{metric}<br>{_joined(table.loc[table['metric'] == metric, 'scale'])}" for metric in metrics]
    figure = make_subplots(
        1,
        len(metrics) + 1,
        shared_yaxes=True,
        subplot_titles=[*titles, "with a near copy"],
        horizontal_spacing=0.03,
    )
    for colour, model in zip(QUALITATIVE, models, strict=False):
        own = table[(table["row"] == model) & table["leak"].isin(leaks)]
        for column, metric in enumerate(metrics, start=1):
            part = own[own["metric"] == metric]
            figure.add_scatter(
                x=part["inflation"],
                y=part["leak"],
                error_x=interval(part, "inflation", thickness=1),
                text=[
                    f"{leaky:.3f} beside {honest:.3f} ({twin})"
                    for leaky, honest, twin in zip(
                        part["leaky"], part["honest"], part["compared_with"], strict=True
                    )
                ],
                mode="markers",
                orientation="h",
                offsetgroup=model,
                marker={"color": colour, "size": 8},
                name=f"{model}, {_joined(part['average']).replace('_', ' ')}",
                legendgroup=model,
                showlegend=column == 1,
                row=1,
                col=column,
            )
        once = own[own["metric"] == metrics[0]]
        near = once[["near_in_time", "near_in_space", "copy_in_training"]].astype(float).max(axis=1)
        figure.add_bar(
            x=100 * near / once["test_samples"].astype(float),
            y=once["leak"],
            orientation="h",
            offsetgroup=model,
            marker_color=colour,
            legendgroup=model,
            showlegend=False,
            row=1,
            col=len(metrics) + 1,
        )
    for leak, part in table[~table["applies"]].groupby("leak", sort=False):
        names = [shorten(name, 32, placeholder=" ...") for name in part["row"].unique()]
        who = "" if len(names) == len(models) else f" to {', '.join(names)}"
        figure.add_annotation(
            x=0,
            y=leak,
            text=f"not applicable{who}",
            showarrow=False,
            yshift=12,
            xref="x domain",
            xanchor="left",
        )
    for column in range(1, len(metrics) + 1):
        figure.add_vline(x=0, line={"width": 1}, row=1, col=column)
    figure.update_xaxes(title_text="looks better by")
    figure.update_xaxes(title_text="% of test samples", range=[0, 100], row=1, col=len(metrics) + 1)
    figure.update_yaxes(categoryorder="array", categoryarray=leaks[::-1])
    figure.update_layout(
        legend={"orientation": "h", "yref": "container", "y": 0, "yanchor": "bottom"}, scattermode="group"
    )
    title = "What each leak adds to the score, 95 % interval over subjects"
    finish(figure, title, simulated=simulated, height=240 + 44 * len(leaks))
    return figure.update_layout(margin={"l": 10, "t": 110, "b": 90}).update_yaxes(automargin=True)


def _joined(values: pd.Series[str]) -> str:
    return ", ".join(dict.fromkeys(values.dropna()))

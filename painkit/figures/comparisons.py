"""Measured values with their intervals, beside the published ones."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import shorten
from typing import Any, Final

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from painkit.figures.style import LINE, SERIES, color_of, finish, in_words, interval

__all__ = [
    "feature_costs",
    "leak_inflation",
    "rows_with_intervals",
    "training_lengths",
    "verification",
]


def rows_with_intervals(
    table: pd.DataFrame, metrics: Sequence[str] | None = None, *, title: str, simulated: bool
) -> go.Figure:
    """Draw one dot with its interval for each row and metric, and the published value as a diamond.

    Rows of one target stand together, on axes of their own: an error on VAS is not one on levels.

    Parameters
    ----------
    table : DataFrame
        Columns row, metric, value, low, high, and optionally target, scale, published_on_archive. Order is
        kept.
    metrics : sequence of str, optional
        A column of panels each; default all.
    title : str
        Title of the figure.
    simulated : bool
        Whether the measured values come from a simulated cohort.
    """
    metrics = list(dict.fromkeys(table["metric"]) if metrics is None else metrics)
    table = table[table["metric"].isin(metrics)]
    target = table["target"] if "target" in table else pd.Series("", index=table.index)
    parts = dict(list(table.groupby(target.fillna("").astype(str), sort=False)))
    names = {name: list(dict.fromkeys(part["row"])) for name, part in parts.items()}
    there = {(name, metric) for name, part in parts.items() for metric in part["metric"]}
    figure = make_subplots(
        len(parts),
        len(metrics),
        shared_yaxes=True,
        specs=[[{} if (name, metric) in there else None for metric in metrics] for name in parts],
        subplot_titles=[metric for name in parts for metric in metrics if (name, metric) in there],
        horizontal_spacing=0.04,
        vertical_spacing=0.36 / max(len(parts), 2),
        row_heights=[1 + len(rows) for rows in names.values()],
    )
    measured, published = f"measured here{', simulated' if simulated else ''}", "published, on the archive"
    for row, (name, whole) in enumerate(parts.items(), start=1):
        for column, metric in enumerate(metrics, start=1):
            part = whole[whole["metric"] == metric]
            if part.empty:
                continue
            place: dict[str, Any] = {"row": row, "col": column}
            first = row == column == 1
            figure.add_scatter(
                x=part["value"],
                y=part["row"],
                error_x=interval(part, thickness=1),
                mode="markers",
                marker={"color": color_of(name), "size": 8},
                hovertext=_told(part, f"{metric} "),
                hoverinfo="text",
                name=f"{measured}, with 95 % interval",
                legendgroup="measured",
                showlegend=first,
                **place,
            )
            if "published_on_archive" in part and part["published_on_archive"].notna().any():
                figure.add_scatter(
                    x=part["published_on_archive"],
                    y=part["row"],
                    mode="markers",
                    marker={"color": LINE, "symbol": "diamond-open", "size": 9},
                    hovertemplate=f"%{{y}}<br>{metric} %{{x}}, {published}<extra></extra>",
                    name=published,
                    legendgroup="published",
                    showlegend=not any(trace.name == published for trace in figure.data),
                    **place,
                )
            figure.update_yaxes(categoryorder="array", categoryarray=names[name][::-1], **place)
    figure.update_xaxes(nticks=4 if len(metrics) > 3 else 6, tickangle=0)
    height = 150 + 24 * sum(map(len, names.values())) + 60 * (len(parts) - 1)
    width = 560 if len(metrics) < 3 else 740
    finish(figure, title, simulated=simulated, height=height, legend=True, narrowest=width)
    return figure.update_layout(margin_l=10).update_yaxes(automargin=True)


def _told(table: pd.DataFrame, before: str, value: str = "value") -> list[str]:
    """Row, value, interval, scale and averaging of each line of a table, in words."""
    kinds = [kind for kind in ("scale", "average") if kind in table]
    about = table[kinds].fillna("").astype(str).agg(", ".join, axis=1) if kinds else [""] * len(table)
    return [
        "<br>".join(filter(None, (str(row), before + said, more.replace("_", " "))))
        for row, said, more in zip(table["row"], in_words(table, value, decimals=3), about, strict=True)
    ]


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
    title = "Verification AUC on people held out (dotted: chance)"
    figure = rows_with_intervals(shown, title=title, simulated=simulated)
    return figure.add_vline(x=0.5, line={"dash": "dot", "width": 1, "color": LINE})


def feature_costs(table: pd.DataFrame, *, simulated: bool) -> go.Figure:
    """Draw how much the error rises when one personal feature, or OPI, is left out (DeepFaceLIFT, Fig. 4A).

    Parameters
    ----------
    table : DataFrame
        Columns question (what is left out), difference (MAE without it minus MAE with all), low, high.
    simulated : bool
        Whether the cohort is simulated.
    """
    names = table["question"].replace("opi", "OPI labels")
    figure = go.Figure(
        go.Scatter(
            x=table["difference"],
            y=names,
            error_x=interval(table, "difference", thickness=1.2),
            mode="markers",
            marker={"color": color_of("vas"), "size": 9},
            hovertext=[
                f"without {name}: MAE on VAS rises by {said}"
                for name, said in zip(names, in_words(table, "difference"), strict=True)
            ],
            hoverinfo="text",
        )
    )
    figure.add_vline(x=0, line={"width": 1, "color": LINE})
    figure.update_xaxes(title_text="MAE without it minus MAE with all, VAS 0-10")
    figure.update_yaxes(autorange="reversed", automargin=True)
    title = "What each personal feature is worth, with 95 % intervals"
    return finish(figure, title, simulated=simulated, height=180 + 36 * len(table))


def training_lengths(table: pd.DataFrame, *, simulated: bool) -> go.Figure:
    """Draw errors, and paired differences with their intervals, against the epochs of stage 1.

    Parameters
    ----------
    table : DataFrame
        As from `painkit.papers.deepfacelift.training_lengths`.
    simulated : bool
        Whether the cohort is simulated.
    """
    titles = ["MAE, VAS 0-10", "MAE of the best setting<br>minus that of the other, VAS 0-10"]
    figure = make_subplots(1, 2, subplot_titles=titles, horizontal_spacing=0.12)
    parts = {str(question): part for question, part in table.groupby("question", sort=False)}
    best = table.drop_duplicates("epochs")
    lines = [("the best setting of the published table", best["epochs"], best["a"])]
    lines += [(part["row_b"].iloc[0], part["epochs"], part["b"]) for part in parts.values()]
    for colour, (name, epochs, values) in zip(SERIES, lines, strict=False):
        figure.add_scatter(
            x=epochs,
            y=values,
            mode="lines+markers",
            name=name,
            legendgroup=name,
            line={"color": colour},
            hovertemplate=f"{name}<br>%{{x}} epochs: MAE %{{y:.2f}} (VAS 0-10)<extra></extra>",
            row=1,
            col=1,
        )
    ticks = sorted(set(table["epochs"]))
    apart = (ticks[-1] / ticks[0]) ** 0.03 if len(ticks) > 1 else 1.04
    for number, (question, part) in enumerate(parts.items(), start=1):
        figure.add_scatter(
            # Side by side, so that no interval covers another.
            x=part["epochs"] * apart ** (number - 1 - (len(parts) - 1) / 2),
            y=part["difference"],
            error_y=interval(part, "difference", thickness=1.2),
            mode="lines+markers",
            hovertext=[
                f"{question}<br>{epochs} epochs: {said}"
                for epochs, said in zip(part["epochs"], in_words(part, "difference"), strict=True)
            ],
            hoverinfo="text",
            legendgroup=part["row_b"].iloc[0],
            showlegend=False,
            line={"color": SERIES[number % len(SERIES)]},
            row=1,
            col=2,
        )
    figure.add_hline(y=0, line={"width": 1, "color": LINE}, row=1, col=2)
    figure.update_xaxes(
        type="log", tickvals=ticks, ticktext=[str(n) for n in ticks], title_text="epochs of stage 1"
    )
    title = "How long stage 1 is trained, with 95 % intervals"
    finish(figure, title, simulated=simulated, height=440, legend=True, narrowest=740)
    return figure.update_layout(margin_t=110)


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
    models = list(dict.fromkeys(table["row"]))
    leaks = [leak for leak in dict.fromkeys(table["leak"]) if leak != table["leak"].iloc[0]]
    panels = dict(list(table.groupby(["metric", "scale"], sort=False)))
    rows = -(-(len(panels) + 1) // _ABREAST)
    figure = make_subplots(
        rows,
        _ABREAST,
        shared_yaxes=True,
        subplot_titles=[*(f"{metric}<br>{scale}" for metric, scale in panels), "with a near copy"],
        horizontal_spacing=0.06,
        vertical_spacing=0.36 / rows,
    )
    places = [{"row": i // _ABREAST + 1, "col": i % _ABREAST + 1} for i in range(len(panels) + 1)]
    for colour, model in zip(SERIES, models, strict=False):
        own = table[(table["row"] == model) & table["leak"].isin(leaks)]
        shown = False
        for whole, place in zip(panels.values(), places, strict=False):
            part = whole[(whole["row"] == model) & whole["leak"].isin(leaks)]
            if part.empty:
                continue
            figure.add_scatter(
                x=part["inflation"],
                y=part["leak"],
                error_x=interval(part, "inflation", thickness=1),
                text=[
                    f"{leak}<br>{leaky:.3f} beside {honest:.3f} ({twin})<br>looks better by {said}"
                    for leak, leaky, honest, twin, said in zip(
                        part["leak"],
                        part["leaky"],
                        part["honest"],
                        part["compared_with"],
                        in_words(part, "inflation", decimals=3),
                        strict=True,
                    )
                ],
                hoverinfo="text",
                mode="markers",
                orientation="h",
                offsetgroup=model,
                marker={"color": colour, "size": 8},
                name=f"{model}, {_joined(part['average']).replace('_', ' ')}",
                legendgroup=model,
                showlegend=not shown,
                **place,
            )
            shown = True
        once = own.drop_duplicates("leak")
        near = once[["near_in_time", "near_in_space", "copy_in_training"]].astype(float).max(axis=1)
        figure.add_bar(
            x=100 * near / once["test_samples"].astype(float),
            y=once["leak"],
            orientation="h",
            offsetgroup=model,
            marker_color=colour,
            hovertemplate="%{y}: %{x:.0f} % of the test samples have a near copy in training<extra></extra>",
            legendgroup=model,
            showlegend=False,
            **places[-1],
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
    for place in places[:-1]:
        figure.add_vline(x=0, line={"width": 1, "color": LINE}, **place)
        figure.update_xaxes(title_text="looks better by", **place)
    figure.update_xaxes(title_text="% of test samples", range=[0, 100], **places[-1])
    figure.update_xaxes(title_font_size=12, nticks=3, tickangle=0)
    # The last leak stays clear of the numbers below, also where it has a word in place of a value.
    ends = [-0.7, len(leaks) - 0.4]
    figure.update_yaxes(categoryorder="array", categoryarray=leaks[::-1], range=ends)
    figure.update_layout(scattermode="group")
    title = "What each leak adds to the score, 95 % interval over subjects"
    finish(
        figure,
        title,
        simulated=simulated,
        height=110 + rows * (110 + 30 * len(leaks)),
        legend=True,
        narrowest=740,
    )
    figure.update_layout(margin={"l": 10, "t": 110})
    return figure.update_yaxes(automargin=True)


_ABREAST: Final = 3
"""Panels in a row: names of leaks take a third of a narrow page."""


def _joined(values: pd.Series[str]) -> str:
    return ", ".join(dict.fromkeys(values.dropna()))

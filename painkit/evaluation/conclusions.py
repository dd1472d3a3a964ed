"""What came out, in sentences made from the tables: whichever way it turned out, with its interval."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from typing import Any, Final

import numpy as np
import pandas as pd

from painkit.metrics.trivial import TRIVIAL

__all__ = ["answer", "answers", "cause_sentence", "interval_text", "lowest_or_highest"]

_ZERO: Final = 1e-9


def interval_text(row: Mapping[Hashable, Any], value: str = "value", *, signed: bool = False) -> str:
    """Write a value with its interval: ``2.18 (95 % interval 1.90 to 2.51)``.

    Parameters
    ----------
    row : mapping
        `value`, low and high. A value without an interval says so; one that does not exist is "undefined".
    value : str
        Key of the value.
    signed : bool
        Whether a plus is written.
    """
    sign = "+" if signed else ""
    if not np.isfinite(row[value]):
        return "undefined"
    told = f"{_round(row[value]):{sign}.2f}"
    if not (np.isfinite(row["low"]) and np.isfinite(row["high"])):
        return f"{told} (no interval)"
    return f"{told} (95 % interval {_round(row['low']):{sign}.2f} to {_round(row['high']):{sign}.2f})"


def lowest_or_highest(scores: pd.DataFrame, metric: str, *, than: Iterable[str] = TRIVIAL) -> str:
    """Say which row is best by a metric, and how the best row that looks at no face does.

    The best of several rows is chosen on the subjects it is scored on, so it flatters: the sentence says so.

    Parameters
    ----------
    scores : DataFrame
        row, metric, scale, value, low, high; see `painkit.evaluation.tables.score`.
    metric : str
    than : iterable of str
        Rows it is held against.

    Returns
    -------
    str
        "" where no row has the metric.
    """
    part = scores[(scores["metric"] == metric) & scores["value"].notna()]
    trivial = part[part["row"].isin(list(than))]
    models = part.drop(trivial.index)
    if models.empty:
        return ""
    lower = _lower_is_better(metric)
    best = _best(models, lower)
    scale = f" ({best['scale']})" if best.get("scale") else ""
    said = (
        f"{best['row']} has the {'lowest' if lower else 'highest'} {metric}{scale} of {len(models)} models: "
        if len(models) > 1
        else f"{best['row']} has a {metric}{scale} of "
    ) + interval_text(best)
    if not trivial.empty:
        other = _best(trivial, lower)
        beats = best["value"] < other["value"] if lower else best["value"] > other["value"]
        said += f"; of what looks at no face, {other['row']} is best with {interval_text(other)}"
        said += "" if beats else ", so no model beats it" if len(models) > 1 else ", so it is not beaten"
    chosen = " The best of several is chosen on the subjects it is scored on." if len(models) > 1 else ""
    return f"{said}.{chosen}"


def answer(question: Mapping[Hashable, Any]) -> str:
    """Answer one paired question.

    Parameters
    ----------
    question : mapping
        A row of `painkit.evaluation.tables.ask`: question, metric, a, b, difference, low, high, scale.
    """
    metric = str(question["metric"])
    said = (
        f"{str(question['question'])[:1].upper()}{str(question['question'])[1:]}? {metric} "
        f"{question['a']:z.2f} for the first and {question['b']:z.2f} for the second, difference "
        f"{interval_text(question, 'difference', signed=True)}: "
    )
    if not (np.isfinite(question["low"]) and np.isfinite(question["high"])):
        return f"{said}too few subjects to tell."
    # A difference of two runs that agree is a few ulps beside 0.
    if question["low"] <= _ZERO and question["high"] >= -_ZERO:
        return f"{said}the interval holds 0, so this stays open."
    first = (question["difference"] < 0) == _lower_is_better(metric)
    return f"{said}in favour of the {'first' if first else 'second'}."


def answers(questions: pd.DataFrame, metric: str, asked: Iterable[str] | None = None) -> list[str]:
    """Answer some of the questions, in one metric.

    Parameters
    ----------
    questions : DataFrame
        As from `painkit.evaluation.tables.ask`.
    metric : str
    asked : iterable of str, optional
        Which, in this order, where they are there; default all.
    """
    told = {row["question"]: row for row in questions[questions["metric"] == metric].to_dict("records")}
    return [answer(told[name]) for name in (told if asked is None else asked) if name in told]


def cause_sentence(row: Mapping[Hashable, Any], value: str, what: str) -> str:
    """Say whether a difference between pain and decoys, known causes both, is above 0, below it, or open.

    Parameters
    ----------
    row : mapping
        `value`, low, high: of the difference pain minus decoys.
    value : str
        Key of the difference.
    what : str
        What differs, such as "rank correlation with the true displacement".
    """
    if not np.isfinite(row[value]):
        return f"The {what} is not known here."
    verdict = "so it is open whether the attribution tells pain from decoys"
    if row["low"] > 0 or row["high"] < 0:
        verdict = f"so it follows {'pain more than decoys' if row['low'] > 0 else 'decoys more than pain'}"
    told = interval_text(row, value, signed=True)
    return f"The {what}: for pain minus for decoys {told}, {verdict}."


def _lower_is_better(metric: str) -> bool:
    return metric.endswith(("MAE", "MSE"))


def _best(rows: pd.DataFrame, lower: bool) -> dict[Hashable, Any]:
    place = rows["value"].argmin() if lower else rows["value"].argmax()
    return rows.iloc[int(place)].to_dict()


def _round(value: float) -> float:
    return round(float(value), 2) + 0.0  # no -0.00

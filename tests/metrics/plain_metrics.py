"""Every metric written out from its definition, for one table of predictions."""

from __future__ import annotations

import math

import numpy as np
from scipy.stats import norm

CLASSES = 6


def pairs(table):
    return list(zip(table["y_true"].tolist(), table["y_pred"].tolist(), strict=True))


def mean(values):
    """Mean of those that exist."""
    exist = [value for value in values if not math.isnan(value)]
    return sum(exist) / len(exist) if exist else math.nan


def error(power):
    return lambda table: mean([abs(p - t) ** power for t, p in pairs(table)])


def error_by_level(power):
    def weighted(table):
        return mean([error(power)(rows) for _, rows in table.groupby("y_true")])

    return weighted


def pcc(table):
    true, pred = table["y_true"].to_numpy(), table["y_pred"].to_numpy()
    if np.ptp(true) == 0 or np.ptp(pred) == 0:
        return math.nan
    a, b = true - true.mean(), pred - pred.mean()
    return sum(a * b) / math.sqrt(sum(a * a) * sum(b * b))


def icc(ratings, kind):
    """Shrout and Fleiss 1979: sums of squares of the two-way table of (targets, raters), cell after cell."""
    n, k = len(ratings), len(ratings[0])
    rows = [sum(row) / k for row in ratings]
    columns = [sum(row[j] for row in ratings) / n for j in range(k)]
    grand = sum(rows) / n
    if n < 2 or all(row == ratings[0] for row in ratings):
        return math.nan
    bms = k * sum((row - grand) ** 2 for row in rows) / (n - 1)
    jms = n * sum((column - grand) ** 2 for column in columns) / (k - 1)
    ems = sum((ratings[i][j] - rows[i] - columns[j] + grand) ** 2 for i in range(n) for j in range(k)) / (
        (n - 1) * (k - 1)
    )
    wms = sum((ratings[i][j] - rows[i]) ** 2 for i in range(n) for j in range(k)) / (n * (k - 1))
    return {
        "1,1": lambda: (bms - wms) / (bms + (k - 1) * wms),
        "2,1": lambda: (bms - ems) / (bms + (k - 1) * ems + k * (jms - ems) / n),
        "3,1": lambda: (bms - ems) / (bms + (k - 1) * ems),
        "1,k": lambda: (bms - wms) / bms,
        "2,k": lambda: (bms - ems) / (bms + (jms - ems) / n),
        "3,k": lambda: (bms - ems) / bms,
    }[kind]()


def icc_of(kind):
    return lambda table: icc(pairs(table), kind)


def rounded(table):
    return [(int(t), min(max(math.floor(p + 0.5), 0), CLASSES - 1)) for t, p in pairs(table)]


def precision(table, k):
    called = [t == k for t, p in rounded(table) if p == k]
    return sum(called) / len(called) if called else math.nan


def recall(table, k):
    real = [p == k for t, p in rounded(table) if t == k]
    return sum(real) / len(real) if real else math.nan


def f1(table, k):
    hits = sum(t == p == k for t, p in rounded(table))
    either = sum((t == k) + (p == k) for t, p in rounded(table))
    return 2 * hits / either if either else math.nan


def kappa(table):
    found = np.array(rounded(table))
    seen = np.mean((found[:, 0] - found[:, 1]) ** 2)
    chance = np.mean((found[:, 0][:, None] - found[:, 1]) ** 2)
    return 1 - seen / chance if chance else math.nan


def area(positive, score):
    """Share of the pairs of a positive and a negative row that the positive one wins; a tie is half a win."""
    a, b = np.asarray(score)[positive][:, None], np.asarray(score)[~positive]
    return float(np.mean((a > b) + (a == b) / 2)) if a.size and b.size else math.nan


def auc(table, k):
    return area((table["y_true"] == k).to_numpy(), table[f"p_{k}"])


def coverage(band):
    def share(table):
        reach = norm.ppf((1 + band) / 2) * table["y_std"]
        return float(np.mean((table["y_true"] - table["y_pred"]).abs() <= reach))

    return share


def of_class(metric, k):
    return lambda table: metric(table, k)


def over_classes(metric):
    return lambda table: mean([metric(table, k) for k in range(CLASSES)])


PER_CLASS = {"precision": precision, "recall": recall, "F1": f1, "AUC": auc}
PLAIN = {
    "MAE": error(1),
    "MSE": error(2),
    "RMSE": lambda table: math.sqrt(error(2)(table)),
    "PCC": pcc,
    **{f"ICC({kind})": icc_of(kind) for kind in ("1,1", "2,1", "3,1", "1,k", "2,k", "3,k")},
    "wMAE": error_by_level(1),
    "wMSE": error_by_level(2),
    "accuracy": lambda table: mean([t == p for t, p in rounded(table)]),
    "quadratic kappa": kappa,
    "AUC pain": lambda table: area((table["y_true"] > 0).to_numpy(), table["y_pred"]),
    **{name: over_classes(metric) for name, metric in PER_CLASS.items()},
    **{f"{name}[{k}]": of_class(metric, k) for name, metric in PER_CLASS.items() for k in range(CLASSES)},
    "coverage 50%": coverage(0.5),
    "coverage 90%": coverage(0.9),
}

"""Agreement and error measures; scale, averaging and undefined counts stated."""

from painkit.metrics.agreement import icc, icc_of_ratings
from painkit.metrics.calibration import coverage
from painkit.metrics.classification import (
    accuracy,
    auc_one_vs_rest,
    confusion,
    f1,
    mean_defined,
    precision,
    quadratic_kappa,
    recall,
    to_classes,
)
from painkit.metrics.compare import compare
from painkit.metrics.evaluate import evaluate
from painkit.metrics.regression import mae, mse, pcc, rmse
from painkit.metrics.trivial import trivial_rows
from painkit.metrics.views import AVERAGES, Average, applicable_metrics
from painkit.metrics.weighted import wmae, wmse

__all__ = [
    "AVERAGES",
    "Average",
    "accuracy",
    "applicable_metrics",
    "auc_one_vs_rest",
    "compare",
    "confusion",
    "coverage",
    "evaluate",
    "f1",
    "icc",
    "icc_of_ratings",
    "mae",
    "mean_defined",
    "mse",
    "pcc",
    "precision",
    "quadratic_kappa",
    "recall",
    "rmse",
    "to_classes",
    "trivial_rows",
    "wmae",
    "wmse",
]

"""Agreement and error measures; scale, averaging and undefined counts stated."""

from painkit.metrics.compare import compare
from painkit.metrics.evaluate import evaluate
from painkit.metrics.sums import to_classes
from painkit.metrics.trivial import trivial_rows
from painkit.metrics.views import AVERAGES, Average, applicable_metrics

__all__ = ["AVERAGES", "Average", "applicable_metrics", "compare", "evaluate", "to_classes", "trivial_rows"]

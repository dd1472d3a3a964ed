"""What a paper is to painkit: one record."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from painkit.evaluation.protocols import Protocol
from painkit.evaluation.study import Rows

__all__ = ["Paper"]


@dataclass(frozen=True)
class Paper:
    """One paper.

    Attributes
    ----------
    name : str
        Its key in the published numbers and in the deviations register.
    citation : str
    notebook : str
        Which walks through it.
    tables : tuple of str
        Published tables whose rows painkit runs.
    rows : callable
        Gives those rows, as `painkit.evaluation.study.Rows`, by their published names.
    not_run : mapping of str to str
        Published row of those tables and why painkit has no estimator for it.
    protocols : mapping of str to Protocol
        Splits of its own, by the name that a notebook's parameter gives.
    """

    name: str
    citation: str
    notebook: str
    tables: tuple[str, ...]
    rows: Callable[..., Rows]
    not_run: Mapping[str, str] = field(default_factory=dict)
    protocols: Mapping[str, Protocol] = field(default_factory=dict)

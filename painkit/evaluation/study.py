"""A study: one cohort under one protocol, on which named rows are run and compared."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from textwrap import shorten
from typing import Any, Literal, NamedTuple

import pandas as pd
from sklearn.base import clone

from painkit.data.cohort import Cohort
from painkit.errors import PainkitError, unknown
from painkit.evaluation.methods_text import methods_paragraph
from painkit.evaluation.protocols import Protocol
from painkit.evaluation.runs import Run, run
from painkit.evaluation.tables import Scored, ask, comparable, score
from painkit.metrics.views import Average
from painkit.progress import tqdm

__all__ = ["Results", "Row", "Rows", "Study"]


class Row(NamedTuple):
    """An estimator and the label, or labels, it is trained on."""

    estimator: Any
    target: str | tuple[str, ...]


@dataclass(frozen=True)
class Rows:
    """Named estimators that are compared, and how.

    Attributes
    ----------
    estimators : mapping of str to Row
        By the name their published row carries, in the paper's order.
    target : str
        The target that is scored.
    metrics : sequence of str
    average : {"pooled", "per_subject", "per_fold"}
        How the paper averages.
    questions : mapping of str to (str, str)
        What is asked, and the two rows (trivial ones are called "all zeros", "train mean", "train median") in
        the order the question names them.
    asked : sequence of str
        Metrics the questions are asked in; default `metrics`.
    explained : sequence of str
        Rows whose fitted models are kept, to be looked into.
    paper : str or None
        Whose published values stand beside.
    training : mapping
        What the paper says of the training, such as ``{"epochs": 100}``.
    """

    estimators: Mapping[str, Row]
    target: str
    metrics: Sequence[str]
    average: Average
    questions: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    asked: Sequence[str] | None = None
    explained: Sequence[str] = ()
    paper: str | None = None
    training: Mapping[str, Any] = field(default_factory=dict)

    def only(self, names: Iterable[str] | Literal["all"]) -> Rows:
        """Keep some of the rows, in the paper's order; "all" keeps all.

        Raises
        ------
        PainkitError
            For a name that is no row.
        """
        chosen = list(self.estimators) if names == "all" else list(names)
        for name in chosen:
            if name not in self.estimators:
                raise unknown("row", name, self.estimators)
        return replace(self, estimators={n: r for n, r in self.estimators.items() if n in chosen})

    def varied(self, **parameters: Any) -> Rows:
        """The same rows with other values of some parameters of their estimators."""
        return replace(
            self,
            estimators={
                name: Row(clone(row.estimator).set_params(**parameters), row.target)
                for name, row in self.estimators.items()
            },
        )


@dataclass(frozen=True)
class Study:
    """Where and how everything is run; carried from the notebook's parameters to all below.

    Parameters
    ----------
    cohort : Cohort
    protocol : Protocol
    out : path
        Folder of runs and of whatever is made once; what is done is read from it.
    jobs : int
        Things at a time.
    scheduler : str, optional
        Address of a dask scheduler, ``tcp://host:port``.
    seed : int
        Of everything.
    n_resamples : int
        Of the bootstrap over subjects.
    threads : int
        Of a fold, or of whatever else computes results; they depend on it (in the last digits of a float sum,
        which training magnifies), so it is part of every key and does not follow the machine.
    """

    cohort: Cohort
    protocol: Protocol
    out: Path
    jobs: int = 1
    scheduler: str | None = None
    seed: int = 0
    n_resamples: int = 10_000
    threads: int = 1

    def run(self, rows: Rows) -> Results:
        """Run every row; rows whose estimators are equal are run once."""
        runs: dict[str, Run] = {}
        for name, row in (bar := tqdm(rows.estimators.items(), desc="rows", unit="row")):
            bar.set_postfix_str(shorten(name, 24, placeholder=" ..."))  # the bar keeps room on 80 columns
            runs[name] = self.run_row(row, keep_models=name in rows.explained)
        return Results(self, rows, runs)

    def run_row(self, row: Row, *, keep_models: bool = False) -> Run:
        """Run one row under a bar of the caller's; see `painkit.evaluation.run`."""
        prepared = clone(row.estimator)
        # Also of an estimator within another, such as one whose settings are chosen.
        held = [name for name in prepared.get_params() if name.split("__")[-1] == "memory"]
        prepared.set_params(**dict.fromkeys(held, Path(self.out).absolute() / "stage1"))
        return run(
            prepared,
            self.cohort,
            self.protocol,
            row.target,
            self.out,
            jobs=self.jobs,
            scheduler=self.scheduler,
            seed=self.seed,
            threads=self.threads,
            keep_models=keep_models,
            progress="inner",
        )


@dataclass(frozen=True, eq=False)
class Results:
    """Finished runs of `rows` in a study."""

    study: Study
    rows: Rows
    runs: Mapping[str, Run]

    def __getitem__(self, row: str) -> Run:
        if row not in self.runs:
            raise PainkitError(f"no row {row!r} was run", expected="; ".join(self.runs))
        return self.runs[row]

    @cached_property
    def scored(self) -> Scored:
        """Estimates of the target that is scored, for the samples that every row estimates."""
        return comparable({name: one.predictions for name, one in self.runs.items()}, self.rows.target)

    def scores(self, metrics: Sequence[str] | None = None) -> pd.DataFrame:
        """Score the rows and the trivial ones, published values beside: `painkit.evaluation.tables.score`."""
        found = score(
            self.scored,
            metrics or self.rows.metrics,
            self.rows.average,
            paper=self.rows.paper,
            n_resamples=self.study.n_resamples,
            seed=self.study.seed,
        )
        return found.assign(cohort=self.study.cohort.name)

    def questions(self, metrics: Sequence[str] | None = None) -> pd.DataFrame:
        """Ask what the paper claims; see `painkit.evaluation.tables.ask`."""
        found = ask(
            self.scored,
            self.rows.questions,
            metrics or self.rows.asked or self.rows.metrics,
            self.rows.average,
            n_resamples=self.study.n_resamples,
            seed=self.study.seed,
        )
        return found.assign(cohort=self.study.cohort.name)

    def methods(self, row: str, baselines: Mapping[str, str] | None = None) -> str:
        """Methods paragraph of a row; `baselines` are rows it is compared with, by a short name."""
        return methods_paragraph(
            self[row],
            self.rows.paper,
            baselines={short: self[name] for short, name in (baselines or {}).items() if name in self.runs},
            paper_training=self.rows.training,
            n_resamples=self.study.n_resamples,
        )

"""Runs: an estimator, a cohort and a protocol give one table of predictions, fold by fold, resumable."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import joblib
import pandas as pd
from joblib.externals.loky.process_executor import TerminatedWorkerError

from painkit.errors import PainkitError
from painkit.evaluation.keys import data_digest, describe, digest, settled, versions
from painkit.evaluation.protocols import Protocol
from painkit.evaluation.run_fold import Job, do_fold, model_folder, read_predictions, read_record
from painkit.evaluation.run_record import Report, about, read_report
from painkit.evaluation.samples import samples
from painkit.progress import tqdm
from painkit.workers import affordable, ending_together

if TYPE_CHECKING:
    from painkit.data.cohort import Cohort

__all__ = ["Run", "open_run", "run"]


@dataclass(frozen=True)
class Run:
    """A finished run.

    Attributes
    ----------
    folder : Path
        ``<out>/<short name>-<start of the key>``.
    predictions : DataFrame
        `subject`, `sequence`, `frame` (<NA> at sequence level), `row` (of ``cohort.sequences`` or
        ``cohort.frames``), `fold`, `target`, `y_true` (NaN where this
        target has no label), `y_pred`, `y_std` (NaN where the estimator states none), each on the target's
        own scale; classifiers add `p_<class>`.
    info : dict
        What ``run.yaml`` holds.
    """

    folder: Path
    predictions: pd.DataFrame
    info: dict[str, Any]

    @property
    def folds(self) -> list[str]:
        """Names of the folds."""
        return [fold["fold"] for fold in self.info["folds"]]

    def model_folder(self, fold: str) -> Path:
        """Folder of the estimator fitted for `fold`, for its class's ``load``.

        Raises
        ------
        PainkitError
            When there is no such fold, or the run kept no models.
        """
        if fold not in self.folds:
            raise PainkitError(
                f"no fold {fold!r}", where=self.folder, expected=f"one of {', '.join(self.folds)}"
            )
        folder = model_folder(self.folder, fold)
        if not folder.is_dir():
            raise PainkitError("the run kept no models", where=folder, expected="run(..., keep_models=True)")
        return folder

    def _repr_html_(self) -> str:
        return self.predictions.groupby(["target", "fold"], sort=False)[["y_true", "y_pred"]].mean().to_html()


def run(
    estimator: Any,
    cohort: Cohort,
    protocol: Protocol,
    target: str | tuple[str, ...],
    out: str | Path,
    *,
    jobs: int = 1,
    backend: str = "loky",
    scheduler: str | None = None,
    keep_models: bool = False,
    progress: bool | Literal["inner"] = True,
    seed: int = 0,
    threads: int = 1,
) -> Run:
    """Fit and test an estimator on every fold of a protocol.

    Each fold is written as one folder the moment it is done, under a key that digests the estimator's
    parameters, the data, the protocol, the target, the seed, the number of threads and the versions: what
    comes out depends on nothing else. The same call again reads the done folds and does the others, also
    after a kill; a changed setting goes to another folder.

    Parameters
    ----------
    estimator : estimator
        With scikit-learn's ``fit``, ``predict``, ``get_params``; cloned for every fold, each `random_state`
        set from `seed`, the fold's name and the value it had.
    cohort : Cohort
    protocol : Protocol
    target : str or tuple of str
        See `painkit.evaluation.samples.samples`.
    out : path
        The run's folder is made in here.
    jobs : int
        Folds at a time; fewer where memory holds no more processes, see `painkit.workers.affordable`.
    backend : str
        A joblib backend. ``"dask"`` uses the cluster at `scheduler`, or else the current dask client; its
        workers must see `out`. Folds in one process take turns, since they seed its global generators: give
        dask workers one thread each (``dask worker --nthreads 1 --nworkers N``).
    scheduler : str, optional
        Address of a dask scheduler, ``tcp://host:port``; sets the backend to dask.
    keep_models : bool
        Save each fitted estimator with its ``save(folder)``. Folds done before without are done again.
    progress : bool or 'inner'
        Show folds done and time left; ``'inner'``: under a bar of the caller's, and gone when done.
    seed : int
    threads : int
        Threads a fold uses, whatever the machine has: another number changes the last digits of a float sum,
        which training magnifies. More cores are used by more `jobs`.

    Returns
    -------
    Run

    Warns
    -----
    UserWarning
        When a file of a fold is damaged, naming it; the fold is done again.

    Raises
    ------
    PainkitError
        When folds fail (each named; the others are kept), when the protocol does not fit the cohort or keeps
        apart less than it promises, when a parameter cannot be digested, when no cluster can be reached.
    """
    if jobs < 1 or threads < 1:
        raise PainkitError(f"{jobs} jobs of {threads} threads", expected="1 or more of each")
    found = samples(cohort, target)
    folds = [fold.only(found.usable) for fold in protocol.splits(found.table)]
    empty = [fold.name for fold in folds if not len(fold.train)]
    if empty:
        raise PainkitError(f"nothing with a label is left to train on in fold {', '.join(empty)}")
    folds = [fold for fold in folds if len(fold.test)]
    content = {
        "estimator": describe(estimator),
        "data": data_digest(found, cohort.fingerprint),
        "protocol": protocol.parameters,
        "target": list(found.targets),
        "seed": seed,
        "threads": threads,
        "precision": str(estimator.get_params(deep=False).get("precision", "float32")),
        "versions": versions(),
    }
    key = digest(content)
    short = re.sub(
        r"[^A-Za-z0-9_.]+", "-", "-".join((type(estimator).__name__, *found.targets, protocol.name))
    )
    folder = Path(out).absolute() / f"{short[:100]}-{key[:12]}"
    job = Job(settled(estimator), found, folder, key, seed, threads, keep_models)
    report = Report(folder, folds, about(estimator, cohort, found, protocol, folds, key, content))
    failed: dict[str, str] = {}
    records = {fold.name: record for fold in folds if (record := read_record(job, fold.name)) is not None}
    todo = [fold for fold in folds if fold.name not in records]
    if todo:
        report.write("running", records)
    with (
        tqdm(
            desc=f"{type(estimator).__name__}, {protocol.name}",
            total=len(folds),
            initial=len(folds) - len(todo),
            unit="fold",
            leave=progress != "inner",
            disable=not progress,
        ) as bar,
        _parallel(job, jobs, backend, scheduler) as parallel,
    ):
        for name, problem in parallel(joblib.delayed(do_fold)(job, fold) for fold in todo):
            bar.update()
            if problem is not None:
                failed[name] = problem
            elif (record := read_record(job, name)) is None:
                raise PainkitError(
                    f"fold {name} was done elsewhere", where=folder, expected="a folder all workers see"
                )
            else:
                records[name] = record
            report.write("running", records, failed)
    info = report.write("failed" if failed else "complete", records, failed)
    if failed:
        told = "; ".join(f"fold {name}: {problem}" for name, problem in failed.items())
        raise PainkitError(
            f"{len(failed)} of {len(folds)} folds failed, the others are kept. {told}", where=folder
        )
    return Run(folder, _collect(folder, info), info)


def open_run(folder: str | Path) -> Run:
    """Open a complete run by its folder.

    Raises
    ------
    PainkitError
        When the folder holds no run, or one that is not complete.
    """
    folder = Path(folder).absolute()
    info = read_report(folder)
    if info["status"] != "complete":
        raise PainkitError(
            f"this run is {info['status']}", where=folder, expected="a complete one: run it again to go on"
        )
    return Run(folder, _collect(folder, info), info)


def _collect(folder: Path, info: dict[str, Any]) -> pd.DataFrame:
    parts = [read_predictions(folder, info["key"], fold["fold"]) for fold in info["folds"]]
    table = pd.concat(parts, ignore_index=True)
    # A class that a fold's training never showed has no score there: the model gives it no chance.
    scores = sorted((c for c in map(str, table) if re.fullmatch(r"p_\d+", c)), key=lambda c: int(c[2:]))
    table[scores] = table[scores].fillna(0.0)
    return table[[c for c in map(str, table) if c not in scores] + scores]


@contextmanager
def _parallel(job: Job, jobs: int, backend: str, scheduler: str | None) -> Iterator[Any]:
    if scheduler is None and backend != "dask":
        together = ending_together() if backend in ("loky", "multiprocessing") else {}
        with joblib.parallel_config(backend, n_jobs=affordable(jobs), **together), warnings.catch_warnings():
            # loky replaces a worker that has grown by 100 MB, which importing torch does, and says so.
            warnings.filterwarnings("ignore", "A worker stopped while some jobs", UserWarning)
            try:
                yield joblib.Parallel(return_as="generator_unordered")
            except TerminatedWorkerError as error:
                raise PainkitError(
                    "a worker process died, perhaps for want of memory; done folds are kept",
                    where=job.folder,
                    expected="the same call again, with fewer jobs",
                ) from error
        return
    from distributed import Client, get_client  # slow to import

    try:
        client = get_client() if scheduler is None else Client(scheduler, set_as_default=False)  # type: ignore[no-untyped-call]
    except (OSError, ValueError) as error:
        raise PainkitError(
            f"no dask scheduler answers at {scheduler or 'a current client'}",
            expected="scheduler='tcp://host:port'",
        ) from error
    try:
        # The samples go to each worker once, not with every fold.
        with joblib.parallel_config("dask", client=client, scatter=[job]), warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Sending large graph", UserWarning)
            yield joblib.Parallel(n_jobs=-1, return_as="generator_unordered")
    finally:
        if scheduler is not None:
            client.close()  # type: ignore[no-untyped-call]

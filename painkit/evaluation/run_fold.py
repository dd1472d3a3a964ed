"""One fold: fitted, predicted, written to one folder, read again."""

from __future__ import annotations

import io
import json
import platform
import random
import sys
import threading
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from inspect import signature
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone, is_classifier
from threadpoolctl import threadpool_limits

from painkit.digests import read_sealed
from painkit.errors import PainkitError, WriteError
from painkit.evaluation.keys import seeded
from painkit.evaluation.protocols import Fold
from painkit.evaluation.samples import Samples
from painkit.files import file_name, refusals_told, write_text
from painkit.kept import kept, opened

__all__ = [
    "Job",
    "do_fold",
    "limited_threads",
    "model_folder",
    "predicted",
    "read_predictions",
    "read_record",
]

_PREDICTIONS, _RECORD, _MODEL = "predictions.parquet", "record.json", "model"

# Seeds, numbers of threads and recorded warnings belong to the whole process, so its folds take turns.
_TURN = threading.Lock()


@dataclass(frozen=True)
class Job:
    """What all folds of a run have in common; travels to the workers."""

    estimator: Any
    samples: Samples
    folder: Path
    key: str
    seed: int
    threads: int
    keep_models: bool

    @property
    def needs(self) -> tuple[str, ...]:
        """What a fold must hold to be done."""
        return (_PREDICTIONS, _RECORD, *([_MODEL] if self.keep_models else []))


def _place(folder: Path, key: str, fold: str) -> tuple[Path, str]:
    """Where a fold lies, and what its digests say it is."""
    name = file_name(fold)
    return folder / "folds" / name, f"{key}/{name}"


def model_folder(folder: Path, fold: str) -> Path:
    """Where the fitted estimator of `fold` lies when models are kept."""
    return folder / "folds" / file_name(fold) / _MODEL


def read_predictions(folder: Path, key: str, fold: str) -> pd.DataFrame:
    """Read the predictions of a finished fold.

    Raises
    ------
    PainkitError
        When they are not there, or not as they were written.
    """
    place, sealed_as = _place(folder, key, fold)
    return pd.read_parquet(io.BytesIO(read_sealed(place, _PREDICTIONS, sealed_as)))


def read_record(job: Job, fold: str) -> dict[str, Any] | None:
    """Read what a finished fold says about itself; None when it is to be done, or done again.

    Warns
    -----
    UserWarning
        When a file of the fold is damaged.
    """
    place, sealed_as = _place(job.folder, job.key, fold)
    if opened(place.parent, place.name, of=job.key, needs=job.needs) is None:
        return None
    return dict(json.loads(read_sealed(place, _RECORD, sealed_as)))


def do_fold(job: Job, fold: Fold) -> tuple[str, str | None]:
    """Fit and predict one fold and write its folder, unless another process has done so.

    Returns
    -------
    (str, str or None)
        Name of the fold; None when it is done, else what went wrong: the traceback is in
        ``errors/<fold>.txt``.
    """
    name = file_name(fold.name)
    error_file = job.folder / "errors" / f"{name}.txt"
    try:
        # Another run of the same key waits for the fold and then reads it.
        kept(job.folder / "folds", name, partial(_make, job, fold), of=job.key, needs=job.needs)
    except Exception as error:  # one fold must not take the others down
        with suppress(WriteError):
            write_text(error_file, traceback.format_exc())
        told = str(error) if isinstance(error, PainkitError) else f"{type(error).__name__}: {error}"
        return fold.name, told
    error_file.unlink(missing_ok=True)
    return fold.name, None


def _make(job: Job, fold: Fold, folder: Path) -> None:
    with _TURN:
        predictions, record, fitted = _fit_and_predict(job, fold)
    if job.keep_models:
        _save_model(fitted, folder / _MODEL)
    with refusals_told(folder):
        predictions.to_parquet(folder / _PREDICTIONS, index=False)
        (folder / _RECORD).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def _fit_and_predict(job: Job, fold: Fold) -> tuple[pd.DataFrame, dict[str, Any], Any]:
    found, started = job.samples, time.perf_counter()
    estimator = seed_estimator(clone(job.estimator), job.seed, fold.name)
    with (
        _seeded_globals(seeded(job.seed, fold.name)),
        limited_threads(job.threads),
        _recorded_warnings() as raised,
    ):
        estimator.fit(found.train(fold.train, fold.copies), found.labels(fold.learned_from))
        predictions = predicted(estimator, found, fold)
    record = {
        "fold": fold.name,
        "n_train": len(fold.learned_from),
        "n_test": len(fold.test),
        "test_subjects": ", ".join(sorted(found.table["subject"].iloc[fold.test].astype(str).unique())),
        "seconds": round(time.perf_counter() - started, 3),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "threads": job.threads,
        "host": platform.node(),
        "warnings": dict(Counter(f"{w.category.__name__}: {w.message}" for w in raised)),
    }
    return predictions, record, estimator


def seed_estimator(estimator: Any, seed: int, fold: str) -> Any:
    """Set every `random_state`, nested ones too, from the run's seed, the fold and the value it had."""
    given = estimator.get_params(deep=True)
    names = sorted(name for name in given if name == "random_state" or name.endswith("__random_state"))
    return estimator.set_params(**{n: seeded(seed, fold, n, repr(given[n])) for n in names})


def predicted(estimator: Any, found: Samples, fold: Fold) -> pd.DataFrame:
    """Predict the rows that a fold tests: columns as in `painkit.evaluation.Run`.

    Raises
    ------
    PainkitError
        When the estimates are of another shape.
    """
    X, n, k = found.test(fold.test), len(fold.test), len(found.targets)
    if "return_std" in signature(estimator.predict).parameters:
        mean, std = estimator.predict(X, return_std=True)
    else:
        mean, std = estimator.predict(X), np.full((n, k), np.nan)
    mean, std = np.asarray(mean, np.float64), np.array(std, np.float64)
    accepted = {(n,), (n, 1)} if k == 1 else {(n, k)}
    if mean.shape not in accepted or std.shape not in accepted:
        raise PainkitError(
            f"fold {fold.name}: predict gave shape {mean.shape} and std {std.shape} for {n} samples",
            expected=" or ".join(map(str, sorted(accepted))),
        )
    # A spread of exactly 0 is how scikit-learn's dummies state none.
    std[std == 0] = np.nan
    table = found.table.iloc[fold.test]
    parts = [
        table.assign(
            fold=fold.name,
            target=target,
            y_true=found.y[fold.test, i],
            y_pred=mean.reshape(n, k)[:, i],
            y_std=std.reshape(n, k)[:, i],
        )
        for i, target in enumerate(found.targets)
    ]
    if k == 1 and is_classifier(estimator) and hasattr(estimator, "predict_proba"):
        probabilities = np.asarray(estimator.predict_proba(X), np.float64)
        parts[0][[f"p_{c:g}" for c in estimator.classes_]] = probabilities
    return pd.concat(parts, ignore_index=True)


def _save_model(estimator: Any, folder: Path) -> None:
    if not hasattr(estimator, "save"):
        raise PainkitError(
            f"{type(estimator).__name__} cannot be saved", expected="an estimator with save(folder)"
        )
    with refusals_told(folder):
        folder.mkdir()
    estimator.save(folder)


@contextmanager
def _recorded_warnings() -> Iterator[list[warnings.WarningMessage]]:
    with warnings.catch_warnings(record=True) as raised:
        warnings.simplefilter("always")
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", PendingDeprecationWarning)
        yield raised


@contextmanager
def _seeded_globals(seed: int) -> Iterator[None]:
    """Seed the global generators, for estimators that use them, and put them back as they were."""
    torch = sys.modules.get("torch")  # not imported here: an estimator that needs it has done so
    before = random.getstate(), np.random.get_state(), torch.get_rng_state() if torch else None  # noqa: NPY002
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002
    if torch:
        torch.manual_seed(seed)
    try:
        yield
    finally:
        random.setstate(before[0])
        np.random.set_state(before[1])  # noqa: NPY002
        if torch:
            torch.set_rng_state(before[2])


@contextmanager
def limited_threads(n: int) -> Iterator[None]:
    """Keep BLAS, OpenMP and torch to `n` threads: how many there are changes the last digits of a sum."""
    torch = sys.modules.get("torch")
    before = torch.get_num_threads() if torch else 0
    with threadpool_limits(n):
        if torch:
            torch.set_num_threads(n)
        try:
            yield
        finally:
            if torch:
                torch.set_num_threads(before)

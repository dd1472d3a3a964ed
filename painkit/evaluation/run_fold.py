"""One fold: fitted, predicted, written as one file, read again."""

from __future__ import annotations

import json
import platform
import random
import shutil
import sys
import threading
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from inspect import signature
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from filelock import FileLock
from sklearn.base import clone, is_classifier
from threadpoolctl import threadpool_limits

from painkit.errors import PainkitError
from painkit.evaluation.keys import seeded
from painkit.evaluation.protocols import Fold
from painkit.evaluation.samples import Samples
from painkit.files import write_atomically

__all__ = ["Job", "do_fold", "is_done", "limited_threads", "model_folder", "read_fold", "read_record"]

_RECORD = b"painkit"

# Seeds, numbers of threads and recorded warnings belong to the whole process, so its folds take turns.
_TURN = threading.Lock()


@dataclass(frozen=True)
class Job:
    """What all folds of a run have in common; travels to the workers."""

    estimator: Any
    samples: Samples
    folder: Path
    seed: int
    threads: int
    keep_models: bool


def _file(folder: Path, fold: str) -> Path:
    return folder / "folds" / f"{quote(fold, safe=' ')}.parquet"


def model_folder(folder: Path, fold: str) -> Path:
    """Where the fitted estimator of `fold` lies when models are kept."""
    return folder / "models" / quote(fold, safe=" ")


def read_fold(folder: Path, fold: str) -> pd.DataFrame:
    """Read the predictions of a finished fold."""
    return pd.read_parquet(_file(folder, fold))


def read_record(folder: Path, fold: str) -> dict[str, Any] | None:
    """Read what a finished fold says about itself; None when it is not done or its file is damaged."""
    try:
        # It stands at the end of the file, as Parquet's footer: a file cut short has none.
        return dict(json.loads(pq.read_schema(_file(folder, fold)).metadata[_RECORD]))
    except (OSError, pa.ArrowException, KeyError, ValueError, TypeError):
        return None


def is_done(job: Job, fold: str) -> bool:
    """Whether the file of `fold` is whole, and its model there if models are kept."""
    kept = not job.keep_models or model_folder(job.folder, fold).is_dir()
    return kept and read_record(job.folder, fold) is not None


def do_fold(job: Job, fold: Fold) -> str | None:
    """Fit and predict one fold and write its file, unless another process has done so.

    Returns
    -------
    str or None
        None when the fold's file is there, else what went wrong; the traceback is in ``errors/<fold>.txt``.
    """
    file = _file(job.folder, fold.name)
    error_file = job.folder / "errors" / f"{file.stem}.txt"
    lock = job.folder / "locks" / f"{file.stem}.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    # The system frees this lock when its holder dies, however it dies. Another run of the same key waits here
    # for the fold and then reads it.
    with FileLock(lock):
        if is_done(job, fold.name):
            return None
        # What a killed run left half written; safe under the lock (eight characters: see tempfile.mkstemp).
        for left in file.parent.glob(f".{file.stem}-????????.parquet"):
            left.unlink(missing_ok=True)
        try:
            with _TURN:
                predictions, record, fitted = _fit_and_predict(job, fold)
            if job.keep_models:
                _save_model(fitted, model_folder(job.folder, fold.name))
            table = pa.Table.from_pandas(predictions, preserve_index=False)
            metadata = {**(table.schema.metadata or {}), _RECORD: json.dumps(record).encode()}
            with write_atomically(file) as path:
                pq.write_table(table.replace_schema_metadata(metadata), path)
        except Exception as error:  # one fold must not take the others down
            with write_atomically(error_file) as path:
                path.write_text(traceback.format_exc(), encoding="utf-8")
            return str(error) if isinstance(error, PainkitError) else f"{type(error).__name__}: {error}"
        error_file.unlink(missing_ok=True)
    return None


def _fit_and_predict(job: Job, fold: Fold) -> tuple[pd.DataFrame, dict[str, Any], Any]:
    found, started = job.samples, time.perf_counter()
    estimator = seed_estimator(clone(job.estimator), job.seed, fold.name)
    with (
        _seeded_globals(seeded(job.seed, fold.name)),
        limited_threads(job.threads),
        _recorded_warnings() as raised,
    ):
        estimator.fit(found.train(fold.train), found.labels(fold.train))
        predictions = _predict(estimator, found, fold)
    record = {
        "fold": fold.name,
        "n_train": len(fold.train),
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
    return (
        estimator.set_params(**{n: seeded(seed, fold, n, repr(given[n])) for n in names})
        if names
        else estimator
    )


def _predict(estimator: Any, found: Samples, fold: Fold) -> pd.DataFrame:
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
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    estimator.save(partial)
    # Only a fold that is not done gets here, so that a folder in the way is of a killed run.
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)


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

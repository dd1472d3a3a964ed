"""Folds on a cluster give what folds at home give."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import dask
import pandas as pd
import pytest
from distributed import LocalCluster
from engine_estimators import Tracing
from small_cohort import small_cohort

from painkit.errors import PainkitError
from painkit.evaluation import leave_one_subject_out, run


@pytest.fixture
def scheduler() -> Iterator[str]:
    # Workers as threads: they listen on TCP all the same, and start at once. Gone after each test: a dask
    # worker in this process would do for a current client.
    with LocalCluster(
        n_workers=2,
        threads_per_worker=2,
        processes=False,
        protocol="tcp",
        host="127.0.0.1",
        dashboard_address=None,
    ) as cluster:
        yield cluster.scheduler_address


def test_no_cluster_is_a_clear_error(tmp_path: Path) -> None:
    def go(**options: str) -> None:
        run(Tracing(), small_cohort(), leave_one_subject_out(), "vas", tmp_path, progress=False, **options)

    with pytest.raises(PainkitError, match="no dask scheduler answers at a current client"):
        go(backend="dask")
    with (
        dask.config.set({"distributed.comm.timeouts.connect": "300ms"}),
        pytest.raises(PainkitError, match=r"no dask scheduler answers at tcp://127\.0\.0\.1:9 "),
    ):
        go(scheduler="tcp://127.0.0.1:9")


def test_a_cluster_gives_the_same_table_and_goes_on_from_files(
    scheduler: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cohort = small_cohort()
    assert scheduler.startswith("tcp://127.0.0.1:")
    monkeypatch.setenv("TRACE", str(tmp_path / "trace.txt"))

    def go(out: str, **options: str) -> pd.DataFrame:
        done = run(
            Tracing(), cohort, leave_one_subject_out(), "vas", tmp_path / out, progress=False, **options
        )
        assert done.info["status"] == "complete"
        return done.predictions

    at_home = go("home")
    on_cluster = go("cluster", scheduler=scheduler)
    pd.testing.assert_frame_equal(on_cluster, at_home, check_exact=True)
    folds = sorted((tmp_path / "cluster").glob("*/folds/[!.]*"))
    shutil.rmtree(folds[2])
    pd.testing.assert_frame_equal(go("cluster", scheduler=scheduler), at_home, check_exact=True)
    assert (tmp_path / "trace.txt").read_text().split().count("start") == 5 + 5 + 1


def test_a_fold_that_fails_on_the_cluster_is_named(scheduler: str, tmp_path: Path) -> None:
    with pytest.raises(PainkitError, match="fold 001-ab001: AttributeError"):
        run(
            Tracing(delay="long"),  # type: ignore[arg-type]
            small_cohort(),
            leave_one_subject_out(),
            "pspi",  # frames come as a table, which this estimator cannot take
            tmp_path,
            progress=False,
            scheduler=scheduler,
        )

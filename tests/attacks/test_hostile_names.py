"""Subjects of any name have folds and models of their own, inside the run's folder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd
from noisy import Noisy
from small_cohort import small_cohort

from painkit.data.cohort import Cohort
from painkit.evaluation import Run, leave_one_subject_out, open_run, run

NAMES = ["..", ".", "", "a/b", "a_b", "../../etc", "%2e%2e", "\N{CJK UNIFIED IDEOGRAPH-75DB}" * 28, "x" * 300]
NAMES += [
    "Ab",
    "aB",
    "con",
    "nul.txt",
    "a\x00b",
    "a\nb",
    "~",
    "\u00e9",
    "e\u0301",
    "<img src=x>",
    " a",
    "a ",
    "a",
]


def named(names: list[str]) -> Cohort:
    cohort = small_cohort(len(names))
    new = dict(zip(cohort.subjects["subject"], names, strict=True))

    def rename(table: pd.DataFrame) -> pd.DataFrame:
        return table.assign(subject=table["subject"].map(new))

    return replace(
        cohort, **{kind: rename(getattr(cohort, kind)) for kind in ("subjects", "sequences", "frames")}
    )


def test_folds_and_models_of_any_name_lie_apart_and_inside(tmp_path: Path) -> None:
    cohort = named(NAMES)

    def go(keep_models: bool) -> Run:
        options = {"keep_models": keep_models, "progress": False}
        return run(Noisy(), cohort, leave_one_subject_out(), "vas", tmp_path / "o", **options)

    first = go(keep_models=False)
    done = go(keep_models=True)
    pd.testing.assert_frame_equal(done.predictions, first.predictions, check_exact=True)
    assert sorted(done.folds) == sorted(NAMES)
    folds = [path.name for path in (done.folder / "folds").iterdir() if not path.name.startswith(".")]
    assert len({name.casefold() for name in folds}) == len(NAMES)
    assert [path.name for path in tmp_path.iterdir()] == ["o"]
    assert list((tmp_path / "o").iterdir()) == [done.folder]
    models = {name: done.model_folder(name) for name in NAMES}
    written = {name: (folder / "mean.txt").stat().st_mtime_ns for name, folder in models.items()}
    again = go(keep_models=True)
    assert {name: (again.model_folder(name) / "mean.txt").stat().st_mtime_ns for name in NAMES} == written
    pd.testing.assert_frame_equal(open_run(done.folder).predictions, done.predictions, check_exact=True)

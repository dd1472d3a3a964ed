"""The methods paragraph says what the run did."""

from __future__ import annotations

from pathlib import Path

import pytest
from engine_estimators import Fussy, Tracing
from sklearn.dummy import DummyRegressor
from small_cohort import small_cohort

from painkit.evaluation import leave_one_subject_out, random_frames, run
from painkit.evaluation.methods_text import methods_paragraph
from painkit.evaluation.published import deviations


def test_a_paragraph_of_an_honest_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cohort = small_cohort()
    cohort.sequences.loc[0, ["vas", "opi"]] = float("nan")
    cohort.sequences.loc[5, "opi"] = float("nan")
    done = run(Fussy(), cohort, leave_one_subject_out(), "opi", tmp_path, seed=11, progress=False)
    text = methods_paragraph(done, "deepfacelift")
    assert text.startswith("Fussy (Warns in every fold,")
    assert "to estimate OPI 0-5 of each sequence. Its settings were delay=0.0, random_state=None." in text
    assert "The cohort was simulated: 13 sequences, 5 subjects." in text
    assert "The cohort is simulated: results on it say nothing about people." in text
    assert "Left out: 2 for no label." in text
    assert "share no subjects, no sequences, no frames." in text
    assert "seed 11" in text
    assert "Fitting raised 5 warnings (5 times UserWarning: this went badly)." in text
    assert "95% of 10000 bootstrap resamples of subjects" in text
    papers = deviations()["paper"].tolist()
    counts = f"({papers.count('deepfacelift')} entries for deepfacelift, {papers.count('all')} common"
    assert counts in text
    assert f"run {done.info['key'][:12]}." in text


def test_a_paragraph_of_a_leaky_run_says_so(tmp_path: Path) -> None:
    done = run(DummyRegressor(), small_cohort(), random_frames(2), "pspi", tmp_path, progress=False)
    text = methods_paragraph(done)
    assert "to estimate PSPI 0-16 of each frame" in text
    assert "LEAKY, for audits only" in text
    assert "60 frames, 15 sequences, 5 subjects" in text


def test_baselines_and_a_training_unlike_the_papers_are_told(tmp_path: Path) -> None:
    done, other = (
        run(one, small_cohort(), leave_one_subject_out(), "vas", tmp_path, progress=False)
        for one in (Tracing(delay=0.01), Fussy(delay=0.02))
    )
    text = methods_paragraph(done, baselines={"the RNN": other}, paper_training={"delay": 3})
    assert "It is compared with the RNN: delay=0.02, random_state=None." in text
    assert "The paper trained with delay=3: these numbers are of another training than the paper's." in text
    assert "Fitting the RNN raised 5 warnings (5 times UserWarning: this went badly)." in text
    assert "Fitting raised" not in text
    assert "The paper trained" not in methods_paragraph(done, paper_training={"delay": 0.01})

"""Explanations of a run: the right fold's model for each frame, and agreement with known causes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr
from small_cohort import small_cohort

from painkit.attribution.deeplift import LandmarkContributions
from painkit.attribution.explanation import LandmarkExplanation, agreement_with_truth, explain
from painkit.data.cohort import Cohort
from painkit.evaluation import Run, run, subject_k_fold
from painkit.evaluation.held_out import held_out
from painkit.models.sequences.deepfacelift import DeepFaceLIFT


@pytest.fixture(scope="module", params=["in order", "sequences turned round"])
def cohort(request: pytest.FixtureRequest) -> Cohort:
    made = small_cohort(4, 3, 8)
    landmarks = made.landmarks.copy()
    landmarks[20] = np.nan
    sequences = made.sequences if request.param == "in order" else made.sequences.iloc[::-1]
    return replace(made, landmarks=landmarks, sequences=sequences.reset_index(drop=True))


@pytest.fixture(scope="module")
def done(cohort: Cohort, tmp_path_factory: pytest.TempPathFactory) -> Run:
    model = DeepFaceLIFT(epochs=2, inner_folds=2, gp_restarts=1, random_state=0)
    out = tmp_path_factory.mktemp("run")
    return run(
        model, cohort, subject_k_fold(2), ("vas", "opi"), out, keep_models=True, progress=False, threads=1
    )


def test_each_frame_is_explained_by_the_model_that_did_not_train_on_it(cohort: Cohort, done: Run) -> None:
    folds = held_out(done, DeepFaceLIFT.load)
    explained = explain([(one.model, one.rows) for one in folds], cohort, done.predictions)
    models = {one.fold: one.model for one in folds}
    samples = cohort.sequence_samples()
    assert explained.targets == ("vas", "opi")
    for column, target in enumerate(explained.targets):
        found = explained.contributions[target]
        pd.testing.assert_frame_equal(found.frames, cohort.frames[["subject", "sequence", "frame"]])
        for subject in cohort.subjects["subject"]:
            (fold,) = done.predictions.query("subject == @subject")["fold"].unique()
            own = [sample for sample in samples if sample.subject == subject]
            for sample, estimates in zip(own, models[fold].frame_estimates(own), strict=True):
                rows = (cohort.frames["sequence"] == sample.sequence).to_numpy()
                np.testing.assert_allclose(found.estimates[rows], estimates[:, column], atol=1e-5)
        assert np.flatnonzero(np.isnan(found.estimates)).tolist() == [20]
        known = np.isfinite(found.estimates)
        assert np.abs(found.completeness_error[known]).max() < 1e-4


def by_hand(
    root: Path, magnitudes: np.ndarray, subjects: list[str], pain: np.ndarray, decoys: np.ndarray
) -> LandmarkExplanation:
    """An explanation of one frame a subject, and the truth beside it."""
    (root / "truth").mkdir()
    truth = pd.DataFrame(
        {"subject": np.repeat(subjects, 66), "landmark": np.tile(np.arange(66), len(subjects))}
    )
    truth.assign(pain_px=pain.ravel(), decoy_px=decoys.ravel()).to_csv(
        root / "truth" / "landmarks.csv", index=False
    )
    vectors = np.zeros((len(subjects), 66, 2), np.float32)
    vectors[:, :, 0] = -magnitudes  # what counts is the size
    found = LandmarkContributions(
        target="vas",
        frames=pd.DataFrame({"subject": subjects, "sequence": subjects, "frame": 1}),
        vectors=vectors,
        personal=np.zeros((len(subjects), 0), np.float32),
        inputs=vectors,
        estimates=np.zeros(len(subjects), np.float32),
        reference=np.zeros(len(subjects), np.float32),
    )
    cohort = replace(small_cohort(), root=root)
    return LandmarkExplanation(cohort, {"vas": found}, pd.DataFrame())


def test_agreement_is_spearmans_with_an_interval_over_subjects(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    subjects = ["009", "010", "011", "012"]
    magnitudes, pain, decoys = rng.uniform(1, 2, (3, 4, 66)).astype(np.float32)
    pain += magnitudes
    table = agreement_with_truth(
        by_hand(tmp_path, magnitudes, subjects, pain, decoys), n_resamples=300, seed=3
    )
    assert table["cause"].tolist() == ["pain", "decoys", "pain minus decoys"]
    pooled = magnitudes.mean(axis=0)
    rho = [spearmanr(pooled, true.mean(axis=0)).statistic for true in (pain, decoys)]
    np.testing.assert_allclose(table["rho"], [*rho, rho[0] - rho[1]], atol=1e-4)
    # The same subjects, drawn one resample at a time.
    drawn = np.random.default_rng(3).integers(4, size=(300, 4))
    slow = np.array(
        [
            [spearmanr(magnitudes[d].mean(axis=0), true[d].mean(axis=0)).statistic for true in (pain, decoys)]
            for d in drawn
        ]
    )
    for row, values in zip(table.itertuples(), [*slow.T, slow[:, 0] - slow[:, 1]], strict=True):
        np.testing.assert_allclose((row.low, row.high), np.quantile(values, [0.025, 0.975]), atol=1e-3)
    assert table["n_subjects"].unique().tolist() == [4]


def test_one_subject_has_no_interval_and_another_cohort_no_truth(tmp_path: Path) -> None:
    ramp = np.arange(1.0, 67.0)[None]
    explained = by_hand(tmp_path, ramp, ["009"], ramp, ramp[:, ::-1])
    table = agreement_with_truth(explained, n_resamples=20)
    np.testing.assert_allclose(table["rho"], [1, -1, 2])
    np.testing.assert_allclose(table["top_k_share"], [1, 0, 1])
    assert table[["low", "high"]].isna().all(axis=None)
    real = replace(explained, cohort=replace(explained.cohort, simulated=False))
    assert agreement_with_truth(real).empty

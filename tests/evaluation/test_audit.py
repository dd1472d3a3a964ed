"""The audit finds each leak that was planted, and none where there is none."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from engine_estimators import Guess, NearestClass, NearestFrame, Tracing
from hypothesis import given
from hypothesis import strategies as st
from sklearn.dummy import DummyRegressor
from small_cohort import small_cohort

import painkit.data
from painkit.errors import PainkitError
from painkit.evaluation import Row, Rows, Study, random_frames, subject_k_fold
from painkit.evaluation.audit import SUBJECT_FOLDS, audit, known_to_training, near_copy_definition
from painkit.evaluation.selection import Goodness, SubjectsApart, best_by_test_score
from painkit.metrics import evaluate
from painkit.models.features.frame_features import landmark_features
from painkit.models.sequences.mean_voting import MeanVoting
from painkit.papers import facenet_regression

LEAKS = [
    SUBJECT_FOLDS,
    "sequence folds",
    "random frames",
    "selection on the test set",
    "augmentation before the split",
    "per-subject scaling with test subjects",
]
N_SUBJECTS, N_SEQUENCES, N_FRAMES = 8, 3, 12


def cohort_and_features(kind: str):
    """A cohort and what a model sees of its frames.

    "noise": nothing. "identity": pain moves each subject's features in a direction of its own.
    "shifted": pain moves all in one direction, but each subject starts elsewhere.
    """
    rng = np.random.default_rng(4)
    cohort = small_cohort(N_SUBJECTS, N_SEQUENCES, N_FRAMES, seed=4)
    wave = np.tile(3.5 + 3.5 * np.sin(np.linspace(0, 2 * np.pi, N_FRAMES)), N_SUBJECTS * N_SEQUENCES)
    pain = np.rint(np.clip(wave + rng.normal(0, 0.7, len(wave)), 0, 7))
    cohort = replace(cohort, frames=cohort.frames.assign(pspi=pain), fingerprint=kind)
    subject = pd.factorize(cohort.frames["subject"])[0]
    noise = rng.normal(size=(len(pain), 6))
    if kind == "noise":
        return cohort, noise
    if kind == "identity":
        start, way = rng.normal(0, 30, (2, N_SUBJECTS, 6))
        return cohort, start[subject] + way[subject] * pain[:, None] / 7 + 0.1 * noise
    start = rng.normal(0, 30, (N_SUBJECTS, 1))
    return cohort, start[subject] + pain[:, None] + 0.1 * noise[:, :1]


def audited(tmp_path, estimator, cohort, target="pspi", **options):
    study = Study(cohort, subject_k_fold(4), tmp_path, n_resamples=500)
    rows = Rows({"row": Row(estimator, target)}, target, ("MAE",), "pooled")
    table = audit(study, rows, "row", **options)
    assert table["leak"].drop_duplicates().tolist() == LEAKS
    return table.set_index("leak")


def holds_0(line):
    return line["low"] <= 0 <= line["high"]


def test_what_knows_the_subject_is_found_where_subjects_are_shared(tmp_path):
    cohort, features = cohort_and_features("identity")
    found = audited(tmp_path, NearestFrame(features), cohort, metrics=["MAE", "PCC"])
    found = found.reset_index().set_index(["leak", "metric"])
    for leak in ("sequence folds", "random frames", "augmentation before the split"):
        assert (found.loc[leak, "low"] > 0).all(), leak  # errors and correlations alike: it looks better
        assert found.loc[(leak, "MAE"), "leaky"] < found.loc[(leak, "MAE"), "honest"]
        assert found.loc[(leak, "PCC"), "leaky"] > found.loc[(leak, "PCC"), "honest"]
        assert (found.loc[leak, "subject_in_training"] == len(cohort.frames)).all()
    n = found.loc[SUBJECT_FOLDS]
    for count in ("subject_in_training", "sequence_in_training", "near_in_time", "copy_in_training"):
        assert (n[count] == 0).all()
    assert (found["n"].dropna() == len(cohort.frames)).all()
    known = known_to_training(found.reset_index())
    assert known["leak"].tolist() == [leak for leak in LEAKS if leak not in found.index[~found["applies"]]]
    assert (known["subject_in_training"][:3] == [0, len(cohort.frames), len(cohort.frames)]).all()
    assert (found["average"].dropna() == "pooled").all()
    assert (found["scale"].dropna() == "PSPI 0-16").all()


def test_noise_inflates_nothing_unless_its_very_copies_are_trained_on(tmp_path):
    cohort, features = cohort_and_features("noise")
    found = audited(tmp_path, NearestFrame(features), cohort)
    assert holds_0(found.loc["sequence folds"])
    assert holds_0(found.loc["random frames"])
    assert found.loc["augmentation before the split", "low"] > 0
    assert found.loc["augmentation before the split", "copy_in_training"] > 0.6 * len(cohort.frames)


@pytest.mark.parametrize("estimator", [Guess(), DummyRegressor(strategy="constant", constant=3.0)])
def test_what_ignores_its_input_is_inflated_by_nothing(tmp_path, estimator):
    cohort, _ = cohort_and_features("noise")
    found = audited(tmp_path, estimator, cohort)
    for leak in ("sequence folds", "random frames", "augmentation before the split"):
        assert holds_0(found.loc[leak]), leak


def test_scaling_by_subject_is_found_where_subjects_start_elsewhere(tmp_path):
    cohort, features = cohort_and_features("shifted")
    found = audited(tmp_path, NearestFrame(features), cohort)
    assert found.loc["per-subject scaling with test subjects", "low"] > 0
    # Features that come scaled by subject gain nothing from being scaled again.
    frames = pd.DataFrame(features).groupby(cohort.frames["subject"].to_numpy())
    scaled = ((features - frames.transform("mean")) / frames.transform(lambda x: x.std(ddof=0))).to_numpy()
    again = audited(tmp_path, NearestFrame(scaled), cohort)
    assert abs(again.loc["per-subject scaling with test subjects", "inflation"]) < 1e-6
    assert again.loc[SUBJECT_FOLDS, "leaky"] == pytest.approx(
        found.loc["per-subject scaling with test subjects", "leaky"], rel=1e-6
    )


def test_the_best_of_many_guesses_is_found_when_the_test_set_picks_it(tmp_path):
    """No setting is better for people to come, so whatever the test score gains by the choice is luck."""
    cohort, features = cohort_and_features("noise")
    found = audited(tmp_path, Guess(once=True), cohort, candidates={"random_state": range(12)})
    line = found.loc["selection on the test set"]
    assert line["low"] > 0
    assert line["compared_with"] == "selection within training subjects"
    same = audited(tmp_path, NearestFrame(features), cohort, candidates={"offset": [0.0, 100.0]})
    line = same.loc["selection on the test set"]
    assert line["inflation"] == line["low"] == line["high"] == 0  # nobody would take the other
    assert line["leaky"] == same.loc[SUBJECT_FOLDS, "leaky"]


def test_what_does_not_apply_is_told(tmp_path, monkeypatch):
    monkeypatch.setenv("TRACE", str(tmp_path / "trace"))
    found = audited(tmp_path, Tracing(), small_cohort(8), "vas")
    told = found.loc[~found["applies"], "note"]
    assert dict(told) == {
        "random frames": "the samples are whole sequences",
        "selection on the test set": "no two candidate settings were given to choose from",
        "per-subject scaling with test subjects": "the estimator has no inputs that painkit could scale by "
        "subject",
    }
    assert found.loc[~found["applies"], ["leaky", "inflation", "near_in_time"]].isna().all(axis=None)
    assert found["near_in_time"].isna().all()
    assert found.loc["augmentation before the split", "copy_in_training"] > 0
    assert "whole sequences" in near_copy_definition(found.reset_index())


def test_estimators_that_scale_by_subject_are_compared_with_their_other_setting(tmp_path):
    """Also one of two labels of which one is scored; its epochs are chosen."""
    estimator = MeanVoting(epochs=1, random_state=0)
    rows = Rows({"row": Row(estimator, ("vas", "opi"))}, "vas", ("MAE",), "pooled")
    study = Study(small_cohort(8), subject_k_fold(4), tmp_path, n_resamples=50)
    found = audit(study, rows, "row", candidates={"epochs": [1, 3]}).set_index("leak")
    line = found.loc["per-subject scaling with test subjects"]
    assert line["applies"]
    assert line["leaky"] == found.loc[SUBJECT_FOLDS, "leaky"]
    assert line["honest"] != line["leaky"]
    assert line["note"] == "subject folds: standardize='subject'"
    line = found.loc["selection on the test set"]
    assert line["leaky"] <= line["honest"]
    assert line["note"] == "the best of 2 settings (epochs) by MAE"
    assert set(found["scale"].dropna()) == {"VAS 0-10"}


def test_classes_are_audited_by_what_tells_them_apart(tmp_path):
    cohort, features = cohort_and_features("identity")
    estimator = NearestClass(features)
    metrics = ["accuracy", "F1", "AUC"]
    found = audited(
        tmp_path, estimator, cohort, "seven_levels", metrics=metrics, candidates={"offset": [0.0, 1.0]}
    )
    for leak in ("sequence folds", "random frames", "augmentation before the split"):
        assert (found.loc[leak, "low"] > 0).all(), leak
    chosen = found.loc["selection on the test set"]
    assert chosen["note"].iloc[0] == "the best of 2 settings (offset) by accuracy"
    assert chosen.loc[chosen["metric"] == "accuracy", "inflation"].item() >= 0
    assert found["scale"].unique().tolist() == ["seven levels 0-6"]


def test_a_second_audit_fits_nothing_anew(tmp_path, monkeypatch):
    monkeypatch.setenv("TRACE", str(tmp_path / "trace"))
    cohort, features = cohort_and_features("identity")
    options = {"candidates": {"offset": [0.0, 0.5]}}
    first = audited(tmp_path, NearestFrame(features), cohort, **options)
    fits = (tmp_path / "trace").read_text()
    second = audited(tmp_path, NearestFrame(features), cohort, **options)
    assert (tmp_path / "trace").read_text() == fits
    pd.testing.assert_frame_equal(first, second)


def test_the_values_are_those_of_the_runs_themselves(tmp_path):
    cohort, features = cohort_and_features("identity")
    found = audited(tmp_path, NearestFrame(features), cohort)
    for leak, protocol in ((SUBJECT_FOLDS, subject_k_fold(4)), ("random frames", random_frames(4))):
        study = Study(cohort, protocol, tmp_path / "other")
        predictions = study.run_row(Row(NearestFrame(features), "pspi")).predictions
        value = np.abs(predictions["y_true"] - predictions["y_pred"]).mean()
        assert found.loc[leak, "leaky"] == pytest.approx(value, rel=1e-12)


def test_bad_settings_are_told(tmp_path):
    cohort = small_cohort(4)
    rows = Rows({"guess": Row(Guess(), "pspi")}, "pspi", ("MAE",), "pooled")
    study = Study(cohort, subject_k_fold(2), tmp_path)
    with pytest.raises(PainkitError, match="LEAKY random frames 2-fold is none"):
        audit(replace(study, protocol=random_frames(2)), rows, "guess")
    with pytest.raises(PainkitError, match="did you mean 'guess'"):
        audit(study, rows, "gues")
    with pytest.raises(PainkitError, match="pooled"):
        audit(study, rows, "guess", average="per_fold")
    with pytest.raises(PainkitError, match="did you mean 'random_state'"):
        audit(study, rows, "guess", candidates={"randomstate": [1, 2]})


def test_a_fold_that_trains_on_one_subject_cannot_choose(tmp_path):
    rows = Rows({"guess": Row(Guess(), "pspi")}, "pspi", ("MAE",), "pooled")
    study = Study(small_cohort(2), subject_k_fold(2), tmp_path, n_resamples=10)
    found = audit(study, rows, "guess", candidates={"random_state": [1, 2]}).set_index("leak")
    assert "one subject" in found.loc["selection on the test set", "note"]


@given(st.lists(st.sampled_from("abcd"), min_size=2, max_size=12), st.integers(2, 5))
def test_settings_are_chosen_by_subjects_apart(subjects, n):
    X = pd.DataFrame({"subject": subjects})
    splitter = SubjectsApart(n)
    if len(set(subjects)) < 2:
        with pytest.raises(PainkitError, match="one subject"):
            next(splitter.split(X))
        return
    folds = list(splitter.split(X))
    assert len(folds) == splitter.get_n_splits(X) == min(n, len(set(subjects)))
    for train, test in folds:
        assert not {subjects[i] for i in train} & {subjects[i] for i in test}
    assert sorted(i for _, test in folds for i in test) == list(range(len(subjects)))


def test_the_best_by_test_score_is_the_best_of_each_fold():
    rng = np.random.default_rng(0)
    names = [(s, f) for s, f in zip("aabbccdd", "11112222", strict=True)]
    tables = []
    for _ in range(3):
        table = pd.DataFrame(names, columns=["subject", "fold"])
        tables.append(table.assign(target="vas", y_true=rng.integers(0, 10, 8), y_pred=rng.uniform(0, 10, 8)))
    for table in tables[1:]:
        table["y_true"] = tables[0]["y_true"]
    tables[0].loc[tables[0]["fold"] == "2", "y_pred"] = np.nan  # no score: it loses
    goodness = Goodness("MAE", "per_subject", ("vas",), "vas")
    taken = best_by_test_score(tables, goodness)
    for fold in ("1", "2"):
        errors = []
        for table in tables:
            own = table[table["fold"] == fold].dropna()
            value = (
                evaluate(own, "MAE", "per_subject", n_resamples=0)["value"].iloc[0] if len(own) else np.inf
            )
            errors.append(value)
        best = tables[int(np.argmin(errors))]
        assert taken.loc[taken["fold"] == fold, "y_pred"].tolist() == (
            best.loc[best["fold"] == fold, "y_pred"].tolist()
        )


def test_inner_scores_are_those_of_tables():
    cohort, features = cohort_and_features("identity")
    frames = cohort.frames.assign(row=np.arange(len(cohort.frames)))
    y = frames["pspi"].to_numpy()
    model = NearestFrame(features, 1.0).fit(frames, y)
    assert Goodness("MAE", "pooled", ("pspi",), "pspi")(model, frames, y) == -1.0
    assert Goodness("PCC", "pooled", ("pspi",), "pspi")(model, frames, y) == pytest.approx(1.0)


def test_random_frames_flatter_a_model_of_the_papers_on_the_simulated_cohort(smoke, tmp_path):
    cohort = painkit.data.load("simulated", smoke, progress=False)
    rows = facenet_regression.rows("no crops", landmark_features(cohort.landmarks))
    study = Study(cohort, subject_k_fold(2), tmp_path, n_resamples=1000)
    found = audit(study, rows, "OSVR-L1", metrics=["MAE", "PCC"])
    random = found[found["leak"] == "random frames"]
    assert (random["low"] > 0).all()
    assert (random["near_in_time"] > 0.9 * random["test_samples"]).all()
    assert (random["near_in_space"] > 0.3 * random["test_samples"]).all()
    honest = found[found["leak"] == SUBJECT_FOLDS]
    assert (honest[["near_in_time", "near_in_space"]] == 0).all(axis=None)
    told = near_copy_definition(found)
    assert "at most 5 frames away" in told
    assert f"within {honest['near_distance'].iloc[0]:.3g} pixels" in told

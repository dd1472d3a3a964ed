"""DeepFaceLIFT: what it learns, what it refuses, what it gives back after saving."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GroupKFold, cross_val_predict
from synthetic_sequences import make_sequences

import painkit
from painkit.errors import PainkitError
from painkit.models.code import code_digest
from painkit.models.sequences import stage1
from painkit.models.sequences.deepfacelift import DeepFaceLIFT
from painkit.models.sequences.mean_voting import MeanVoting

QUICK = {"epochs": 8, "lr": 3e-3, "batch_size": 60, "inner_folds": 2, "gp_restarts": 1, "random_state": 0}


@pytest.fixture(scope="module")
def data():
    return make_sequences()


@pytest.fixture(scope="module")
def fitted(data):
    X, y, _ = data
    return DeepFaceLIFT(placement="third_layer", gp_inputs=("vas", "opi"), **QUICK).fit(X, y)


def test_unseen_subjects_are_estimated_better_than_by_the_training_mean(data):
    X, y, subjects = data
    predicted = cross_val_predict(DeepFaceLIFT(**QUICK), X, y, groups=subjects, cv=GroupKFold(3))
    assert predicted.shape == y.shape
    error, constant = np.abs(predicted - y).mean(axis=0), np.abs(y.mean(axis=0) - y).mean(axis=0)
    # 0.36 to 0.54 over four seeds.
    assert (error < 0.7 * constant).all()


@pytest.mark.parametrize("placement", ["none", "third_layer", "input"])
def test_a_saved_model_predicts_what_it_predicted_wherever_personal_features_enter(
    data, tmp_path: Path, placement
):
    X, y, _ = data
    settings = QUICK | {"epochs": 1, "standardize": "train", "personal_features": ("age", "gender")}
    model = DeepFaceLIFT(placement=placement, **settings).fit(X, y)
    model.save(tmp_path / "model")
    loaded = DeepFaceLIFT.load(tmp_path / "model")
    for before, after in zip(
        model.predict(X, return_std=True), loaded.predict(X, return_std=True), strict=True
    ):
        np.testing.assert_array_equal(after, before)
    for before, after in zip(model.frame_estimates(X), loaded.frame_estimates(X), strict=True):
        np.testing.assert_array_equal(after, before)


def test_one_stage_1_fit_serves_several_settings(data, tmp_path: Path):
    X, y, _ = data
    shared = QUICK | {"epochs": 2, "memory": tmp_path}
    first = DeepFaceLIFT(gp_inputs=("vas",), **shared).fit(X, y)
    networks = sorted(p.name for p in tmp_path.glob("stage1-*"))
    assert len(networks) == 3  # the final network and two inner folds
    second = DeepFaceLIFT(gp_inputs=("vas", "opi"), **shared).fit(X, y)
    voting = MeanVoting(**{k: v for k, v in shared.items() if not k.startswith(("gp_", "inner"))}).fit(X, y)
    assert sorted(p.name for p in tmp_path.glob("stage1-*")) == networks
    for one, two, three in zip(*(m.frame_estimates(X) for m in (first, second, voting)), strict=True):
        np.testing.assert_array_equal(one, two)
        np.testing.assert_array_equal(one, three)
    without_memory = DeepFaceLIFT(gp_inputs=("vas", "opi"), **shared | {"memory": None}).fit(X, y)
    np.testing.assert_array_equal(without_memory.predict(X), second.predict(X))


@pytest.mark.parametrize(
    "change",
    [
        {"epochs": 3},
        {"lr": 2e-3},
        {"random_state": 5},
        {"batch_size": 50},
        {"labels": ("vas",)},
        {"device": "cpu:0"},
    ],
)
def test_a_changed_setting_never_reuses_a_stale_network(data, tmp_path: Path, change):
    X, y, _ = data
    shared = {"epochs": 2, "memory": tmp_path, "random_state": 0}
    MeanVoting(**shared).fit(X, y)
    target = y[:, 0] if "labels" in change else y
    MeanVoting(**shared | change).fit(X, target)
    assert len(list(tmp_path.glob("stage1-*"))) == 2


@pytest.mark.parametrize("edited", ["models/training/losses.py", "faces/alignment.py"])
def test_edited_code_never_reuses_a_stale_network(data, tmp_path: Path, monkeypatch, edited):
    X, y, _ = data
    package = tmp_path / "painkit"
    for part in ("faces", "models"):
        shutil.copytree(Path(painkit.__file__).parent / part, package / part)
    # The checkout may itself be edited while the tests run: the copy is what is looked at.
    monkeypatch.setattr(stage1, "code_digest", lambda: code_digest.__wrapped__(package))
    memory = tmp_path / "memory"
    for expected in (1, 1, 2):
        if expected == 2:
            (package / edited).write_text((package / edited).read_text() + "# edited\n")
        MeanVoting(epochs=1, memory=memory, random_state=0).fit(X, y)
        assert len(list(memory.glob("stage1-*"))) == expected


def test_cross_fitted_statistics_are_those_of_networks_that_never_saw_the_subject(data):
    X, y, subjects = data
    model = DeepFaceLIFT(**QUICK).fit(X, y)
    # Turning one subject's labels over cannot change that subject's own out-of-fold statistics.
    turned = y.copy()
    turned[subjects == "000"] = turned[subjects == "000"][::-1]
    again = clone(model).fit(X, turned)
    own = subjects == "000"
    np.testing.assert_array_equal(model.statistics_[own], again.statistics_[own])
    assert np.abs(model.statistics_[~own] - again.statistics_[~own]).max() > 1e-3


def test_in_sample_statistics_are_those_of_the_final_network(data):
    X, y, _ = data
    model = DeepFaceLIFT(stage2="in_sample", **QUICK).fit(X, y)
    np.testing.assert_array_equal(model.statistics_, model.sequence_statistics(X))


def test_personal_features_help_where_they_matter():
    X, y, subjects = make_sequences(n_subjects=12, n_sequences=4, seed=3, personal_effect=6.0)
    error = {}
    for placement in ("none", "third_layer"):
        model = MeanVoting(placement=placement, epochs=25, lr=3e-3, batch_size=60, random_state=0)
        predicted = cross_val_predict(model, X, y, groups=subjects, cv=GroupKFold(4))
        error[placement] = np.abs(predicted[:, 0] - y[:, 0]).mean()
    assert error["third_layer"] < error["none"] - 0.2


def test_untracked_frames_are_skipped_and_counted(data, fitted):
    X, y, _ = data
    holes = [replace(s, landmarks=s.landmarks.copy()) for s in X]
    holes[0].landmarks[3, 7, 1] = np.nan
    holes[0].landmarks[5] = np.nan
    holes[2].landmarks[:] = np.nan
    model = clone(fitted).set_params(epochs=1).fit(holes, y)
    assert model.n_untracked_frames_ == 2 + len(holes[2].landmarks)
    assert model.n_unusable_sequences_ == 1
    estimates = model.frame_estimates(holes)
    assert np.flatnonzero(np.isnan(estimates[0]).all(axis=1)).tolist() == [3, 5]
    with pytest.warns(UserWarning, match="1 of 24 sequences"):
        mean, std = model.predict(holes, return_std=True)
    assert np.isnan(mean[2]).all()
    assert np.isnan(std[2]).all()
    assert np.isfinite(np.delete(mean, 2, axis=0)).all()


def test_missing_labels_are_dropped_and_counted(data):
    X, y, _ = data
    y = y.copy()
    y[0, 0] = y[5, 1] = np.nan
    model = DeepFaceLIFT(**QUICK | {"epochs": 1}).fit(X, y)
    assert model.n_dropped_sequences_ == 2
    assert len(model.statistics_) == len(X) - 2
    with pytest.raises(PainkitError, match="VAS or OPI is missing in each"):
        DeepFaceLIFT().fit(X, np.full_like(y, np.nan))


def test_one_target_is_estimated_flat_from_one_label(data):
    X, y, _ = data
    model = DeepFaceLIFT(labels=("vas",), **QUICK | {"epochs": 1}).fit(X, y[:, 0])
    mean, std = model.predict(X, return_std=True)
    assert mean.shape == std.shape == (len(X),)
    with pytest.raises(PainkitError, match="needs both labels"):
        DeepFaceLIFT(labels=("vas", "opi")).fit(X, y[:, 0])


def test_short_subjects_and_frames_are_taken():
    X, y, _ = make_sequences(n_subjects=4, n_sequences=2, n_frames=1)
    X[0] = replace(X[0], subject="alone")
    model = DeepFaceLIFT(**QUICK | {"epochs": 1, "standardize": "train"}).fit(X, y)
    assert np.isfinite(model.predict(X[:1])).all()
    model = DeepFaceLIFT(**QUICK | {"epochs": 1}).fit(X, y)
    assert np.isfinite(model.predict(X[:1])).all()


@pytest.mark.filterwarnings("ignore:Gaussian process:sklearn.exceptions.ConvergenceWarning")
def test_equal_labels_are_answered_with_that_label_and_no_standard_deviation(data):
    X, y, _ = data
    model = DeepFaceLIFT(**QUICK | {"epochs": 1}).fit(X, np.full_like(y, 4.0))
    mean, std = model.predict(X, return_std=True)
    assert (mean == 4.0).all()
    assert np.isnan(std).all()
    assert [gp.fallback_ for gp in model.gps_] == ["constant", "constant"]


def test_missing_personal_features_are_named(data):
    X, y, _ = data
    unknown = [replace(s, personal=np.full(8, np.nan, np.float32)) if s.subject == "002" else s for s in X]
    for placement in ("third_layer", "input"):
        with pytest.raises(PainkitError, match="missing for 1 subjects: 002"):
            DeepFaceLIFT(placement=placement).fit(unknown, y)
    model = DeepFaceLIFT(placement="none", **QUICK | {"epochs": 1}).fit(unknown, y)
    assert np.isfinite(model.predict(unknown)).all()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"labels": ("opi",)}, "labels="),
        ({"labels": ("vas",), "gp_inputs": ("opi",)}, "gp_inputs"),
        ({"stage2": "both"}, "stage2='both'"),
        ({"epochs": 0}, "epochs=0"),
        ({"inner_folds": 1, "epochs": 1}, "inner_folds=1"),
        ({"placement": "input", "personal_features": ("height",)}, "height"),
        ({"lr": 1e30, "epochs": 2}, "diverged"),
    ],
)
def test_settings_that_cannot_work_are_refused(data, settings, message):
    X, y, _ = data
    with pytest.raises(PainkitError, match=message):
        DeepFaceLIFT(**settings).fit(X, y)


def test_input_of_the_wrong_kind_is_refused(data):
    X, y, _ = data
    with pytest.raises(PainkitError, match="is not a sequence"):
        DeepFaceLIFT().fit([1.0], [1.0])
    with pytest.raises(PainkitError, match="landmarks of sequence"):
        MeanVoting(epochs=1).fit([replace(s, landmarks=s.landmarks[:, :10]) for s in X], y)

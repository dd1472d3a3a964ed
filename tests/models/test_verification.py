"""Verification pre-training, and the measure of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from face_images import DrawnFaces
from sklearn.metrics import roc_auc_score

from painkit.data.crop_store import CropStore
from painkit.errors import PainkitError
from painkit.models.crops.pain_level import FaceNetRegression
from painkit.models.crops.verification import FaceVerification, verification_auc

SMALL = {"width": 1 / 16, "iterations": 60, "batch_size": 24, "lr": 0.02}


@pytest.fixture(scope="module")
def trained(faces: DrawnFaces, face_store: CropStore) -> FaceVerification:
    people = faces.table[faces.table["subject"] < "s06"]
    return FaceVerification(store=face_store, **SMALL).fit(people, people["subject"])


def test_training_beats_chance_on_people_never_seen(trained: FaceVerification, faces: DrawnFaces) -> None:
    strangers = faces.table[faces.table["subject"] >= "s06"]
    auc = verification_auc(trained.transform(strangers), strangers["subject"])
    assert auc.n_identities == 4
    assert auc.low > 0.6
    assert auc.low <= auc.value <= auc.high


def test_centres_come_to_lie_at_the_mean_features_of_their_people(
    trained: FaceVerification, faces: DrawnFaces
) -> None:
    """Centre loss with centres that stay behind would only shorten the features."""
    people = faces.table[faces.table["subject"] < "s06"]
    features = trained.transform(people)
    means = np.stack([features[people["subject"] == name].mean(axis=0) for name in trained.identities_])
    apart = np.linalg.norm(means[:, None] - means, axis=2)[np.triu_indices(6, 1)].mean()
    assert np.linalg.norm(trained.centres_ - means, axis=1).max() < 0.25 * apart


def test_backbone_goes_into_the_regressor(
    trained: FaceVerification, faces: DrawnFaces, face_store: CropStore, tmp_path: Path
) -> None:
    trained.save_backbone(tmp_path / "face.safetensors")
    model = FaceNetRegression(
        store=face_store,
        width=1 / 16,
        iterations=1,
        lr=0.0,
        batch_size=4,
        pretrained=tmp_path / "face.safetensors",
    ).fit(faces.table[:30], faces.table["level"][:30])
    pairs = zip(model.net_.backbone.parameters(), trained.net_.backbone.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)
    wide = FaceNetRegression(store=face_store, width=1 / 32, pretrained=tmp_path / "face.safetensors")
    with pytest.raises(PainkitError, match="weights of another net"):
        wide.fit(faces.table[:30], faces.table["level"][:30])


def test_saved_model_gives_the_same_features(
    trained: FaceVerification, faces: DrawnFaces, tmp_path: Path
) -> None:
    trained.save(tmp_path / "v")
    loaded = FaceVerification.load(tmp_path / "v")
    np.testing.assert_array_equal(loaded.transform(faces.table[:9]), trained.transform(faces.table[:9]))
    assert loaded.identities_.tolist() == ["s00", "s01", "s02", "s03", "s04", "s05"]


def test_identities_with_one_image_are_left_out_and_counted(faces: DrawnFaces, face_store: CropStore) -> None:
    table = pd.concat([faces.table[:3], faces.table[36:38], faces.table[72:73], faces.table[108:109]])
    model = FaceVerification(store=face_store, width=1 / 32, iterations=1, batch_size=4)
    model.fit(table, table["subject"])
    assert model.identities_.tolist() == ["s00", "s01"]
    assert (model.n_single_, model.n_trained_images_) == (2, 5)


def test_a_set_with_one_image_per_person_is_refused(faces: DrawnFaces, face_store: CropStore) -> None:
    table = faces.table[::36]
    with pytest.raises(PainkitError, match="0 of 10 identities have two or more usable images"):
        FaceVerification(store=face_store).fit(table, table["subject"])


def test_auc_is_the_rank_statistic_over_all_pairs() -> None:
    rng = np.random.default_rng(0)
    who = np.repeat(np.arange(6), 4)
    features = rng.normal(size=(6, 5))[who] + rng.normal(0, 1.2, (24, 5))
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    pairs = [(i, j) for i in range(24) for j in range(i)]
    slow = roc_auc_score([who[i] == who[j] for i, j in pairs], [unit[i] @ unit[j] for i, j in pairs])
    found = verification_auc(features, who)
    assert found.value == pytest.approx(slow, abs=1e-12)
    assert found.n_pairs == len(pairs)


def test_gain_is_the_difference_on_the_same_pairs_and_people() -> None:
    rng = np.random.default_rng(3)
    who = np.repeat(np.arange(12), 5)
    weak = rng.normal(size=(12, 6))[who] + rng.normal(0, 2.0, (60, 6))
    strong = weak + 4.0 * rng.normal(size=(12, 6))[who]
    gain = verification_auc(strong, who, baseline=weak, seed=1)
    one, other = verification_auc(strong, who, seed=1), verification_auc(weak, who, seed=1)
    assert gain.value == pytest.approx(one.value - other.value, abs=1e-12)
    assert gain.low > 0
    nothing = verification_auc(weak, who, baseline=2 * weak)
    assert (nothing.value, nothing.low, nothing.high) == (0, 0, 0)


def test_pairs_drawn_at_random_estimate_the_auc_of_all_pairs() -> None:
    rng = np.random.default_rng(4)
    who = np.repeat(np.arange(40), 20)
    features = rng.normal(size=(40, 4))[who] + rng.normal(0, 1.5, (800, 4))
    every = verification_auc(features, who, n_resamples=1)
    some = verification_auc(features, who, max_pairs=5000, n_resamples=1)
    assert (every.n_pairs, some.n_pairs) == (800 * 799 // 2, 10_000)
    # The standard error of an AUC from 5,000 pairs of each kind is below 0.006.
    assert some.value == pytest.approx(every.value, abs=0.02)


def test_auc_of_equal_features_is_one_half() -> None:
    assert verification_auc(np.ones((8, 3)), np.repeat([0, 1], 4)).value == 0.5


def test_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    """Features without identity: 0.5 should lie in a 95 % interval in most of 60 sets."""
    rng = np.random.default_rng(1)
    who = np.repeat(np.arange(20), 4)
    inside = 0
    for _ in range(60):
        found = verification_auc(rng.normal(size=(80, 8)), who, n_resamples=200)
        inside += found.low <= 0.5 <= found.high
    assert inside >= 51  # 60 draws at 95 %: below 51 in fewer than one run of 1000


def test_missing_features_are_left_out_and_counted() -> None:
    features = np.random.default_rng(2).normal(size=(8, 3))
    features[[0, 5]] = np.nan
    assert verification_auc(features, np.repeat([0, 1], 4)).n_left_out == 2
    with pytest.raises(PainkitError, match="pairs of the same"):
        verification_auc(features[:4], np.arange(4))

"""Verification pre-training."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from face_images import DrawnFaces

from painkit.data.crop_store import CropStore
from painkit.errors import PainkitError
from painkit.metrics.verification import verification_auc
from painkit.models.crops.verification import FaceVerification

SMALL = {"width": 1 / 16, "iterations": 60, "batch_size": 24, "lr": 0.02, "device": "cpu"}


@pytest.fixture(scope="module")
def trained(faces: DrawnFaces, face_store: CropStore) -> FaceVerification:
    people = faces.table[faces.table["subject"] < "s06"]
    return FaceVerification(store=face_store, **SMALL).fit(people, people["subject"])


def test_training_beats_chance_on_people_never_seen(trained: FaceVerification, faces: DrawnFaces) -> None:
    strangers = faces.table[faces.table["subject"] >= "s06"]
    auc = verification_auc(trained.transform(strangers), strangers["subject"])
    assert auc.n_identities == 4
    # 0.95 and more over four seeds. The softmax loss is 1.8 by chance and ends at 0.01 to 0.5.
    assert auc.low > 0.6
    assert trained.history_[-10:, 0].mean() < 1.0
    assert auc.low <= auc.value <= auc.high


def test_centres_come_to_lie_at_the_mean_features_of_their_people(
    trained: FaceVerification, faces: DrawnFaces
) -> None:
    """Centre loss with centres that stay behind would only shorten the features."""
    people = faces.table[faces.table["subject"] < "s06"]
    features = trained.transform(people)
    means = np.stack([features[people["subject"] == name].mean(axis=0) for name in trained.identities_])
    apart = np.linalg.norm(means[:, None] - means, axis=2)[np.triu_indices(6, 1)].mean()
    # 0.08 to 0.13 over four seeds.
    assert np.linalg.norm(trained.centres_ - means, axis=1).max() < 0.25 * apart


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

"""What crop estimators are built from: classes as targets, pre-training inside a fit, batches read ahead."""

from __future__ import annotations

import signal
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from face_images import DrawnFaces
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin, clone, is_classifier
from torch import nn

from painkit.data.crop_store import CropStore
from painkit.errors import PainkitError
from painkit.models.crops.base import CropEstimator
from painkit.models.crops.pain_level import FaceNetRegression
from painkit.models.crops.verification import FaceVerification
from painkit.models.nets.face_net import VerificationNet, to_input
from painkit.models.training.augmentation import Augmentation
from painkit.models.training.image_batches import image_batches
from painkit.models.training.loop import descend

TINY = {"width": 1 / 32, "iterations": 3, "batch_size": 8, "lr": 1e-3, "device": "cpu"}


@dataclass(kw_only=True, eq=False, repr=False)
class Classifier(ClassifierMixin, CropEstimator):
    """Cross-entropy on class numbers, from the parts that the base gives."""

    def fit(self, X: pd.DataFrame, y: Any) -> Classifier:
        frames, labels = self._labelled_frames(X, y)
        self.classes_, classes = np.unique(labels, return_inverse=True)
        seed, rng = self._start(X, y)
        targets, optimizer = torch.from_numpy(classes), self._optimizer()

        def step(batch: Any) -> list[torch.Tensor]:
            images, positions = batch
            return descend([nn.functional.cross_entropy(self.net_(images), targets[positions])], optimizer)

        self._train(step, frames["row"].to_numpy(), classes, seed, rng)
        return self

    def predict_proba(self, X: pd.DataFrame) -> NDArray[np.float32]:
        return self._over(X, lambda images: self.net_(images).softmax(dim=1))

    def predict(self, X: pd.DataFrame) -> NDArray[np.float64]:
        chances = self.predict_proba(X)
        return np.where(np.isnan(chances[:, 0]), np.nan, self.classes_[chances.argmax(axis=1)])

    def _new_net(self) -> nn.Module:
        return VerificationNet(len(self.classes_), self.width).to(memory_format=torch.channels_last)


def test_class_numbers_with_gaps_are_targets_like_any_other(faces: DrawnFaces, face_store: CropStore) -> None:
    table = faces.table[:108]
    y = np.repeat([0.0, 1.0, 4.0], 36)  # three people
    y[5] = np.nan
    model = Classifier(store=face_store, **TINY).fit(table, y)
    assert is_classifier(model)
    assert model.classes_.tolist() == [0, 1, 4]
    assert model.n_without_label_ == 1
    np.testing.assert_allclose(model.predict_proba(table).sum(axis=1), 1, rtol=1e-5)
    assert set(model.predict(table)) <= {0, 1, 4}
    assert model.history_.shape == (3, 1)


@pytest.mark.parametrize(
    "first", [FaceVerification(store="", **TINY), FaceNetRegression(store="", **{**TINY, "random_state": 4})]
)
def test_pretraining_inside_fit_is_that_on_the_training_frames_before_it(
    first: CropEstimator, faces: DrawnFaces, face_store: CropStore, tmp_path: Path
) -> None:
    train, y = faces.table[:72], faces.table["level"][:72]
    first = clone(first).set_params(store=face_store)
    model = FaceNetRegression(store=face_store, **TINY, pretrained=first)
    assert model.get_params()["pretrained__iterations"] == 3
    model = clone(model).set_params(pretrained__batch_size=6).fit(train, y)
    clone(model.pretrained).fit(train, y).save_backbone(tmp_path / "first.safetensors")
    again = clone(model).set_params(pretrained=tmp_path / "first.safetensors").fit(train, y)
    np.testing.assert_array_equal(model.predict(faces.table), again.predict(faces.table))
    # It learns of labels, so another label of a training frame makes another net.
    other = clone(model).fit(train, np.where(np.arange(72) < 36, y, 5 - y))
    pairs = zip(other.net_.backbone.parameters(), model.net_.backbone.parameters(), strict=True)
    assert not all(torch.equal(a, b) for a, b in pairs)
    assert not hasattr(model.pretrained, "net_")
    model.save(tmp_path / "model")
    loaded = FaceNetRegression.load(tmp_path / "model")
    assert type(loaded.pretrained) is type(first)
    np.testing.assert_array_equal(loaded.predict(faces.table), model.predict(faces.table))


def test_pretraining_of_another_net_is_told(faces: DrawnFaces, face_store: CropStore) -> None:
    wide = FaceVerification(store=face_store, **{**TINY, "width": 1 / 16, "iterations": 0})
    model = FaceNetRegression(store=face_store, **TINY, pretrained=wide)
    with pytest.raises(PainkitError, match="pretrained FaceVerification: weights of another net"):
        model.fit(faces.table[:72], faces.table["level"][:72])


def test_batches_read_ahead_are_those_read_in_turn(face_store: CropStore) -> None:
    rows = np.arange(40, 100)
    order = [np.array(b) for b in ([3, 1], [59, 0], [7], [3, 3])]
    augmentation, generator = Augmentation(rotation=5), torch.Generator().manual_seed(3)
    found = image_batches(
        face_store,
        rows,
        order,
        device=torch.device("cpu"),
        augmentation=augmentation,
        seed=3,
        to_input=to_input,
    )
    for expected, (images, positions) in zip(order, found, strict=True):
        assert positions.tolist() == expected.tolist()
        crops = to_input(face_store.batch(rows[expected]))
        assert torch.equal(images, augmentation(crops, generator))


class Killed(BaseException):
    pass


def test_a_training_that_is_killed_leaves_no_reader_behind(faces: DrawnFaces, face_store: CropStore) -> None:
    def kill(*_: object) -> None:
        raise Killed

    before, handler = set(threading.enumerate()), signal.signal(signal.SIGALRM, kill)
    model = FaceNetRegression(store=face_store, **{**TINY, "iterations": 10**6})
    signal.setitimer(signal.ITIMER_REAL, 0.5)
    try:
        with pytest.raises(Killed):
            model.fit(faces.table[:36], faces.table["level"][:36])
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
    assert set(threading.enumerate()) <= before

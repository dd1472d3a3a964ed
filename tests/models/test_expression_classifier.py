"""VGG-Face that learns to tell expressions apart, and the weights it starts from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from face_images import DrawnFaces
from torch import nn

from painkit.data.crop_building import build_crop_store
from painkit.data.crop_store import CropStore
from painkit.errors import PainkitError
from painkit.faces.crops import FaceCrop
from painkit.models.crops.expressions import ExpressionClassifier
from painkit.models.nets.vgg_face import VGGFace
from painkit.models.training.initial import standardize_units

SMALL = {"input_size": 32, "width": 1 / 16, "batch_size": 12, "lr": 0.01, "device": "cpu", "dropout": 0.2}


@pytest.fixture(scope="module")
def square_store(faces: DrawnFaces, tmp_path_factory: pytest.TempPathFactory) -> CropStore:
    return build_crop_store(
        faces.images.__getitem__,
        faces.landmarks,
        tmp_path_factory.mktemp("stores"),
        content="drawn",
        crop=FaceCrop("box", side=32, grow=0.0),
        progress=False,
    )


def pain_or_none(faces: DrawnFaces) -> np.ndarray:
    """Class 0 of level 0, class 1 of level 5, no label else."""
    return faces.table["level"].map({0: 0.0, 5: 1.0}).to_numpy(float)


def test_every_unit_starts_with_mean_0_and_spread_1() -> None:
    """Computed a second time, layer by layer, on the images the weights were made from."""
    torch.manual_seed(0)
    net = VGGFace(3, width=1 / 16, input_size=32).eval()
    images = torch.randn(40, 3, 32, 32) * 64 + 5
    last = standardize_units(net, images)
    given = images
    for layer in net:
        given = layer(given)
        if isinstance(layer, nn.Conv2d | nn.Linear):
            units = given.detach().double().transpose(0, 1).flatten(1)
            assert units.mean(1).abs().max() < 1e-4
            spread = units.std(1, correction=0)
            assert ((spread - 1).abs() < 1e-3).all()
    torch.testing.assert_close(last, given)


def test_a_unit_that_does_not_spread_is_only_centred() -> None:
    layer = nn.Linear(2, 2)
    with torch.no_grad():
        layer.weight[:] = torch.tensor([[0.0, 0.0], [3.0, 0.0]])
        layer.bias[:] = torch.tensor([7.0, 1.0])
    batch = torch.tensor([[1.0, 0.0], [-1.0, 5.0]])
    torch.testing.assert_close(standardize_units([layer], batch), torch.tensor([[0.0, 1.0], [0.0, -1.0]]))


def test_pain_is_told_from_none_on_people_never_seen(faces: DrawnFaces, square_store: CropStore) -> None:
    classes = pain_or_none(faces)
    seen = (faces.table["subject"] < "s07").to_numpy()
    model = ExpressionClassifier(store=square_store, iterations=150, max_norm=1.0, **SMALL)
    model.fit(faces.table[seen], classes[seen])
    assert model.n_without_label_ == int(np.isnan(classes[seen]).sum())
    strangers = ~seen & np.isfinite(classes)
    said = model.predict(faces.table[strangers])
    recalls = [(said[classes[strangers] == k] == k).mean() for k in (0, 1)]
    assert np.mean(recalls) > 0.75, recalls
    assert model.history_[-20:].mean() < 0.5 * model.history_[:20].mean()


def test_probabilities_are_the_softmax_of_the_scores_and_the_class_is_the_highest(
    faces: DrawnFaces, square_store: CropStore
) -> None:
    """Class numbers need not be 0, 1, ...: they are those of the labels."""
    levels = faces.table["level"].to_numpy(float)
    some = np.isin(levels, (0, 3, 5))
    model = ExpressionClassifier(store=square_store, iterations=2, **SMALL)
    model.fit(faces.table[some], levels[some])
    scores = model.decision_function(faces.table).astype(float)
    assert scores.shape == (len(levels), 3)
    share = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    np.testing.assert_allclose(model.predict_proba(faces.table), share, rtol=1e-9)
    np.testing.assert_array_equal(model.predict(faces.table), np.array([0, 3, 5])[share.argmax(1)])


def test_only_the_named_layers_of_a_trained_net_move(
    faces: DrawnFaces, square_store: CropStore, tmp_path: Path
) -> None:
    classes = pain_or_none(faces)
    first = ExpressionClassifier(store=square_store, iterations=1, **SMALL).fit(faces.table, classes)
    first.save_backbone(tmp_path / "net.safetensors")
    # Another number of classes: the last layer is new.
    tuned = ExpressionClassifier(
        store=square_store,
        iterations=2,
        pretrained=tmp_path / "net.safetensors",
        **{**SMALL, "lr": 0.1},
    ).fit(faces.table, faces.table["level"].to_numpy(float))
    before, after = first.net_.state_dict(), tuned.net_.state_dict()
    moved = {
        name for name in before if not name.startswith("fc8") and not torch.equal(before[name], after[name])
    }
    assert all(name.startswith(("conv5", "fc")) for name in moved)
    assert {name.split(".")[0] for name in moved} >= {"conv5_1", "conv5_2", "conv5_3", "fc6", "fc7"}
    assert all(weight.requires_grad for weight in tuned.net_.parameters())


def test_labels_that_are_no_classes_are_told(faces: DrawnFaces, square_store: CropStore) -> None:
    model = ExpressionClassifier(store=square_store, iterations=1, **SMALL)
    n = len(faces.table)
    with pytest.raises(PainkitError, match=r"labels such as.*class numbers"):
        model.fit(faces.table, np.linspace(0, 1, n))
    with pytest.raises(PainkitError, match=r"all \d+ training frames are of class 2"):
        model.fit(faces.table, np.full(n, 2.0))
    with pytest.raises(PainkitError, match=r"crops of shape .*expected 64x64"):
        model.set_params(input_size=64).fit(faces.table, pain_or_none(faces))

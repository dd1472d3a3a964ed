"""Seven levels by transfer: what is trained on, at which rates, which layers move, and features made once."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from face_images import DrawnFaces
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

from painkit.data.crop_building import build_crop_store
from painkit.data.crop_store import CropStore
from painkit.errors import PainkitError
from painkit.faces.crops import FaceCrop
from painkit.models.crops.emotions import EmotionResNet
from painkit.models.crops.seven_levels import SevenLevels
from painkit.models.crops.verification import FaceVerification
from painkit.models.nets.resnet18 import ResNet18, to_input
from painkit.models.persistence import write_tensors
from painkit.models.training.balancing import balance
from painkit.models.training.batches import shuffled
from painkit.models.training.linear_layer import train_linear
from painkit.models.training.schedules import SCHEDULES, WORKABLE_HEAD
from painkit.models.training.views import VIEWS, seen

SMALL: dict[str, Any] = {"input_size": 32, "width": 1 / 16, "batch_size": 16, "device": "cpu"}


@pytest.fixture(scope="module")
def store(faces: DrawnFaces, tmp_path_factory: pytest.TempPathFactory) -> CropStore:
    return build_crop_store(
        faces.images.__getitem__,
        faces.landmarks,
        tmp_path_factory.mktemp("stores"),
        content="drawn",
        crop=FaceCrop("box", side=32),
        progress=False,
    )


@pytest.fixture(scope="module")
def weights(store: CropStore, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A net that knows nothing, but how bright faces are."""
    torch.manual_seed(0)
    net = ResNet18(8, width=SMALL["width"])
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 1.0
    net.train()(to_input(store.batch(slice(0, 360, 5))))
    path = tmp_path_factory.mktemp("weights") / "net.safetensors"
    write_tensors(path, net.state_dict())
    return path


def levels_of(faces: DrawnFaces) -> np.ndarray:
    """The six drawn levels as 0, 1, 2, 3, 4, 6: nobody shows level 5."""
    return faces.table["level"].replace(5, 6).to_numpy(float)


# ---- rates


def test_published_rates_are_those_of_the_paper() -> None:
    rates = SevenLevels(store="none").rates()
    assert rates.shape == (180,)
    for epoch, rate in ((0, 4e-6), (59, 4e-6), (60, 8e-7), (119, 8e-7), (120, 1.6e-7), (179, 1.6e-7)):
        assert rates[epoch] == pytest.approx(rate, rel=1e-12)
    assert len(np.unique(rates)) == 3


def test_rates_of_ones_own_fall_alike() -> None:
    np.testing.assert_allclose(
        SevenLevels(store="none", lr=1.0, epochs=6).rates(), [1, 1, 0.2, 0.2, 0.04, 0.04]
    )
    whole, head = (
        SevenLevels(store="none", schedule="workable", mode=mode).rates() for mode in ("whole", "head")
    )
    assert (whole[0], len(whole)) == (SCHEDULES["workable"].lr, 30)
    assert (head[0], len(head)) == (WORKABLE_HEAD.lr, 180)
    assert min(whole[0], head[0]) > 1000 * SCHEDULES["published"].lr


# ---- balancing and views


def slowly_balanced(levels: list[int], sequences: list[int]) -> tuple[Counter[int], Counter[int], int]:
    """Images of each level from positive frames, of each zero frame that may stay, and how many stay."""
    images: Counter[int] = Counter()
    may_stay: Counter[int] = Counter()
    for position, (level, sequence) in enumerate(zip(levels, sequences, strict=True)):
        if level == 0:
            if any(other > 0 for other, its in zip(levels, sequences, strict=True) if its == sequence):
                may_stay[position] += 1
        else:
            images[position] += 4 if level >= 2 else 1
    return images, may_stay, round(0.2 * len(may_stay))


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 4)), max_size=60), st.integers(0, 9))
def test_balancing_is_the_papers(frames: list[tuple[int, int]], seed: int) -> None:
    levels, sequences = [list(part) for part in zip(*frames, strict=True)] or [[], []]
    found = balance(levels, sequences, np.random.default_rng(seed))
    images, may_stay, n_stay = slowly_balanced(levels, sequences)
    of = Counter(found.frames.tolist())
    zeros = {position for position in of if levels[position] == 0}
    assert {p: n for p, n in of.items() if p not in zeros} == images
    assert zeros <= set(may_stay)
    assert len(zeros) == sum(of[p] for p in zeros) == n_stay
    assert found.n_thinned == len(may_stay) - n_stay
    assert found.n_zero_sequences == sum(
        all(level == 0 for level, its in frames if its == one) for one in set(sequences)
    )
    pairs = list(zip(found.frames.tolist(), found.views.tolist(), strict=True))
    assert len(set(pairs)) == len(pairs)  # all views of a frame differ
    assert all(view == 0 or levels[position] >= 2 for position, view in pairs)


def test_without_balancing_every_frame_comes_once() -> None:
    found = balance([0, 0, 3], [1, 1, 2], np.random.default_rng(0), None)
    assert (found.frames.tolist(), found.views.tolist()) == ([0, 1, 2], [0, 0, 0])


def test_views_are_the_image_its_mirror_image_and_turned_by_fifteen_degrees(faces: DrawnFaces) -> None:
    image = faces.images[0][:160, 80:240]
    batch = torch.from_numpy(image.copy()).permute(2, 0, 1).float().expand(4, -1, -1, -1)
    shown = seen(batch, torch.arange(4)).permute(0, 2, 3, 1).numpy()
    assert [tuple(view) for view in VIEWS] == [(False, 0.0), (True, 0.0), (False, 15.0), (False, -15.0)]
    np.testing.assert_array_equal(shown[0], image)
    np.testing.assert_array_equal(shown[1], image[:, ::-1])
    inside = np.hypot(*np.mgrid[-79.5:80, -79.5:80]) < 75
    for turned, angle in ((shown[2], 15), (shown[3], -15)):
        matrix = cv2.getRotationMatrix2D((79.5, 79.5), angle, 1.0)
        theirs = cv2.warpAffine(image, matrix, (160, 160), flags=cv2.INTER_LINEAR)
        assert np.abs(turned - theirs)[inside].mean() < 1
        assert np.abs(turned - image)[inside].mean() > 5


# ---- no copy of a test frame


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(test=st.sets(st.integers(0, 179), min_size=1, max_size=100), shift=st.integers(0, 3))
def test_no_copy_of_a_test_frame_is_ever_in_training(
    test: set[int], shift: int, faces: DrawnFaces, store: CropStore, weights: Path
) -> None:
    """Whatever the split: by frames here, the worst of all."""
    table, levels = faces.table[:180], (levels_of(faces)[:180] + shift) % 7
    train = ~table["row"].isin(test).to_numpy()
    model = SevenLevels(store=store, pretrained=weights, memory=weights.parent, epochs=1, **SMALL)
    mixed = table[train].sample(frac=1, random_state=shift)
    model.fit(mixed, levels[mixed["row"]])
    rows, views = model.trained_.T
    assert not set(rows.tolist()) & test
    assert set(views.tolist()) == {0, 1, 2, 3}
    np.testing.assert_array_equal(np.bincount(levels[rows].astype(int), minlength=7), model.n_trained_)
    assert (levels[rows[views > 0]] >= 2).all()


# ---- features made once


def test_training_a_layer_is_what_torch_does() -> None:
    """Batches that do not divide the samples, momentum, decay, a rate that changes: number by number."""
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(50, 9, generator=generator, dtype=torch.float64)
    classes = torch.randint(0, 4, (50,), generator=generator)
    rates = np.array([0.5, 0.5, 0.1])
    torch.manual_seed(1)
    ours, theirs = nn.Linear(9, 4).double(), nn.Linear(9, 4).double()
    theirs.load_state_dict(ours.state_dict())
    descent = {"momentum": 0.8, "weight_decay": 0.01}
    found = train_linear(
        ours, features, classes, rates, **descent, batch_size=12, seed=5, description="layer"
    )
    optimizer = torch.optim.SGD(theirs.parameters(), **descent)
    losses, order = [], list(shuffled(50, 12, 3, 5))
    for number, at in enumerate(order):
        optimizer.param_groups[0]["lr"] = rates[number // 5]
        loss = functional.cross_entropy(theirs(features[at]), classes[at])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(len(at) * float(loss.detach()))
    torch.testing.assert_close(ours.weight, theirs.weight, rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(ours.bias, theirs.bias, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(found, np.reshape(losses, (3, 5)).sum(axis=1) / 50)


def test_features_made_once_train_as_features_made_in_every_epoch(
    faces: DrawnFaces, store: CropStore, weights: Path
) -> None:
    """A plain loop over all images of the training set, in one batch, through the whole net."""
    table, levels, whole = faces.table[:120], levels_of(faces)[:120], {**SMALL, "batch_size": 10_000}
    make = SevenLevels(store=store, pretrained=weights, lr=0.1, epochs=9, **whole)
    start = SevenLevels(**{**make.get_params(), "lr": 0.0}).fit(table, levels)
    model = make.fit(table, levels)
    np.testing.assert_array_equal(start.trained_, model.trained_)
    net, fresh = start.net_, start.net_.fc.weight.detach().clone()
    for name, weight in net.named_parameters():
        weight.requires_grad_(name.startswith("fc"))
    net.train()
    rows, views = torch.from_numpy(model.trained_.T)
    targets = torch.from_numpy(levels[rows]).long()
    optimizer = torch.optim.SGD(net.fc.parameters(), momentum=0.8, weight_decay=1e-4)
    for rate, expected in zip(make.rates(), model.history_[:, 0], strict=True):
        optimizer.param_groups[0]["lr"] = rate
        images = to_input(store.batch(rows.numpy()))
        loss = functional.cross_entropy(net(seen(images, views)), targets)
        assert float(loss.detach()) == pytest.approx(expected, rel=1e-5)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    torch.testing.assert_close(model.net_.fc.weight, net.fc.weight, rtol=1e-4, atol=1e-6)
    assert not torch.allclose(model.net_.fc.weight, fresh, atol=1e-2)
    assert model.history_[-1] < model.history_[0]


def test_kept_features_serve_all_folds_without_the_images(
    faces: DrawnFaces, store: CropStore, weights: Path, tmp_path: Path
) -> None:
    levels, table = levels_of(faces)[:144], faces.table[:144]
    make = SevenLevels(store=store, pretrained=weights, lr=0.1, epochs=3, memory=tmp_path, **SMALL)
    first = make.fit(table, levels).predict_proba(table)
    without = SevenLevels(**{**make.get_params(), "memory": None}).fit(table, levels)
    np.testing.assert_array_equal(without.predict_proba(table), first)
    crops = store.folder / "crops.npy"
    crops.rename(tmp_path / "away.npy")
    try:
        np.testing.assert_array_equal(make.fit(table, levels).predict_proba(table), first)
        fold = (table["subject"] < "s02").to_numpy()
        make.set_params(random_state=7, epochs=5).fit(table[fold], levels[fold]).predict(table[~fold])
        with pytest.raises(PainkitError, match=r"crops\.npy"):
            make.set_params(input_scaling="imagenet").fit(table, levels)
    finally:
        (tmp_path / "away.npy").rename(crops)


@pytest.mark.parametrize("damage", ["flipped", "cut", "empty"])
def test_damaged_features_are_made_anew(
    damage: str, faces: DrawnFaces, store: CropStore, weights: Path, tmp_path: Path
) -> None:
    table, levels = faces.table[:90], levels_of(faces)[:90]
    make = SevenLevels(store=store, pretrained=weights, lr=0.1, epochs=2, memory=tmp_path, **SMALL)
    first = make.fit(table, levels).predict_proba(table)
    for file in tmp_path.glob("*/view-*.bin"):
        content = bytearray(file.read_bytes())
        content[len(content) // 2] ^= 255
        file.write_bytes({"flipped": content, "cut": content[: len(content) // 3], "empty": b""}[damage])
    np.testing.assert_array_equal(make.fit(table, levels).predict_proba(table), first)


def test_other_weights_crops_and_numbers_have_features_of_their_own(
    faces: DrawnFaces, store: CropStore, weights: Path, tmp_path: Path
) -> None:
    make = SevenLevels(store=store, pretrained=weights, epochs=1, memory=tmp_path, **SMALL)
    other = tmp_path / "other.safetensors"
    torch.manual_seed(3)
    write_tensors(other, ResNet18(8, width=SMALL["width"]).state_dict())
    changes: tuple[dict[str, Any], ...] = (
        {}, {"random_state": 5}, {"mode": "blocks"}, {"balancing": None},  # the same features
        {"pretrained": other}, {"input_scaling": "-1-1"}, {"precision": "bfloat16"},
    )  # fmt: skip
    found = []
    for change in changes:
        SevenLevels(**{**make.get_params(), **change}).fit(faces.table[:72], levels_of(faces)[:72])
        found.append(len(list(tmp_path.glob("features-*"))))
    assert found == [1, 1, 1, 1, 2, 3, 4]


# ---- levels and subjects


@pytest.mark.parametrize("mode", ["head", "blocks", "whole"])
def test_a_level_that_nobody_shows_has_probability_0(
    mode: Any, faces: DrawnFaces, store: CropStore, weights: Path
) -> None:
    table, levels = faces.table[:108], levels_of(faces)[:108]
    model = SevenLevels(store=store, pretrained=weights, mode=mode, lr=0.1, epochs=5, **SMALL)
    model.fit(table, levels)
    assert model.n_trained_[5] == 0
    assert model.classes_.tolist() == [0, 1, 2, 3, 4, 5, 6]
    chances = model.predict_proba(table)
    assert (chances[:, 5] == 0).all()
    np.testing.assert_allclose(chances.sum(axis=1), 1)
    said = model.predict(table)
    np.testing.assert_array_equal(said, chances.argmax(axis=1))


def test_a_subject_without_pain_is_left_out_of_training_and_can_be_tested(
    faces: DrawnFaces, store: CropStore, weights: Path
) -> None:
    subject = faces.table["subject"].to_numpy()
    levels = np.where(subject == "s03", 0.0, levels_of(faces))
    model = SevenLevels(store=store, pretrained=weights, epochs=1, **SMALL).fit(faces.table, levels)
    assert model.n_zero_sequences_ == 1
    assert "s03" not in set(subject[model.trained_[:, 0]])
    others = subject != "s03"
    model.fit(faces.table[others], levels[others])
    assert np.isfinite(model.predict_proba(faces.table[~others])).all()


@pytest.mark.parametrize(
    ("levels", "told"),
    [
        (np.zeros(360), "after balancing, 0 of 360 training frames are left, of level - .*two levels"),
        (np.full(360, 3.0), r"after balancing, 1440 of 360 training frames are left, of level 3"),
        (np.linspace(0, 6, 360), r"labels such as 0\.01.*levels 0, 1, \.\.\. 6"),
        (np.full(360, 7.0), "labels such as 7"),
    ],
)
def test_labels_that_cannot_be_trained_on_are_told(
    levels: np.ndarray, told: str, faces: DrawnFaces, store: CropStore
) -> None:
    with pytest.raises(PainkitError, match=told):
        SevenLevels(store=store, epochs=1, **SMALL).fit(faces.table, levels)


# ---- layers


@pytest.mark.parametrize(
    ("settings", "moved"),
    [
        ({"mode": "head", "epochs": 5}, {"fc"}),
        ({"mode": "blocks", "epochs": 1}, {"fc"}),
        ({"mode": "blocks", "epochs": 2}, {"fc", "layer4"}),
        ({"mode": "blocks", "epochs": 4}, {"fc", "layer4", "layer3", "layer2"}),
        ({"mode": "blocks", "epochs": 5}, {"fc", "layer4", "layer3", "layer2", "layer1", "bn1", "conv1"}),
        ({"mode": "whole", "epochs": 1}, {"fc", "layer4", "layer3", "layer2", "layer1", "bn1", "conv1"}),
    ],
)
def test_layers_move_as_the_mode_says_and_frozen_ones_not_at_all(
    settings: dict[str, Any], moved: set[str], faces: DrawnFaces, store: CropStore, weights: Path
) -> None:
    some = slice(0, 180)
    make = SevenLevels(store=store, pretrained=weights, lr=0.05, **settings, **SMALL)
    model = make.fit(faces.table[some], levels_of(faces)[some])
    before = SevenLevels(**{**make.get_params(), "lr": 0.0, "mode": "head"})
    before.fit(faces.table[some], levels_of(faces)[some])
    after = model.net_.state_dict()
    changed = {name for name, t in before.net_.state_dict().items() if not torch.equal(t, after[name])}
    assert {name.split(".")[0] for name in changed} == moved
    assert model.history_.shape == (settings["epochs"], 1)
    assert not model.net_.training
    assert all(weight.requires_grad for weight in model.net_.parameters())


def test_a_lone_image_at_the_end_of_an_epoch_is_no_obstacle(
    faces: DrawnFaces, store: CropStore, weights: Path
) -> None:
    model = SevenLevels(store=store, pretrained=weights, mode="whole", balancing=None, epochs=2, **SMALL)
    model.fit(faces.table[:33], np.tile([0.0, 1.0, 2.0], 11))
    assert model.history_.shape == (2, 1)


def test_levels_are_learned_and_better_by_the_whole_net_than_by_its_head(
    faces: DrawnFaces, store: CropStore, weights: Path
) -> None:
    """On faces that were trained on: a net that knows nothing has no more to give."""
    table, levels = faces.table[:180], levels_of(faces)[:180]
    recall = {}
    for mode in ("head", "whole"):
        model = SevenLevels(store=store, pretrained=weights, mode=mode, lr=0.05, epochs=12, **SMALL)
        said = model.set_params(batch_size=48).fit(table, levels).predict(table)
        recall[mode] = np.mean([(said[levels == k] == k).mean() for k in np.unique(levels)])
        assert model.history_[-1] < model.history_[0]
    assert recall["whole"] > recall["head"] > 1 / 6, recall


# ---- where it starts from


def test_emotions_are_learned_and_handed_over(faces: DrawnFaces, store: CropStore, tmp_path: Path) -> None:
    """Two kinds of drawn faces as two emotions, by numbers or by shares; the layers are then the same."""
    level = faces.table["level"].to_numpy()
    some = np.isin(level, (0, 5))
    large = faces.images[some][:, 40:200, 80:240].mean(axis=-1)
    small_faces = [cv2.resize(one, (48, 48), interpolation=cv2.INTER_AREA) for one in large]
    grey = np.stack(small_faces).astype(np.uint8)
    emotion = np.where(level[some] == 5, 4, 0)
    small = {"input_size": 48, "width": 1 / 16, "iterations": 60, "batch_size": 32, "device": "cpu"}
    model = EmotionResNet(**small, lr=0.05, rotation=0, shift=0, mirror=False).fit(grey, emotion)
    assert (model.predict(grey) == emotion).mean() > 0.9
    shares = EmotionResNet(**{**small, "iterations": 3}).fit(grey, np.eye(8)[emotion])
    numbers = EmotionResNet(**{**small, "iterations": 3}).fit(grey, emotion)
    np.testing.assert_array_equal(shares.history_, numbers.history_)
    model.save_backbone(tmp_path / "emotions.safetensors")
    transferred = SevenLevels(store=store, pretrained=tmp_path / "emotions.safetensors", epochs=1, **SMALL)
    transferred.fit(faces.table[:72], levels_of(faces)[:72])
    for name, tensor in model.net_.state_dict().items():
        if not name.startswith("fc"):
            assert torch.equal(transferred.net_.state_dict()[name], tensor)


def test_what_starts_from_another_net_is_told(
    faces: DrawnFaces, store: CropStore, face_store: CropStore, weights: Path
) -> None:
    table, levels = faces.table[:72], levels_of(faces)[:72]
    first = SevenLevels(store=store, pretrained=weights, epochs=1, **SMALL)
    second = SevenLevels(store=store, pretrained=first, mode="whole", lr=0.0, epochs=1, **SMALL)
    second.fit(table, levels)
    assert torch.equal(second.net_.conv1.weight, first.fit(table, levels).net_.conv1.weight)
    faced = FaceVerification(store=face_store, width=1 / 32, iterations=1, device="cpu")
    with pytest.raises(PainkitError, match="FaceVerification has no layer that SevenLevels has"):
        SevenLevels(store=store, pretrained=faced, epochs=1, **SMALL).fit(table, levels)

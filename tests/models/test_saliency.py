"""Saliency supervision on drawn faces: what is left out and counted, what is handed to the regression."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from face_images import DrawnFaces, with_units

from painkit.data.crop_store import CropStore
from painkit.errors import PainkitError
from painkit.models.crops.pain_level import FaceNetRegression
from painkit.models.crops.saliency import SaliencySupervision
from painkit.models.features.frame_features import landmark_features
from painkit.models.nets.face_net import PainNet

TINY = {"width": 1 / 32, "iterations": 4, "batch_size": 12, "device": "cpu"}


@pytest.fixture(scope="module")
def table(faces: DrawnFaces) -> pd.DataFrame:
    return with_units(faces.table)


@pytest.fixture(scope="module")
def landmarks(faces: DrawnFaces) -> np.ndarray:
    return landmark_features(faces.landmarks)


def fitted(
    store: CropStore, landmarks: np.ndarray | None, table: pd.DataFrame, **settings: object
) -> SaliencySupervision:
    model = SaliencySupervision(store=store, landmarks=landmarks, **{**TINY, **settings})
    return model.fit(table, table["level"])


def test_defaults_are_the_papers_and_the_registers() -> None:
    model = SaliencySupervision(store="nowhere")
    named = {
        "lr": 1e-3, "local_lr": 1e-2, "alpha": 1.0, "beta": 0.2, "patch": 11, "bins": 16, "signs": "working",
        "losses": "both", "prelu": "relu", "sampling": "all", "mirror": False, "width": 1.0,
    }  # fmt: skip
    assert {name: getattr(model, name) for name in named} == named


@pytest.mark.parametrize(("losses", "n_terms"), [("global", 1), ("local", 3), ("both", 3)])
def test_only_the_losses_that_are_asked_for_are_descended(
    losses: str, n_terms: int, table: pd.DataFrame, face_store: CropStore, landmarks: np.ndarray
) -> None:
    own = None if losses == "global" else landmarks
    model = fitted(face_store, own, table, losses=losses, momentum=0.0, weight_decay=0.0)
    assert model.history_.shape == (4, n_terms)
    assert model.subjects_.tolist() == sorted(table["subject"].unique())
    assert (model.units_.size > 0) == (losses != "global")
    # Without a rate there is no step: each loss goes by its own rate.
    rates = {"global": {"lr": 0.0}, "local": {"local_lr": 0.0}, "both": {"lr": 0.0, "local_lr": 0.0}}
    still = fitted(face_store, own, table, losses=losses, momentum=0.0, weight_decay=0.0, **rates[losses])
    start = fitted(face_store, own, table, losses=losses, iterations=0)
    assert start.n_triplets_ == 0
    assert start.subjects_.size == 0
    for (name, a), b, c in zip(
        still.net_.named_parameters(), start.net_.parameters(), model.net_.parameters(), strict=True
    ):
        assert torch.equal(a, b), name
        # ip2 is the regression's; from negative features nothing comes back, nor to their slope.
        idle = name.startswith("ip2") or (losses == "local" and name == "ip1_relu.weight")
        assert torch.equal(b, c) == idle, name


def test_the_two_steps_take_turns_each_with_its_own_rate(
    table: pd.DataFrame, face_store: CropStore, landmarks: np.ndarray
) -> None:
    """One iteration of both, without momentum: the global step's net is where the local step begins."""
    plain = {"momentum": 0.0, "weight_decay": 0.0, "iterations": 1}
    start = fitted(face_store, landmarks, table, iterations=0)
    whole = fitted(face_store, landmarks, table, losses="global", **plain)
    both = fitted(face_store, landmarks, table, losses="both", **plain)
    without = fitted(face_store, landmarks, table, losses="both", local_lr=0.0, **plain)
    twice = fitted(face_store, landmarks, table, losses="both", local_lr=0.02, **plain)
    for name, parameter in without.net_.named_parameters():
        assert torch.equal(parameter, whole.net_.get_parameter(name)), name
    first = (both.net_.ip1.weight - without.net_.ip1.weight).detach()
    torch.testing.assert_close(
        twice.net_.ip1.weight - without.net_.ip1.weight, 2 * first, rtol=1e-3, atol=1e-7
    )
    assert float(first.abs().max()) > 0
    assert not torch.equal(start.net_.ip1.weight, whole.net_.ip1.weight)
    assert both.history_[0, 0] == whole.history_[0, 0]


def test_missing_landmarks_units_and_lonely_levels_are_counted(
    table: pd.DataFrame, face_store: CropStore, landmarks: np.ndarray
) -> None:
    some = table[:36].copy()
    holed = landmarks.copy()
    holed[[2, 5]] = np.nan
    some.loc[some.index[[1, 7]], "AU4"] = np.nan
    one = some["level"].to_numpy(dtype=float)
    one[:] = 0
    one[[3, 9, 10]] = [5, 3, 3]  # a level with one frame
    some = some.drop(columns="AU26")
    model = SaliencySupervision(
        store=face_store, landmarks=holed, **{**TINY, "batch_size": 36, "iterations": 2}
    )
    model.fit(some, one)
    assert model.n_without_landmarks_ == 2
    assert model.units_.tolist() == [4, 6, 7, 9, 10, 12, 20, 25, 43]
    # Both batches hold all 36 frames: each has one anchor without a positive.
    assert (model.n_without_positive_, model.n_without_negative_) == (2, 0)
    assert model.n_triplets_ == 70
    assert model.n_units_left_out_ >= 2 * (2 * 9 + 2)  # anchors; further ones as positive or negative
    assert np.isfinite(model.history_).all()
    alike = SaliencySupervision(store=face_store, landmarks=holed, **TINY).fit(some, np.zeros(36))
    assert (alike.n_triplets_, alike.n_without_negative_) == (0, 4 * 12)
    assert not alike.history_.any()


def test_triplets_with_an_empty_set_are_counted_and_contribute_nothing(
    table: pd.DataFrame, face_store: CropStore, landmarks: np.ndarray
) -> None:
    units = [column for column in table if str(column).startswith("AU")]
    flat = table.assign(**dict.fromkeys(units, 1.0))
    model = fitted(face_store, landmarks, flat)
    assert model.n_empty_relevant_ == model.n_triplets_ > 0
    assert not model.history_[:, 1].any()
    follows = table.assign(**dict.fromkeys(units, table["level"]))
    model = fitted(face_store, landmarks, follows)
    assert model.n_empty_irrelevant_ == model.n_triplets_ > 0
    assert not model.history_[:, 2].any()
    lost = fitted(face_store, np.full_like(landmarks, np.nan), table)
    assert lost.n_units_left_out_ == lost.n_triplets_ * lost.units_.size
    assert not lost.history_[:, 1:].any()


def test_frames_that_are_not_trained_on_have_no_part_in_it(
    table: pd.DataFrame, face_store: CropStore, landmarks: np.ndarray
) -> None:
    """Landmarks of others may be anything, and their subjects are in no triplet."""
    train = table[table["subject"] < "s06"]
    strange = landmarks.copy()
    strange[table["row"][table["subject"] >= "s06"]] = 1e6
    one, other = (fitted(face_store, marks, train) for marks in (landmarks, strange))
    assert torch.equal(one.net_.ip1.weight, other.net_.ip1.weight)
    assert set(one.subjects_) == set(train["subject"])


def test_the_regression_starts_from_the_supervised_bottleneck(
    table: pd.DataFrame, face_store: CropStore, landmarks: np.ndarray
) -> None:
    first = SaliencySupervision(store=face_store, landmarks=landmarks, **TINY)
    still = {**TINY, "lr": 0.0, "iterations": 1}
    model = FaceNetRegression(store=face_store, pretrained=first, **still).fit(table, table["level"])
    alone = fitted(face_store, landmarks, table)
    for part in ("backbone", "ip1", "ip1_relu"):
        own, theirs = (getattr(net, part).state_dict() for net in (model.net_, alone.net_))
        assert all(torch.equal(own[name], theirs[name]) for name in own), part
    assert model.pretrained_.n_triplets_ == alone.n_triplets_
    np.testing.assert_array_equal(model.pretrained_.history_, alone.history_)
    assert not hasattr(model.pretrained_, "net_")
    assert isinstance(model.net_, PainNet)


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"mirror": True}, "mirror=True.*landmarks belong to"),
        ({"shift": 1.0}, "shift=1"),
        ({"landmarks": None}, "landmarks=None"),
        ({"landmarks": np.zeros((3, 132))}, r"landmarks of shape \(3, 132\) for a store of 360"),
        ({"landmarks": "/no/such.npy"}, "landmarks could not be read"),
        ({"losses": "local and global"}, "losses="),
        ({"prelu": "gelu"}, "prelu="),
        ({"patch": 10}, "patches of 10 pixels"),
        ({"bins": 1}, "1 bins"),
        ({"local_lr": 1e12, "iterations": 30}, "diverged"),
    ],
)
def test_what_cannot_work_is_told(
    settings: dict[str, object], match: str, table: pd.DataFrame, face_store: CropStore, landmarks: np.ndarray
) -> None:
    given = {**TINY, "landmarks": landmarks, **settings}
    with pytest.raises(PainkitError, match=match):
        SaliencySupervision(store=face_store, **given).fit(table, table["level"])


def test_labels_outside_the_levels_and_tables_without_units_are_refused(
    faces: DrawnFaces, table: pd.DataFrame, face_store: CropStore, landmarks: np.ndarray
) -> None:
    model = SaliencySupervision(store=face_store, landmarks=landmarks, **TINY)
    with pytest.raises(PainkitError, match="labels from 0 to 6"):
        model.fit(table, table["level"].replace(5, 6))
    bare = faces.table.drop(columns=[c for c in faces.table if str(c).startswith("AU")])
    with pytest.raises(PainkitError, match="holds no action unit"):
        model.fit(bare, bare["level"])

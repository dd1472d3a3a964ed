"""The face-net estimator: settings, what is left out, what losses and sampling do on drawn faces."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from face_images import DrawnFaces, drawn_faces
from numpy.typing import NDArray
from sklearn.base import clone

from painkit.data.crop_building import build_crop_store
from painkit.data.crop_store import CropStore
from painkit.errors import PainkitError
from painkit.evaluation.published import published
from painkit.faces.crops import FaceCrop
from painkit.models.crops.pain_level import FaceNetRegression
from painkit.models.training.batches import thin
from painkit.papers.facenet_regression import ROWS

TINY = {"width": 1 / 32, "iterations": 3, "batch_size": 8, "lr": 1e-3, "device": "cpu"}
SMALL = {**TINY, "iterations": 200, "batch_size": 12, "lr": 0.01, "thinning": None}


def split(faces: DrawnFaces) -> tuple[pd.DataFrame, pd.DataFrame]:
    held_out = faces.table["subject"] >= "s06"
    return faces.table[~held_out], faces.table[held_out]


@pytest.fixture(scope="module")
def trained(faces: DrawnFaces, face_store: CropStore) -> FaceNetRegression:
    train, _ = split(faces)
    settings = {**SMALL, **ROWS["smooth L1 + L1 center loss + sampling"]}
    return FaceNetRegression(store=face_store, **settings).fit(train, train["level"])


@pytest.fixture(scope="module")
def strangers(tmp_path_factory: pytest.TempPathFactory) -> tuple[pd.DataFrame, CropStore]:
    """Twelve further people: enough for an interval over subjects."""
    more = drawn_faces(12, 24, seed=1)
    folder: Path = tmp_path_factory.mktemp("strangers")
    store = build_crop_store(
        more.images.__getitem__, more.landmarks, folder, content="strangers", progress=False, simulated=True
    )
    return more.table, store


def of_strangers(model: FaceNetRegression, store: CropStore) -> FaceNetRegression:
    """The fitted model, looking at another store."""
    other = clone(model).set_params(store=store)
    other.net_ = model.net_
    return other


def test_rows_are_those_of_the_tables(face_store: CropStore) -> None:
    table = published("facenet_regression")
    theirs = set(table.loc[table["table"].isin(["Table 1", "Table 2"]), "row"])
    assert theirs - set(ROWS) == {"all zeros", "OSVR-L1", "OSVR-L2", "RCR"}
    assert len(set(ROWS) & theirs) == len(ROWS) == 6
    for name, settings in ROWS.items():
        model = FaceNetRegression(store=face_store, **settings)
        assert model.turning_point == (1.0 if name.startswith("smooth") else 0.0)
        assert model.center_p == (None if "center" not in name else 2 if "L2 center" in name else 1)
        assert (model.sampling == "uniform") == ("sampling" in name)
    defaults = FaceNetRegression(store=face_store)
    paper = (0.01, 1e-4, 0.9, 5e-4, 64, 5000, True, 1.0)
    names = ["center_weight", "lr", "momentum", "weight_decay", "batch_size", "iterations", "mirror", "width"]
    assert tuple(getattr(defaults, name) for name in names) == paper


@pytest.mark.parametrize("name", ROWS)
def test_every_row_trains_and_estimates_between_0_and_5(
    name: str, faces: DrawnFaces, face_store: CropStore
) -> None:
    train, test = split(faces)
    model = FaceNetRegression(store=face_store, **TINY, **ROWS[name]).fit(train, train["level"])
    estimates = model.predict(test)
    assert estimates.shape == (len(test),)
    assert 0 <= estimates.min() <= estimates.max() <= 5
    assert model.history_.shape == (3, 1 if ROWS[name]["center_p"] is None else 2)
    assert model.transform(test[:4]).shape == (4, 50)


def test_frames_without_face_or_label_are_left_out_and_counted(tmp_path: Path, faces: DrawnFaces) -> None:
    landmarks = faces.landmarks[:36].copy()
    landmarks[[3, 4]] = np.nan
    store = build_crop_store(faces.images.__getitem__, landmarks, tmp_path, content="holes", progress=False)
    table = faces.table[:36]
    y = table["level"].to_numpy(dtype=float)
    y[[4, 10, 11]] = np.nan
    model = FaceNetRegression(store=store, **TINY).fit(table, y)
    kept = np.setdiff1d(np.arange(36), [3, 4, 10, 11])
    thinned = thin(y[kept], np.zeros(kept.size), table["frame"].to_numpy()[kept])
    assert (model.n_without_face_, model.n_without_label_) == (2, 2)
    assert (model.n_trained_frames_, model.n_thinned_) == (thinned.size, kept.size - thinned.size)
    estimates = model.predict(table)
    assert np.flatnonzero(np.isnan(estimates)).tolist() == [3, 4]


def test_row_order_of_the_table_does_not_matter_for_thinning(
    faces: DrawnFaces, face_store: CropStore
) -> None:
    train, _ = split(faces)
    counts = [
        FaceNetRegression(store=face_store, **TINY).fit(t, t["level"]).n_trained_frames_
        for t in (train, train.sample(frac=1, random_state=0))
    ]
    assert counts[0] == counts[1] < len(train)


def test_estimates_correlate_with_levels_of_new_people(
    trained: FaceNetRegression, strangers: tuple[pd.DataFrame, CropStore]
) -> None:
    test, store = strangers
    estimates, levels = of_strangers(trained, store).predict(test), test["level"].to_numpy()
    rows = test.groupby("subject").indices.values()
    # 0.66 to 0.90 over six seeds.
    assert np.mean([np.corrcoef(estimates[r], levels[r])[0, 1] for r in rows]) > 0.5


def test_uniform_sampling_lowers_the_weighted_error(
    faces: DrawnFaces, face_store: CropStore, strangers: tuple[pd.DataFrame, CropStore]
) -> None:
    """wMAE is the error's mean over the levels.

    Early in training, when estimates hardly leave the mean of what is sampled, 1.4 and 2.5: so the sign does
    not hang on how a net happens to learn. Of constants the wMAE would be 1.7 and 1.5.
    """
    train, _ = split(faces)
    test, store = strangers
    wmae = {}
    for sampling in ("all", "uniform"):
        model = FaceNetRegression(store=face_store, **TINY, thinning=None, sampling=sampling)
        estimates = of_strangers(model.fit(train, train["level"]), store).predict(test)
        errors = np.abs(estimates - test["level"].to_numpy())
        wmae[sampling] = np.mean([errors[test["level"] == k].mean() for k in range(6)])
    assert wmae["uniform"] < wmae["all"] - 0.05


def test_centre_loss_reduces_the_spread_within_levels(
    faces: DrawnFaces, face_store: CropStore, strangers: tuple[pd.DataFrame, CropStore]
) -> None:
    """What the paper says it does: features of one level come to lie closer together.

    It is no claim that levels are told apart better: that share of variance is what the notebook reports.
    With ten times the paper's lambda, so that a short training shows it whatever its seed.
    """
    train, _ = split(faces)
    test, store = strangers
    levels = test["level"].to_numpy()
    spread = []
    for center_p in (None, 1):
        settings = {**SMALL, "iterations": 60, "center_p": center_p, "center_weight": 0.1}
        model = FaceNetRegression(store=face_store, sampling="uniform", **settings)
        features = of_strangers(model.fit(train, train["level"]), store).transform(test)
        off = []
        for rows in test.groupby("subject").indices.values():
            x, y = features[rows], levels[rows]
            off += [x[y == k] - x[y == k].mean(axis=0) for k in np.unique(y)]
        spread.append(np.linalg.norm(np.concatenate(off), axis=1).mean())
    # 0.33 to 0.64 over four seeds.
    assert spread[1] < 0.85 * spread[0]


def level_means(model: FaceNetRegression, train: pd.DataFrame) -> NDArray[np.float32]:
    features = model.transform(train)
    return np.stack([features[train["level"] == k].mean(axis=0) for k in range(6)])


def test_centres_start_at_the_mean_features_of_their_levels(faces: DrawnFaces, face_store: CropStore) -> None:
    train, _ = split(faces)
    still = {**TINY, "lr": 0.0, "center_lr": 0.0, "center_p": 2, "thinning": None}
    model = FaceNetRegression(store=face_store, **still).fit(train, train["level"])
    np.testing.assert_allclose(model.centres_, level_means(model, train), atol=1e-5)


def test_centres_follow_the_features_of_their_levels(trained: FaceNetRegression, faces: DrawnFaces) -> None:
    """The paper: a centre is essentially the mean of the features of its class."""
    train, _ = split(faces)
    means = level_means(trained, train)
    apart = np.linalg.norm(means[:, None] - means, axis=2)[np.triu_indices(6, 1)].mean()
    away = np.linalg.norm(trained.centres_ - means, axis=1).mean()
    # 0.17 to 0.36 over six seeds; 0.65 to 0.8 for centres that stay where they started.
    assert away < 0.5 * apart


@pytest.mark.parametrize(
    ("settings", "labels", "match"),
    [
        ({}, 7.0, "labels from 7 to 7"),
        ({}, np.nan, "no frame has both"),
        ({"center_p": 3}, 1.0, "center_p=3"),
        ({"lr": 1e12, "momentum": 0.0, "iterations": 20, "loss": "mse"}, 1.0, "diverged"),
        ({"pretrained": "/no/such/file.npz"}, 1.0, "no such file of weights"),
    ],
)
def test_bad_settings_and_labels_are_told(
    settings: dict[str, object],
    labels: float,
    match: str,
    faces: DrawnFaces,
    face_store: CropStore,
) -> None:
    train, _ = split(faces)
    model = FaceNetRegression(store=face_store, **{**TINY, **settings})
    with pytest.raises(PainkitError, match=match):
        model.fit(train[:20], np.full(20, labels))


def test_store_of_other_crops_or_another_cohort_is_refused(
    faces: DrawnFaces, face_store: CropStore, tmp_path: Path
) -> None:
    boxes = build_crop_store(
        faces.images.__getitem__,
        faces.landmarks[:4],
        tmp_path,
        content="b",
        crop=FaceCrop("box"),
        progress=False,
    )
    with pytest.raises(PainkitError, match="112x96 crops"):
        FaceNetRegression(store=boxes, **TINY).fit(faces.table[:4], np.zeros(4))
    elsewhere = faces.table[:4].assign(row=[0, 1, 2, 100_000])
    with pytest.raises(PainkitError, match="row 100000 asked of a store of 360"):
        FaceNetRegression(store=face_store, **TINY).fit(elsewhere, np.zeros(4))

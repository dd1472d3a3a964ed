"""The level of each held-out face is explained by the net that has not seen its subject."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from face_images import drawn_faces
from small_cohort import small_cohort

from painkit.attribution.lrp import lrp
from painkit.attribution.region_reading import region_shares
from painkit.data.crop_building import build_crop_store
from painkit.data.crop_store import CropStore
from painkit.errors import PainkitError
from painkit.evaluation import Results, Study, subject_k_fold
from painkit.models.crops.pain_level import FaceNetRegression
from painkit.models.features.frame_features import landmark_features
from painkit.models.nets.face_net import to_input
from painkit.papers import expression_maps, expression_regions
from painkit.papers.facenet_regression import rows
from painkit.papers.level_maps import level_images, one_of_each_level
from painkit.vocabulary.pain import level_0_5

ROW = "smooth L1"


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[Results, CropStore]:
    """Sixty drawn faces in five subjects; three have no crop, and one has no landmarks."""
    out = tmp_path_factory.mktemp("levels")
    faces = drawn_faces(5, 12)
    cohort = small_cohort()
    marks = faces.landmarks.astype(np.float32)
    marks[5] = np.nan
    cohort = replace(cohort, landmarks=marks)
    known = marks.copy()
    known[[2, 3, 40]] = np.nan
    store = build_crop_store(faces.images.__getitem__, known, out, content="drawn", progress=False)
    study = Study(cohort, subject_k_fold(2), out / "runs", n_resamples=50)
    net = {"width": 1 / 32, "iterations": 3, "batch_size": 8, "device": "cpu"}
    table = rows(store, np.zeros((60, 2)), net=net)
    return study.run(table.only([ROW])), store


def test_faces_of_every_level_come_with_the_net_that_tested_them(ran: tuple[Results, CropStore]) -> None:
    results, store = ran
    found = level_images(results, store, ROW, per_level=3)
    cohort, told = results.study.cohort, results[ROW].predictions.set_index("row")
    frames = found.frames
    levels = level_0_5(cohort.frames["pspi"].to_numpy())
    assert frames["true"].tolist() == [f"level {levels[row]:g}" for row in frames["row"]]
    assert found.classes == tuple(f"level {k:g}" for k in np.unique(levels))
    assert frames.groupby("true").size().max() == 3
    assert not set(frames["row"]) & {2, 3, 5, 40}
    np.testing.assert_array_equal(told.loc[frames["row"], "fold"], frames["fold"])
    np.testing.assert_array_equal(found.images, store.batch(frames["row"].to_numpy()))
    aligned = landmark_features(cohort.landmarks).reshape(-1, 66, 2)
    np.testing.assert_array_equal(found.landmarks, aligned[frames["row"]])
    # The score is what the sigmoid of the estimate is taken of.
    estimates = told.loc[frames["row"], "y_pred"].to_numpy(float)
    np.testing.assert_allclose(5 / (1 + np.exp(-found.logits[:, 0])), estimates, atol=1e-4)
    maps = found.maps("LRPEpsilon")
    for i in (0, len(frames) - 1):
        net = FaceNetRegression.load(results[ROW].model_folder(frames["fold"][i])).net_
        alone = lrp(net.eval(), to_input(found.images[[i]]), "LRPEpsilon")
        np.testing.assert_allclose(maps.heatmaps[i], alone.heatmaps[0], rtol=1e-3, atol=1e-6)
        np.testing.assert_allclose(maps.logits[i], found.logits[i], rtol=1e-4, atol=1e-6)
    assert set(expression_maps.conservation({"LRPEpsilon": maps})["images"]) == {len(frames)}


def test_shares_are_taken_by_true_level(ran: tuple[Results, CropStore]) -> None:
    found = level_images(*ran, ROW, per_level=4)
    shares = expression_regions.class_shares(found, "LRPEpsilon", by="true", n_resamples=20)
    raw = region_shares(found.maps("LRPEpsilon").heatmaps, found.landmarks)
    eyes = raw.query("kind == 'part' and name == 'eyes'")["positive"].to_numpy()
    for name in found.classes:
        own = found.frames.assign(share=eyes)[found.frames["true"] == name].dropna(subset=["share"])
        cell = shares[(shares["class"] == name) & (shares["name"] == "eyes")].iloc[0]
        assert cell["value"] == pytest.approx(own.groupby("subject")["share"].mean().mean())


def test_one_face_of_each_level_has_the_middle_estimate(ran: tuple[Results, CropStore]) -> None:
    found = level_images(*ran, ROW, per_level=5)
    shown = one_of_each_level(found)
    assert shown.frames["true"].tolist() == list(found.classes)
    for name, score in zip(shown.frames["true"], shown.logits[:, 0], strict=True):
        own = np.sort(found.logits[(found.frames["true"] == name).to_numpy(), 0])
        assert score == own[len(own) // 2]


def test_faces_that_no_one_can_read_are_told(ran: tuple[Results, CropStore]) -> None:
    results, store = ran
    nowhere = np.full((60, 66, 2), np.nan, np.float32)
    bare = replace(
        results, study=replace(results.study, cohort=replace(results.study.cohort, landmarks=nowhere))
    )
    with pytest.raises(PainkitError, match="no frame has a crop, landmarks and a level"):
        level_images(bare, store, ROW)

"""Rows of Tables 1 and 2 of the face net: names, scores, released predictions, features by level."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
import torch
from face_images import drawn_faces
from small_cohort import small_cohort

from painkit.data.crop_building import build_crop_store, cohort_store
from painkit.data.crop_store import CropStore
from painkit.data.identities import IdentityImages, read_identities
from painkit.errors import PainkitError
from painkit.evaluation import Results, Run, Study, subject_k_fold
from painkit.evaluation.keys import describe
from painkit.evaluation.published import published
from painkit.evaluation.tables import side_by_side
from painkit.metrics import evaluate
from painkit.models.crops.pain_level import FaceNetRegression
from painkit.models.crops.verification import FaceVerification
from painkit.models.nets.face_net import FaceBackbone, to_input
from painkit.models.nets.weights import WeightsFile, save_face_weights
from painkit.papers.face_features import HeldOutFeatures, held_out_features, level_spread, projections
from painkit.papers.facenet_regression import (
    BEST_ROW,
    SCRATCH_ROW,
    baseline_features,
    crop_counts,
    errors_by_level,
    rows,
    score_released,
)
from painkit.papers.pretraining import identity_store, pretrain
from painkit.scoring.prediction_files import read_predictions
from painkit.vocabulary.pain import level_0_5


@pytest.fixture(scope="module")
def crops(tmp_path_factory: pytest.TempPathFactory) -> CropStore:
    """Store of the 60 frames of `small_cohort`: noise, and no face in frames 3 and 7."""
    rng = np.random.default_rng(0)
    marks = np.tile(drawn_faces(1, 1).landmarks, (60, 1, 1))
    marks[[3, 7]] = np.nan
    images = rng.integers(0, 255, (60, 240, 320, 3), dtype=np.uint8)
    folder = tmp_path_factory.mktemp("crops")
    return build_crop_store(images.__getitem__, marks, folder, content="noise", progress=False)


def table(pred: list[float], subject: str = "a") -> pd.DataFrame:
    n = len(pred)
    frame = pd.array(range(1, n + 1), dtype="Int64")
    true = np.arange(n) % 6
    return pd.DataFrame(
        {"subject": subject, "sequence": subject, "frame": frame, "fold": subject, "target": "level"}
    ).assign(y_true=true.astype(float), y_pred=pred)


def made_up(tables: dict[str, list[pd.DataFrame]], n_resamples: int = 20) -> Results:
    """Results with these predictions."""
    study = Study(small_cohort(), subject_k_fold(2), Path("nowhere"), n_resamples=n_resamples)
    runs = {
        name: Run(Path("nowhere"), pd.concat(parts, ignore_index=True), {}) for name, parts in tables.items()
    }
    return Results(study, rows("nowhere", np.empty((0, 0))), runs)


def test_rows_carry_the_names_of_the_published_rows(crops: CropStore, tmp_path: Path) -> None:
    weights = tmp_path / "w.safetensors"
    weights.write_bytes(b"x")
    paper = published("facenet_regression")
    theirs = set(paper.loc[paper["table"].isin(["Table 1", "Table 2"]), "row"])
    seen = np.zeros((60, 2))
    assert set(rows(crops, seen).estimators) == theirs - {"all zeros"}
    with_weights = rows(crops, seen, pretrained=weights).estimators
    assert set(with_weights) - theirs == {SCRATCH_ROW}
    assert with_weights[SCRATCH_ROW].estimator.pretrained is None
    assert with_weights[BEST_ROW].estimator.pretrained == weights
    # Asked for in any order, told in the paper's.
    assert list(rows(crops, seen).only(["RCR", "smooth L1"]).estimators) == ["smooth L1", "RCR"]
    with pytest.raises(PainkitError, match="no row 'smooth L3'"):
        rows(crops, seen).only(["smooth L3"])


def test_released_predictions_give_the_published_numbers(shared: Path) -> None:
    scores = score_released(made_up({}, 50).study, shared / "real" / "PainRegression")
    assert scores["published_on_archive"].notna().sum() == 14  # 3 rows, 5 metrics, no correlation of zeros
    told = scores.dropna(subset=["published_on_archive"])
    # Printed with three decimals; one value was rounded twice (4.3954998 as 4.396).
    np.testing.assert_allclose(told["value"], told["published_on_archive"], atol=0.00051)
    assert set(scores["file"]) == {"6-vanilla-sigmoid.mat", "l1_l1_sigmoid.mat", ""}
    assert (told["low"] < told["value"]).all()
    assert (told["value"] < told["high"]).all()


def test_no_released_predictions_give_an_empty_table(tmp_path: Path) -> None:
    study = made_up({}).study
    assert score_released(study, None).empty
    with pytest.raises(PainkitError, match=r"holds no \.mat file"):
        score_released(study, tmp_path)


def test_rows_of_released_predictions_score_as_published_and_never_mix_scales(shared: Path) -> None:
    folder = shared / "real" / "PainRegression"
    released = read_predictions(folder / "6-vanilla-sigmoid.mat", "level")
    results = made_up({"smooth L1": [released], "RCR": [released]})
    scores = results.scores().set_index(["row", "metric"])
    for row in ("smooth L1", "all zeros"):
        told = scores.loc[row].dropna(subset=["published_on_archive"])
        np.testing.assert_allclose(told["value"], told["published_on_archive"], atol=0.00051)
    assert scores.loc[("RCR", "MSE"), "published_note"] == "1.54 on PSPI 0-15"
    assert scores.loc["RCR", "published_on_archive"].isna().all()
    shown = side_by_side(scores.reset_index(), simulated=False, decimals=3)
    pcc = "PCC, level 0-5"
    assert shown.loc["smooth L1", (pcc, "here")].startswith("0.524 [")
    assert shown.loc["all zeros", (pcc, "here")] == "-"
    assert shown.loc["RCR", (pcc, "published, on the archive")] == "0.65 on PSPI 0-15"
    assert (pcc, "here, simulated") in side_by_side(scores.reset_index(), ["PCC"], simulated=True)


def test_a_frame_that_one_row_cannot_estimate_is_left_out_of_all() -> None:
    full, holed = table([0.0] * 12), table([1.0] * 11 + [np.nan])
    other = table([2.0] * 6, "b")
    unlabelled = table([3.0] * 3, "c").assign(y_true=np.nan)
    tables = made_up({"x": [full, other, unlabelled], "y": [holed, other, unlabelled]}).scored.tables
    assert {name: len(one) for name, one in tables.items()} == dict.fromkeys(
        ("x", "y", "all zeros", "train mean", "train median"), 17
    )
    assert not ((tables["x"]["subject"] == "a") & (tables["x"]["frame"] == 12)).any()
    # The train mean of subject b comes from a's eleven frames: levels 0-5 and 0-4.
    of_b = tables["train mean"].query("subject == 'b'")["y_pred"]
    np.testing.assert_allclose(of_b, (15 + 10) / 11)


def test_osvr_and_rcr_see_landmarks_or_the_net(crops: CropStore, tmp_path: Path) -> None:
    torch.manual_seed(0)
    backbone, weights = FaceBackbone(1 / 32).eval(), tmp_path / "w.safetensors"
    save_face_weights(weights, backbone)
    study = Study(small_cohort(), subject_k_fold(2), tmp_path)
    net = {"width": 1 / 32, "device": "cpu", "precision": "float32", "iterations": 3}
    seen = baseline_features(study, crops, "deep", pretrained=weights, net=net)
    with torch.inference_mode():
        one = backbone(to_input(crops.batch([5])))[0].numpy()
    assert one.shape == (16, 5, 4)
    assert seen.shape == (60, 16)
    assert np.flatnonzero(np.isnan(seen).any(axis=1)).tolist() == [3, 7]  # no face
    # One image alone and the same among others may be added up in another order: over 20 nets that moved no
    # feature by more than 3e-7 of the largest. A small one, where much cancels, loses more of itself.
    alone = one.mean(axis=(1, 2))
    np.testing.assert_allclose(seen[5], alone, rtol=0, atol=1e-5 * np.abs(alone).max())
    for name in ("OSVR-L1", "OSVR-L2", "RCR"):
        assert rows(crops, seen).estimators[name].estimator.features is seen
    assert baseline_features(study, crops).shape == (60, 132)
    for kind, given in (("deep", None), ("gabor", weights)):
        with pytest.raises(PainkitError, match="'landmarks', or 'deep' and pre-trained weights"):
            baseline_features(study, crops, kind, pretrained=given)  # type: ignore[arg-type]


def test_errors_by_level_are_averaged_over_the_subjects_that_show_the_level() -> None:
    """Subject a shows all levels with errors of 1; b only level 0, with errors of 3."""
    a, b = table(list(np.arange(12) % 6 + 1.0), "a"), table([3.0] * 12, "b").assign(y_true=0.0)
    tables = {"x": pd.concat([a, b], ignore_index=True)}
    found = errors_by_level(made_up({"x": [a, b]})).query("row == 'x'")
    assert found["value"].tolist() == [2, 1, 1, 1, 1, 1]
    assert found["groups"].tolist() == [2, 1, 1, 1, 1, 1]
    # wMAE is 1 for a and 3 for b.
    assert evaluate(tables["x"], ["wMAE"], "per_subject", n_resamples=0)["value"].iloc[0] == 2


def test_errors_by_level_have_the_weighted_error_as_mean_where_all_show_all_levels() -> None:
    rng = np.random.default_rng(1)
    tables = {"x": pd.concat([table(list(rng.uniform(0, 5, 24)), s) for s in "abc"], ignore_index=True)}
    found = errors_by_level(made_up({"x": [tables["x"]]})).query("row == 'x'")
    assert found["level"].tolist() == [0, 1, 2, 3, 4, 5]
    assert (found["frames"] == 12).all()
    assert (found["groups"] == 3).all()
    # Every subject has every level, so the mean of the levels' means is wMAE.
    wmae = evaluate(tables["x"], ["wMAE"], "per_subject", n_resamples=0)["value"].iloc[0]
    assert found["value"].mean() == pytest.approx(wmae, abs=1e-12)


def test_questions_about_rows_that_were_not_run_are_skipped() -> None:
    rng = np.random.default_rng(2)
    results = made_up(
        {
            name: [table(list(np.clip(np.arange(12) % 6 + rng.normal(0, s, 12), 0, 5)), x) for x in "abcd"]
            for name, s in ((BEST_ROW, 0.1), ("smooth L1 + L1 center loss", 2.0))
        },
        n_resamples=200,
    )
    found = results.questions()
    assert list(found["question"].unique()) == [
        "with sampling, or without",
        "face net, or the train mean",
        "face net, or all zeros",
    ]
    sampling = found[found["question"] == "with sampling, or without"].set_index("metric")
    assert sampling.loc["wMAE", "high"] < 0 < sampling.loc["PCC", "low"]
    constant = found[found["question"] == "face net, or all zeros"]
    assert set(constant["metric"]) == {"MAE", "wMAE"}, "a constant has no correlation"
    assert made_up({"RCR": [table([0.0] * 12)]}).questions().empty


def test_crops_are_counted_by_level(crops: CropStore) -> None:
    cohort = small_cohort()
    cohort.frames.loc[5, "pspi"] = np.nan
    level = level_0_5(cohort.frames["pspi"].to_numpy())
    counts = crop_counts(cohort, cohort, crops)
    assert counts.loc["all"].tolist() == [60, 60, 58, 2, 0]
    assert counts.loc["no label"].tolist() == [1, 1, 1, 0, 0]
    for k in range(6):
        lost = int((level[[3, 7]] == k).sum())
        assert counts.loc[str(k)].tolist() == [(n := int((level == k).sum())), n, n - lost, lost, 0]


def held(values: np.ndarray, level: np.ndarray, subject: np.ndarray, fold: str = "1") -> HeldOutFeatures:
    frames = pd.DataFrame({"subject": subject, "sequence": subject, "frame": 1, "fold": fold, "level": level})
    return HeldOutFeatures(frames, values.astype(np.float32))


def test_spread_is_the_share_of_variance_within_levels() -> None:
    rng = np.random.default_rng(3)
    level, subject = np.tile(np.repeat(np.arange(6), 50), 3), np.repeat(["a", "b", "c"], 300)
    alike = np.eye(50)[level]
    noise = rng.normal(size=(900, 50))
    found = level_spread(
        {
            "noise": held(noise, level, subject),
            "noise, half the size": held(noise / 2 + 7, level, subject),
            "one point a level": held(alike, level, subject),
        },
        n_resamples=100,
    )
    distance = found[found["measure"] == "distance within levels"].set_index("row")
    # Fifty independent normal coordinates lie about the square root of fifty from their mean.
    assert distance.loc["noise", "value"] == pytest.approx(np.sqrt(50), rel=0.03)
    assert distance.loc["noise, half the size", "value"] == pytest.approx(np.sqrt(50) / 2, rel=0.03)
    assert distance.loc["one point a level", "value"] == pytest.approx(0, abs=1e-6)
    found = found[found["measure"] == "share of variance within levels"].set_index("row")
    assert found.loc["one point a level", "value"] == pytest.approx(0, abs=1e-9)
    # Levels of noise: 5 of 299 degrees of freedom lie between them.
    assert found.loc["noise", "value"] == pytest.approx(1 - 5 / 299, abs=0.01)
    assert found.loc["noise, half the size", "change"] == pytest.approx(0, abs=1e-5)
    assert found.loc["one point a level", "change_high"] < -0.9
    # What tells subjects apart does not count.
    apart = noise + 100 * np.repeat(np.arange(3), 300)[:, None]
    moved = level_spread({"x": held(apart, level, subject)}, n_resamples=10)
    assert moved["value"].iloc[1] == pytest.approx(found.loc["noise", "value"], abs=1e-3)


def test_a_subject_of_one_level_has_no_spread_and_is_counted() -> None:
    rng = np.random.default_rng(4)
    level = np.r_[np.zeros(30), np.arange(60) % 6]
    subject = np.r_[["only zeros"] * 30, ["b"] * 30, ["c"] * 30]
    found = level_spread({"x": held(rng.normal(size=(90, 50)), level, subject)}, n_resamples=10)
    assert found[["groups", "undefined"]].iloc[0].tolist() == [3, 1]


def test_projection_keeps_distances_of_features_that_lie_in_a_plane() -> None:
    rng = np.random.default_rng(5)
    plane = rng.normal(size=(40, 2)) * [3, 1]
    axes = np.linalg.qr(rng.normal(size=(50, 2)))[0]
    halves = [held(plane[i : i + 20] @ axes.T, np.zeros(20), np.full(20, "a"), str(i)) for i in (0, 20)]
    both = HeldOutFeatures(
        pd.concat([one.frames for one in halves], ignore_index=True),
        np.concatenate([one.values for one in halves]),
    )
    drawn = projections({"both": both})["both"]
    for start in (0, 20):  # each fold by itself: their nets have nothing in common
        xy, known = drawn.loc[start : start + 19, ["x", "y"]].to_numpy(), plane[start : start + 20]
        np.testing.assert_allclose(
            np.linalg.norm(xy[:, None] - xy, axis=2),
            np.linalg.norm(known[:, None] - known, axis=2),
            atol=1e-4,
        )
    np.testing.assert_allclose(drawn["explained"], 1, atol=1e-5)


def test_features_come_from_the_fold_that_did_not_train_on_them(crops: CropStore, tmp_path: Path) -> None:
    cohort = small_cohort()
    study = Study(cohort, subject_k_fold(2), tmp_path)
    table = rows(
        crops,
        baseline_features(study, crops),
        net={"width": 1 / 32, "iterations": 2, "batch_size": 8, "device": "cpu"},
        osvr={"max_iterations": 50},
    )
    results = study.run(table.only(["smooth L1", "OSVR-L2"]))
    assert {len(one) for one in results.scored.tables.values()} == {58}
    by_row = held_out_features(results, crops)
    assert list(by_row) == ["smooth L1"]
    found = by_row["smooth L1"]
    assert len(found.frames) == 58
    X = cohort.frames.assign(row=np.arange(60))[crops.usable]
    told = results["smooth L1"].predictions.set_index(["sequence", "frame"])["fold"]
    for fold in results["smooth L1"].folds:
        net = FaceNetRegression.load(results["smooth L1"].model_folder(fold)).set_params(store=crops)
        mine = X[[told.loc[key] == fold for key in zip(X["sequence"], X["frame"], strict=True)]]
        expected = pd.DataFrame(net.transform(mine), index=mine["sequence"] + mine["frame"].astype(str))
        got = found.frames["fold"] == fold
        keys = found.frames.loc[got, "sequence"] + found.frames.loc[got, "frame"].astype(str)
        np.testing.assert_allclose(found.values[got], expected.loc[keys], atol=1e-5)


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> IdentityImages:
    """Six drawn people, four images of each."""
    folder: Path = tmp_path_factory.mktemp("people")
    faces = drawn_faces(6, 4, seed=7)
    for image, marks, one in zip(faces.images, faces.landmarks, faces.table.itertuples(), strict=True):
        place = folder / str(one.subject)
        place.mkdir(exist_ok=True)
        cv2.imwrite(str(place / f"{one.frame}.png"), image[..., ::-1])
        np.savetxt(place / f"{one.frame}_aam.txt", marks)
    return read_identities(folder)


def test_pretraining_holds_people_out_and_is_read_again(people: IdentityImages, tmp_path: Path) -> None:
    store = identity_store(people, tmp_path / "crops")
    net = FaceVerification(store=store, width=1 / 32, iterations=3, batch_size=8, device="cpu")
    study = Study(small_cohort(), subject_k_fold(2), tmp_path)
    found = pretrain(study, net, people)
    counts = found.counts.set_index("what")["count"]
    assert counts["people trained on"] == 4
    assert counts["people held out"] == 2
    assert counts["images trained on"] == 16
    assert found.auc["row"].tolist() == ["untrained", "pre-trained", "gain"]
    untrained, pretrained, gain = found.auc["value"]
    assert gain == pytest.approx(pretrained - untrained, abs=1e-12)
    assert (found.auc["n_pairs"] == 8 * 7 / 2).all()  # of the eight images of two people
    assert found.auc["value"][:2].between(0, 1).all()
    (folder,) = tmp_path.glob("verification-*")
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    trained_at = [before[folder / "net" / name] for name in ("model.json", "model.safetensors")]
    again = pretrain(study, net, people)
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before
    pd.testing.assert_frame_equal(again.auc, found.auc)
    # A run killed while it tested the net does not train it again.
    (folder / "auc.csv").unlink()
    folder.rename(folder.with_name(f".{folder.name}.part"))
    after_kill = pretrain(study, net, people)
    net_files = [folder / "net" / name for name in ("model.json", "model.safetensors")]
    assert [path.stat().st_mtime_ns for path in net_files] == trained_at
    pd.testing.assert_frame_equal(after_kill.auc, found.auc)
    model = FaceNetRegression(store=store, width=1 / 32, iterations=0, pretrained=found.weights, device="cpu")
    X = people.images.assign(subject="a", sequence="a", frame=np.arange(24))
    loaded = model.fit(X, np.zeros(24)).net_.backbone.state_dict()
    trained = FaceVerification.load(found.weights.path.with_name("net")).net_.backbone.state_dict()
    assert loaded.keys() == trained.keys()
    assert all(np.array_equal(loaded[name], trained[name]) for name in loaded)


def test_too_few_people_to_hold_any_out_are_told(people: IdentityImages, tmp_path: Path) -> None:
    three = replace(people, images=people.images[:12], landmarks=people.landmarks[:12])
    store = identity_store(three, tmp_path)
    with pytest.raises(PainkitError, match="3 people, 2 of them held out"):
        pretrain(Study(small_cohort(), subject_k_fold(2), tmp_path), FaceVerification(store=store), three)


def test_weights_enter_a_key_by_what_they_hold(tmp_path: Path) -> None:
    for name, content in (("a", b"one"), ("b", b"one"), ("c", b"two")):
        (tmp_path / name).write_bytes(content)
    a, b, c = (describe(WeightsFile(tmp_path / name)) for name in "abc")
    assert a == b != c
    with pytest.raises(PainkitError, match="no such file of weights"):
        WeightsFile(tmp_path / "d")


def test_store_of_a_thin_copy_has_the_rows_of_its_frames(tmp_path: Path) -> None:
    """Frames without an image are gone before the store is made, so that its rows are the cohort's."""
    faces = drawn_faces(1, 6)
    for i in (1, 4):
        cv2.imwrite(str(tmp_path / f"{i}.png"), faces.images[i][..., ::-1])
    whole = small_cohort(n_subjects=1, n_sequences=1, n_frames=6)
    frames = whole.frames.assign(image=[f"{i}.png" if i in (1, 4) else pd.NA for i in range(6)])
    whole = replace(whole, root=tmp_path, frames=frames, landmarks=faces.landmarks.astype(np.float32))
    thin = whole.with_images()
    store = cohort_store(thin, tmp_path / "thin", progress=False)
    reference = cohort_store(whole, tmp_path / "whole", progress=False)
    np.testing.assert_array_equal(store.batch([0, 1]), reference.batch([1, 4]))

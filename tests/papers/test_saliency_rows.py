"""Rows of saliency supervision on a small study: what is kept, checked, measured and told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from face_images import drawn_faces
from small_cohort import small_cohort

from painkit.data.crop_building import build_crop_store
from painkit.data.crop_store import CropStore
from painkit.errors import PainkitError
from painkit.evaluation import Results, Study, subject_k_fold
from painkit.evaluation.held_out import held_out
from painkit.figures import saliency as figures
from painkit.models.crops.pain_level import FaceNetRegression
from painkit.models.features.frame_features import landmark_features
from painkit.models.nets.face_net import PainNet
from painkit.papers import saliency as paper
from painkit.papers.saliency_maps import (
    HeldOutMaps,
    held_out_maps,
    maps_of_frames,
    mass_in_pain_regions,
    mass_sentence,
    pixel_record,
    true_regions,
)
from painkit.papers.saliency_trials import TRIALS, trials
from painkit.papers.saliency_triplets import example_triplet, triplet_distances
from painkit.simulation.regions import region_mask
from painkit.vocabulary.action_units import AUS, UNIT_LANDMARKS

WITHOUT_FACE = [3, 7]
SUPERVISED = [*paper.SUPERVISIONS]


@pytest.fixture(scope="module")
def points() -> np.ndarray:
    marks = np.tile(drawn_faces(1, 1).landmarks, (60, 1, 1))
    marks[WITHOUT_FACE] = np.nan
    return marks


@pytest.fixture(scope="module")
def landmarks(points: np.ndarray) -> np.ndarray:
    return landmark_features(points)


@pytest.fixture(scope="module")
def store(points: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> CropStore:
    images = np.random.default_rng(0).integers(0, 255, (60, 240, 320, 3), dtype=np.uint8)
    folder = tmp_path_factory.mktemp("crops")
    return build_crop_store(images.__getitem__, points, folder, content="noise", progress=False)


@pytest.fixture(scope="module")
def rows(store: CropStore, landmarks: np.ndarray) -> object:
    net = {"width": 1 / 32, "batch_size": 12, "device": "cpu", "iterations": 2, "lr": 1e-3, "thinning": None}
    return paper.rows(store, landmarks, net=net, supervision={"iterations": 10})


@pytest.fixture(scope="module")
def results(rows: object, tmp_path_factory: pytest.TempPathFactory) -> Results:
    out = tmp_path_factory.mktemp("runs")
    study = Study(small_cohort(), subject_k_fold(2), out, n_resamples=50)
    return study.run(rows.only([paper.DIRECT, *SUPERVISED]))  # type: ignore[attr-defined]


def test_rows_share_the_regression_and_differ_in_what_it_starts_from(rows: object) -> None:
    made = rows.estimators  # type: ignore[attr-defined]
    direct = made[paper.DIRECT].estimator
    for name, own in paper.SUPERVISIONS.items():
        ours = made[name].estimator.get_params(deep=False)
        first = ours.pop("pretrained")
        assert {k: v for k, v in direct.get_params(deep=False).items() if k != "pretrained"} == ours
        assert {k: getattr(first, k) for k in own} == dict(own)
        assert (first.width, first.batch_size, first.iterations) == (1 / 32, 12, 10)
    for name in (paper.GLOBAL, paper.LOCAL):
        sampled = made[f"{name} + sampling"].estimator
        # The footnote of Table 2: sampling is the regression's.
        assert (sampled.sampling, sampled.pretrained.sampling) == ("uniform", "all")
        assert sampled.turning_point == 1
        assert sampled.center_p == 1


def test_a_tested_subject_in_a_triplet_is_refused(results: Results) -> None:
    counts = paper.supervision_counts(results)
    assert list(counts.index) == SUPERVISED
    assert (counts["triplets"] > 0).all()
    for fold in held_out(results[paper.LOCAL], FaceNetRegression.load):
        used = set(fold.model.pretrained_.subjects_)
        assert used
        assert not used & set(fold.predictions["subject"])
    # Predictions said to be of another fold's subjects.
    run = results[paper.LOCAL]
    folds = run.predictions["fold"].unique()
    swapped = run.predictions.assign(
        fold=run.predictions["fold"].map(dict(zip(folds, folds[::-1], strict=True)))
    )
    wrong = replace(results, runs={**results.runs, paper.LOCAL: replace(run, predictions=swapped)})
    with pytest.raises(PainkitError, match=r"method 2 .*who is tested.*training subjects alone"):
        paper.supervision_counts(wrong)


def test_losses_are_told_by_row_and_iteration(results: Results) -> None:
    losses = paper.supervision_losses(results, window=5)
    assert losses.groupby("row", sort=False)["loss"].unique().str.len().to_dict() == {
        name: 1 if name == paper.GLOBAL else 3 for name in SUPERVISED
    }
    assert losses["iteration"].unique().tolist() == [5, 10]
    looked_at = losses[~losses["descended"]]
    assert looked_at[["row", "loss"]].drop_duplicates().to_numpy().tolist() == [[paper.LOCAL_ONLY, "global"]]
    folds = held_out(results[paper.GLOBAL], FaceNetRegression.load)
    history = np.mean([fold.model.pretrained_.history_ for fold in folds], axis=0)
    own = losses[losses["row"] == paper.GLOBAL]["value"]
    np.testing.assert_allclose(own, [history[:5].mean(), history[5:].mean()])
    told = paper.supervision_convergence(losses)
    first = told.iloc[0]
    assert (first["first"], first["last"]) == (own.iloc[0], own.iloc[1])
    assert first["change"] == pytest.approx(own.iloc[1] / own.iloc[0] - 1)
    # Of a single window nobody can tell whether it changes.
    whole = paper.supervision_convergence(paper.supervision_losses(results, window=10))
    assert whole["change"].isna().all()
    assert len(figures.losses(losses, simulated=True).data) == 10
    assert paper.supervision_losses(replace(results, runs={})).empty


def test_maps_are_of_nets_that_have_not_seen_the_subject(
    results: Results, store: CropStore, landmarks: np.ndarray
) -> None:
    found = held_out_maps(results, store, landmarks, paper.COMPARED, per_subject=3)
    assert list(found.maps) == list(paper.COMPARED)
    assert (found.frames["level"] > 0).all()
    assert not found.frames["row"].isin(WITHOUT_FACE).any()
    assert (found.frames.groupby("subject").size() <= 3).all()
    np.testing.assert_array_equal(found.images, store.batch(found.frames["row"].to_numpy()))
    assert all(maps.min() >= 0 and maps.max() > 0 for maps in found.maps.values())
    predicted = results[paper.LOCAL].predictions.set_index("row").loc[found.frames["row"]]
    assert (predicted["fold"].astype(str).to_numpy() == found.frames["fold"]).all()
    # The score through the sigmoid is the prediction of that fold's net.
    level = 5 / (1 + np.exp(-found.scores[paper.LOCAL]))
    np.testing.assert_allclose(level, predicted["y_pred"], rtol=1e-4, atol=1e-5)
    # Frame by frame the maps are the same.
    own = (found.frames["subject"] == found.frames["subject"].iloc[-1]).to_numpy()
    again = maps_of_frames(results, store, [*paper.COMPARED, "not run"])(found.frames["row"].to_numpy()[own])
    assert list(again) == list(paper.COMPARED)
    for name, maps in again.items():
        np.testing.assert_allclose(maps, found.maps[name][own], rtol=1e-4, atol=1e-6)
    most = found.strongest(2)
    assert most.frames["subject"].nunique() == len(most.images) == 2
    assert most.frames["level"].max() == found.frames["level"].max()
    assert mass_in_pain_regions(found, results.study.cohort).empty  # nobody knows the causes
    assert "Nobody knows" in mass_sentence(mass_in_pain_regions(found, results.study.cohort))
    record = pixel_record(found, results.study.cohort)
    assert list(record.models) == list(paper.COMPARED)
    assert record.net(paper.LOCAL, 0) is found.nets[paper.LOCAL][0]
    labelled = found.frames["level"].astype(int)
    assert record.said[paper.LOCAL] == [
        f"level {estimate:.1f}, labelled {label}" for estimate, label in zip(level, labelled, strict=True)
    ]


def made_up(points: np.ndarray, maps: dict[str, np.ndarray]) -> HeldOutMaps:
    n = len(next(iter(maps.values())))
    frames = pd.DataFrame({"subject": [f"s{i // 2}" for i in range(n)], "sequence": "t", "frame": range(n)})
    frames["row"], frames["fold"], frames["level"] = range(n), "1", 1.0
    net, zeros = PainNet(1 / 32), np.zeros(n, np.float32)
    return HeldOutMaps(
        frames,
        np.zeros((n, 112, 96, 3), np.uint8),
        np.tile(points, (n, 1, 1)),
        dict.fromkeys(maps, (net,) * n),
        maps,
        dict.fromkeys(maps, zeros),
        True,
    )


def test_mass_in_the_true_regions_is_measured_over_their_area(landmarks: np.ndarray, tmp_path: Path) -> None:
    """An even map has what the area gives; one inside has all; a step from one to the other is paired."""
    points = landmarks[0].reshape(66, 2)
    brows, lids = (region_mask(au, points, (112, 96)) for au in (4, 43))
    inside = brows | lids
    even, within = np.ones((6, 112, 96), np.float32), np.tile(inside, (6, 1, 1)).astype(np.float32)
    truth = pd.DataFrame({"subject": [f"s{i // 2}" for i in range(6)], "sequence": "t", "frame": range(6)})
    for au in AUS:
        truth[f"AU{au}_pain"] = 1.0 if au in (4, 43) else 0.4
    truth.loc[5, [f"AU{au}_pain" for au in AUS]] = 0.0  # moved by decoys alone
    (tmp_path / "truth").mkdir()
    truth.sample(frac=1, random_state=0).to_parquet(tmp_path / "truth" / "frames.parquet")
    cohort = replace(small_cohort(), root=tmp_path)
    found = made_up(points, {"even": even, "within": within, "dark": 0 * even})
    regions = true_regions(found, cohort)
    assert [list(own) for own in regions] == 5 * [["AU4 brow lowerer", "AU43 eyes closed"]] + [[]]
    found = made_up(points, {"even": even, "within": within})
    table = mass_in_pain_regions(found, cohort, n_resamples=100)
    assert table["row"].tolist() == ["even", "within"]
    np.testing.assert_allclose(table["area"], inside.mean(), rtol=1e-6)
    np.testing.assert_allclose(table["value"], [0, 1 - inside.mean()], atol=1e-6)
    np.testing.assert_allclose(table["step"], table["change"])
    assert table[["images", "subjects"]].to_numpy().tolist() == [[5, 3]] * 2
    assert "it rises" in mass_sentence(table)
    back = mass_in_pain_regions(made_up(points, {"within": within, "even": even}), cohort, n_resamples=100)
    assert "it falls" in mass_sentence(back)
    assert len(figures.mass(table, simulated=True).data) == 2


def test_a_triplet_is_of_training_frames_and_says_why(
    results: Results, store: CropStore, landmarks: np.ndarray
) -> None:
    example = example_triplet(results, store, landmarks, paper.LOCAL)
    fold = held_out(results[paper.LOCAL], FaceNetRegression.load)[0]
    assert not set(example.frames["subject"]) & set(fold.predictions["subject"])
    anchor, positive, negative = example.frames["level"]
    assert anchor == positive != negative
    unit = example.units.iloc[0]
    assert (len(example.units), unit["unit"]) == (1, 4)  # the one unit that this cohort codes
    near, far = abs(unit["anchor"] - unit["positive"]), abs(unit["anchor"] - unit["negative"])
    assert unit["set"] == ("A" if near < 1 <= far else "B")
    assert f"by {near:g} within the level" in unit["why"]
    figure = figures.attention_map(
        example.images,
        example.maps,
        example.landmarks,
        {4: unit["set"]},
        example.captions,
        patch=11,
        simulated=True,
    )
    shown = [line for line in figure.data if len(line.x or ())]
    assert {line.name for line in shown} == {f"set {unit['set']}"}
    # Five corners and a gap for each landmark of both sides.
    assert len(shown[0].x) == 6 * sum(map(len, UNIT_LANDMARKS[4]))
    with pytest.raises(PainkitError, match="starts from no supervised net"):
        example_triplet(results, store, landmarks, paper.DIRECT)


def test_distances_are_of_the_same_triplets_for_all_rows(
    results: Results, store: CropStore, landmarks: np.ndarray
) -> None:
    table = triplet_distances(results, store, landmarks, n_frames=24, n_resamples=50)
    counts = table.pivot_table(index="row", columns="distance", values="triplets")
    assert (counts == counts.iloc[0]).all(axis=None)
    assert table["row"].unique().tolist() == [paper.DIRECT, *SUPERVISED]
    np.testing.assert_allclose(table["difference"], table["to_negative"] - table["to_positive"], atol=1e-6)
    own = table[table["distance"] == "bottleneck"][["to_positive", "to_negative"]]
    assert own.to_numpy().max() <= 2


def test_trials_change_one_setting_and_none_is_no_work(
    results: Results, rows: object, store: CropStore, landmarks: np.ndarray
) -> None:
    given = (results.study, rows, store, landmarks)
    assert trials(*given, [], protocol=subject_k_fold(2)).empty  # type: ignore[arg-type]
    with pytest.raises(PainkitError, match=r"no trial 'faith'.*local rate times 10"):
        trials(*given, ["faith"], protocol=subject_k_fold(2))  # type: ignore[arg-type]
    first = rows.estimators[paper.LOCAL].estimator.pretrained  # type: ignore[attr-defined]
    known = {*first.get_params(deep=False), "longer"}
    assert all(set(changed) <= known for changed in TRIALS.values())

"""Tables I to III of the seven levels, what was trained on, and maps by nets that know no tested subject."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support, roc_auc_score

import painkit.data
from painkit.attribution.lrp import lrp
from painkit.data.cohort import Cohort
from painkit.data.crop_store import CropStore
from painkit.errors import PainkitError
from painkit.evaluation import Results, Study, subject_k_fold
from painkit.evaluation.audit import audit
from painkit.faces.crops import FaceCrop
from painkit.models.nets.resnet18 import to_input
from painkit.models.training.balancing import balance
from painkit.papers import level_hours, seven_levels, seven_levels_maps
from painkit.papers.emotion_pretraining import EmotionStart, start_from_emotions
from painkit.papers.saliency_maps import mass_in_pain_regions
from painkit.vocabulary.classes import EMOTIONS

pytestmark = pytest.mark.usefixtures("one_thread")

NET = {"input_size": 32, "width": 1 / 8, "device": "cpu", "batch_size": 32}
EMOTIONS_NET = {**NET, "batch_size": 8, "iterations": 3, "progress": False}
HEAD, WHOLE = seven_levels.HEAD, seven_levels.WHOLE


@pytest.fixture(scope="module")
def cohort(smoke: Path) -> Cohort:
    return painkit.data.load("simulated", smoke, progress=False).with_images()


@pytest.fixture(scope="module")
def study(cohort: Cohort, tmp_path_factory: pytest.TempPathFactory) -> Study:
    return Study(cohort, subject_k_fold(2), tmp_path_factory.mktemp("levels"), n_resamples=100)


@pytest.fixture(scope="module")
def store(study: Study) -> CropStore:
    return seven_levels.face_crops(study.cohort, study.out / "crops", side=32)


@pytest.fixture(scope="module")
def start(study: Study, smoke: Path) -> EmotionStart:
    return start_from_emotions(study, smoke / "ferplus", net=EMOTIONS_NET)


@pytest.fixture(scope="module")
def rows(store: CropStore, start: EmotionStart):
    return seven_levels.rows(
        store, pretrained=start.weights, net=NET, rates={"epochs": 1}, head={"lr": 1.0, "epochs": 1000}
    )


@pytest.fixture(scope="module")
def results(study: Study, rows) -> Results:
    return study.run(rows.only([HEAD, WHOLE]))


def test_rows_differ_in_what_their_names_say(rows) -> None:
    told = {name: row.estimator.get_params() for name, row in rows.estimators.items()}
    assert {name: one["mode"] for name, one in told.items()} == {
        seven_levels.PRINTED: "head",
        HEAD: "head",
        seven_levels.BLOCKS: "blocks",
        WHOLE: "whole",
        seven_levels.SCRATCH: "head",
    }
    assert told[seven_levels.PRINTED]["lr"] is told[seven_levels.PRINTED]["epochs"] is None
    printed = rows.estimators[seven_levels.PRINTED].estimator.rates()
    np.testing.assert_allclose(printed[[0, 59, 60, 119, 120, 179]], [4e-6] * 2 + [8e-7] * 2 + [1.6e-7] * 2)
    assert [name for name, one in told.items() if one["pretrained"] is None] == [seven_levels.SCRATCH]
    assert seven_levels.SCRATCH not in seven_levels.rows("nowhere").estimators


def test_table_1_counts_by_hand(study: Study, store: CropStore, cohort: Cohort) -> None:
    table = seven_levels.table_1(study, store)
    edges = {0: (0, 0), 1: (1, 2), 2: (3, 4), 3: (5, 6), 4: (7, 9), 5: (10, 12), 6: (13, 16)}
    for level, (low, high) in edges.items():
        own = cohort.frames[cohort.frames["pspi"].between(low, high)]
        assert table.loc[level, "frames"] == len(own)
        assert table.loc[level, "subjects"] == own["subject"].nunique()
    assert table["published PSPI"].tolist() == ["0", "1-2", "3-4", "5-6", "7-9", "10-12", "13-15"]
    assert table["with a crop"].sum() == store.usable.sum()
    # Balanced slowly, fold by fold: each subject is tested once, so it is trained on in the other fold.
    frames = cohort.frames.assign(level=np.repeat(-1, len(cohort.frames)))
    for level, (low, high) in edges.items():
        frames.loc[frames["pspi"].between(low, high), "level"] = level
    frames = frames[store.usable]
    after = np.zeros(7)
    for fold in study.protocol.splits(cohort.frames[["subject", "sequence", "frame"]]):
        train = frames[frames["subject"].isin(cohort.frames["subject"].iloc[fold.train].unique())]
        zeros = 0
        for _, sequence in train.groupby(["subject", "sequence"]):
            zeros += (sequence["level"] == 0).sum() if (sequence["level"] > 0).any() else 0
        after[0] += round(0.2 * zeros) / 2
        after[1] += (train["level"] == 1).sum() / 2
        after[2:] += [4 * (train["level"] == k).sum() / 2 for k in range(2, 7)]
    np.testing.assert_allclose(seven_levels.levels_balanced(study, store)["after"], after)


def test_table_2_is_scikit_learns_and_a_level_without_frames_has_no_recall(results: Results) -> None:
    own = results.scored.tables[HEAD]
    expected = precision_recall_fscore_support(
        own["y_true"], own["y_pred"], labels=range(7), zero_division=np.nan
    )
    table = seven_levels.table_2(results).pivot(index="row", columns="metric", values="value")
    np.testing.assert_allclose(table["precision"], expected[0])
    np.testing.assert_allclose(table["recall"], expected[1])
    assert np.isnan(table.loc["level 6", "recall"])  # no such frame in this cohort
    noted = seven_levels.table_2(results).set_index(["row", "metric"])
    assert noted.loc[("level 6", "recall"), "published_on_archive"] == 0.8130
    assert "123" in noted.loc[("level 6", "recall"), "note"]
    np.testing.assert_array_equal(
        seven_levels.confusion(results), confusion_matrix(own["y_true"], own["y_pred"], labels=range(7))
    )


def test_auc_is_the_mean_of_one_level_against_all_others(results: Results) -> None:
    scores = results.scores().set_index(["row", "metric"])["value"]
    own = results.scored.tables[HEAD]
    areas = [roc_auc_score(own["y_true"] == k, own[f"p_{k}"]) for k in range(7) if (own["y_true"] == k).any()]
    assert scores[HEAD, "AUC"] == pytest.approx(np.mean(areas))
    assert ("all zeros", "AUC") not in scores.index
    assert scores["all zeros", "recall"] == pytest.approx(1 / 6)  # of the six levels that occur


def test_table_3_ranks_nothing_and_keeps_the_number_of_levels(results: Results) -> None:
    table = seven_levels.table_3(results.scores(), simulated=True)
    published = table[table["data"] == "published, on the archive"]
    assert published["levels"].tolist() == [2, 2, 2, 4, 4, 4, 16, 7]
    assert published["AUC"].tolist() == ["0.84", "-", "0.93", "0.86", "-", "0.88", "-", "0.88"]
    ours = table[table["data"] == "simulated, here"].set_index("method")
    assert (ours["levels"] == 7).all()
    assert ours.loc["all zeros", ["AUC", "PCC"]].tolist() == ["-", "-"]


@settings(max_examples=20)
@given(st.data())
def test_no_copy_of_a_test_frame_is_trained_on_whatever_the_cohort(data: st.DataObject) -> None:
    """Folds of any cohort, balanced as the estimator does: rows, copies too, are training rows."""
    n = data.draw(st.integers(8, 60))
    table = pd.DataFrame(
        {
            "subject": data.draw(st.lists(st.sampled_from("abcd"), min_size=n, max_size=n)),
            "sequence": data.draw(st.lists(st.sampled_from("xyz"), min_size=n, max_size=n)),
            "frame": pd.array(range(n), dtype="Int64"),
        }
    )
    levels = np.array(data.draw(st.lists(st.integers(0, 6), min_size=n, max_size=n)))
    if table["subject"].nunique() < 2:
        return
    sequence = table.groupby(["subject", "sequence"]).ngroup().to_numpy()
    for fold in subject_k_fold(2).splits(table):
        chosen = balance(levels[fold.train], sequence[fold.train], np.random.default_rng(0))
        rows = fold.train[chosen.frames]
        assert not np.isin(rows, fold.test).any()
        assert not set(table["subject"].iloc[rows]) & set(table["subject"].iloc[fold.test])
        assert (levels[rows][chosen.views > 0] >= 2).all()


def test_what_was_trained_on_is_asserted(results: Results, cohort: Cohort) -> None:
    told = seven_levels.refuse_copies_of_tested(results)
    assert told.startswith("In 4 fitted models, none of ")
    # Folds that say they tested what others did: their models trained on it.
    run = results.runs[HEAD]
    names = run.predictions["fold"].unique()
    other = dict(zip(names, names[::-1], strict=True))
    swapped = run.predictions.assign(fold=run.predictions["fold"].map(other))
    planted = replace(results, runs={HEAD: replace(run, predictions=swapped)})
    with pytest.raises(PainkitError, match=r"trained on \d+ images of frames that it tests"):
        seven_levels.refuse_copies_of_tested(planted)


def test_the_headline_is_told_from_the_tables_whichever_way(results: Results) -> None:
    line = {
        "row": HEAD, "leak": "random frames", "metric": "accuracy", "leaky": 0.61, "honest": 0.42,
        "inflation": 0.19, "low": 0.1, "high": 0.3,
    }  # fmt: skip
    scores = results.scores()
    told = " ".join(seven_levels.headline(scores, pd.DataFrame([line])))
    assert "85.71 % (0.85 in Table III)" in told
    assert "0.61 on random frames" in told
    assert "+0.19 (95 % interval +0.10 to +0.30): random frames make it look better" in told
    assert "82.7 % of the archive's" in told
    zeros = scores.set_index(["row", "metric"]).loc[("all zeros", "accuracy"), "value"]
    assert f"right in {100 * zeros:.1f} % of the frames scored here" in told
    for low, high, verdict in (
        (-0.1, 0.3, "stays open"),
        (-0.3, -0.1, "look worse"),
        (np.nan, np.nan, "too few"),
    ):
        other = pd.DataFrame([line | {"low": low, "high": high}])
        assert verdict in " ".join(seven_levels.headline(scores, other))


def test_random_frames_score_higher_than_subject_folds(study: Study, rows, cohort: Cohort) -> None:
    """The audit compares the same model, paired over subjects; who is tested was trained on."""
    found = audit(study, rows, HEAD, metrics=["accuracy", "AUC"])
    random = found[found["leak"] == "random frames"].set_index("metric")
    assert (random["subject_in_training"] == random["test_samples"]).all()
    assert (random["near_in_time"] > 0.9 * random["test_samples"]).all()
    assert (random["low"] > 0).all()  # the interval of the difference
    honest = found[found["leak"] == "subject folds"]
    assert (honest[["subject_in_training", "near_in_time", "copy_in_training"]] == 0).all(axis=None)
    copied = found[found["leak"] == "augmentation before the split"]
    assert (copied["copy_in_training"] > 0).all()


def test_a_fold_of_a_subject_without_pain_and_a_level_that_training_lacks(
    study: Study, store: CropStore, rows, cohort: Cohort
) -> None:
    """All have seven probabilities in every fold, and the scores say what does not exist."""
    painless, strongest = cohort.frames["subject"].unique()[:2]
    frames = cohort.frames.copy()
    frames.loc[frames["subject"] == painless, "pspi"] = 0.0
    frames.loc[frames["subject"] != strongest, "pspi"] = frames["pspi"].clip(upper=4)
    frames.loc[frames.index[frames["subject"] == strongest][5], "pspi"] = 15.0
    changed = replace(
        study, cohort=replace(cohort, frames=frames, fingerprint="changed"), protocol=subject_k_fold(4)
    )
    found = changed.run(rows.only([HEAD]))
    own = found.scored.tables[HEAD]
    assert own.groupby("fold")["subject"].nunique().tolist() == [1] * 4
    np.testing.assert_allclose(own[[f"p_{k}" for k in range(7)]].sum(axis=1), 1, rtol=1e-5)
    missed = own[own["subject"] == strongest]
    assert (missed["p_6"] == 0).all()  # level 6 was shown by no training subject
    assert found.scores()["value"].notna().sum() > 0
    recall = seven_levels.table_2(found).set_index(["row", "metric"])["value"]
    assert recall["level 6", "recall"] == 0


def test_emotions_are_scored_beside_the_majority_class(start: EmotionStart, smoke: Path) -> None:
    faces = painkit.data.load("ferplus", smoke / "ferplus", progress=False)
    kept, label = faces.majority()
    test, train = kept.usage == "PrivateTest", kept.usage == "Training"
    usual = np.bincount(label[train], minlength=len(EMOTIONS)).argmax()
    scores = start.scores.set_index(["row", "metric"])
    assert scores.loc[("majority class", "accuracy"), "value"] == pytest.approx((label[test] == usual).mean())
    assert (start.scores["n"] == test.sum()).all()
    assert list(start.scores["row"].unique()) == ["majority", "probability", "majority class"]
    assert start.simulated


def test_weights_that_are_given_are_taken_as_they_are(study: Study, tmp_path: Path, smoke: Path) -> None:
    (tmp_path / "own.pth").write_bytes(b"read by the nets alone")
    given = start_from_emotions(study, tmp_path / "nowhere", pretrained=tmp_path / "own.pth")
    assert given.weights.path == tmp_path / "own.pth"
    assert given.scores.empty
    with pytest.raises(PainkitError, match=r"mode 'mean'.*majority or probability"):
        start_from_emotions(study, smoke / "ferplus", mode="mean")  # type: ignore[arg-type]


def test_each_face_is_explained_by_the_net_that_did_not_train_on_its_subject(
    results: Results, store: CropStore, cohort: Cohort
) -> None:
    found = seven_levels_maps.held_out_faces(results, store, WHOLE, per_subject=3)
    tested = results.runs[WHOLE].predictions.set_index("row")
    rows = found.frames["row"]
    assert (tested.loc[rows, "fold"].to_numpy() == found.frames["fold"].to_numpy()).all()
    said = "level " + tested.loc[rows, "y_pred"].astype(int).astype(str)
    assert said.tolist() == found.frames["predicted"].tolist()
    shown = seven_levels_maps.one_of_each_level(found)
    assert shown.frames["true"].is_unique
    assert set(shown.frames["true"]) == set(found.frames["true"])
    some = found.take([0, 4, len(rows) - 1])
    maps = some.maps("LRPPresetAFlat")
    for i in range(3):
        alone = lrp(some.nets[i], to_input(some.images[[i]]))
        np.testing.assert_allclose(maps.heatmaps[i], alone.heatmaps[0], rtol=1e-3, atol=1e-5)
    # Frame by frame the maps are the same.
    own = found.take(np.flatnonzero(found.frames["subject"] == found.frames["subject"].iloc[0]))
    explain = seven_levels_maps.maps_of_frames(results, store, [WHOLE, "not run"])
    again = explain(own.frames["row"].to_numpy())
    assert list(again) == [WHOLE]
    np.testing.assert_allclose(again[WHOLE], own.maps("LRPPresetAFlat").heatmaps, rtol=1e-3, atol=1e-5)
    # Landmarks go where the crop shows them.
    points = FaceCrop("box", side=32).transform(cohort.landmarks[rows.to_numpy()])
    moved = (
        np.einsum("nij,nkj->nki", points[..., :2], cohort.landmarks[rows.to_numpy()]) + points[:, None, :, 2]
    )
    np.testing.assert_allclose(found.landmarks, moved, atol=1e-3)


def test_what_speaks_for_the_true_level_is_measured_where_pain_moved_the_face(
    results: Results, store: CropStore, cohort: Cohort
) -> None:
    found = {
        row: seven_levels_maps.held_out_faces(results, store, row, per_subject=3) for row in (HEAD, WHOLE)
    }
    maps = seven_levels_maps.positive_maps(found)
    assert (maps.frames["level"] > 0).all()
    assert all((one >= 0).all() for one in maps.maps.values())
    level = maps.frames["level"].to_numpy(np.intp)
    place = found[WHOLE].frames["row"].tolist().index(maps.frames["row"].iloc[0])
    alone = lrp(found[WHOLE].nets[place], to_input(found[WHOLE].images[[place]]), target=int(level[0]))
    np.testing.assert_allclose(maps.maps[WHOLE][0], alone.heatmaps[0].clip(min=0), rtol=1e-3, atol=1e-5)
    mass = mass_in_pain_regions(maps, cohort, n_resamples=50)
    assert mass["row"].tolist() == [HEAD, WHOLE]
    assert mass["share"].between(0, 1).all()


def test_hours_ahead_count_every_image_that_is_trained_on(
    study: Study, store: CropStore, rows, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    table = level_hours.hours_ahead(study, rows, store, EMOTIONS_NET).set_index("what")
    assert table.loc["emotions of FER+, in both modes", "trained"] == 2 * 3 * 8
    images = seven_levels.levels_balanced(study, store)["after"].sum() * 2
    assert table.loc[WHOLE, "trained"] == pytest.approx(images, abs=1)
    assert (table["hours"] > 0).all()
    number, unit = table.loc[WHOLE, "takes"].split()
    in_hours = {"hours": 1, "minutes": 60, "seconds": 3600}[unit]
    assert float(number) == pytest.approx(in_hours * table.loc[WHOLE, "hours"], abs=0.051)
    monkeypatch.setenv("PAINKIT_TEXT_PROGRESS", "1")
    long = table.reset_index().assign(hours=[0.0] * (len(table) - 1) + [12.0])
    told = level_hours.hours_sentence(long)
    assert "about 12.0 hours" in told
    assert capsys.readouterr().err == f"Ahead: {told}\n"

"""Table 2 by folds, and maps by nets that have not seen the subject."""

from __future__ import annotations

import base64
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from painkit.attribution.lrp import lrp
from painkit.attribution.region_reading import read_regions, region_shares
from painkit.data.crop_store import CropStore
from painkit.data.expressions import expressions_of
from painkit.data.unbc import read_unbc
from painkit.errors import PainkitError
from painkit.evaluation.protocols import protocol_named
from painkit.evaluation.study import Results, Study
from painkit.faces.alignment import square_box
from painkit.faces.detector import detect_face
from painkit.faces.regions import unit_masks
from painkit.figures.pixel_maps import heatmap_colors
from painkit.models.nets.vgg_face import to_input
from painkit.papers import (
    expression_causes,
    expression_images,
    expression_maps,
    expression_regions,
    lrp_emotions,
)
from painkit.papers.expression_clip import clip_through_time, middle_clip
from painkit.papers.expression_images import HeldOutImages
from painkit.vocabulary.action_units import UNIT_LANDMARKS
from painkit.vocabulary.classes import EXPRESSIONS

pytestmark = pytest.mark.usefixtures("one_thread")

NET = {
    "input_size": 32,
    "width": 1 / 16,
    "iterations": 30,
    "lr": 0.01,
    "batch_size": 8,
    "dropout": 0.2,
    "max_norm": 1.0,
    "device": "cpu",
}


@pytest.fixture(scope="module")
def ran(smoke: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Results, CropStore]:
    out = tmp_path_factory.mktemp("emotions")
    cohort = expressions_of("simulated", smoke, between=(0.35, 0.9), per_clip=4, progress=False)
    store = lrp_emotions.clip_crops(cohort, out / "crops", side=32)
    study = Study(cohort, protocol_named("subject_k_fold:3", seed=0), out / "runs", n_resamples=100)
    return study.run(lrp_emotions.rows(store, net=NET)), store


@pytest.fixture(scope="module")
def found(ran: tuple[Results, CropStore]) -> HeldOutImages:
    return expression_images.held_out_images(*ran, per_clip=2)


def test_table_1_counts_every_frame_once(ran: tuple[Results, CropStore]) -> None:
    results, store = ran
    table = lrp_emotions.frames_per_class(results.study.cohort, store)
    assert table["frames"].to_dict() == {
        "pain intensity 3": 12,
        "pain intensity 4": 12,
        "disgust": 12,
        "happiness": 12,
    }
    assert table["with a crop"].sum() == store.usable.sum()
    assert table["published frames"].to_dict() == {
        "pain intensity 3": 12006,
        "pain intensity 4": 12006,
        "disgust": 24075,
        "happiness": 24075,
    }


def test_table_2_is_scikit_learns_by_fold(ran: tuple[Results, CropStore]) -> None:
    predictions = ran[0].runs[lrp_emotions.NET].predictions.dropna(subset=["y_pred"])
    by_fold = []
    for _, fold in predictions.groupby("fold", sort=False):
        scores = precision_recall_fscore_support(
            fold["y_true"], fold["y_pred"], labels=[0, 1, 2], zero_division=np.nan
        )
        by_fold.append(np.array(scores[:3]))
    folds = lrp_emotions.every_fold(ran[0])
    assert folds["fold"].tolist()[-2:] == ["mean", "spread"]
    expected = np.nanmean(by_fold, axis=2)
    np.testing.assert_allclose(folds[["precision", "recall", "F1"]].to_numpy()[:3], expected)
    np.testing.assert_allclose(folds["recall"].iloc[3], expected[:, 1].mean())
    table = lrp_emotions.class_scores(ran[0]).set_index(["class", "metric"])
    for k, name in enumerate(EXPRESSIONS):
        assert table.loc[(name, "recall"), "value"] == pytest.approx(np.nanmean([f[1, k] for f in by_fold]))
    best = int(folds["accuracy"].iloc[:3].argmax())
    assert table.loc[("pain", "recall"), "best fold"] == pytest.approx(by_fold[best][1, 0])
    assert table.loc[("happiness", "recall"), "published"] == 0.57


def test_the_confusion_matrix_holds_every_frame(ran: tuple[Results, CropStore]) -> None:
    predictions = ran[0].runs[lrp_emotions.NET].predictions.dropna(subset=["y_pred"])
    expected = confusion_matrix(predictions["y_true"], predictions["y_pred"], labels=[0, 1, 2])
    np.testing.assert_array_equal(lrp_emotions.confusion(ran[0]).to_numpy(), expected)


def test_each_image_is_explained_by_the_net_that_did_not_train_on_its_subject(
    ran: tuple[Results, CropStore], found: HeldOutImages
) -> None:
    results, store = ran
    predictions = results.runs[lrp_emotions.NET].predictions.set_index("row")
    frames = found.frames
    assert (predictions.loc[frames["row"], "fold"].to_numpy() == frames["fold"].to_numpy()).all()
    said = np.array(EXPRESSIONS)[predictions.loc[frames["row"], "y_pred"].astype(int)]
    np.testing.assert_array_equal(frames["predicted"], said)
    assert frames.groupby("sequence").size().max() == 2
    nets = frames.groupby("fold").indices.values()
    assert all(len({id(found.nets[i]) for i in own}) == 1 for own in nets)
    assert len({id(net) for net in found.nets}) == 3
    maps = found.maps("LRPPresetAFlat")
    for i in (0, 7, len(frames) - 1):
        np.testing.assert_array_equal(found.images[i], store.batch(frames["row"].to_numpy()[[i]])[0])
        alone = lrp(found.nets[i], to_input(found.images[[i]]))
        np.testing.assert_allclose(maps.heatmaps[i], alone.heatmaps[0], rtol=1e-3, atol=1e-5)
        np.testing.assert_allclose(maps.logits[i], found.logits[i], rtol=1e-4, atol=1e-5)


def test_a_preset_is_like_itself_and_the_sums_are_those_of_the_maps(found: HeldOutImages) -> None:
    some = found.take(range(4))
    table = expression_maps.sensitivity(some).set_index("setting")
    own = table.loc["LRPPresetAFlat"]
    assert own["rank_correlation"] == pytest.approx(1)
    assert own["changed_sign"] == 0
    assert (table["rank_correlation"].iloc[1:] < 1).all()
    maps = expression_maps.maps_by_preset(some)
    errors = expression_maps.conservation(maps).set_index("preset")
    for preset, one in maps.items():
        sums = one.relevance.astype(float).sum(axis=(1, 2, 3))
        logits = some.logits.max(axis=1)
        expected = np.abs((sums - logits) / logits)
        assert errors.loc[preset, "largest"] == pytest.approx(expected.max(), rel=1e-3)


def test_shares_are_means_of_subjects_means(found: HeldOutImages) -> None:
    face = np.stack([np.linspace(4, 28, 66), 16 + 10 * np.sin(np.arange(66.0))], axis=1)
    marked = replace(found, landmarks=np.where(np.isfinite(found.landmarks), found.landmarks, face))
    shares = expression_regions.class_shares(marked, n_resamples=50)
    raw = region_shares(marked.maps("LRPPresetAFlat").heatmaps, marked.landmarks)
    brows = raw.query("kind == 'part' and name == 'brows'").set_index("image")["positive"]
    frames = marked.frames.assign(share=brows)
    for name in frames["predicted"].unique():
        own = frames[frames["predicted"] == name].dropna(subset=["share"])
        if len(own):
            expected = own.groupby("subject")["share"].mean().mean()
            cell = shares[(shares["class"] == name) & (shares["name"] == "brows")].iloc[0]
            assert cell["value"] == pytest.approx(expected)
            assert cell["subjects"] == own["subject"].nunique()


def test_without_landmarks_there_are_no_shares_and_the_reason_is_told(ran: tuple[Results, CropStore]) -> None:
    bare = expression_images.held_out_images(*ran, per_clip=1, landmarks=False)
    shares = expression_regions.class_shares(bare, n_resamples=20)
    assert shares.empty
    assert "not asked for" in expression_regions.differences_sentence(shares, bare)
    assert expression_causes.agreement_with_causes(bare, ran[0].study.cohort).empty


def test_the_clip_that_moves_is_the_middle_one_by_the_net_that_has_not_seen_it(
    ran: tuple[Results, CropStore],
) -> None:
    results, store = ran
    predictions = results[lrp_emotions.NET].predictions
    subject, sequence = middle_clip(predictions, 0, "p_0")
    means = predictions[predictions["y_true"] == 0].groupby(["subject", "sequence"])["p_0"].mean()
    assert (means < means[subject, sequence]).sum() in (len(means) // 2, (len(means) - 1) // 2)
    figure = clip_through_time(results, store)
    assert f"{subject}, {sequence}" in figure.layout.title.text
    own = predictions.set_index(["subject", "sequence"]).loc[(subject, sequence)].sort_values("frame")
    lines = {part.name: part for part in figure.data if part.name}
    np.testing.assert_array_equal(lines["pain"].y, own["p_0"])
    assert [state.name for state in figure.frames] == own["frame"].astype(str).tolist()
    # What is drawn is the relevance for pain of that fold's net.
    every = expression_images.held_out_images(*ran, per_clip=4, landmarks=False)
    shown = (every.frames["subject"] == subject) & (every.frames["sequence"] == sequence)
    maps = every.take(np.flatnonzero(shown)).maps("LRPPresetAFlat", 0).heatmaps
    places = [own["frame"].tolist().index(frame) for frame in every.frames["frame"][shown]]
    for place, heatmap in zip(places, maps, strict=True):
        raw = base64.b64decode(figure.frames[place].layout.images[1].source.split(";base64,")[1])
        drawn = cv2.imdecode(np.frombuffer(raw, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
        assert np.abs(drawn.astype(int) - heatmap_colors(heatmap)).mean() < 12
    with pytest.raises(PainkitError, match="no clip of the class"):
        middle_clip(predictions, 5, "p_0")


def test_images_of_another_set_are_its_subjects_worst_frames(
    ran: tuple[Results, CropStore], smoke: Path
) -> None:
    results = ran[0]
    moved = expression_images.transfer_images(results, None, count=2)
    assert moved is not None
    archive = read_unbc(smoke, progress=False)
    worst = archive.frames.groupby("subject")["pspi"].max()
    shown = moved.frames.merge(archive.frames, on=["subject", "sequence", "frame"])
    assert len(shown) == moved.frames["subject"].nunique() == 2
    assert (shown["pspi"] == worst[shown["subject"]].to_numpy()).all()
    # The archive's landmarks, where the detector's box puts them on the crop that the net sees.
    row = archive.frames.merge(moved.frames.iloc[:1], on=["subject", "sequence", "frame"], how="left")
    (place,) = np.flatnonzero(row["true"].notna())
    left, top, right, _ = square_box(detect_face(archive.image(int(place))), 0.1)
    expected = (archive.landmarks[place] - [left, top]) * 32 / (right - left) - 0.5
    np.testing.assert_allclose(moved.landmarks[0], expected, atol=1e-4)
    assert np.isfinite(moved.landmarks).all()
    folds = lrp_emotions.every_fold(results).iloc[:-2].set_index("fold")["accuracy"]
    assert set(moved.frames["fold"]) == {folds.idxmax()}
    # A folder that is given wins; clips of people have none beside them.
    given = expression_images.transfer_images(results, smoke, count=2)
    assert given is not None
    np.testing.assert_array_equal(given.images, moved.images)


def test_density_about_the_units_of_pain_and_of_decoys(
    ran: tuple[Results, CropStore], found: HeldOutImages, smoke: Path
) -> None:
    """One image at a time, pixel set by pixel set."""
    cohort = ran[0].study.cohort
    clips = pd.read_parquet(smoke / "truth" / "clips.parquet")
    face = np.stack([np.linspace(4, 28, 66), 16 + 10 * np.sin(np.arange(66.0))], axis=1)
    marked = replace(found, landmarks=np.broadcast_to(face, (len(found.frames), 66, 2)))
    table = expression_causes.agreement_with_causes(marked, cohort, ["LRPZ"], n_resamples=50)
    table = table.set_index("units")
    videos = cohort.sequences.set_index("sequence")["video"]
    masks = unit_masks(face, (32, 32))
    places: dict[str, dict[str, list[tuple[float, float]]]] = {"pain": {}, "decoys": {}, "neither": {}}
    single: dict[tuple[str, str, int], list[tuple[float, float]]] = {}
    for i, row in marked.frames[marked.frames["true"] == "pain"].iterrows():
        heat = lrp(marked.nets[i], to_input(marked.images[[i]]), "LRPZ", target=0).heatmaps[0].clip(min=0)
        moved = clips[(clips["video"] == videos[row["sequence"]]) & (clips["frame"] == row["frame"])].iloc[0]
        lead = {au: moved[f"AU{au}_expression"] - moved[f"AU{au}_decoy"] for au in masks}
        units = {
            "pain": [au for au in masks if lead[au] > 0.5],
            "decoys": [au for au in masks if lead[au] < -0.5],
            "neither": [au for au in masks if abs(lead[au]) <= 0.5],
        }
        pixels = {
            name: {(int(y), int(x)) for au in own for y, x in zip(*np.nonzero(masks[au]), strict=True)}
            for name, own in units.items()
        }
        for name, own in units.items():
            taken = set().union(*(pixels[other] for other in ("pain", "decoys") if other != name))
            for au in own:
                left = {(int(y), int(x)) for y, x in zip(*np.nonzero(masks[au]), strict=True)} - taken
                if left:
                    share = sum(heat[at] for at in left) / heat.sum()
                    single.setdefault((name, row["subject"], au), []).append((share, len(left) / 1024))
            if left := pixels[name] - taken:
                share = sum(heat[at] for at in left) / heat.sum()
                places[name].setdefault(row["subject"], []).append((share, len(left) / 1024))
    assert places["pain"]
    named = {"pain": "moved more by pain", "decoys": "moved more by decoys", "neither": "moved by neither"}
    for name, subjects in places.items():
        if subjects:
            share, area = np.mean([np.mean(own, axis=0) for own in subjects.values()], axis=0)
            assert table.loc[named[name], "density"] == pytest.approx(share / area, rel=1e-3)
            assert table.loc[named[name], "subjects"] == len(subjects)
    gained: dict[str, list[tuple[float, float]]] = {}
    for (name, subject, au), own in single.items():
        if name == "pain" and (still := single.get(("neither", subject, au))):
            (share, area), (rest, whole) = np.mean(own, axis=0), np.mean(still, axis=0)
            gained.setdefault(subject, []).append((share - rest * area / whole, area))
    sums = np.sum([np.sum(own, axis=0) for own in gained.values()], axis=0)
    assert table.loc["gain by pain", "density"] == pytest.approx(sums[0] / sums[1], rel=1e-3, abs=1e-6)


def test_frames_are_chosen_in_which_a_cause_leads(ran: tuple[Results, CropStore], smoke: Path) -> None:
    results = ran[0]
    cohort = results.study.cohort
    rows = expression_causes.frames_by_cause(results, per_clip=100)
    clips = pd.read_parquet(smoke / "truth" / "clips.parquet")
    frames = cohort.frames.merge(cohort.sequences[["sequence", "video"]], on="sequence")
    frames = frames.merge(clips, on=["video", "frame"], how="left")
    leads = np.stack(
        [np.abs(frames[f"AU{au}_expression"] - frames[f"AU{au}_decoy"]) > 0.5 for au in UNIT_LANDMARKS]
    )
    expected = (frames["expression"] == "pain").to_numpy() & leads.any(axis=0)
    np.testing.assert_array_equal(rows, np.flatnonzero(expected))
    assert 0 < len(expression_causes.frames_by_cause(results, per_clip=1)) < len(rows)


def causes_table(pain: float, decoys: float) -> pd.DataFrame:
    """Two methods; the second finds the reverse."""
    rows = []
    for method, (first, second) in (("LRPPresetAFlat", (pain, decoys)), ("LRPZ", (decoys, pain))):
        for units, value in (
            ("moved more by pain", first), ("moved more by decoys", second), ("difference", first - second),
            ("moved by neither", 1.0), ("gain by pain", first - 1), ("gain by decoys", second - 1),
            ("difference of gains", first - second),
        ):  # fmt: skip
            rows.append((method, units, value, value - 0.1, value + 0.1, 0.1, 8, 40))
    columns = ["method", "units", "density", "low", "high", "area", "subjects", "images"]
    return pd.DataFrame(rows, columns=columns)


def test_both_densities_are_told_whichever_way_they_turn_out() -> None:
    density, gain = expression_causes.causes_sentences(causes_table(2, 1.5))
    assert "2.00 (95 % interval 1.90 to 2.10) in places moved more by pain, 1.50" in density
    assert "pain minus for decoys +0.50 (95 % interval +0.40 to +0.60), so it follows pain more" in density
    assert "1.00 (95 % interval 0.90 to 1.10) by pain, 0.50" in gain
    assert "By other maps" not in density + gain
    density, _ = expression_causes.causes_sentences(causes_table(1.5, 2))
    assert "so it follows decoys more than pain. By other maps: LRPZ +0.50" in density
    alone = causes_table(1.5, 2)
    density, _ = expression_causes.causes_sentences(alone[alone["units"] != "difference"])
    assert density.endswith("No subject has both, so they are not compared.")
    assert expression_causes.causes_sentences(causes_table(1, 2).iloc[:0]) == []


def test_a_reading_is_that_of_the_images_own_net(found: HeldOutImages) -> None:
    face = np.stack([np.linspace(4, 28, 66), 16 + 10 * np.sin(np.arange(66.0))], axis=1)
    marked = replace(found, landmarks=np.broadcast_to(face, (len(found.frames), 66, 2)))
    some = marked.take([0, len(found.frames) - 1, 1])
    read = expression_regions.readings([some, None], n_samples=3, seed=5)
    assert read["disturbed by"].tolist() == ["Monte-Carlo dropout", "input noise"] * 3
    own = [i for i, net in enumerate(some.nets) if net is some.nets[0]]
    alone = read_regions(
        some.nets[0], to_input(some.images[own]), some.landmarks[own], outputs=EXPRESSIONS,
        uncertainty="noise", n_samples=3, seed=5,
    )  # fmt: skip
    assert read["reading"].iloc[1] == alone.sentence(0).replace("*", "")
    assert read["kept"].iloc[1] == alone.stability["kept"].iloc[0]
    table = expression_regions.stability(read).set_index(["predicted", "disturbed by"])
    assert table["images"].sum() == len(read)
    for (name, how), part in read.groupby(["predicted", "disturbed by"]):
        assert table.loc[(name, how), "class kept"] == pytest.approx(part["kept"].mean())
        spans = (part["high"] - part["low"]).mean()
        assert table.loc[(name, how), "span of the largest share"] == pytest.approx(spans, nan_ok=True)


def test_other_lists_of_classes_are_trained_scored_and_explained(smoke: Path, tmp_path: Path) -> None:
    classes = {"pain": ["PA4"], "no pain": ["BL1"]}
    cohort = expressions_of("simulated", smoke, classes=classes, between=(0.35, 0.9), per_clip=4)
    store = lrp_emotions.clip_crops(cohort, tmp_path / "crops", side=32)
    study = Study(cohort, protocol_named("subject_k_fold:3", seed=0), tmp_path / "runs", n_resamples=50)
    results = study.run(lrp_emotions.rows(store, classes=list(classes), net=NET | {"iterations": 3}))
    counts = lrp_emotions.frames_per_class(cohort, store)
    assert counts["class"].to_dict() == {"pain intensity 4": "pain", "BL1": "no pain"}
    scores = lrp_emotions.class_scores(results)
    assert scores["class"].unique().tolist() == ["pain", "no pain", "average"]
    assert scores["published"].isna().all()
    assert results.scores()["published_on_archive"].isna().all()
    assert lrp_emotions.confusion(results).shape == (2, 2)
    assert "recall of pain and no pain" in lrp_emotions.fold_sentence(results)
    assert "chance is 0.50" in lrp_emotions.fold_sentence(results)
    found = expression_images.held_out_images(results, store, per_clip=1, landmarks=False)
    assert found.classes == ("pain", "no pain")
    assert found.maps("LRPPresetAFlat", 1).logits.shape == (6, 2)
    assert set(expression_regions.pixel_record(found, cohort).true) == {0, 1}
    moved = expression_images.transfer_images(results, None, count=1)
    assert moved is not None
    assert moved.frames["predicted"].iloc[0] in classes


def test_a_fold_without_a_class_is_told(ran: tuple[Results, CropStore]) -> None:
    results, store = ran
    rows = lrp_emotions.rows(store, classes=(*EXPRESSIONS, "fear"), net=NET)
    with pytest.raises(PainkitError, match=r"was trained without fear.*expected folds with every class"):
        expression_images.held_out_images(replace(results, rows=rows), store, per_clip=1, landmarks=False)


def test_the_explorers_record_knows_the_units_that_were_shown(
    ran: tuple[Results, CropStore], found: HeldOutImages
) -> None:
    cohort = ran[0].study.cohort
    face = np.stack([np.linspace(4, 28, 66), 16 + 10 * np.sin(np.arange(66.0))], axis=1)
    marked = replace(found, landmarks=np.broadcast_to(face, (len(found.frames), 66, 2)))
    record = expression_regions.pixel_record(marked, cohort)
    np.testing.assert_array_equal(record.predicted("VGG-Face"), found.logits.argmax(axis=1))
    assert [record.classes[k] for k in record.true] == found.frames["true"].tolist()
    happy = np.flatnonzero(found.frames["true"] == "happiness")
    shown = {name for i in happy for name in record.true_regions[i]}
    assert shown == {"AU6 cheek raiser", "AU12 lip corner puller", "AU25 lips part"}


def test_a_damaged_truth_is_told_and_without_one_nothing_is_outlined(
    ran: tuple[Results, CropStore], found: HeldOutImages, tmp_path: Path
) -> None:
    face = np.stack([np.linspace(4, 28, 66), 16 + 10 * np.sin(np.arange(66.0))], axis=1)
    marked = replace(found, landmarks=np.broadcast_to(face, (len(found.frames), 66, 2)))
    cohort = ran[0].study.cohort
    (tmp_path / "simulation.json").write_bytes((cohort.root.parent / "simulation.json").read_bytes())
    moved = replace(cohort, root=tmp_path / "biovid")
    assert not any(expression_regions.pixel_record(marked, moved).true_regions)
    assert expression_causes.agreement_with_causes(marked, moved).empty
    (tmp_path / "truth").mkdir()
    (tmp_path / "truth" / "clips.parquet").write_bytes(b"PAR1 and then nothing")
    with pytest.raises(PainkitError, match=r"clips\.parquet: cannot be read"):
        expression_regions.pixel_record(marked, moved)


def test_a_clip_without_a_face_is_masked_counted_and_told(smoke: Path, tmp_path: Path) -> None:
    cohort = expressions_of("simulated", smoke, between=(0.35, 0.9), per_clip=2, progress=False)
    gone = cohort.sequences.loc[cohort.sequences["class"] == "PA4", "sequence"].iloc[0]
    grey = np.full((240, 320, 3), 128, np.uint8)

    def one_blind(subject: str, sequence: str, frame: int) -> np.ndarray:
        assert cohort.draw is not None
        return grey if sequence == gone else cohort.draw(subject, sequence, frame)

    blind = replace(cohort, draw=one_blind, fingerprint="one clip without a face")
    store = lrp_emotions.clip_crops(blind, tmp_path / "crops", side=32)
    rows = np.flatnonzero(blind.frames["sequence"] == gone)
    assert not store.usable[rows].any()
    counts = lrp_emotions.frames_per_class(blind, store).loc["pain intensity 4"]
    assert counts["frames"] - counts["with a crop"] == len(rows) == 2
    study = Study(blind, protocol_named("subject_k_fold:3", seed=0), tmp_path / "runs", n_resamples=10)
    results = study.run(lrp_emotions.rows(store, net=NET | {"iterations": 2}))
    told = results[lrp_emotions.NET].predictions.set_index("row")["y_pred"]
    np.testing.assert_array_equal(told.sort_index().isna(), ~store.usable)
    assert results.scored.not_estimated.startswith(f"2: {blind.frames['subject'][rows[0]]}/{gone}/")
    found = expression_images.held_out_images(results, store, per_clip=1, landmarks=False)
    assert gone not in set(found.frames["sequence"])
    every = replace(cohort, draw=lambda *_: grey, fingerprint="no face at all")
    empty = lrp_emotions.clip_crops(every, tmp_path / "crops", side=32)
    with pytest.raises(PainkitError, match="no frame of a clip has a crop"):
        expression_images.held_out_images(results, empty, landmarks=False)

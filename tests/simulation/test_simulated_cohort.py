"""The simulated cohort meets the archive's counts, and its files say what its causes say."""

from __future__ import annotations

import json
import re
from itertools import pairwise

import av
import cv2
import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import LeaveOneGroupOut, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from painkit.data import load
from painkit.data.check import check
from painkit.data.identities import read_identities
from painkit.faces.regions import part_masks
from painkit.simulation.action_units import landmarks
from painkit.simulation.anatomy import NEUTRAL_POSE
from painkit.simulation.biovid import _subject, clip_truth
from painkit.simulation.causes import TRACE
from painkit.simulation.dynamics import CODED, NOISE_SD, draw_signals, person_of
from painkit.simulation.labels import simulate_labels
from painkit.simulation.portraits import MIXTURES
from painkit.simulation.profiles import PROFILES
from painkit.simulation.regions import SHORTCUT_REGION
from painkit.simulation.render import render
from painkit.simulation.simulation import _sequences
from painkit.simulation.writer import sequence_task
from painkit.vocabulary.action_units import AUS
from painkit.vocabulary.pain import level_0_5

NAME = re.compile(r"^[a-z]{2}\d{3}t[12](aa|ae|af|ai)(aff|unaff)$")
CODES = {4, 6, 7, 9, 10, 12, 15, 20, 25, 26, 27, 43, 50}


@pytest.fixture(scope="module")
def full():
    return simulate_labels("full", "none", seed=0)


def frames_of(labels) -> pd.DataFrame:
    s = labels.latents.sequences
    rows = {"subject": np.repeat(s["subject"].to_numpy(), s["n_frames"])}
    rows["sequence"] = np.repeat(s["sequence"].to_numpy(), s["n_frames"])
    black = np.concatenate([x.black for x in labels.signals])
    return pd.DataFrame({**rows, "pspi": labels.latents.pspi, "level": labels.latents.level, "black": black})


def test_counts_are_those_of_the_archive(full, shared):
    facts = json.loads((shared / "spec" / "unbc_facts.json").read_text())
    frames = frames_of(full)
    assert len(frames) == 48_398
    assert frames["black"].sum() == 7
    assert frames[frames["black"]]["sequence"].unique().tolist() == ["tv095t2aeunaff"]
    assert np.bincount(frames["pspi"]).tolist() == list(facts["pspi_histogram"].values())
    assert frames["level"].tolist() == level_0_5(frames["pspi"]).tolist()
    seen = frames[~frames["black"]]
    assert [s["subject"] for s in facts["subjects"]] == sorted(seen["subject"].unique())
    for s in facts["subjects"]:
        own = seen[seen["subject"] == s["subject"]]
        assert np.bincount(own["level"], minlength=6).tolist() == s["level_counts"]
        by_sequence = own.groupby("sequence")["level"]
        assert sorted(by_sequence.size()) == sorted(s["sequence_lengths"])
        assert (by_sequence.max() == 0).sum() == s["all_zero_sequences"]
    sequences = full.latents.sequences
    assert np.bincount(sequences["vas"]).tolist() == facts["vas_histogram"]
    assert np.bincount(sequences["opi"]).tolist() == facts["opi_histogram"]
    assert sequences["sequence"].is_unique
    assert all(NAME.match(name) for name in sequences["sequence"])


@pytest.mark.parametrize("seed", [0, 5])
def test_rows_of_constants_come_out_to_the_digit(full, seed):
    labels = simulate_labels("full", "none", seed) if seed else full
    frames = frames_of(labels)
    totals = {"MAE": [], "MSE": [], "wMAE": [], "wMSE": []}
    for _, own in frames[~frames["black"]].groupby("subject"):
        levels = own["level"].tolist()
        totals["MAE"].append(sum(levels) / len(levels))
        totals["MSE"].append(sum(v * v for v in levels) / len(levels))
        occurring = sorted(set(levels))
        totals["wMAE"].append(sum(occurring) / len(occurring))
        totals["wMSE"].append(sum(v * v for v in occurring) / len(occurring))
    means = {name: round(sum(values) / len(values), 3) for name, values in totals.items()}
    assert means == {"MAE": 0.438, "MSE": 1.353, "wMAE": 2.143, "wMSE": 7.387}
    vas = labels.latents.sequences["vas"]
    assert vas.mean() == 3.255
    assert (vas - 3.25).abs().mean() == 2.4375


def test_codes_follow_the_formula_and_the_movement(full):
    codes = pd.DataFrame(np.concatenate([s.coded for s in full.signals]), columns=list(CODED))
    pspi = [
        c4 + max(c6, c7) + max(c9, c10) + c43
        for c4, c6, c7, c9, c10, c43 in codes[[4, 6, 7, 9, 10, 43]].itertuples(index=False)
    ]
    assert pspi == full.latents.pspi.tolist()
    assert codes.to_numpy().min() == 0
    assert codes.drop(columns=43).to_numpy().max() == 5
    assert codes[43].max() == 1
    # Where a code stands still, the movement behind it rounds to it; smoothing blurs only its changes.
    start = full.latents.start
    for au in (4, 6, 7, 9, 10):
        for s, (a, b) in zip(full.signals, pairwise(start), strict=True):
            code = codes[au].to_numpy()[a:b]
            still = np.lib.stride_tricks.sliding_window_view(np.pad(code, 4, mode="edge"), 9)
            still = (still == code[:, None]).all(axis=1)
            assert (np.abs(s.pain[still, AUS.index(au)] - code[still]) <= 0.5 + 0.02).all()
    assert max(s.pain.max() for s in full.signals) <= 5
    zero = np.repeat(np.maximum.reduceat(full.latents.pspi, start[:-1]) == 0, np.diff(start))
    pain = np.concatenate([s.pain for s in full.signals])
    assert pain[zero].max() <= TRACE


def test_streams_do_not_depend_on_the_order_of_the_work(full):
    for i in (150, 3):
        again = draw_signals(full.latents, 0, i)
        np.testing.assert_array_equal(again.intensity, full.signals[i].intensity)
        np.testing.assert_array_equal(again.pose, full.signals[i].pose)


def statistics(full) -> np.ndarray:
    depth = full.latents.depth + full.latents.trace
    parts = [depth[a:b] for a, b in pairwise(full.latents.start)]
    return np.log1p([[p.mean(), np.median(p), p.max(), p.std(), p.sum(), np.quantile(p, 0.9)] for p in parts])


def test_pain_and_personal_features_are_to_be_found_in_new_subjects(full):
    # A failed check would mean that no model can show what personal features are worth on this cohort.
    sequences = full.latents.sequences
    people = full.latents.subjects.set_index("subject").loc[sequences["subject"]]
    personal = pd.get_dummies(people[["gender", "age", "complexion"]]).to_numpy(float)
    seen = statistics(full)
    model = make_pipeline(StandardScaler(), RidgeCV(np.logspace(-1, 4, 20)))

    def error(x: np.ndarray, target: str) -> float:
        cut = {"groups": sequences["subject"], "cv": LeaveOneGroupOut()}
        return float(np.abs(cross_val_predict(model, x, sequences[target], **cut) - sequences[target]).mean())

    plain, personalised = error(seen, "vas"), error(np.c_[seen, personal], "vas")
    assert plain < 2.25
    assert personalised < plain - 0.4
    assert error(seen, "opi") < 0.6


def test_movement_is_smooth(full):
    # A unit that jumped would crawl over the face within one frame; closed lids are the exception.
    quick = [np.abs(np.diff(s.pain[:, :-1], axis=0)).max() for s in full.signals if len(s.pain) > 1]
    assert max(quick) < 2
    assert np.quantile(quick, 0.9) < 1
    moved = np.concatenate([np.diff(s.pose[:, :3], axis=0) for s in full.signals])
    assert np.abs(moved).max() < np.deg2rad(2)


def test_files_hold_what_was_simulated(tree):
    labels = simulate_labels("smoke", "thin", 0)
    people = [person_of(labels.latents, 0, i) for i in range(4)]
    errors = []
    for i, row in labels.latents.sequences.iterrows():
        place = f"{row['subject']}/{row['sequence']}"
        for kind, column in (("VAS", "vas"), ("OPR", "opi"), ("AFF", "aff"), ("SEN", "sen")):
            assert (tree / f"Sequence_Labels/{kind}/{place}.txt").read_text() == f"   {row[column]:.7e}\n"
        s = labels.signals[i]
        truth = landmarks(
            people[list(labels.latents.subjects["subject"]).index(row["subject"])], s.intensity, s.pose
        )
        for k in range(row["n_frames"]):
            stem = f"{place}/{row['sequence']}{k + 1:03d}"
            pspi = labels.latents.pspi[labels.latents.start[i] + k]
            assert (tree / f"Frame_Labels/PSPI/{stem}_facs.txt").read_text() == f"   {pspi:.7e}\n"
            text = (tree / f"Frame_Labels/FACS/{stem}_facs.txt").read_text()
            rows = [list(map(float, line.split())) for line in text.splitlines()]
            au = {int(r[0]): int(r[1]) for r in rows}
            assert set(au) <= CODES
            get = lambda n, au=au: au.get(n, 0)  # noqa: E731
            assert get(4) + max(get(6), get(7)) + max(get(9), get(10)) + get(43) == pspi
            aam = tree / f"AAM_landmarks/{stem}_aam.txt"
            assert aam.exists() == s.tracked[k]
            if s.tracked[k]:
                points = [list(map(float, line.split())) for line in aam.read_text().splitlines()]
                errors.append(np.array(points) - truth[k])
    missing = sum((~s.tracked & ~s.black).sum() for s in labels.signals)
    assert 1 <= missing <= 6
    assert np.std(errors) == pytest.approx(NOISE_SD, rel=0.05)
    for i, image in enumerate(sorted((tree / "Images/095-tv095/tv095t2aeunaff").glob("*.png"))[:3]):
        assert (cv2.imread(str(image)).max() == 0) == (i < 2)


def test_thin_images_show_every_level_of_every_sequence():
    labels = simulate_labels("demo", "thin", 0)
    frames = frames_of(labels)
    every = set(frames.groupby(["sequence", "level"]).groups)
    assert set(frames[labels.pictured].groupby(["sequence", "level"]).groups) == every
    assert labels.pictured.sum() < 0.06 * len(frames)


def test_shortcut_follows_the_level_in_its_share(full):
    labels = simulate_labels("full", "none", 0, shortcut=0.7)
    black = np.concatenate([s.black for s in labels.signals])
    above, marked, follows = (x[~black] for x in (labels.latents.level > 0, labels.marked, labels.follows))
    n, base = len(above), above.mean()
    assert (marked[follows] == above[follows]).all()
    assert follows.mean() == pytest.approx(0.7, abs=4 * np.sqrt(0.21 / n))
    agree = 0.7 + 0.3 * (base**2 + (1 - base) ** 2)
    assert (marked == above).mean() == pytest.approx(agree, abs=4 * np.sqrt(0.25 / n))
    assert not full.marked.any()


def test_shortcut_is_seen_where_the_truth_says(tmp_path):
    x0, y0, x1, y1 = SHORTCUT_REGION
    pictures = []
    for share in (0.0, 1.0):
        labels = simulate_labels("smoke", "thin", 0, share)
        sequence = next(_sequences(labels, 0))
        sequence_task(tmp_path / str(share), sequence)()
        folder = tmp_path / str(share) / "Images" / sequence.subject / sequence.name
        pictures.append([cv2.imread(str(p)).astype(int) for p in sorted(folder.iterdir())])
    above = sequence.pspi[sequence.pictured] > 0
    assert above.any()
    assert not above.all()
    for plain, marked, pain in zip(*pictures, above, strict=True):
        changed = np.abs(plain - marked).max(axis=2) > 30
        inside = changed[y0:y1, x0:x1]
        assert (inside.mean() > 0.5) == pain
        assert changed.sum() == inside.sum()


def test_truth_tells_causes(tree):
    truth = tree / "truth"
    frames = pd.read_parquet(truth / "frames.parquet")
    assert len(frames) == 304
    shown, pain = (frames[[f"AU{au}{end}" for au in AUS]].to_numpy() for end in ("", "_pain"))
    assert (shown >= pain - 1e-6).all()
    moved = pd.read_csv(truth / "landmarks.csv").groupby("landmark")[["pain_px", "decoy_px"]].mean()
    eyes, corners = [37, 38, 43, 44], [48, 54]
    assert moved["pain_px"].nlargest(4).index.sort_values().tolist() == eyes
    assert set(corners) <= set(moved["decoy_px"].nlargest(8).index)
    units = pd.read_csv(truth / "units.csv")
    assert len(units) == 15 * 66
    for name in ("mean", "042-ll042"):
        for au in AUS:
            image = cv2.imread(str(truth / f"regions/{name}/image_AU{au:02d}.png"), cv2.IMREAD_GRAYSCALE)
            crop = cv2.imread(str(truth / f"regions/{name}/crop_AU{au:02d}.png"), cv2.IMREAD_GRAYSCALE)
            assert image.shape == (240, 320)
            assert crop.shape == (112, 96)
            assert set(np.unique(crop)) == {0, 255}
    causes = json.loads((truth / "causes.json").read_text())
    spread = {k: max(v.values()) - min(v.values()) for k, v in causes.items() if k.endswith("_effect")}
    assert max(spread, key=spread.get) == "age_effect"


def test_truth_of_clips_tells_what_is_drawn(tree):
    """Drawn anew from it, each clip's first, middle and last frames are the file's but for compression."""
    clips = pd.read_parquet(tree / "truth/clips.parquet").groupby("video")
    written = {str(path.relative_to(tree / "biovid")) for path in (tree / "biovid").rglob("*.mp4")}
    assert set(clips.groups) == written
    people = dict(_subject(0, number) for number in range(3))
    for video, table in clips:
        frames = [f.to_ndarray(format="rgb24") for f in av.open(str(tree / "biovid" / video)).decode(video=0)]
        assert table["frame"].tolist() == list(range(len(frames)))
        person = people[video.split("/")[1]]
        for k in (0, len(frames) // 2, len(frames) - 1):
            row = table.iloc[k]
            image = render(
                person,
                row[[f"AU{au}" for au in AUS]].to_numpy(float),
                row[["yaw", "pitch", "roll", "tx", "ty", "scale"]].to_numpy(float),
            )
            assert np.abs(image.astype(int) - frames[k]).mean() < 4


def test_heat_moves_units_of_pain_and_a_posed_face_those_of_its_mixture():
    clips = clip_truth(PROFILES["demo"], 0)
    expression = clips[[f"AU{au}_expression" for au in AUS]].set_axis(list(AUS), axis=1)
    decoys = clips[[f"AU{au}_decoy" for au in AUS]].set_axis(list(AUS), axis=1)

    def moved(label, least):
        most = expression[clips["video"].str.contains(f"[/-]{label}-")].max()
        return set(most.index[most > least])

    assert moved("BL1", 0) == set()
    assert {4, 6, 7, 43} <= moved("PA4", 1)
    for label in ("happiness", "disgust", "pain"):
        assert moved(label, 0) == set(MIXTURES[label])
    assert set(decoys.columns[(decoys > 1).any()]) >= {12, 25, 43}  # smiles, speech, blinks


def test_heat_pain_and_disgust_of_the_elderly_lie_apart():
    """At its height heat changes eyes and brows more than nose and mouth; posed disgust the reverse."""
    clips = clip_truth(PROFILES["demo"], 0)
    expression = clips[[f"AU{au}_expression" for au in AUS]].to_numpy(float)
    rest, pose = np.zeros(len(AUS)), np.array(NEUTRAL_POSE)
    shares = {"PA4": [], "disgust": []}
    for number in range(PROFILES["demo"].clip_subjects):
        name, person = _subject(0, number)
        if person.age != "elderly":
            continue
        still = render(person, rest, pose).astype(float)
        parts = part_masks(landmarks(person, rest[None], pose[None])[0], still.shape[:2])
        for label, own in shares.items():
            rows = np.flatnonzero(clips["video"].str.contains(rf"/{name}/.*{label}-"))
            peak = rows[expression[rows].sum(axis=1).argmax()]
            change = np.abs(render(person, expression[peak], pose) - still).sum(axis=2)
            own.append(
                [
                    sum(change[parts[part]].sum() for part in pair) / change.sum()
                    for pair in (("eyes", "brows"), ("nose", "mouth"))
                ]
            )
    (pain_upper, pain_lower), (disgust_upper, disgust_lower) = (np.array(own).T for own in shares.values())
    assert len(pain_upper) == 6
    assert pain_upper.min() > 2 * disgust_upper.max()
    assert pain_lower.max() < 0.8 * disgust_lower.min()
    assert pain_upper.mean() > pain_lower.mean() + 0.1
    assert (disgust_lower > disgust_upper + 0.3).all()


def test_sets_beside_the_archive(tree):
    faces = pd.read_csv(tree / "ferplus/fer2013.csv")
    votes = pd.read_csv(tree / "ferplus/fer2013new.csv", keep_default_na=False)
    assert len(faces) == len(votes)
    pixels = np.array([list(map(int, p.split())) for p in faces["pixels"]])
    assert pixels.shape[1] == 48 * 48
    assert pixels.min() >= 0
    assert pixels.max() <= 255
    assert (votes.iloc[:, 2:].sum(axis=1) == 10).all()
    blank = votes["Image name"] == ""
    assert blank.any()
    assert (votes[blank]["NF"] == 10).all()
    assert (votes[~blank]["NF"] == 0).all()
    samples = pd.read_csv(tree / "biovid/starting_point/samples.csv", sep="\t")
    pattern = re.compile(r"^(\d{6}_[mw]_\d{2})-(BL1|PA[1-4])-(\d{3})$")
    for row in samples.itertuples():
        assert pattern.match(row.sample_name).groups()[:2] == (row.subject_name, row.class_name)
        path = tree / "biovid/video" / row.subject_name / f"{row.sample_name}.mp4"
        with av.open(str(path)) as clip:
            stream = clip.streams.video[0]
            assert float(stream.frames / stream.average_rate) == pytest.approx(5.5, abs=0.1)
    people = sorted((tree / "identities").iterdir())
    assert len(people) == 6
    assert {cv2.imread(str(p)).shape for person in people for p in person.iterdir()} == {(112, 96, 3)}


def test_sets_beside_the_archive_are_read_and_say_that_they_are_simulated(tree):
    """By the readers of the real ones, which a user may well point at them."""
    clips = load("biovid", tree / "biovid", progress=False)
    posed = load("biovid", tree / "biovid", part="D", progress=False)
    faces = load("ferplus", tree / "ferplus", cache=False, progress=False)
    people = read_identities(tree / "identities")
    for data in (clips, posed, faces, people):
        assert data.simulated
        assert any("No number from these data says anything about people" in note for note in data.notes)
        assert "profile smoke" in data.notes[0]
    for shown in (clips.summary(), posed.summary(), faces.summary()):
        assert str(shown).startswith("SIMULATED")
        assert "anything about people" in str(shown)
    assert len(clips.findings) == len(posed.findings) == 0
    assert set(posed.sequences["class"]) == {"happiness", "disgust", "pain"}
    assert set(clips.sequences["n_frames"]) == set(posed.sequences["n_frames"]) == {14}  # every tenth of 138
    assert len(people.findings) == 0


@pytest.mark.parametrize("name", ["unbc", "simulated", "biovid-a", "biovid-d", "ferplus", "casia-webface"])
def test_a_check_of_simulated_data_says_so(tree, name):
    inside = {"biovid-a": "biovid", "biovid-d": "biovid", "casia-webface": "identities", "ferplus": "ferplus"}
    report = check(name, tree / inside.get(name, ""), progress=False)
    assert report.usable
    assert "anything about people" in str(report)
    assert json.loads(report.to_json())["notes"] == list(report.notes)
    assert report.notes[0].startswith("Simulated: profile smoke, seed 0")

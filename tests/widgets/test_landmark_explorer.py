"""The explorer's figure follows its controls, without a browser."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from painkit.attribution.deeplift import LandmarkContributions
from painkit.attribution.explanation import LandmarkExplanation
from painkit.data.cohort import Cohort
from painkit.errors import PainkitError
from painkit.widgets import LandmarkExplorer


def explanation(tracked=True):
    rng = np.random.default_rng(0)
    sequences = pd.DataFrame(
        {"subject": ["a", "a", "b"], "sequence": ["a1", "a2", "b1"], "n_frames": [4, 6, 5]}
    )
    sequences[["vas", "opi", "aff", "sen"]] = [[2.0, 1.0, 3.0, 4.0]] * 3
    frames = sequences.loc[
        sequences.index.repeat(sequences["n_frames"]), ["subject", "sequence"]
    ].reset_index(drop=True)
    frames["frame"] = frames.groupby("sequence").cumcount() + 1
    frames["pspi"] = 0.0
    frames["tracked"] = tracked
    frames.loc[1, "tracked"] = False  # the second frame of a1
    frames["black"] = False
    frames["image"] = pd.array([pd.NA] * len(frames), dtype="string")
    landmarks = rng.uniform(50, 200, (len(frames), 66, 2)).astype(np.float32)
    landmarks[~frames["tracked"].to_numpy()] = np.nan
    cohort = Cohort(
        name="made by hand",
        root=Path("nowhere"),
        simulated=True,
        subjects=pd.DataFrame(
            {"subject": ["a", "b"], "gender": "female", "age": "young", "complexion": "pale-fair"}
        ),
        sequences=sequences,
        frames=frames,
        landmarks=landmarks,
        findings=pd.DataFrame(columns=["kind", "subject", "sequence", "frame", "path", "message"]),
        fingerprint="0",
    )
    contributions = {}
    for target in ("vas", "opi"):
        estimates = rng.uniform(0, 5, len(frames)).astype(np.float32)
        contributions[target] = LandmarkContributions(
            target=target,
            frames=frames[["subject", "sequence", "frame"]],
            vectors=rng.normal(size=landmarks.shape).astype(np.float32) + 0 * landmarks,
            personal=np.zeros((len(frames), 0), np.float32),
            inputs=landmarks / 100,
            estimates=estimates,
            reference=np.zeros_like(estimates),
        )
    told = sequences[["subject", "sequence"]].assign(y_true=2.0, y_pred=3.0, y_std=1.0)
    predictions = pd.concat([told.assign(target=target) for target in contributions])
    return LandmarkExplanation(cohort, contributions, predictions)


@pytest.fixture
def explorer():
    return LandmarkExplorer(explanation())


def trace(explorer, name):
    return next(t for t in explorer.figure.data if t.name == name)


def test_colours_are_the_summed_contributions_of_the_frame_and_skip_untracked_ones(explorer):
    explorer.frame.value = 1  # the second tracked frame of a1 is its third
    expected = explorer.result.contributions["vas"].vectors[2].sum(axis=1)
    np.testing.assert_allclose(trace(explorer, "face").marker.color, expected, rtol=1e-6)
    assert list(trace(explorer, "cursor").x) == [3, 3]
    assert explorer.frame.max == 2
    np.testing.assert_allclose(trace(explorer, "face").x, explorer.result.cohort.landmarks[2, :, 0])


def test_switching_the_target_redraws_face_estimates_and_maps(explorer):
    before = np.array(trace(explorer, "map 1").marker.color)
    explorer.target.value = "opi"
    np.testing.assert_allclose(
        trace(explorer, "face").marker.color,
        explorer.result.contributions["opi"].vectors[0].sum(axis=1),
        rtol=1e-6,
    )
    np.testing.assert_allclose(
        trace(explorer, "frame estimate").y, explorer.result.contributions["opi"].estimates[[0, 2, 3]]
    )
    assert not np.allclose(trace(explorer, "map 1").marker.color, before)


def test_choosing_a_subject_offers_its_sequences_and_shows_the_first(explorer):
    explorer.frame.value = 2
    explorer.subject.value = "b"
    assert explorer.sequence.options == ("b1",)
    assert explorer.frame.max == 4
    np.testing.assert_allclose(trace(explorer, "frame estimate").x, [1, 2, 3, 4, 5])


def test_side_by_side_maps_sum_to_a_hundred_for_each_subject(explorer):
    for column in (1, 2):
        assert trace(explorer, f"map {column}").marker.color.sum() == pytest.approx(100)
    explorer.compared.value = ["b"]
    assert explorer.figure.layout.annotations[3].text == "b"
    assert trace(explorer, "map 2").visible is False


def test_top_five_are_the_highest_means_of_the_sequence(explorer):
    explorer.sequence.value = "a2"
    means = explorer.result.contributions["vas"].vectors[4:10].sum(axis=2).mean(axis=0)
    shown = [int(label.split(":")[0]) for label in trace(explorer, "boxes").x]
    assert shown == np.argsort(-means)[:5].tolist()


def test_vectors_point_along_the_contributions(explorer):
    explorer.vectors.value = True
    lines = trace(explorer, "vectors")
    drawn = complex(lines.x[1] - lines.x[0], lines.y[1] - lines.y[0])
    along = complex(*explorer.result.contributions["vas"].vectors[0, 0])
    assert np.angle(drawn / along) == pytest.approx(0, abs=1e-4)


def test_play_moves_the_frame(explorer):
    explorer.play.value = 2
    assert explorer.frame.value == 2


def test_band_of_the_gaussian_process_is_its_90_percent_interval(explorer):
    band = np.asarray(trace(explorer, "band").y)
    np.testing.assert_allclose([band.min(), band.max()], [3 - 1.6449, 3 + 1.6449], atol=1e-4)


def test_a_browser_is_sent_the_drawing_as_it_stands_at_first(explorer):
    sent = {one["name"]: one for one in explorer.figure._widget_data}
    for name in ("face", "map 1", "map 2"):
        np.testing.assert_array_equal(sent[name]["marker"]["color"], trace(explorer, name).marker.color)
    assert list(sent["boxes"]["x"]) == list(trace(explorer, "boxes").x)
    assert explorer.figure._widget_layout["annotations"][3]["text"] == "a"


def test_a_simulated_cohort_is_called_simulated(explorer):
    assert "Simulated" in explorer.figure.layout.title.subtitle.text


def test_a_cohort_without_landmarks_is_refused():
    with pytest.raises(PainkitError, match="no frame has landmarks"):
        LandmarkExplorer(explanation(tracked=False))

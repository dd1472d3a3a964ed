"""What the explorer shows follows its state, without a browser."""

import base64
import io

import cv2
import numpy as np
import pandas as pd
import pytest
from explanations import by_hand, linear

from painkit.errors import PainkitError
from painkit.simulation.action_units import DISPLACEMENT
from painkit.vocabulary.action_units import UNIT_LANDMARKS
from painkit.vocabulary.landmarks import REGIONS
from painkit.widgets import LandmarkExplorer
from painkit.widgets.explorer import packed


@pytest.fixture
def explorer():
    return LandmarkExplorer(by_hand())


def scores(explorer, target, rows):
    return explorer.result.contributions[target].vectors[rows].sum(axis=-1)


def test_values_are_the_summed_contributions_and_skip_untracked_frames(explorer):
    np.testing.assert_allclose(
        explorer.view["values"]["landmarks"], scores(explorer, "vas", [0, 2, 3]), rtol=1e-6
    )
    np.testing.assert_array_equal(explorer.view["frames"], [1, 3, 4])
    np.testing.assert_array_equal(explorer.view["points"], explorer.result.cohort.landmarks[[0, 2, 3]])
    assert explorer.n_frames == 3


def test_regions_and_units_sum_the_contributions_of_their_landmarks(explorer):
    of_landmarks = scores(explorer, "vas", [0, 2, 3]).astype(float)
    regions, units = (explorer.view["values"][name] for name in ("facial regions", "action units"))
    np.testing.assert_allclose(regions.sum(axis=1), of_landmarks.sum(axis=1), rtol=1e-6)
    nose = explorer.view["parts"]["facial regions"].index("nose")
    np.testing.assert_allclose(
        regions[:, nose], of_landmarks[:, list(REGIONS["nose"])].sum(axis=1), rtol=1e-6
    )
    lowerer = explorer.view["parts"]["action units"].index("AU4 brow lowerer")
    members = list(sum(UNIT_LANDMARKS[4], ()))
    np.testing.assert_allclose(units[:, lowerer], of_landmarks[:, members].sum(axis=1), rtol=1e-6)


def test_colours_have_one_range_for_the_sequence_or_for_the_subject(explorer):
    ranges = explorer.view["ranges"]["landmarks"]
    assert ranges["sequence"] == pytest.approx(np.abs(scores(explorer, "vas", [0, 2, 3])).max())
    assert ranges["subject"] == pytest.approx(np.nanmax(np.abs(scores(explorer, "vas", slice(0, 10)))))
    explorer.frame = 2
    assert explorer.view["ranges"]["landmarks"] == ranges


def test_switching_the_target_changes_values_estimates_and_maps(explorer):
    before = explorer.maps[0]["shares"]
    explorer.target = "opi"
    np.testing.assert_allclose(explorer.view["values"]["landmarks"][0], scores(explorer, "opi", 0), rtol=1e-6)
    estimates = explorer.result.contributions["opi"].estimates[[0, 2, 3]]
    np.testing.assert_array_equal(explorer.view["trace"]["estimate"], estimates)
    assert explorer.view["unit"] == "OPI 0-5"
    assert not np.allclose(explorer.maps[0]["shares"], before)


def test_choosing_a_subject_offers_its_sequences_and_opens_the_first(explorer):
    explorer.frame = 2
    explorer.subject = "b"
    assert explorer.choices["sequence"] == ["b1"]
    assert (explorer.sequence, explorer.frame, explorer.n_frames) == ("b1", 0, 5)
    np.testing.assert_array_equal(explorer.view["frames"], [1, 2, 3, 4, 5])


def test_sequences_of_two_subjects_may_share_a_name():
    result = by_hand()
    for table in (result.cohort.sequences, result.cohort.frames, result.predictions):
        table["sequence"] = table["sequence"].replace({"b1": "a1"})
    explorer = LandmarkExplorer(result)
    explorer.subject = "b"
    np.testing.assert_array_equal(explorer.view["points"], result.cohort.landmarks[10:])
    assert explorer.n_frames == 5


def test_a_page_chooses_as_python_does(explorer):
    explorer.set_state({"subject": "b"})
    assert (explorer.sequence, explorer.n_frames) == ("b1", 5)
    explorer.set_state({"frame": 4})
    assert explorer.frame == 4


def test_maps_side_by_side_sum_to_a_hundred_for_each_subject(explorer):
    assert [one["subject"] for one in explorer.maps] == ["a", "b"]
    for one in explorer.maps:
        assert one["shares"].sum() == pytest.approx(100)
    explorer.compared = ["b"]
    assert [one["subject"] for one in explorer.maps] == ["b"]


def test_a_frame_outside_the_sequence_is_moved_to_the_nearest(explorer):
    explorer.frame = 99
    assert explorer.frame == 2
    explorer.frame = -1
    assert explorer.frame == 0


def test_band_of_the_gaussian_process_is_its_90_percent_interval(explorer):
    trace = explorer.view["trace"]
    np.testing.assert_allclose([trace["low"], trace["high"]], [3 - 1.6449, 3 + 1.6449], atol=1e-4)
    assert (trace["middle"], trace["label"]) == (3, 2)


def test_a_sequence_without_prediction_has_a_trace_without_band():
    result = by_hand()
    result.predictions.loc[:, ["y_true", "y_pred", "y_std"]] = np.nan
    assert set(LandmarkExplorer(result).view["trace"]) == {"estimate"}


def test_facts_say_what_is_not_known(explorer):
    assert dict(explorer.view["facts"]) == {
        "reported": "VAS 2, OPI not known",
        "Gaussian process": "VAS 3.00 (sd 1.00), OPI 3.00 (sd 1.00)",
        "subject": "young, female, pale-fair",
    }
    told = dict(explorer.view["frame_facts"])
    assert told["PSPI (0-16)"] == ["3", "not known", "3"]
    assert told["action units"] == ["AU4 1, AU6 2", "not known", "AU4 1, AU6 2"]
    estimate = explorer.result.contributions["vas"].estimates[0]
    sign, difference = "−" if estimate < 2.5 else "+", abs(estimate - 2.5)
    assert told["frame estimate"][0] == f"VAS {estimate:.2f} = 2.50 at the mean face {sign} {difference:.2f}"
    explorer.subject = "b"
    assert dict(explorer.view["facts"])["subject"] == "age not known, female, pale-fair"


def test_a_page_is_sent_the_arrays_as_they_are(explorer):
    sent = explorer.get_state()["view"]["values"]["landmarks"]
    received = np.frombuffer(sent["float32"], np.float32).reshape(sent["shape"])
    np.testing.assert_allclose(received, scores(explorer, "vas", [0, 2, 3]), rtol=1e-6)
    assert packed({"a": [np.zeros(2), "b"]}) == {"a": [{"shape": [2], "float32": bytes(8)}, "b"]}


def test_the_saved_table_holds_every_frame_and_part(explorer):
    explorer.division = "facial regions"
    (name, content), *others = explorer.files().items()
    assert (name, others) == ("a-a1-vas.csv", [])
    table = pd.read_csv(io.StringIO(content))
    np.testing.assert_allclose(
        table.pivot_table(index="frame", columns="part", values="contribution", sort=False),
        explorer.view["values"]["facial regions"],
    )
    assert table["simulated"].all()


def test_images_are_sent_as_they_are_asked_for_and_what_is_missing_is_told(smoke):
    sent = []
    for result in (by_hand(), linear(smoke)):
        explorer = LandmarkExplorer(result)
        explorer.send = lambda content, buffers: sent.append((content, buffers))
        asked = {
            "ask": "images",
            "subject": explorer.subject,
            "sequence": explorer.sequence,
            "frames": [1, 0],
        }
        explorer._handle_custom_msg(asked, [])
    (missing, nothing), (found, images) = sent
    assert nothing == [b"", b""]
    assert missing["problems"][0] == "frame 3 of a/a1 has no image in this copy"
    assert found["problems"] == ["", ""]
    assert [image[:3] for image in images] == [b"\xff\xd8\xff"] * 2  # JPEG


def test_the_average_face_comes_with_its_picture_where_there_are_images(smoke):
    result = linear(smoke)
    face = LandmarkExplorer(result).face
    np.testing.assert_array_equal(face["points"], result.average_face.landmarks)
    encoded = np.frombuffer(base64.b64decode(face["image"].split(",")[1]), np.uint8)
    seen = cv2.imdecode(encoded, cv2.IMREAD_COLOR)[..., ::-1].astype(float)
    assert face["size"] == len(seen)
    assert np.abs(seen - result.average_face.image).mean() < 3
    assert "image" not in LandmarkExplorer(by_hand()).face


def test_a_simulated_cohort_is_called_simulated(explorer):
    assert "Simulated" in explorer.mark


def test_truth_is_what_the_units_did_to_the_landmarks(smoke):
    explorer = LandmarkExplorer(linear(smoke))
    assert explorer.view["moved"] is None
    explorer.truth = True
    frames = pd.read_parquet(smoke / "truth" / "frames.parquet")
    here = frames[(frames["subject"] == explorer.subject) & (frames["sequence"] == explorer.sequence)]
    units = pd.read_csv(smoke / "truth" / "units.csv")["au"].unique()
    pain = here[[f"AU{unit}_pain" for unit in units]].to_numpy()[explorer.view["frames"] - 1]
    expected = np.einsum("fu,ulk->flk", pain / 5, DISPLACEMENT[..., :2])
    np.testing.assert_allclose(explorer.view["moved"]["vectors"]["pain"], expected, atol=1e-6)
    shown = here[[f"AU{unit}" for unit in units]].to_numpy()[explorer.view["frames"] - 1]
    both = sum(explorer.view["moved"]["vectors"].values())
    np.testing.assert_allclose(both, np.einsum("fu,ulk->flk", shown / 5, DISPLACEMENT[..., :2]), atol=1e-6)
    brows = explorer.view["parts"]["facial regions"].index("brows")
    by_pain = explorer.view["moved"]["parts"]["facial regions"]["pain"][:, brows]
    distances = np.linalg.norm(expected, axis=2)[:, list(REGIONS["brows"])]
    np.testing.assert_allclose(by_pain, distances.mean(axis=1), atol=1e-6)
    of_landmarks = pd.read_csv(smoke / "truth" / "landmarks.csv")
    own = of_landmarks[of_landmarks["subject"] == explorer.maps[1]["subject"]]
    np.testing.assert_array_equal(explorer.maps[1]["moved"]["decoys"]["px"], own["decoy_px"])
    assert explorer.table()["moved_by_pain_px"].max() == pytest.approx(np.linalg.norm(expected, axis=2).max())


def test_nobody_knows_the_truth_of_a_cohort_without_it(explorer):
    explorer.truth = True
    assert not explorer.truth
    assert not explorer.has_truth


@pytest.mark.parametrize(
    ("name", "value"),
    [("subject", "c"), ("sequence", "b1"), ("target", "pspi"), ("background", "sky"), ("compared", ["c"])],
)
def test_what_is_not_offered_is_refused_and_changes_nothing(explorer, name, value):
    before = getattr(explorer, name)
    with pytest.raises(PainkitError, match=r"expected .*\b(a|a1|vas|frame)\b"):
        setattr(explorer, name, value)
    assert getattr(explorer, name) == before


def test_a_cohort_without_landmarks_is_refused():
    with pytest.raises(PainkitError, match="no frame has landmarks"):
        LandmarkExplorer(by_hand(tracked=False))

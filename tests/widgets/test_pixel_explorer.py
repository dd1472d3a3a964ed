"""What the pixel explorer shows follows its state, without a browser."""

import io
import re
import threading
from dataclasses import replace

import cv2
import numpy as np
import pandas as pd
import pytest
import torch
from pixel_records import drawn_faces
from torch import nn

from painkit.attribution.lrp import PRESETS, Preset, lrp
from painkit.attribution.pixel_maps import pixel_maps
from painkit.attribution.region_reading import region_shares
from painkit.errors import PainkitError
from painkit.models.nets.vgg_face import VGGFace
from painkit.widgets import PixelExplorer, pixel_views
from painkit.widgets.kept_maps import KeptMap, MapKey


@pytest.fixture(scope="module")
def record():
    return drawn_faces(people=2)


@pytest.fixture
def explorer(record):
    made = PixelExplorer(record)
    made.uncertainty = "none"
    yield made
    made.close()


def drawn(explorer, number=0):
    """The map as a page draws it."""
    explorer.wait()
    view = explorer.maps[number]
    return view["values"] * view["top"] / 32767


def computed(explorer, method, target, net=None):
    record, row = explorer.record, explorer.row
    net = net or next(iter(record.models.values()))
    return pixel_maps(net, record.to_input(record.images[[row]]), method, target).heatmaps[0]


def same_map(drawn, expected):
    """Equal to the step of 16 bits."""
    np.testing.assert_allclose(drawn, expected, atol=0.6 * np.abs(expected).max() / 32767)


def test_errors_come_first_and_the_surest_of_them(explorer, record):
    predicted, sure = record.logits["net 1"].argmax(1), record.probabilities("net 1").max(1)
    missed = predicted != record.true
    assert 0 < missed.sum() < len(missed)
    assert [*missed[explorer.rows]] == sorted(missed, reverse=True)
    for part in (missed, ~missed):
        order = [row for row in explorer.rows if part[row]]
        assert [*sure[order]] == sorted(sure[part], reverse=True)
    row = explorer.rows[0]
    words = f"1. s{row // 3 + 1}, {record.classes[record.true[row]]}, frame {row + 10}: "
    assert explorer.choices["image"][0] == (
        f"{words}{record.classes[record.true[row]]}, taken for {record.classes[predicted[row]]}"
    )


def test_images_are_chosen_by_true_and_predicted_class(explorer, record):
    explorer.frame = 3
    row, name = explorer.row, record.classes[record.true[explorer.row]]
    explorer.true_class = name
    assert explorer.row == row  # the image that was open stays
    assert {*record.true[explorer.rows]} == {record.true[row]}
    explorer.predicted_class = next(
        one for i, one in enumerate(record.classes) if i not in record.logits["net 1"].argmax(1)
    )
    assert (explorer.n_frames, explorer.row, explorer.image) == (0, None, None)
    assert explorer.maps == []
    assert explorer.files() == {}
    explorer.true_class = explorer.predicted_class = "any"
    assert explorer.n_frames == len(record.images)
    assert drawn(explorer).shape == record.images.shape[1:3]


@pytest.mark.parametrize("method", ["LRPZ", "LRPPresetBFlat", "guided_backpropagation", "grad_cam"])
def test_a_map_is_that_of_the_chosen_method_and_class(explorer, method):
    explorer.first = {"method": method, "target": "disgust"}
    same_map(drawn(explorer), computed(explorer, method, 1))


def test_class_follows_the_prediction_the_truth_or_a_name(explorer, record):
    predicted, true = record.logits["net 1"][explorer.row].argmax(), record.true[explorer.row]
    for target, number in (("predicted class", predicted), ("true class", true), ("pain", 0)):
        explorer.first = {"target": target}
        same_map(drawn(explorer), computed(explorer, "LRPPresetAFlat", int(number)))
        assert explorer.maps[0]["target"] == record.classes[number]


def test_free_rules_are_a_preset_of_ones_own_and_known_ones_get_their_name(explorer):
    fields = explorer.presets["LRPPresetAFlat"]
    explorer.first = {"method": {**fields, "alpha": 1.5, "beta": 0.5, "flat": False}}
    own = Preset(epsilon=0.1, alpha=1.5, beta=0.5)
    x = explorer.record.to_input(explorer.record.images[[explorer.row]])
    same_map(drawn(explorer), lrp(explorer.record.models["net 1"], x, own).heatmaps[0])
    assert explorer.first["method"]["alpha"] == 1.5
    for name, preset in PRESETS.items():
        explorer.first = {"method": {**vars(preset)}}
        assert explorer.first["method"] == name


def test_side_by_side_shows_two_maps_that_differ_in_what_was_chosen(explorer, record):
    assert len(explorer.maps) == 1
    explorer.side_by_side = True
    explorer.second = {"model": "net 2", "target": "happiness", "method": "gradient"}
    same_map(drawn(explorer, 1), computed(explorer, "gradient", 2, record.models["net 2"]))
    same_map(drawn(explorer, 0), computed(explorer, "LRPPresetAFlat", None))


def test_another_model_has_other_errors(explorer, record):
    explorer.frame, row = 2, explorer.rows[2]
    explorer.first = {"model": "net 2"}
    assert [*explorer.rows] == [*record.errors_first("net 2")]
    assert explorer.row == row
    assert explorer.image["caption"].endswith(record.classes[record.logits["net 2"][row].argmax()])


def test_a_net_without_classes_is_quoted_in_its_own_words(record):
    n = len(record.images)
    said = {"net 1": [f"level {i}" for i in range(n)]}
    levels = replace(
        record,
        classes=("pain",),
        true=np.zeros(n, int),
        logits={name: scores[:, :1] for name, scores in record.logits.items()},
        said=said,
    )
    assert pixel_views.caption(levels, "net 1", 4).endswith(", frame 14: level 4")
    key = MapKey(4, "net 1", 0, "gradient")
    assert pixel_views.map_view(levels, key, KeptMap(problem="none made"), "action units")["facts"] == [
        ("model says", "level 4")
    ]


def test_bars_are_the_shares_of_positive_and_negative_relevance(explorer, record):
    explorer.first = {"method": "LRPZ"}
    heatmap = computed(explorer, "LRPZ", None)
    table = region_shares(heatmap[None], record.landmarks[[explorer.row]])
    for division, kind in (("facial regions", "part"), ("action units", "unit")):
        explorer.division = division
        explorer.wait()
        view, own = explorer.maps[0], table[table["kind"] == kind]
        assert [name.split()[0] for name in view["parts"]] == [*own["name"]]
        for sign in ("positive", "negative"):
            np.testing.assert_allclose(view["shares"][sign], 100 * own[sign])
    assert "AU4 brow lowerer" in view["parts"]
    assert re.fullmatch(
        r"For \*\w+\*, .* carr(y|ies) \d+ % and .* \d+ % of the positive relevance\.", view["sentence"]
    )
    explorer.division = "facial regions"
    assert sum(explorer.maps[0]["shares"]["positive"]) == pytest.approx(100)


def test_facts_tell_score_sum_and_what_the_true_regions_hold(explorer, record):
    heatmap = computed(explorer, "LRPZ", 0)
    explorer.first = {"method": "LRPZ", "target": "pain"}
    explorer.wait()
    facts = dict(explorer.maps[0]["facts"])
    row = explorer.row
    up, down = heatmap.clip(0).sum(), -heatmap.clip(max=0).sum()
    assert facts["score of pain"].startswith(
        f"{record.logits['net 1'][row, 0]:.2f}; the map sums to {up:.2f} − {down:.2f} = {up - down:.2f}"
    )
    shown = np.any([*record.true_regions[row].values()], axis=0)
    share = heatmap.clip(0)[shown].sum() / heatmap.clip(0).sum()
    assert (
        f"hold {100 * share:.0f} % of the positive on {100 * shown.mean():.0f} % of the image"
        in facts["true regions"]
    )
    probabilities = np.exp(record.logits["net 1"][row]) / np.exp(record.logits["net 1"][row]).sum()
    assert f"pain {100 * probabilities[0]:.0f} %" in facts["model says"]


def test_a_sign_that_is_rounding_alone_is_not_divided(explorer):
    """With beta 0 relevance has the sign of the score, but for rounding."""
    explorer.first = {"method": "LRPPresetAFlat"}
    heatmap = drawn(explorer)
    assert abs(heatmap.clip(max=0).sum()) < 1e-6 * heatmap.sum()
    assert [*explorer.maps[0]["shares"]] == ["positive"]


def test_outlines_run_around_the_regions(explorer, record):
    (name, mask), *_ = record.true_regions[explorer.row].items()
    lines = explorer.image["truth"][name].strip("MZ").split("ZM")
    filled = np.zeros((480, 480), np.uint8)  # ten times as large
    corners = [
        [[10 * float(v) - 0.5 for v in point.split(",")] for point in line.split("L")] for line in lines
    ]
    cv2.fillPoly(filled, [np.round(line).astype(np.int32) for line in corners], 1)
    large = np.kron(mask, np.ones((10, 10), bool))
    assert (filled.astype(bool) & large).sum() / (filled.astype(bool) | large).sum() > 0.85
    assert set(explorer.image["outlines"]["facial regions"]) >= {"brows", "eyes", "nose", "mouth"}


def test_uncertainty_comes_after_the_map(record):
    numbers = torch.get_rng_state()
    explorer = PixelExplorer(record)
    explorer.first = {"method": "LRPZ"}
    assert explorer.uncertainty == "dropout"
    explorer.wait()
    assert "Monte-Carlo dropout" in explorer.maps[0]["sentence"]
    shares = explorer.maps[0]["shares"]
    assert (shares["positive_low"] <= shares["positive_high"]).all()
    assert explorer.pending == [False]
    explorer.uncertainty = "none"
    assert "Monte-Carlo" not in explorer.maps[0]["sentence"]
    assert torch.equal(numbers, torch.get_rng_state())  # those of the user's own cells


def test_a_net_without_dropout_is_disturbed_by_noise(record):
    torch.manual_seed(0)
    net = VGGFace(3, width=0.0625, input_size=48, dropout=0.0).eval()
    explorer = PixelExplorer(one_net(record, net))
    assert explorer.uncertainty == "noise"
    explorer.uncertainty = "dropout"
    explorer.first = {"target": "pain"}
    same_map(drawn(explorer), computed(explorer, "LRPPresetAFlat", 0))
    assert "no dropout" in explorer.maps[0]["problem"]
    explorer.close()


def one_net(record, net):
    return replace(record, models={"one": net}, logits={"one": record.logits["net 1"]})


class Gate(nn.Identity):
    """Lets nothing through while it is shut."""

    def __init__(self):
        super().__init__()
        self.entered, self.open = threading.Event(), threading.Event()

    def __deepcopy__(self, memo):
        return self  # whoever copies the net stands before the same gate

    def forward(self, x):
        self.entered.set()
        assert self.open.wait(60)
        return x


def test_the_newest_wish_wins_and_what_was_begun_is_dropped(record):
    gate = Gate()
    torch.manual_seed(0)
    explorer = PixelExplorer(one_net(record, nn.Sequential(gate, nn.Flatten(), nn.Linear(3 * 48 * 48, 3))))
    explorer.uncertainty = "none"
    assert gate.entered.wait(60)
    assert (explorer.pending, explorer.maps) == ([True], [None])
    dropped = ("LRPZ", "gradient", "LRPEpsilon")
    for method in (*dropped, "input_x_gradient"):
        explorer.first = {"method": method}  # at once, though a map is being made
    gate.open.set()
    predicted = int(record.predicted("net 1")[explorer.row])
    same_map(drawn(explorer), computed(explorer, "input_x_gradient", predicted))
    gate.open.clear()
    for method in dropped:
        explorer.first = {"method": method}
        assert explorer.maps == [None]
    explorer.first = {"method": "input_x_gradient"}
    assert explorer.maps[0]["values"].any()
    gate.open.set()
    explorer.wait()


def test_neighbours_of_an_image_are_made_while_nobody_waits(explorer):
    explorer.wait()
    explorer.frame = 2
    assert explorer.pending == [False]
    same_map(drawn(explorer), computed(explorer, "LRPPresetAFlat", None))


def test_each_image_may_have_a_net_of_its_own(record):
    nets = [record.models[f"net {1 + i % 2}"] for i in range(len(record.images))]
    explorer = PixelExplorer(
        replace(record, models={"held out": nets}, logits={"held out": record.logits["net 1"]})
    )
    explorer.uncertainty = "none"
    explorer.first = {"target": "pain"}
    for explorer.frame in range(3):
        same_map(drawn(explorer), computed(explorer, "LRPPresetAFlat", 0, nets[explorer.row]))


def test_what_cannot_be_explained_is_told_where_the_map_would_be(record):
    class Functional(nn.Sequential):
        def forward(self, x):
            return super().forward(torch.relu(x))

    explorer = PixelExplorer(one_net(record, Functional(nn.Flatten(), nn.Linear(3 * 48 * 48, 3))))
    explorer.uncertainty = "none"
    explorer.wait()
    assert "ReLU is called as a function" in explorer.maps[0]["problem"]
    assert "values" not in explorer.maps[0]
    explorer.first = {"method": "gradient"}
    assert drawn(explorer).any()


def test_images_without_landmarks_have_a_map_and_no_regions(record):
    explorer = PixelExplorer(
        replace(record, landmarks=np.full_like(record.landmarks, np.nan), true_regions=())
    )
    explorer.uncertainty = "none"
    assert not explorer.has_regions
    assert drawn(explorer).any()
    assert explorer.image["outlines"]["facial regions"] == {}
    assert np.isnan([*explorer.maps[0]["shares"].values()]).all()
    assert "Without landmarks" in explorer.maps[0]["sentence"]


def test_a_class_that_nobody_knows_is_called_so(record):
    explorer = PixelExplorer(replace(record, true=np.full(len(record.images), -1)))
    explorer.uncertainty = "none"
    assert "class not known" in explorer.image["caption"]
    explorer.true_class = "not known"
    assert explorer.n_frames == len(record.images)
    explorer.first = {"target": "true class"}
    explorer.wait()
    assert "true class" in explorer.maps[0]["problem"]
    assert explorer.pending == [False]


def test_a_page_is_sent_bytes_and_chooses_as_python_does(explorer):
    explorer.set_state({"frame": 1, "first": {**explorer.first, "method": "LRPZ"}, "opacity": 0.25})
    expected = computed(explorer, "LRPZ", None)
    explorer.wait()
    state = explorer.get_state()
    sent = state["maps"][0]
    values = np.frombuffer(sent["values"]["int16"], np.int16).reshape(sent["values"]["shape"])
    same_map(values * sent["top"] / 32767, expected)
    pixels = np.frombuffer(state["image"]["pixels"]["uint8"], np.uint8)
    np.testing.assert_array_equal(pixels, explorer.record.images[explorer.rows[1]].ravel())
    assert explorer.opacity == 0.25


def test_the_saved_table_holds_the_shares_of_all_maps(explorer, record):
    explorer.side_by_side = True
    explorer.second = {"method": "gradient"}
    explorer.wait()
    ((name, content),) = explorer.files().items()
    frame = record.frames.iloc[explorer.row]
    assert name == f"{frame['subject']}-{frame['sequence']}-frame{frame['frame']}.csv"
    table = pd.read_csv(io.StringIO(content))
    assert [*table["method"].unique()] == ["LRPPresetAFlat", "gradient"]
    for view, (_, part) in zip(explorer.maps, table.groupby("method", sort=False), strict=True):
        np.testing.assert_allclose(100 * part["positive"], view["shares"]["positive"])
        assert [*part["part"]] == view["parts"]
    assert table["simulated"].all()
    assert {*table["alpha"].dropna()} == {1.0}


def test_simulated_faces_are_called_simulated(explorer, record):
    assert "Simulated" in explorer.mark
    assert PixelExplorer(replace(record, simulated=False)).mark == ""


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("true_class", "anger", "expected one of any, pain"),
        ("division", "teeth", "expected one of facial regions"),
        ("uncertainty", "guess", "expected one of none"),
        ("first", {"method": "LRPQ"}, "did you mean 'LRPZ'"),
        ("first", {"target": "anger"}, "expected predicted class, true class, pain"),
        ("second", {"model": "net 3"}, "expected net 1, net 2"),
        ("second", {"colour": "red"}, "expected some of model, target, method"),
        ("first", {"method": {"epsilon": -1}}, "epsilon -1"),
        ("first", {"method": {"gamma": 1}}, "expected some of epsilon, alpha, beta, flat, bias"),
    ],
)
def test_what_is_not_offered_is_refused_and_changes_nothing(explorer, name, value, told):
    before = getattr(explorer, name)
    with pytest.raises(PainkitError, match=told):
        setattr(explorer, name, value)
    assert getattr(explorer, name) == before

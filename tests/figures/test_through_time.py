"""Moving views show, at each stop, what belongs to the frame of that stop."""

import base64
from dataclasses import dataclass

import cv2
import numpy as np
import pandas as pd
import pytest

import painkit.data
from painkit.figures.faces import peak_sequence
from painkit.figures.moving import stops_through
from painkit.figures.pixel_maps import heatmap_colors
from painkit.figures.style import color_of
from painkit.figures.through_time import classes_through_time, contributions_through_time


@dataclass
class Given:
    scores: np.ndarray
    estimates: np.ndarray
    reference: np.ndarray


@pytest.fixture(scope="module")
def cohort(smoke):
    return painkit.data.load("simulated", smoke, progress=False)


def decoded(picture):
    raw = base64.b64decode(picture.source.split(";base64,")[1])
    return cv2.imdecode(np.frombuffer(raw, np.uint8), cv2.IMREAD_COLOR)[..., ::-1].astype(int)


@pytest.mark.parametrize(
    ("n", "count", "peak"), [(1, 24, 0), (5, 24, 3), (100, 7, 41), (100, 2, 99), (9, 4, None)]
)
def test_stops_are_few_spread_in_order_and_hold_the_peak(n, count, peak):
    stops = stops_through(n, count, peak)
    assert len(stops) == min(n, count)
    assert (np.diff(stops) > 0).all()
    assert 0 <= stops[0] <= stops[-1] < n
    assert peak is None or peak in stops
    if n > count:
        assert np.diff(stops).max() < 2 * n / (count - 1)


def test_contributions_stand_on_the_landmarks_of_their_frame(cohort):
    rng = np.random.default_rng(0)
    n = len(cohort.frames)
    given = {
        target: Given(rng.normal(size=(n, 66)), rng.normal(size=n) + 2, rng.normal(size=n))
        for target in ("vas", "opi")
    }
    figure = contributions_through_time(cohort, given, count=6)
    subject, sequence = peak_sequence(cohort)
    rows = cohort.rows_of(subject, sequence)
    own = cohort.frames.iloc[rows]
    assert f"{subject}, {sequence}" in figure.layout.title.text
    assert len(figure.frames) == 6
    for state in figure.frames:
        place = int(np.flatnonzero(own["frame"].astype(str) == state.name)[0])
        dots = [part for part in state.data if part.mode == "markers"]
        for part, found in zip(dots, given.values(), strict=True):
            np.testing.assert_array_equal(part.marker.color, found.scores[rows[place]])
            moved = np.c_[part.x, part.y] - cohort.landmarks[rows[place]]
            np.testing.assert_allclose(moved, np.tile(moved[:1], (66, 1)), atol=1e-3)
            axis = state.layout[part.xaxis.replace("x", "xaxis")]
            assert f"frame {state.name}: estimate {found.estimates[rows[place]]:.2f}" in axis.title.text
            # The picture is that of the frame, pale and grey, cut to the face.
            (image,) = [one for one in state.layout.images if one.xref == part.xaxis]
            shown = decoded(image)
            left, top = np.rint(-moved[0]).astype(int)
            gray = cohort.image(int(rows[place])).mean(axis=2)[
                top : top + len(shown), left : left + shown.shape[1]
            ]
            assert np.abs(shown.mean(axis=2) - (0.45 * gray + 0.55 * 255)).mean() < 3
        lines = [
            part
            for part in state.data
            if part.mode == "lines" and part.line.color != "rgba(255,255,255,0.55)"
        ]
        assert [list(part.x) for part in lines] == [[int(state.name)] * 2] * 2
    # Each target has its own scale, a panel below, a colour and its label; the slider stands at the peak.
    assert figure.layout.coloraxis.cmax != figure.layout.coloraxis2.cmax
    drawn = {part.name: part for part in figure.data if part.name}
    vas = drawn["VAS, estimate of the frame"]
    np.testing.assert_array_equal(vas.y, given["vas"].estimates[rows])
    assert vas.line.color == color_of("vas")
    assert vas.yaxis != drawn["OPI, estimate of the frame"].yaxis
    label = cohort.sequences.set_index(["subject", "sequence"]).loc[(subject, sequence), "vas"]
    assert set(drawn["VAS, label of the sequence"].y) == {label}
    start = figure.frames[figure.layout.sliders[0].active].name
    tracked = own["tracked"].to_numpy()
    highest = own["frame"].to_numpy()[tracked][given["vas"].estimates[rows][tracked].argmax()]
    assert start == str(highest)


def test_a_clip_shows_its_maps_and_the_probability_of_every_class():
    rng = np.random.default_rng(1)
    images = cv2.resize(rng.integers(0, 255, (4, 4, 3), np.uint8), (40, 40))[None].repeat(3, axis=0)
    images[1] = 255 - images[0]
    maps = np.stack(
        [np.outer(np.linspace(-1, 1, 40), np.roll(np.linspace(0, 1, 40), 13 * i)) for i in range(3)]
    )
    told = pd.DataFrame({"pain": [0.1, 0.7, 0.4], "disgust": [0.6, 0.2, 0.1], "happiness": [0.3, 0.1, 0.5]})
    figure = classes_through_time(
        np.array([4, 9, 20]), images, maps, told, explained="pain", title="clip", simulated=True
    )
    assert [state.name for state in figure.frames] == ["4", "9", "20"]
    for i, state in enumerate(figure.frames):
        image, drawn = map(decoded, state.layout.images)
        assert np.abs(image - images[i]).mean() < 6
        assert np.abs(drawn - heatmap_colors(maps[i])).mean() < 6
        assert state.layout.xaxis.title.text.endswith(f"called {told.columns[told.iloc[i].argmax()]}")
        assert state.layout.xaxis2.title.text.endswith(f"pain {told['pain'][i]:.2f}")
    lines = {part.name: part for part in figure.data if part.name}
    for name in told:
        np.testing.assert_array_equal(lines[name].y, told[name])
        assert lines[name].line.color == color_of(name)
    assert figure.layout.sliders[0].active == 1
    assert "Simulated" in figure.layout.title.subtitle.text

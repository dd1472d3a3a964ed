"""Figures of the face net show the very crops, estimates and levels they are given."""

from __future__ import annotations

import base64
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
from face_images import DrawnFaces, drawn_faces
from numpy.typing import NDArray

from painkit.data.cohort import Cohort
from painkit.data.crop_building import build_crop_store
from painkit.data.crop_store import CropStore
from painkit.figures.face_regression import crops_by_level, features_by_level, level_errors
from painkit.figures.pixel_maps import heatmap_colors
from painkit.figures.through_time import level_through_time
from painkit.vocabulary.pain import LEVELS

PSPI = [0, 1, 2, 3, 4, 6]  # one value of each level 0-5


def decoded(picture: go.layout.Image) -> NDArray[np.uint8]:
    raw = base64.b64decode(picture.source.split(";base64,")[1])
    return cv2.imdecode(np.frombuffer(raw, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]


@pytest.fixture(scope="module")
def faces() -> DrawnFaces:
    return drawn_faces(2, 18, share_of_zeros=0.2, seed=3)


@pytest.fixture(scope="module")
def cohort(faces: DrawnFaces) -> Cohort:
    frames = faces.table[["subject", "sequence", "frame"]].assign(
        pspi=np.take(PSPI, faces.table["level"]).astype(float), tracked=True, black=False, image="x.png"
    )
    nothing = pd.DataFrame()
    return Cohort(
        "simulated", Path("nowhere"), True, nothing, nothing, frames, faces.landmarks, nothing, "drawn"
    )


@pytest.fixture(scope="module")
def store(faces: DrawnFaces, tmp_path_factory: pytest.TempPathFactory) -> CropStore:
    landmarks = faces.landmarks.copy()
    landmarks[4] = np.nan
    folder = tmp_path_factory.mktemp("figures")
    return build_crop_store(faces.images.__getitem__, landmarks, folder, content="figures", progress=False)


def test_each_stop_of_the_slider_shows_the_crop_of_its_frame(
    cohort: Cohort, store: CropStore, faces: DrawnFaces
) -> None:
    table = faces.table.assign(y_true=faces.table["level"].astype(float), y_pred=1.5)
    table.loc[4, "y_pred"] = np.nan
    figure = level_through_time(cohort, store, {"net": table}, ("s00", "s00t1"), maps=squares)
    assert [state.name for state in figure.frames] == [str(i) for i in range(1, 19)]
    assert [step.args[0] for step in figure.layout.sliders[0].steps] == [(str(i),) for i in range(1, 19)]
    for row, state in enumerate(figure.frames):
        image, drawn = map(decoded, state.layout.images)
        caption = state.layout.xaxis.title.text
        if row == 4:
            assert np.ptp(image) == np.ptp(drawn) == 0
            assert "no face" in caption
        else:  # a photo is compressed as one
            crops = store.batch(np.flatnonzero(store.usable[:18])).astype(int)
            away = np.abs(crops - image).mean(axis=(1, 2, 3))
            assert np.flatnonzero(store.usable[:18])[away.argmin()] == row
            assert away.min() < 4
            assert np.abs(drawn.astype(int) - heatmap_colors(squares([row])["squares"][0])).mean() < 6
            assert f"frame {row + 1}: level {faces.table['level'][row]}" in caption
            assert "1.50" in caption
        assert list(state.data[-1].x) == [row + 1, row + 1]
    lines = {trace.name: np.asarray(trace.y, dtype=float) for trace in figure.data[:2]}
    np.testing.assert_array_equal(lines["labelled"], faces.table["level"][:18])
    assert np.flatnonzero(np.isnan(lines["net"])).tolist() == [4]
    assert "Simulated" in figure.layout.title.subtitle.text


def squares(rows: NDArray[np.intp]) -> dict[str, NDArray[np.float64]]:
    """A map with a square whose place tells the row."""
    maps = np.zeros((len(rows), 112, 96))
    for drawn, row in zip(maps, rows, strict=True):
        drawn[4 * row : 4 * row + 16, :32] = 1
    return {"squares": maps}


def test_trace_takes_the_sequence_with_most_levels(
    cohort: Cohort, store: CropStore, faces: DrawnFaces
) -> None:
    table = faces.table.assign(y_true=0.0, y_pred=1.0)
    table.loc[table["sequence"] == "s01t1", "y_true"] = np.arange(18) % 3
    assert "s01t1" in level_through_time(cohort, store, {"net": table}).layout.title.text


def test_trace_of_two_people_whose_recordings_share_a_name_is_of_one(
    cohort: Cohort, store: CropStore, faces: DrawnFaces
) -> None:
    frames = cohort.frames.assign(sequence="video")
    table = faces.table.assign(sequence="video", y_true=0.0, y_pred=np.arange(36.0))
    figure = level_through_time(replace(cohort, frames=frames), store, {"net": table}, ("s01", "video"))
    assert list(figure.data[1].y) == list(range(18, 36))
    assert len(figure.frames) == 18


@pytest.mark.parametrize("scale", ["level", "seven_levels"])
def test_strip_holds_crops_of_the_level_that_its_caption_names(
    cohort: Cohort, store: CropStore, faces: DrawnFaces, scale: str
) -> None:
    figure = crops_by_level(cohort, store, scale=scale, per_level=1, seed=1)
    levels = LEVELS[scale](cohort.frames["pspi"]).astype(int)
    strip = decoded(figure.layout.images[0])
    crops = {row: store.batch([row])[0] for row in np.flatnonzero(store.usable)}
    captions = figure.layout.xaxis.ticktext
    assert len(captions) == len(np.unique(levels[store.usable]))
    for i, caption in enumerate(captions):
        shown = strip[:, i * 102 : i * 102 + 96]
        row = min(crops, key=lambda k: np.abs(shown.astype(int) - crops[k]).sum())
        np.testing.assert_array_equal(shown, crops[row])
        level, subject = levels[row], faces.table["subject"][row]
        assert caption == f"level {level}<br><sub>{subject}</sub>"


def test_one_fold_is_shown_at_a_time_and_no_frame_is_lost() -> None:
    n = 60
    table = pd.DataFrame({"subject": "a", "sequence": "a", "frame": np.arange(n), "level": np.arange(n) % 6})
    table = table.assign(fold=np.repeat(["one", "two"], 30), x=np.arange(n), y=0.0, explained=1.0)
    figure = features_by_level({"with": table, "without": table}, simulated=True)
    menu = figure.layout.updatemenus[0].buttons
    assert [button.label for button in menu] == ["one", "two"]
    for button, expected in zip(menu, (range(30), range(30, 60)), strict=True):
        visible = [t for t, on in zip(figure.data, button.args[0]["visible"], strict=True) if on]
        assert sorted(x for trace in visible for x in trace.x) == sorted([*expected, *expected])
    assert [t.visible for t in figure.data] == list(menu[0].args[0]["visible"])


def test_error_bars_end_where_the_interval_does() -> None:
    table = pd.DataFrame(
        {"row": ["x", "x"], "level": [0, 5], "value": [1.0, 2.0], "low": [0.5, 1.0], "high": [1.25, 4.0]}
    ).assign(frames=3, groups=2)
    trace = level_errors(table, simulated=False).data[0]
    np.testing.assert_allclose(np.add(trace.y, trace.error_y.array), table["high"])
    np.testing.assert_allclose(np.subtract(trace.y, trace.error_y.arrayminus), table["low"])

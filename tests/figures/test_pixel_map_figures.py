"""Figures of relevance maps and of what classes and regions are about."""

from __future__ import annotations

import base64

import cv2
import numpy as np
import pandas as pd
import pytest
from plotly.colors import unlabel_rgb

from painkit.figures.pixel_maps import (
    confusion_matrix,
    heatmap_colors,
    heatmaps,
    recall_by_fold,
    region_shares,
)
from painkit.figures.style import SIMULATED, color_of


def test_colours_are_white_at_0_and_alike_on_both_sides() -> None:
    ramp = np.linspace(-2, 2, 4001)[None]
    colors = heatmap_colors(ramp).astype(int)[0]
    assert colors[2000].min() > 240
    assert (colors[-1] == heatmap_colors(np.array([[1.0, 0.0]]))[0, 0]).all()
    red, blue = colors[-1], colors[0]
    assert red[0] > 2 * red[2]
    assert blue[2] > 2 * blue[0]
    np.testing.assert_array_equal(heatmap_colors(1000 * ramp), heatmap_colors(ramp))
    away = np.abs(colors - colors[2000]).sum(axis=1)
    assert (np.diff(away[2000:]) >= 0).all()
    assert (np.diff(away[:2001]) <= 0).all()


def test_one_pixel_far_beyond_all_others_does_not_make_the_rest_white() -> None:
    values = np.tile(np.linspace(-1, 1, 100), (100, 1))
    far = values.copy()
    far[0, 0] = -1e6
    np.testing.assert_array_equal(heatmap_colors(far)[1:], heatmap_colors(values)[1:])


def test_a_map_of_nothing_is_white() -> None:
    assert heatmap_colors(np.zeros((4, 5))).min() > 240


def test_every_image_has_its_row_and_every_method_its_column() -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 255, (3, 8, 8, 3), dtype=np.uint8)
    maps = {"one": rng.normal(size=(3, 8, 8)), "two": rng.normal(size=(3, 8, 8))}
    figure = heatmaps(images, ["a / b", "c / c", "<b>"], maps, "maps", simulated=True)
    drawn = [one.source.split(",")[1] for one in figure.layout.images]
    decoded = [cv2.imdecode(np.frombuffer(base64.b64decode(one), np.uint8), 1)[..., ::-1] for one in drawn]
    expected = [*images, *(heatmap_colors(one) for found in maps.values() for one in found)]
    for shown, pixels in zip(decoded, expected, strict=True):
        np.testing.assert_array_equal(shown, pixels)
    titles = [note.text for note in figure.layout.annotations]
    assert titles == ["image", "one", "two"]
    rows = [figure.layout[f"yaxis{n or ''}"].title.text for n in ("", 4, 7)]
    assert rows == ["a / b", "c / c", "&lt;b>"]
    assert figure.layout.title.subtitle.text == SIMULATED


def test_confusions_are_coloured_by_the_share_of_the_true_class() -> None:
    counts = pd.DataFrame([[3, 1], [0, 0]], index=["x", "y"], columns=["x", "y"])
    figure = confusion_matrix(counts, "counts", simulated=False)
    np.testing.assert_array_equal(figure.data[0].z[0], [75, 25])
    assert np.isnan(np.array(figure.data[0].z[1], float)).all()
    assert figure.data[0].text[0][0].startswith("3<br>75")
    assert list(figure.data[0].text[1]) == ["", ""]
    assert list(figure.data[0].y) == ["x", "y<br>(none)"]
    assert figure.layout.title.subtitle.text is None


def test_the_spread_over_folds_is_the_error_bar_of_the_mean() -> None:
    folds = pd.DataFrame(
        {
            "fold": ["fold-1", "fold-2", "mean", "spread"],
            "accuracy": [0.5, 0.7, 0.6, 0.14],
            "recall": [0.4, 0.6, 0.5, 0.15],
        }
    )
    figure = recall_by_fold(folds, 1 / 3, simulated=True)
    assert list(figure.data[0].x) == ["fold-1", "fold-2", "mean"]
    assert [one.error_y.array[2] for one in figure.data] == [0.14, 0.15]
    assert all(np.isnan(one.error_y.array[0]) for one in figure.data)


def test_shares_are_drawn_in_percent_beside_the_area() -> None:
    shares = pd.DataFrame(
        {
            "class": ["pain", "pain", "disgust", "disgust"],
            "name": ["brows", "nose"] * 2,
            "value": [0.3, 0.1, 0.2, 0.4],
            "low": [0.2, 0.05, 0.1, 0.3],
            "high": [0.4, 0.2, 0.3, 0.5],
            "area": [0.1, 0.05, 0.1, 0.05],
        }
    )
    figure = region_shares(shares, "shares", simulated=True)
    assert [(dots.name, dots.marker.color) for dots in figure.data] == [
        (f"{name}, with 95 % interval", color_of(name)) for name in ("pain", "disgust")
    ]
    np.testing.assert_allclose(figure.data[1].y, [20, 40])
    np.testing.assert_allclose(figure.data[0].error_y.array, [10, 10])
    np.testing.assert_allclose(figure.data[0].error_y.arrayminus, [10, 5])
    assert figure.data[0].hovertext[0] == (
        "pain, brows: 30.0 %<br>95 % interval 20.0 to 40.0 of positive relevance<br>10.0 % of the picture"
    )
    np.testing.assert_allclose([line.y0 for line in figure.layout.shapes], [10, 5])
    # Side by side about the place of the region, so that no interval covers another.
    np.testing.assert_allclose(np.mean([dots.x for dots in figure.data], axis=0), [0, 1])
    assert not set(figure.data[0].x) & set(figure.data[1].x)
    own = region_shares(
        shares.replace({"class": {"disgust": "level 3", "pain": "level 4"}}), "own", simulated=True
    )
    assert len({dots.marker.color for dots in own.data}) == 2  # no class with a colour of its own
    empty = region_shares(shares.iloc[:0], "none", simulated=True)
    assert len(empty.data) == 0


@pytest.mark.parametrize("scale", [1e-12, 1e12])
def test_colours_do_not_depend_on_the_scale(scale: float) -> None:
    values = np.random.default_rng(1).normal(size=(10, 10))
    np.testing.assert_array_equal(heatmap_colors(scale * values), heatmap_colors(values))


@pytest.mark.parametrize("sign", [1, -1])
def test_the_bar_shows_the_colours_that_maps_can_have(sign: int) -> None:
    images, ramp = np.zeros((1, 1, 101, 3), np.uint8), sign * np.linspace(0, 1, 101)[None, None]
    figure = heatmaps(images, ["a"], {"one": ramp}, "maps", simulated=True)
    bar = figure.data[-1].marker
    assert (bar.cmin, bar.cmax, list(bar.colorbar.tickvals)) == (
        (0, 1, [0, 1]) if sign > 0 else (-1, 1, [-1, 0, 1])
    )
    ends = [np.array(unlabel_rgb(bar.colorscale[end][1])) for end in (0, -1)]
    np.testing.assert_allclose(ends[1], heatmap_colors(np.array([[1.0]]))[0, 0], atol=1)
    np.testing.assert_allclose(ends[0], heatmap_colors(np.array([[min(0, sign), 1]]))[0, 0], atol=1)

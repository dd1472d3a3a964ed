"""Figures show the numbers they were given, and say when these are simulated."""

import base64
from dataclasses import replace

import cv2
import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest

import painkit.data
from painkit.data.average_face import AverageFace
from painkit.errors import PainkitError
from painkit.figures.comparisons import leak_inflation, rows_with_intervals, training_lengths
from painkit.figures.estimates import bands_by_subject, coverage, errors_by_subject, frame_estimates
from painkit.figures.faces import face_strip, frame_facts, outline, peak_sequence, rising_frames
from painkit.figures.importances import relevance_by_fold
from painkit.figures.labels import balanced_levels, level_shares, pspi_histogram, sequence_labels
from painkit.figures.landmark_maps import contribution_maps, distance_boxes, mean_and_spread_maps
from painkit.figures.style import LEVEL_COLORS, SERIES, color_of, finish, in_words, picture
from painkit.figures.through_time import face_through_time
from painkit.figures.traces import pain_and_units


@pytest.fixture(scope="module")
def cohort(smoke):
    return painkit.data.load("simulated", smoke, progress=False)


def test_an_image_survives_its_address():
    image = np.random.default_rng(0).integers(0, 256, (24, 32, 3), dtype=np.uint8)
    encoded = np.frombuffer(base64.b64decode(picture(image)["source"].split(",")[1]), np.uint8)
    np.testing.assert_array_equal(cv2.imdecode(encoded, cv2.IMREAD_COLOR)[..., ::-1], image)


def test_names_are_text_and_captions_keep_their_line_breaks():
    """Plotly takes tags and entities for markup in whatever it writes."""
    name = "<b>R&D</b><a href='https:x'>"
    shown = "&lt;b>R&amp;D&lt;/b>&lt;a href='https:x'>"
    figure = go.Figure(
        go.Bar(
            x=[name, "s2"], y=np.array([1.5, 2.5]), text=(name, "a<br>b"), customdata=[[name, 1], ["s2", 2]]
        )
    )
    figure.frames = [go.Frame(name="1", layout={"xaxis": {"title": {"text": name}}})]
    figure.update_layout(updatemenus=[{"buttons": [{"label": name, "args": [{"visible": [True]}]}]}])
    figure.add_annotation(text=f"{name}<br><sub>small</sub>")
    finish(figure, name, simulated=False)
    [bar], [frame], layout = figure.data, figure.frames, figure.layout
    assert list(bar.x) == [shown, "s2"]
    assert list(bar.text) == [shown, "a<br>b"]
    assert [list(row) for row in bar.customdata] == [[shown, 1], ["s2", 2]]
    assert bar.y.tolist() == [1.5, 2.5]
    assert (
        frame.layout.xaxis.title.text == layout.title.text == layout.updatemenus[0].buttons[0].label == shown
    )
    assert layout.annotations[0].text == f"{shown}<br><sub>small</sub>"


def test_level_shares_of_each_subject_sum_to_a_hundred_and_count_every_labelled_frame(cohort):
    figure = level_shares(cohort)
    np.testing.assert_allclose(np.sum([bar.x for bar in figure.data], axis=0), 100)
    assert np.sum([bar.customdata for bar in figure.data]) == cohort.frames["pspi"].notna().sum()


def test_histograms_count_every_sequence(cohort):
    figure = sequence_labels(cohort)
    assert [int(np.sum(bar.y)) for bar in figure.data[:2]] == [len(cohort.sequences)] * 2


def test_histogram_of_pspi_holds_every_labelled_frame_in_the_colour_of_its_level(cohort):
    figure = pspi_histogram(cohort)
    drawn = {int(score): int(n) for bar in figure.data for score, n in zip(bar.x, bar.y, strict=True)}
    scores = cohort.frames["pspi"].dropna().astype(int).tolist()
    assert drawn == {score: scores.count(score) for score in range(17)}
    # Hosseini et al., Table I.
    first = [min(bar.x) for bar in figure.data]
    assert first == [0, 1, 3, 5, 7, 10, 13]
    assert len({bar.marker.color for bar in figure.data}) == 7


def test_levels_have_a_bar_for_each_stage():
    counts = pd.DataFrame({"before": [9, 4], "after": [2, 8]}, index=[0, 2])
    figure = balanced_levels(counts, simulated=True)
    assert [(bar.name, *bar.x, *bar.y) for bar in figure.data] == [
        ("before", "level 0", "level 2", 9, 4),
        ("after", "level 0", "level 2", 2, 8),
    ]


def test_a_face_through_time_holds_its_images_and_states_the_coded_units(cohort):
    peak = cohort.frames.loc[cohort.frames["pspi"].idxmax()]
    figure = face_through_time(cohort, peak["subject"], peak["sequence"], count=5)
    assert len(figure.frames) == 5
    assert all(len(frame.layout.images) == 1 for frame in figure.frames)
    own = cohort.frames[(cohort.frames["sequence"] == peak["sequence"]) & cohort.frames["tracked"]]
    told = {state.name: state.layout.xaxis.title.text for state in figure.frames}
    for frame in own[own["frame"].astype(str).isin(told)].itertuples():
        assert told[str(frame.frame)].startswith(f"frame {frame.frame}: PSPI {frame.pspi:g}<br>")
    # It opens at the highest PSPI, which is among its stops whatever their number.
    assert figure.frames[figure.layout.sliders[0].active].name == str(peak["frame"])
    assert "AU4 " in told[str(peak["frame"])]


def test_a_strip_reaches_the_peak_where_a_thin_copy_has_no_picture_of_it(cohort):
    subject, sequence = peak_sequence(cohort)
    rows = cohort.rows_of(subject, sequence)
    peak = rows[np.nanargmax(cohort.frames["pspi"].to_numpy()[rows])]
    frames = cohort.frames.copy()
    frames.loc[frames.index[peak], "image"] = None
    thin = replace(cohort, frames=frames, draw=None)
    assert len(thin.pictured[rows]) - thin.pictured[rows].sum() == 1
    shown = rising_frames(thin, subject, sequence)
    assert peak in shown
    assert len(face_strip(thin, shown).layout.images) == len(shown) - 1
    names = [state.name for state in face_through_time(thin, subject, sequence, count=5).frames]
    assert str(frames["frame"].iloc[peak]) in names


def test_a_strip_draws_the_landmarks_of_the_frames_asked_for(cohort):
    rows = np.flatnonzero(cohort.frames["tracked"])[[0, 10]]
    figure = face_strip(cohort, [int(row) for row in rows])
    points = [trace for trace in figure.data if trace.mode == "markers"]
    for row, trace in zip(rows, points, strict=True):
        moved = np.c_[trace.x, trace.y] - cohort.landmarks[row]
        np.testing.assert_allclose(moved, np.tile(moved[:1], (66, 1)), atol=1e-3)
    # What is about the faces is cut out of the images: all landmarks are on it, and they fill it.
    (low, high), (bottom, top) = figure.layout.xaxis.range, figure.layout.yaxis.range
    x, y = np.concatenate([trace.x for trace in points]), np.concatenate([trace.y for trace in points])
    assert low < x.min() < x.max() < high
    assert top < y.min() < y.max() < bottom
    assert np.ptp(x) > 0.6 * (high - low)


def test_lines_of_a_face_are_broken_between_its_parts():
    x, y = outline(np.arange(132.0).reshape(66, 2))
    assert x.count(None) == y.count(None) == 9


def test_trace_shows_pspi_and_every_unit_that_occurs(cohort):
    peak = cohort.frames.loc[cohort.frames["pspi"].idxmax()]
    figure = pain_and_units(cohort, peak["subject"], peak["sequence"])
    frames = cohort.frames[cohort.frames["sequence"] == peak["sequence"]]
    np.testing.assert_array_equal(figure.data[0].y, frames["pspi"])
    shown = [unit for unit in frames if unit.startswith("AU") and frames[unit].max() > 0]
    assert list(figure.data[2].y) == shown


def test_a_frame_is_told_by_its_strongest_units_in_their_order_and_by_pspi_where_it_has_one():
    units = {"AU1": 0.2, "AU2": 0.004, "AU4": 1.23456, "AU5": 0.1, "AU6": np.nan, "AU9": 0.3, "AU10": 3.0}
    units |= {"AU12": 0.5, "AU20": 0.6, "AU25": 0.7}
    frame = pd.Series({"frame": 7, "pspi": 4.23456, **units}, dtype=object)
    told, strongest = frame_facts(frame)
    assert told == "frame 7: PSPI 4.23"
    assert strongest == ["AU4 1.23", "AU9 0.3", "AU10 3", "AU12 0.5", "AU20 0.6", "AU25 0.7"]
    assert frame_facts(frame, most=2)[1] == ["AU4 1.23", "AU10 3"]
    silent = pd.Series({"frame": 7, "pspi": np.nan, "AU4": 0.0}, dtype=object)
    assert frame_facts(silent) == ("frame 7", ["no unit coded"])
    silent["AU4"] = np.nan
    assert frame_facts(silent)[1] == ["units not known"]


def test_units_of_a_detector_stand_on_its_own_scale_and_without_pspi_alone(cohort):
    peak = cohort.frames.loc[cohort.frames["pspi"].idxmax()]
    detected = replace(cohort, frames=cohort.frames.assign(pspi=np.nan), units="detected")
    (units,) = pain_and_units(detected, peak["subject"], peak["sequence"]).data
    assert (units.zmin, units.zmax, units.colorbar.title.text) == (0, 1, "detector output 0-1")
    _, _, coded = pain_and_units(cohort, peak["subject"], peak["sequence"]).data
    assert (coded.zmin, coded.zmax, coded.colorbar.title.text) == (0, 5, "intensity 0-5")


def test_two_people_whose_recordings_share_a_name_stay_two(cohort):
    """Files ``p1/video.csv`` and ``p2/video.csv`` are two sequences called ``video``."""
    frames = cohort.frames.assign(sequence="video", frame=np.arange(len(cohort.frames)))
    cohort = replace(cohort, frames=frames)
    subject, sequence = peak_sequence(cohort)
    own = frames[frames["subject"] == subject]
    assert (subject, sequence) == (frames.loc[frames["pspi"].idxmax(), "subject"], "video")
    shown = {int(state.name) for state in face_through_time(cohort, subject, sequence, count=200).frames}
    assert shown <= set(own["frame"])
    assert set(rising_frames(cohort, subject, sequence)) <= set(own.index)
    assert list(pain_and_units(cohort, subject, sequence).data[0].x) == own["frame"].tolist()
    assert subject in face_through_time(cohort, subject, sequence).layout.title.text
    with pytest.raises(PainkitError, match="no frame of a sequence nobody, video"):
        pain_and_units(cohort, "nobody", "video")


def predictions():
    rows = [("a", "a1", 2.0, 3.0), ("a", "a2", 4.0, 4.5), ("b", "b1", 0.0, 2.0)]
    table = pd.DataFrame(rows, columns=["subject", "sequence", "y_true", "y_pred"])
    return table.assign(target="vas", y_std=1.0)


def test_errors_are_means_within_each_subject():
    figure = errors_by_subject(predictions(), title="errors", simulated=False)
    assert dict(zip(figure.data[0].x, figure.data[0].y, strict=True)) == {"a": 0.75, "b": 2.0}
    # Over sequences it would be 1.17.
    (line,) = figure.layout.shapes
    assert line.y0 == line.y1 == 1.375
    assert "VAS 0-10: mean over subjects 1.38" in [note.text for note in figure.layout.annotations]


def test_a_target_has_one_colour_and_its_own_axes_wherever_it_is_drawn(cohort):
    scores = pd.DataFrame({"row": ["zeros", "zeros", "mean"], "target": ["vas", "opi", "opi"], "value": 1.0})
    figure = rows_with_intervals(
        scores.assign(metric="MAE", low=0.5, high=2.0), title="rows", simulated=False
    )
    assert [(list(part.y), part.marker.color, part.xaxis) for part in figure.data] == [
        (["zeros"], color_of("vas"), "x"),
        (["zeros", "mean"], color_of("opi"), "x2"),
    ]
    assert [bars.marker.color for bars in sequence_labels(cohort).data[:2]] == [
        color_of("vas"),
        color_of("opi"),
    ]
    both = pd.concat([predictions(), predictions().assign(target="opi")])
    errors = errors_by_subject(both, title="errors", simulated=False)
    assert [(bars.marker.color, bars.yaxis) for bars in errors.data] == [
        (color_of("vas"), "y"),
        (color_of("opi"), "y2"),
    ]
    values = np.arange(8.0).reshape(4, 2)
    frames = frame_estimates({"one": values}, labels=["vas", "opi"], simulated=False)
    assert [(line.line.color, line.yaxis) for line in frames.data] == [
        (color_of("vas"), "y"),
        (color_of("opi"), "y2"),
    ]
    assert len({color_of(name) for name in ("vas", "opi", "level", "disgust", "happiness")}) == 5
    assert not {color_of("vas"), color_of("opi"), color_of("level")} & set(SERIES)
    assert [color_of(f"level {number}") for number in range(7)] == list(LEVEL_COLORS)


def test_an_interval_is_told_in_words():
    table = pd.DataFrame({"value": [1.234, 2.0, np.nan], "low": [1, np.nan, np.nan], "high": [2, 3, np.nan]})
    assert in_words(table, unit=" %") == [
        "1.23 %<br>95 % interval 1.00 to 2.00",
        "2.00 %",
        "undefined",
    ]


def test_lengths_of_training_have_a_line_of_each_row_and_a_difference_of_each_question():
    table = pd.DataFrame(
        {
            "epochs": [1, 10, 1, 10],
            "question": ["p or q", "p or q", "p or r", "p or r"],
            "row_a": "p",
            "row_b": ["q", "q", "r", "r"],
            "a": [3.0, 2.0, 3.0, 2.0],
            "b": [4.0, 4.5, 5.0, 5.5],
            "difference": [-1.0, -2.5, -2.0, -3.5],
            "low": -5.0,
            "high": 0.0,
        }
    )
    figure = training_lengths(table, simulated=False)
    assert [(part.name, list(part.y)) for part in figure.data[:3]] == [
        ("the best setting of the published table", [3, 2]),
        ("q", [4, 4.5]),
        ("r", [5, 5.5]),
    ]
    # The lines of the second panel have the colours of the first: three names serve for both.
    assert [part.line.color for part in figure.data[1:3]] == [part.line.color for part in figure.data[3:]]
    assert [part.showlegend for part in figure.data[3:]] == [False, False]
    # Side by side, so that no interval covers another.
    assert not set(figure.data[3].x) & set(figure.data[4].x)


def test_band_reaches_the_quantiles_of_its_normal():
    figure = bands_by_subject(predictions(), ["a", "b"], level=0.5, simulated=False)
    np.testing.assert_allclose(figure.data[0].y, [3.6745, 5.1745, 3.8255, 2.3255], atol=1e-4)


def test_coverage_stands_at_the_stated_levels():
    rows = [("coverage 50%", 0.4, 0.3, 0.5), ("coverage 90%", 0.8, 0.7, 0.9)]
    table = pd.DataFrame(rows, columns=["metric", "value", "low", "high"]).assign(target="vas")
    drawn = coverage(table, simulated=False).data[1]
    assert list(drawn.x) == [0.5, 0.9]
    np.testing.assert_allclose(drawn.error_y.arrayminus, [0.1, 0.1])
    assert drawn.hovertext[0] == "VAS: bands of 50% hold 40<br>95 % interval 30 to 50 % of the labels"


def test_maps_share_one_colour_scale_around_zero():
    points = np.random.default_rng(0).uniform(0, 100, (66, 2))
    maps = {"one": np.linspace(-1, 3, 66), "two": np.linspace(-5, 2, 66)}
    figure = contribution_maps(AverageFace(points), maps, title="maps", simulated=False)
    assert (figure.layout.coloraxis.cmin, figure.layout.coloraxis.cmax) == (-5, 5)
    assert not figure.layout.images
    face = AverageFace(points, np.zeros((256, 256, 3), np.uint8), 3)
    on_face = contribution_maps(face, maps, title="maps", simulated=False)
    assert [image.xref for image in on_face.layout.images] == ["x", "x2"]
    np.testing.assert_array_equal(on_face.data[1].x, points[:, 0])


def test_a_spread_has_a_scale_of_its_own_from_0_up():
    face = AverageFace(np.random.default_rng(0).uniform(0, 100, (66, 2)))
    table = pd.DataFrame(
        {"landmark": range(66), "mean": np.linspace(-1, 3, 66), "sd_subjects": np.linspace(0, 2, 66)}
    )
    both = pd.concat([table.assign(target="vas"), table.assign(target="opi", mean=table["mean"] / 10)])
    layout = mean_and_spread_maps(face, both, simulated=False).layout
    axes = [layout[f"coloraxis{number}"] for number in ("", 2, 3, 4)]
    ends = [(axis.cmin, axis.cmax, axis.colorbar.title.text) for axis in axes]
    assert ends == [(-3, 3, "VAS 0-10"), (-0.3, 0.3, "OPI 0-5"), (0, 2, "VAS 0-10"), (0, 2, "OPI 0-5")]
    places = {(axis.colorbar.x, axis.colorbar.y) for axis in axes}
    assert len(places) == 4


def test_boxes_are_quartiles_of_the_distance_from_the_origin():
    points = np.zeros((5, 66, 2))
    points[:, 7] = np.c_[[3, 6, 9, 12, 15], [4, 8, 12, 16, 20]]  # at distances 5, 10, 15, 20, 25
    points[0, 8] = np.nan
    chosen = {("vas", "one"): [7], ("opi", "two"): [8, 7]}
    figure = distance_boxes(points, chosen, title="boxes", simulated=False)
    assert [title.text for title in figure.layout.annotations] == ["one", "two"]
    box, second = [part for part in figure.data if part.type == "box"]
    told = [part.hovertext[-1] for part in figure.data if part.type == "scatter"]
    assert all("median 15.00 z-scores, half of the frames 10.00 to 20.00" in text for text in told)
    assert (box.q1[0], box.median[0], box.q3[0]) == (10, 15, 20)
    assert list(second.median) == [0, 15]
    assert second.y[0].startswith("8:")
    assert second.y[1] == box.y[0]


def test_rows_keep_their_order_and_relevance_is_sorted():
    table = pd.DataFrame(
        {"row": ["z", "a"], "metric": "MAE", "value": [1.0, 2], "low": [0.5, 1], "high": [2.0, 3]}
    )
    figure = rows_with_intervals(table, title="rows", simulated=False)
    assert list(figure.layout.yaxis.categoryarray) == ["a", "z"]  # drawn from the bottom up
    names = ["vas_max", "opi_moment3"]
    relevance = pd.DataFrame({"statistic": names, "fold": ["1", "1"], "relevance": [-2.0, 1.0]})
    drawn = relevance_by_fold(relevance, simulated=False)
    assert list(drawn.layout.yaxis.categoryarray) == ["VAS: maximum", "OPI: 3rd moment"]
    assert dict(zip(drawn.data[1].y, drawn.data[1].x, strict=True)) == {
        "VAS: maximum": -2,
        "OPI: 3rd moment": 1,
    }


@pytest.mark.parametrize("simulated", [True, False])
def test_only_simulated_figures_say_simulated(simulated):
    figure = finish(
        rows_with_intervals(
            pd.DataFrame({"row": ["a"], "metric": "MAE", "value": [1.0], "low": [0.5], "high": [2.0]}),
            title="rows",
            simulated=simulated,
        ),
        "rows",
        simulated=simulated,
    )
    assert ("Simulated" in str(figure.layout.title.subtitle.text)) is simulated


def test_leaks_are_drawn_beside_each_other_and_what_does_not_apply_says_so():
    """The subject folds, which all are compared with, are no leak; what has no value gets a word."""

    def table(row, scale, applies):
        return pd.DataFrame(
            {
                "row": row,
                "leak": ["subject folds", "random frames", "selection"],
                "applies": [True, True, applies],
                "metric": "MAE",
                "leaky": [1.0, 0.5, 0.8 if applies else np.nan],
                "honest": [1.0, 1.0, 0.9 if applies else np.nan],
                "inflation": [np.nan, 0.5, 0.1 if applies else np.nan],
                "low": [np.nan, 0.25, 0.05 if applies else np.nan],
                "high": [np.nan, 1.0, 0.2 if applies else np.nan],
                "compared_with": ["", "subject folds", "inner"],
                "average": "pooled",
                "scale": scale,
                "near_in_time": [0, 60, 0],
                "near_in_space": [0, 20, np.nan],
                "copy_in_training": [0, 0, 0],
                "test_samples": 80,
            }
        )

    figure = leak_inflation(table("one", "level 0-5", True), table("two", "level 0-5", False), simulated=True)
    dots = [part for part in figure.data if part.type == "scatter"]
    assert [part.name for part in dots] == ["one, pooled", "two, pooled"]
    np.testing.assert_array_equal(dots[0].x, [0.5, 0.1])
    np.testing.assert_allclose(dots[0].error_x.array, [0.5, 0.1])
    np.testing.assert_allclose(dots[0].error_x.arrayminus, [0.25, 0.05])
    assert list(dots[0].y) == ["random frames", "selection"]
    assert dots[0].text[0] == (
        "random frames<br>0.500 beside 1.000 (subject folds)"
        "<br>looks better by 0.500<br>95 % interval 0.250 to 1.000"
    )
    bars = [part for part in figure.data if part.type == "bar"]
    np.testing.assert_allclose(bars[0].x, [75, 0])
    # Models that are scored in other metrics have their names and near copies, too.
    other = leak_inflation(
        table("one", "level 0-5", True), table("two", "level 0-5", True).assign(metric="PCC"), simulated=True
    )
    named = [part.name for part in other.data if part.showlegend and len(part.x)]
    assert named == ["one, pooled", "two, pooled"]
    assert [list(part.x) for part in other.data if part.type == "bar"] == [[75, 0], [75, 0]]
    told = [note.text for note in figure.layout.annotations]
    assert "not applicable to two" in told
    assert "MAE<br>level 0-5" in told
    assert "Simulated" in figure.layout.title.subtitle.text

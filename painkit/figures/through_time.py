"""Moving views of one sequence: a face, what its landmarks contribute, a level, the scores of classes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from painkit.data.cohort import Cohort
from painkit.data.crop_store import CropStore
from painkit.figures.faces import about_faces, frame_facts, peak_sequence
from painkit.figures.moving import Trace, View, moving_view, stops_through
from painkit.figures.pixel_maps import heatmap_colors
from painkit.figures.style import SERIES, color_of, colors_of, finish, in_lines
from painkit.vocabulary.pain import LEVELS
from painkit.vocabulary.scales import scale_of

__all__ = [
    "Contributions",
    "classes_through_time",
    "contributions_through_time",
    "face_through_time",
    "level_through_time",
]

_LABEL = "#222"


class Contributions(Protocol):
    """What the landmarks of every frame of a cohort contribute to its estimate.

    As `painkit.attribution.deeplift.LandmarkContributions` has it.
    """

    @property
    def scores(self) -> NDArray[np.floating]:
        """(n_frames, 66), in the unit of the target."""

    @property
    def estimates(self) -> NDArray[np.floating]:
        """(n_frames,)."""

    @property
    def reference(self) -> NDArray[np.floating]:
        """(n_frames,), the estimates that contributions are counted from."""


def face_through_time(cohort: Cohort, subject: str, sequence: str, *, count: int = 24) -> go.Figure:
    """Draw one sequence: landmarks on the images where there are any, PSPI and units.

    Parameters
    ----------
    cohort : Cohort
        Holds the sequence.
    subject, sequence : str
    count : int
        At most so many frames, evenly spread and the one with the highest PSPI among them, get a stop.
    """
    rows = cohort.rows_of(subject, sequence)
    told = cohort.frames.iloc[rows]
    pspi = told["pspi"].to_numpy(float)
    stops = _pictured_stops(cohort, rows, pspi, count)
    if not len(stops):
        title = f"{subject}, {sequence}: no frame has landmarks"
        return finish(go.Figure(), title, simulated=cohort.simulated, height=120)
    facts = [frame_facts(told.iloc[stop]) for stop in stops]
    captions = [f"{frame}<br>{', '.join(units)}" for frame, units in facts]
    points, images = about_faces(*_faces(cohort, rows[stops]))
    trace = Trace(scale="PSPI 0-16", lines={"PSPI": pspi}, colors={"PSPI": color_of("pspi")})
    return moving_view(
        told["frame"].to_numpy(),
        stops,
        [View(name="", captions=captions, images=images, points=points)],
        [trace] if np.isfinite(pspi).any() else [],
        f"{subject}, {sequence}, frame by frame",
        simulated=cohort.simulated,
        start=_highest(pspi[stops]),
    )


def contributions_through_time(
    cohort: Cohort,
    contributions: Mapping[str, Contributions],
    sequence: tuple[str, str] | None = None,
    *,
    count: int = 24,
) -> go.Figure:
    """Draw one sequence: the face under what its landmarks contribute, and the estimate of every frame.

    Parameters
    ----------
    cohort : Cohort
    contributions : mapping of str to Contributions
        By target, of all frames of the cohort.
    sequence : (subject, sequence), optional
        Default: the one with the highest PSPI.
    count : int
        At most so many frames get a stop.
    """
    sequence = peak_sequence(cohort) if sequence is None else sequence
    rows = cohort.rows_of(*sequence)
    frames = cohort.frames["frame"].to_numpy()[rows]
    own = (cohort.sequences["subject"] == sequence[0]) & (cohort.sequences["sequence"] == sequence[1])
    labels = cohort.sequences[own]
    first = next(iter(contributions.values())).estimates[rows]
    stops = _pictured_stops(cohort, rows, np.asarray(first, float), count)
    points, images = about_faces(*_faces(cohort, rows[stops]))
    faded = [None if image is None else _faded(image) for image in images]
    views, traces = [], []
    for target, found in contributions.items():
        name, scale = target.upper(), scale_of(target).label
        at = rows[stops]
        captions = [
            f"frame {frame}: estimate {estimate:.2f}<br>{mean:.2f} at the mean face"
            for frame, estimate, mean in zip(
                frames[stops], found.estimates[at], found.reference[at], strict=True
            )
        ]
        views.append(
            View(
                name=f"contributions to {name}",
                captions=captions,
                images=faded,
                points=points,
                values=found.scores[at],
                unit=scale,
            )
        )
        lines = {f"{name}, estimate of the frame": found.estimates[rows]}
        colors = dict.fromkeys(lines, color_of(target))
        told = f"{name}, label of the sequence"
        for reported in labels[target].dropna():
            lines[told], colors[told] = np.full(len(rows), reported), _LABEL
        dotted = [name for name, color in colors.items() if color == _LABEL]
        traces.append(Trace(scale=scale, lines=lines, colors=colors, dotted=dotted))
    return moving_view(
        frames,
        stops,
        views,
        traces,
        f"{', '.join(sequence)}: contributions of the landmarks, frame by frame",
        simulated=cohort.simulated,
        start=_highest(np.asarray(first, float)[stops]),
    )


def level_through_time(
    cohort: Cohort,
    store: CropStore,
    predictions: Mapping[str, pd.DataFrame],
    sequence: tuple[str, str] | None = None,
    *,
    maps: Callable[[NDArray[np.intp]], Mapping[str, NDArray[np.floating]]] | None = None,
    scale: str = "level",
    title: str = "Pain in {}, estimated and labelled",
    count: int = 24,
) -> go.Figure:
    """Draw one sequence: the crop that the net saw, its maps, labelled and estimated pain (Fig. 1).

    Parameters
    ----------
    cohort : Cohort
    store : CropStore
        Its crops.
    predictions : mapping of str to DataFrame
        subject, sequence, row (of ``cohort.frames``), y_true, y_pred of each model. NaN leaves a gap.
    sequence : (subject, sequence), optional
        Default: the one with most levels and, among those, most frames.
    maps : callable, optional
        From k rows of ``cohort.frames`` to (k, h, w) maps of their crops, by name.
    scale : str
        Key of `LEVELS`.
    title : str
        With a place for the names of the subject and the sequence.
    count : int
        At most so many frames, evenly spread and the highest label among them, get a stop.
    """
    if sequence is None:
        first = next(iter(predictions.values())).dropna(subset=["y_true", "y_pred"])
        known = first.groupby(["subject", "sequence"])["y_true"].agg(["nunique", "size"])
        sequence = known.sort_values(["nunique", "size"]).index[-1]
    rows = cohort.rows_of(*sequence)
    frames = cohort.frames["frame"].to_numpy()[rows]
    level = LEVELS[scale](cohort.frames["pspi"].to_numpy()[rows])
    estimates = {
        name: table.set_index("row")["y_pred"].reindex(rows).to_numpy(float)
        for name, table in predictions.items()
    }
    stops = stops_through(len(rows), count, _highest(level))
    usable = store.usable[rows[stops]]
    blank = np.full(store.crop_shape, 235, np.uint8)
    crops = [store.batch([row])[0] if seen else blank for row, seen in zip(rows[stops], usable, strict=True)]
    found = maps(rows[stops][usable]) if maps is not None and usable.any() else {}
    # Classes are whole numbers, estimates of a regression are not.
    numbers = np.concatenate([values[np.isfinite(values)] for values in estimates.values()])
    decimals = 0 if np.array_equal(numbers, numbers.round()) else 2
    told = []
    for stop, seen in zip(stops, usable, strict=True):
        bare = [values[stop] for name, values in estimates.items() if name not in found]
        listed = ", ".join(f"{value:.{decimals}f}" for value in bare)
        more = (f"estimated {listed}" if bare else "") if seen else "no face"
        told.append(f"frame {frames[stop]}: level {level[stop]:g}<br>{more}")
    views = [View(name="crop", captions=told, images=crops)]
    for name, own in found.items():
        drawn = iter(heatmap_colors(one) for one in own)
        images = [next(drawn) if seen else blank for seen in usable]
        values = estimates.get(name, np.full(len(rows), np.nan))[stops]
        told = [f"estimated {value:.{decimals}f}" if np.isfinite(value) else "" for value in values]
        views.append(View(name=in_lines(name), captions=told, images=images))
    lines = {"labelled": level, **estimates}
    colors = dict(zip(lines, (_LABEL, *SERIES), strict=False))
    return moving_view(
        frames,
        stops,
        views,
        [Trace(scale=scale_of(scale).label, lines=lines, colors=colors, dotted=["labelled"])],
        title.format(", ".join(sequence)),
        simulated=cohort.simulated,
        start=_highest(level[stops]),
    )


def classes_through_time(
    frames: NDArray[np.integer],
    images: NDArray[np.uint8],
    maps: NDArray[np.floating],
    probabilities: pd.DataFrame,
    *,
    explained: str,
    title: str,
    simulated: bool,
) -> go.Figure:
    """Draw one clip: its images, the map of one class, and the probability of every class.

    Parameters
    ----------
    frames : (n,) array
        Numbers of the frames.
    images : (n, h, w, 3) uint8 array
    maps : (n, h, w) array
        Relevance for the class.
    probabilities : DataFrame
        A column for each class, a row for each frame.
    explained : str
        The class that the maps explain.
    title : str
    simulated : bool
    """
    told = [
        f"frame {frame}:<br>called {own.idxmax()}"
        for frame, (_, own) in zip(frames, probabilities.iterrows(), strict=True)
    ]
    share = [f"probability of<br>{explained} {value:.2f}" for value in probabilities[explained]]
    trace = Trace(
        scale="probability",
        lines={str(name): values.to_numpy() for name, values in probabilities.items()},
        colors=colors_of(map(str, probabilities)),
        span=(0, 1),
    )
    return moving_view(
        frames,
        np.arange(len(frames)),
        [
            View(name="image", captions=told, images=list(images)),
            View(name=f"relevance for {explained}", captions=share, images=list(map(heatmap_colors, maps))),
        ],
        [trace],
        title,
        simulated=simulated,
        start=_highest(probabilities[explained].to_numpy(float)),
    )


def _pictured_stops(
    cohort: Cohort, rows: NDArray[np.intp], values: NDArray[np.floating], count: int
) -> NDArray[np.intp]:
    """Places of frames with landmarks, with an image where there are enough; the highest value among them."""
    tracked = np.flatnonzero(cohort.frames["tracked"].to_numpy()[rows])
    pictured = tracked[cohort.pictured[rows[tracked]]]
    chosen = pictured if len(pictured) >= min(count, 2) else tracked
    stops = chosen[stops_through(len(chosen), count)]
    peak = tracked[_highest(values[tracked])] if len(tracked) else None
    if peak is not None and peak not in stops:  # a thin copy may have no picture of it
        stops[np.argmin(np.abs(stops - peak))] = peak
    return stops


def _faces(
    cohort: Cohort, rows: NDArray[np.intp]
) -> tuple[NDArray[np.floating], list[NDArray[np.uint8] | None]]:
    return cohort.landmarks[rows], [cohort.image(int(row)) if cohort.pictured[row] else None for row in rows]


def _highest(values: NDArray[np.floating]) -> int:
    return int(np.nanargmax(values)) if np.isfinite(values).any() else 0


def _faded(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Pale and without colour, so that what lies upon it is seen."""
    gray = np.asarray(image, float).mean(axis=2, keepdims=True)
    return np.repeat(np.rint(0.45 * gray + 0.55 * 255), 3, axis=2).astype(np.uint8)

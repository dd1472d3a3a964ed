"""Faces drawn from landmarks, on their image where there is one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from painkit.data.cohort import Cohort
from painkit.figures.style import finish, picture
from painkit.vocabulary.landmarks import LINES, landmark_name

__all__ = [
    "about_faces",
    "add_face",
    "face_strip",
    "face_traces",
    "frame_facts",
    "outline",
    "peak_sequence",
    "rising_frames",
]


def outline(points: NDArray[np.floating]) -> tuple[list[float | None], list[float | None]]:
    """Return x and y of the face's lines, with a gap between one line and the next."""
    x: list[float | None] = []
    y: list[float | None] = []
    for line in LINES:
        x += [*points[list(line), 0].tolist(), None]
        y += [*points[list(line), 1].tolist(), None]
    return x, y


def face_traces(
    landmarks: NDArray[np.floating],
    *,
    on_image: bool,
    values: NDArray[np.floating] | None = None,
    unit: str = "",
    coloraxis: str = "coloraxis",
    size: float = 4,
) -> list[go.Scatter]:
    """Give a face's lines and its landmarks as two traces.

    Parameters
    ----------
    landmarks : (66, 2) array
        Pixels, x right and y down.
    on_image : bool
        Whether an image lies below them.
    values, unit, coloraxis, size
        See `add_face`.
    """
    x, y = outline(landmarks)
    ink = "rgba(255,255,255,0.55)" if on_image else "rgba(90,90,90,0.45)"
    marker: dict[str, Any] = {"size": size, "color": "#00e5ff" if on_image else "#0072B2"}
    told = "%{text}"
    if values is not None:
        marker |= {"color": values, "coloraxis": coloraxis, "line": {"width": 0.6, "color": "#444"}}
        told += f"<br>%{{customdata:.3g}}, {unit}"
    lines = {"mode": "lines", "line": {"color": ink, "width": 1}, "hoverinfo": "skip", "showlegend": False}
    return [
        go.Scatter(x=x, y=y, **lines),
        go.Scatter(
            x=landmarks[:, 0],
            y=landmarks[:, 1],
            mode="markers",
            marker=marker,
            text=[landmark_name(i) for i in range(len(landmarks))],
            customdata=values,
            hovertemplate=told + "<extra></extra>",
            showlegend=False,
        ),
    ]


def add_face(
    figure: go.Figure,
    landmarks: NDArray[np.floating],
    *,
    image: NDArray[np.uint8] | None = None,
    values: NDArray[np.floating] | None = None,
    row: int | None = None,
    col: int | None = None,
    unit: str = "",
    coloraxis: str = "coloraxis",
    size: float | None = None,
) -> None:
    """Add one face to a figure: its lines, its landmarks, and the image below them.

    Parameters
    ----------
    figure : plotly.graph_objects.Figure
        Changed in place.
    landmarks : (66, 2) array
        Pixels, x right and y down.
    image : (h, w, 3) uint8 array, optional
        RGB.
    values : (66,) array, optional
        Colours the landmarks through `coloraxis`.
    row, col : int, optional
        Place in a grid of subplots.
    unit : str
        Unit of `values`, for the hover text.
    coloraxis : str
        Layout key of the colour axis.
    size : float, optional
        Of a landmark, in pixels of the screen; default 10 with values and 4 without.
    """
    place = {"row": row, "col": col}
    if image is not None:
        axes: dict[str, Any] = {"xref": "x", "yref": "y"} if row is None else {}
        figure.add_layout_image(picture(image, photo=True, **axes), **place)
        # Layout images do not stretch the axes.
        figure.update_xaxes(range=[0, image.shape[1]], **place)
        figure.update_yaxes(range=[image.shape[0], 0], **place)
    else:
        low, high = np.nanmin(landmarks, axis=0), np.nanmax(landmarks, axis=0)
        margin = 0.08 * np.max(high - low)
        figure.update_xaxes(range=[low[0] - margin, high[0] + margin], **place)
        figure.update_yaxes(range=[high[1] + margin, low[1] - margin], **place)
    size = size or (4 if values is None else 10)
    for trace in face_traces(
        landmarks, on_image=image is not None, values=values, unit=unit, coloraxis=coloraxis, size=size
    ):
        figure.add_trace(trace, **place)
    figure.update_xaxes(visible=False, **place)
    figure.update_yaxes(visible=False, **place)
    # One pixel is as wide as it is high, in whichever subplot the face stands.
    axis = figure.data[-1].xaxis or "x"
    figure.update_yaxes(scaleanchor=axis, **place)


def about_faces(
    landmarks: NDArray[np.floating], images: Sequence[NDArray[np.uint8] | None]
) -> tuple[NDArray[np.floating], list[NDArray[np.uint8] | None]]:
    """Cut what is about the faces out of images of one shape, so that faces fill the panels they stand in.

    Parameters
    ----------
    landmarks : (n, 66, 2) array
        Pixels of the images; NaN where a frame has none.
    images : sequence of (h, w, 3) uint8 array or None

    Returns
    -------
    landmarks, images
        Pixels of what was cut out, and that.
    """
    if not np.isfinite(landmarks).any():
        return landmarks, list(images)
    there = [image for image in images if image is not None]
    low, high = np.nanmin(landmarks, axis=(0, 1)), np.nanmax(landmarks, axis=(0, 1))
    # Landmarks begin at the brows: the forehead is above them.
    around = np.max(high - low) * np.array([[0.2, 0.4], [0.2, 0.15]])
    left, top = np.floor(low - around[0]).astype(int)
    right, bottom = np.ceil(high + around[1]).astype(int)
    if there:
        height, width = there[0].shape[:2]
        left, top, right, bottom = max(left, 0), max(top, 0), min(right, width), min(bottom, height)
    cut = [None if image is None else np.ascontiguousarray(image[top:bottom, left:right]) for image in images]
    return landmarks - np.array([left, top]), cut


def peak_sequence(cohort: Cohort) -> tuple[str, str]:
    """Subject and sequence with the highest PSPI; without PSPI, with most tracked frames."""
    frames = cohort.frames
    if frames["pspi"].notna().any():
        peak = frames.iloc[int(frames["pspi"].argmax())]
        return peak["subject"], peak["sequence"]
    longest: Any = frames.groupby(["subject", "sequence"])["tracked"].sum().idxmax()
    return longest[0], longest[1]


def rising_frames(cohort: Cohort, subject: str, sequence: str, count: int = 4) -> list[int]:
    """Rows of frames of a sequence from its lowest to its highest PSPI, in time order.

    Parameters
    ----------
    cohort : Cohort
    subject, sequence : str
    count : int

    Returns
    -------
    list of int
        Rows of ``cohort.frames``: `count` frames or fewer, with images where there are enough of them, else
        with landmarks; empty where there are neither.
    """
    own = cohort.frames.reset_index(drop=True).loc[cohort.rows_of(subject, sequence)]
    seen = own[cohort.pictured[own.index]]
    tracked = own[own["tracked"]]
    shown = seen if len(seen) >= count else tracked
    if shown.empty:
        return []
    ranked = shown.sort_values("pspi", kind="stable").index
    rows = [int(ranked[at]) for at in np.linspace(0, len(ranked) - 1, count).round().astype(int)]
    if tracked["pspi"].max() > own["pspi"][rows[-1]]:
        # A thin copy may have no picture of the peak.
        rows[-1] = int(tracked.index.to_numpy()[tracked["pspi"].argmax()])
    return sorted(set(rows))


def frame_facts(frame: pd.Series, most: int = 6) -> tuple[str, list[str]]:
    """Tell a frame of a cohort: its number with its PSPI, where it has one, and its strongest action units.

    Parameters
    ----------
    frame : Series
        A row of ``cohort.frames``.
    most : int
        At most so many units; they keep their order. Detectors give nearly all of them some value.
    """
    units = frame[[name for name in frame.index if name.startswith("AU")]].astype(float)
    strongest = units[units >= 0.005].nlargest(most).index
    told = [f"{unit} {round(units[unit], 2):g}" for unit in units.index if unit in strongest]
    pspi = "" if pd.isna(frame["pspi"]) else f": PSPI {round(frame['pspi'], 2):g}"
    none = "no unit coded" if units.notna().any() else "units not known"
    return f"frame {frame['frame']}{pspi}", told or [none]


def face_strip(cohort: Cohort, rows: Sequence[int]) -> go.Figure:
    """Draw a few frames of a sequence side by side: image, face, PSPI and the coded action units.

    Parameters
    ----------
    cohort : Cohort
        Images are drawn where it has them.
    rows : sequence of int
        Rows of ``cohort.frames``.
    """
    titles = []
    for index in rows:
        told, units = frame_facts(cohort.frames.iloc[index])
        lines = [", ".join(units[at : at + 2]) for at in range(0, len(units), 2)]
        titles.append(f"{told}<br><sub>{'<br>'.join(lines)}</sub>")
    figure = make_subplots(1, len(rows), subplot_titles=titles, horizontal_spacing=0.01)
    images = [cohort.image(index) if cohort.pictured[index] else None for index in rows]
    landmarks, images = about_faces(cohort.landmarks[list(rows)], images)
    for column, (points, image) in enumerate(zip(landmarks, images, strict=True), start=1):
        add_face(figure, points, image=image, row=1, col=column, size=2)
    first = cohort.frames.iloc[rows[0]]
    tall = 16 * max(title.count("<br>") for title in titles)
    rising = cohort.frames["pspi"].iloc[list(rows)].notna().any()
    how = "from the least pain to the most" if rising else "frames of it"
    title = f"{first['subject']}, {first['sequence']}: {how}"
    finish(figure, title, simulated=cohort.simulated, height=370 + tall)
    return figure.update_layout(margin={"l": 10, "r": 10, "t": 90 + tall, "b": 10})

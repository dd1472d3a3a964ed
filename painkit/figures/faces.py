"""Faces drawn from landmarks, on their image where there is one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from painkit.data.cohort import Cohort
from painkit.figures.style import AT_ONCE, finish, picture
from painkit.vocabulary.landmarks import LINES, landmark_name

__all__ = [
    "add_face",
    "face_strip",
    "face_through_time",
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
    x, y = outline(landmarks)
    ink = "rgba(255,255,255,0.55)" if image is not None else "rgba(90,90,90,0.45)"
    figure.add_scatter(
        x=x, y=y, mode="lines", line={"color": ink, "width": 1}, hoverinfo="skip", showlegend=False, **place
    )
    names = [landmark_name(i) for i in range(len(landmarks))]
    marker = (
        {"size": 4, "color": "#00e5ff" if image is not None else "#0072B2"}
        if values is None
        else {"size": 10, "color": values, "coloraxis": coloraxis, "line": {"width": 0.6, "color": "#444"}}
    )
    figure.add_scatter(
        x=landmarks[:, 0],
        y=landmarks[:, 1],
        mode="markers",
        marker=marker,
        text=names,
        customdata=values,
        hovertemplate="%{text}"
        + ("" if values is None else f"<br>%{{customdata:.3g}} {unit}")
        + "<extra></extra>",
        showlegend=False,
        **place,
    )
    figure.update_xaxes(visible=False, **place)
    figure.update_yaxes(visible=False, **place)
    # One pixel is as wide as it is high, in whichever subplot the face stands.
    axis = figure.data[-1].xaxis or "x"
    figure.update_yaxes(scaleanchor=axis, **place)


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
    shown = seen if len(seen) >= count else own[own["tracked"]]
    if shown.empty:
        return []
    ranked = shown.sort_values("pspi", kind="stable").index
    return sorted({int(ranked[at]) for at in np.linspace(0, len(ranked) - 1, count).round().astype(int)})


def face_strip(cohort: Cohort, rows: Sequence[int]) -> go.Figure:
    """Draw a few frames side by side: image, landmarks, PSPI and the coded action units.

    Parameters
    ----------
    cohort : Cohort
        Images are drawn where it has them.
    rows : sequence of int
        Rows of ``cohort.frames``.
    """
    units = [name for name in cohort.frames.columns if name.startswith("AU")]
    titles = []
    for index in rows:
        frame = cohort.frames.iloc[index]
        coded = " ".join(f"{unit}:{frame[unit]:g}" for unit in units if frame[unit] > 0)
        titles.append(
            f"frame {frame['frame']}, PSPI {frame['pspi']:g}<br><sub>{coded or 'no unit coded'}</sub>"
        )
    figure = make_subplots(1, len(rows), subplot_titles=titles, horizontal_spacing=0.01)
    for column, index in enumerate(rows, start=1):
        image = cohort.image(index) if cohort.pictured[index] else None
        add_face(figure, cohort.landmarks[index], image=image, row=1, col=column)
    first = cohort.frames.iloc[rows[0]]
    return finish(
        figure, f"{first['subject']}, {first['sequence']}", simulated=cohort.simulated, height=360
    ).update_layout(margin_t=130)


def face_through_time(cohort: Cohort, subject: str, sequence: str, *, count: int = 24) -> go.Figure:
    """Play one sequence, by slider or button: landmarks on the images where there are any, PSPI and units.

    Needs no kernel: the frames are inside the figure, so it also plays on an exported page.

    Parameters
    ----------
    cohort : Cohort
        Holds the sequence.
    subject, sequence : str
    count : int
        At most so many frames, evenly spread, are put in.
    """
    rows = cohort.rows_of(subject, sequence)
    rows = rows[cohort.frames["tracked"].to_numpy()[rows]]
    with_image = rows[cohort.pictured[rows]]
    rows = with_image if len(with_image) >= min(count, 2) else rows
    rows = rows[np.unique(np.linspace(0, len(rows) - 1, min(count, len(rows))).astype(int))]
    units = [name for name in cohort.frames.columns if name.startswith("AU")]
    figure = go.Figure()
    states = []
    for index in rows:
        frame = cohort.frames.iloc[index]
        still = go.Figure()
        image = cohort.image(int(index)) if cohort.pictured[index] else None
        add_face(still, cohort.landmarks[index], image=image)
        coded = "  ".join(f"{unit}:{frame[unit]:g}" for unit in units if frame[unit] > 0) or "no unit coded"
        caption = f"frame {frame['frame']}   PSPI {frame['pspi']:g}   {coded}"
        states.append(
            go.Frame(
                data=still.data,
                name=str(frame["frame"]),
                layout={"images": still.layout.images, "xaxis": {"title": {"text": caption}}},
            )
        )
        if not figure.data:
            figure.add_traces(still.data)
            figure.update_layout(still.layout)
            # The caption stands below the face, where the x axis has its title.
            figure.update_xaxes(
                visible=True, showgrid=False, showticklabels=False, zeroline=False, title=caption
            )
    figure.frames = states
    motion = {"frame": {"duration": 120, "redraw": True}, "transition": {"duration": 0}, "fromcurrent": True}
    figure.update_layout(
        sliders=[
            {
                "currentvalue": {"prefix": "frame "},
                "steps": [
                    {"args": [[s.name], AT_ONCE], "label": s.name, "method": "animate"} for s in states
                ],
                "pad": {"t": 45},
            }
        ],
        updatemenus=[
            {
                "type": "buttons",
                "direction": "right",
                "x": 0,
                "y": 0.0,
                "xanchor": "left",
                "yanchor": "bottom",
                "buttons": [
                    {"label": "Play", "method": "animate", "args": [None, motion]},
                    {"label": "Pause", "method": "animate", "args": [[None], AT_ONCE]},
                ],
            }
        ],
    )
    return finish(figure, f"{subject}, {sequence}, frame by frame", simulated=cohort.simulated, height=580)

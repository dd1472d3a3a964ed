"""What each landmark contributes, drawn on a face."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from painkit.data.average_face import AverageFace
from painkit.figures.faces import add_face
from painkit.figures.style import color_of, finish
from painkit.vocabulary.landmarks import landmark_name
from painkit.vocabulary.scales import scale_of

__all__ = [
    "contribution_maps",
    "distance_boxes",
    "mean_and_spread_maps",
    "share_maps",
    "top_landmark_boxes",
]


def contribution_maps(
    face: AverageFace,
    maps: Mapping[str, NDArray[np.floating]],
    *,
    title: str,
    simulated: bool,
    columns: int = 4,
    diverging: bool | Sequence[bool] = True,
    unit: str | Sequence[str] = "",
) -> go.Figure:
    """Draw one face for each map, its landmarks coloured by the map's values (DeepFaceLIFT, Fig. 3).

    Parameters
    ----------
    face : AverageFace
        Its landmarks are drawn, on its image where it has one.
    maps : mapping of str to (66,) array
        Panel titles and values; NaN leaves a landmark grey.
    title : str
        Title of the figure.
    simulated : bool
        Whether the cohort is simulated.
    columns : int
        Panels in a row.
    diverging : bool, or one for each map
        Colour around 0 (contributions), or from 0 up (spreads).
    unit : str, or one for each map
        Unit of the values. Maps of one unit and one kind of scale share it.
    """
    columns = min(columns, len(maps))
    rows = -(-len(maps) // columns)
    units = [unit] * len(maps) if isinstance(unit, str) else list(unit)
    around = [diverging] * len(maps) if isinstance(diverging, bool) else list(diverging)
    kinds = list(zip(units, around, strict=True))
    distinct = list(dict.fromkeys(kinds))
    names = dict(zip(distinct, ["coloraxis", *(f"coloraxis{n}" for n in range(2, 99))], strict=False))
    figure = make_subplots(
        rows,
        columns,
        subplot_titles=list(maps),
        horizontal_spacing=0.02 if len(names) == 1 else 0.2,
        vertical_spacing=min(0.14, 0.8 / rows),
    )
    for number, values in enumerate(maps.values()):
        add_face(
            figure,
            face.landmarks,
            image=face.image,
            values=np.asarray(values),
            row=number // columns + 1,
            col=number % columns + 1,
            unit=units[number],
            coloraxis=names[kinds[number]],
            size=8 if columns < 3 else 5,
        )
    for kind, name in names.items():
        own = [number for number, one in enumerate(kinds) if one == kind]
        top = float(np.nanmax(np.abs(np.stack(list(maps.values()))[own]))) or 1.0
        bar: dict[str, Any] = {"title": {"text": kind[0], "side": "top"}, "thickness": 14}
        if len(names) > 1:  # beside its own panel
            cell = figure.get_subplot(own[-1] // columns + 1, own[-1] % columns + 1)
            (_, right), (low, high) = cell.xaxis.domain, cell.yaxis.domain
            bar |= {"x": right, "y": (low + high) / 2, "len": high - low}
        colors = {"colorscale": "RdBu_r", "cmin": -top} if kind[1] else {"colorscale": "Viridis", "cmin": 0.0}
        figure.update_layout({name: {**colors, "cmax": top, "colorbar": bar}})
    height = (310 if columns < 3 else 230) * rows + 90
    width = 560 if len(names) == 1 else 740
    return finish(figure, title, simulated=simulated, height=height, narrowest=width)


def mean_and_spread_maps(face: AverageFace, landmarks: pd.DataFrame, *, simulated: bool) -> go.Figure:
    """Draw mean and spread over subjects of each landmark's contribution, for every target (Fig. 3A-D).

    Parameters
    ----------
    face : AverageFace
    landmarks : DataFrame
        target, landmark, mean, sd_subjects; as from `painkit.attribution.landmark_scores.landmark_tables`.
    simulated : bool
    """
    targets = dict(list(landmarks.groupby("target", sort=False)))
    kinds = (("mean", "mean", True), ("spread over subjects (sd)", "sd_subjects", False))
    maps = {
        f"{str(target).upper()}: {what}": part[column].to_numpy()
        for what, column, _ in kinds
        for target, part in targets.items()
    }
    return contribution_maps(
        face,
        maps,
        title="Contribution of each landmark",
        simulated=simulated,
        columns=len(targets),
        diverging=[around for _, _, around in kinds for _ in targets],
        unit=[scale_of(str(target)).label for _ in kinds for target in targets],
    )


def share_maps(
    face: AverageFace,
    shares: Mapping[str, pd.DataFrame],
    subjects: Sequence[str],
    *,
    simulated: bool,
) -> go.Figure:
    """Draw each subject's own map, whose shares sum to 100 (Fig. 3E-F).

    Parameters
    ----------
    face : AverageFace
    shares : mapping of str to DataFrame
        By target, index subject, columns landmarks; see `painkit.attribution.landmark_scores.subject_maps`.
    subjects : sequence of str
    simulated : bool
    """
    return contribution_maps(
        face,
        {
            f"{target.upper()}<br>{subject}": maps.loc[subject].to_numpy()
            for target, maps in shares.items()
            for subject in subjects
        },
        title="Share of each landmark in the absolute contributions, by subject (sums to 100)",
        simulated=simulated,
        diverging=False,
        unit="%",
    )


def top_landmark_boxes(
    inputs: NDArray[np.floating], landmarks: pd.DataFrame, *, simulated: bool, count: int = 5
) -> go.Figure:
    """Draw how far the landmarks with the highest mean, and spread, of contributions move (Fig. 3).

    Parameters
    ----------
    inputs : (n, 66, 2) array
        Standardized coordinates; NaN rows are left out.
    landmarks : DataFrame
        See `mean_and_spread_maps`.
    simulated : bool
    count : int
        Landmarks in a panel.
    """
    top = {
        (str(target), f"{str(target).upper()}: highest {what}"): part.nlargest(count, column)[
            "landmark"
        ].tolist()
        for target, part in landmarks.groupby("target", sort=False)
        for what, column in (("mean", "mean"), ("spread", "sd_subjects"))
    }
    title = "How far the five landmarks with the highest contributions move"
    return distance_boxes(inputs, top, title=title, simulated=simulated)


def distance_boxes(
    landmarks: NDArray[np.floating],
    chosen: Mapping[tuple[str, str], Sequence[int]],
    *,
    title: str,
    simulated: bool,
    unit: str = "z-scores",
) -> go.Figure:
    """Draw how far chosen landmarks lie from the origin over frames (DeepFaceLIFT, box plots of Fig. 3).

    Parameters
    ----------
    landmarks : (n, 66, 2) array
        Coordinates as the net sees them, standardized; NaN rows are left out.
    chosen : mapping of (str, str) to sequence of int
        Target and title of each panel, and landmarks in the order to draw.
    title, unit : str
        Title; unit of the coordinates.
    simulated : bool
        Whether the cohort is simulated.
    """
    columns = min(2, len(chosen))
    rows = -(-len(chosen) // columns)
    figure = make_subplots(
        rows,
        columns,
        subplot_titles=[name for _, name in chosen],
        shared_xaxes="all",
        horizontal_spacing=0.24,
        vertical_spacing=0.12,
    )
    # The five numbers, not every frame: a page of 48,000 points a box would weigh megabytes.
    distances = np.linalg.norm(landmarks, axis=2)
    low, q1, median, q3, high = np.nanpercentile(distances, [5, 25, 50, 75, 95], axis=0)
    for number, ((target, _), landmark) in enumerate(chosen.items()):
        drawn = list(landmark)
        place = {"row": number // columns + 1, "col": number % columns + 1}
        names = [f"{index}: {landmark_name(index)}" for index in drawn]
        figure.add_box(
            q1=q1[drawn],
            median=median[drawn],
            q3=q3[drawn],
            lowerfence=low[drawn],
            upperfence=high[drawn],
            y=names,
            orientation="h",
            marker_color=color_of(target),
            hoverinfo="skip",
            **place,
        )
        figure.add_scatter(  # says in words what the box shows
            x=median[drawn],
            y=names,
            mode="markers",
            marker={"opacity": 0, "size": 18},
            hovertext=[
                f"{name}<br>median {median[i]:.2f} {unit}, half of the frames {q1[i]:.2f} to {q3[i]:.2f},"
                f"<br>nine in ten {low[i]:.2f} to {high[i]:.2f}"
                for name, i in zip(names, drawn, strict=True)
            ],
            hoverinfo="text",
            **place,
        )
    figure.update_xaxes(title_text=f"distance, {unit}", rangemode="tozero", row=rows)
    figure.update_yaxes(autorange="reversed", automargin=True)
    title, height = f"{title} (whiskers 5-95 %)", 210 * rows + 80
    return finish(figure, title, simulated=simulated, height=height, narrowest=740)

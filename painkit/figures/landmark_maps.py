"""What each landmark contributes, drawn on a face."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from painkit.data.average_face import AverageFace
from painkit.figures.faces import add_face
from painkit.figures.style import QUALITATIVE, finish
from painkit.vocabulary.landmarks import landmark_name

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
    diverging: bool = True,
    unit: str = "",
) -> go.Figure:
    """Draw one face for each map, its landmarks coloured by the map's values (DeepFaceLIFT, Fig. 3).

    Parameters
    ----------
    face : AverageFace
        Its landmarks are drawn, on its image where it has one.
    maps : mapping of str to (66,) array
        Panel titles and values; NaN leaves a landmark grey.
    title, unit : str
        Title of the figure; unit of the values.
    simulated : bool
        Whether the cohort is simulated.
    columns : int
        Panels in a row.
    diverging : bool
        Colour around 0 (contributions), or from 0 up (spreads).
    """
    columns = min(columns, len(maps))
    rows = -(-len(maps) // columns)
    figure = make_subplots(
        rows, columns, subplot_titles=list(maps), horizontal_spacing=0.02, vertical_spacing=0.09
    )
    for number, values in enumerate(maps.values()):
        add_face(
            figure,
            face.landmarks,
            image=face.image,
            values=np.asarray(values),
            row=number // columns + 1,
            col=number % columns + 1,
            unit=unit,
        )
    top = float(np.nanmax(np.abs(np.stack(list(maps.values()))))) or 1.0
    figure.update_layout(
        coloraxis={
            "colorscale": "RdBu_r" if diverging else "Viridis",
            "cmin": -top if diverging else 0.0,
            "cmax": top,
            "colorbar": {"title": unit},
        }
    )
    return finish(figure, title, simulated=simulated, height=310 * rows + 90)


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
    maps = {
        f"{str(target).upper()}: {what}": part[column].to_numpy()
        for what, column in (("mean", "mean"), ("sd over subjects", "sd_subjects"))
        for target, part in targets.items()
    }
    return contribution_maps(
        face,
        maps,
        title="Contribution of each landmark",
        simulated=simulated,
        columns=2,
        unit=" or ".join(str(target).upper() for target in targets),
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
            f"{target.upper()}: {subject}": maps.loc[subject].to_numpy()
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
        f"{str(target).upper()}: highest {what}": part.nlargest(count, column)["landmark"].tolist()
        for target, part in landmarks.groupby("target", sort=False)
        for what, column in (("mean", "mean"), ("sd over subjects", "sd_subjects"))
    }
    title = "How far the five landmarks with the highest contributions move"
    return distance_boxes(inputs, top, title=title, simulated=simulated)


def distance_boxes(
    landmarks: NDArray[np.floating],
    chosen: Mapping[str, Sequence[int]],
    *,
    title: str,
    simulated: bool,
    unit: str = "z",
) -> go.Figure:
    """Draw how far chosen landmarks lie from the origin over frames (DeepFaceLIFT, box plots of Fig. 3).

    Parameters
    ----------
    landmarks : (n, 66, 2) array
        Coordinates as the net sees them, standardized; NaN rows are left out.
    chosen : mapping of str to sequence of int
        Panel titles and landmarks in the order to draw.
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
        subplot_titles=list(chosen),
        shared_yaxes="all",
        horizontal_spacing=0.03,
        vertical_spacing=0.15,
    )
    # The five numbers, not every frame: a page of 48,000 points a box would weigh megabytes.
    distances = np.linalg.norm(landmarks, axis=2)
    low, q1, median, q3, high = np.nanpercentile(distances, [5, 25, 50, 75, 95], axis=0)
    for number, drawn in enumerate(map(list, chosen.values())):
        figure.add_box(
            q1=q1[drawn],
            median=median[drawn],
            q3=q3[drawn],
            lowerfence=low[drawn],
            upperfence=high[drawn],
            x=[f"{index}: {landmark_name(index)}" for index in drawn],
            marker_color=QUALITATIVE[0],
            showlegend=False,
            row=number // columns + 1,
            col=number % columns + 1,
        )
    figure.update_yaxes(title_text=f"distance from the origin, {unit}", rangemode="tozero", col=1)
    return finish(figure, f"{title} (whiskers 5-95 %)", simulated=simulated, height=330 * rows + 90)

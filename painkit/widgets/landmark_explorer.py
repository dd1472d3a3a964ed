"""An explorer of what each landmark contributed, frame by frame, subject by subject.

The state is in the controls (`ipywidgets`) and in one plotly figure, so a test can turn a control and read
the figure without a browser.
"""

from __future__ import annotations

from typing import Any, Final

import ipywidgets as widgets
import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots
from scipy.stats import norm

from painkit.attribution.explanation import LandmarkExplanation
from painkit.attribution.landmark_scores import subject_maps
from painkit.errors import PainkitError
from painkit.figures.faces import add_face, image_uri, outline
from painkit.figures.style import QUALITATIVE, finish
from painkit.vocabulary.landmarks import landmark_name

__all__ = ["LandmarkExplorer"]

_TOP: Final = 5
_MAPS: Final = 4
_BAND: Final = 0.9
_VECTOR_LENGTH: Final = 0.12  # longest contribution vector, as a share of the face's height


class LandmarkExplorer(widgets.VBox):  # type: ignore[misc]
    """Sliders for subject, sequence and frame beside a face coloured by contribution.

    Every control takes the keyboard: Tab moves between them, arrow keys move a slider, Space plays.

    Parameters
    ----------
    result : LandmarkExplanation
        Contributions, estimates and predictions of one run.

    Attributes
    ----------
    target, subject, sequence, frame, background, vectors, compared : ipywidgets controls
        Set their ``value`` to move the explorer. `frame` counts from 0 within the sequence.
    figure : plotly.graph_objects.FigureWidget
        The drawing.

    Raises
    ------
    PainkitError
        When no frame of the cohort has landmarks.
    """

    def __init__(self, result: LandmarkExplanation) -> None:
        self.result = result
        tracked = result.cohort.frames["tracked"].to_numpy()
        if not tracked.any():
            raise PainkitError("no frame has landmarks", where=result.cohort.root)
        frames = result.cohort.frames[tracked]
        self._sequences: dict[str, list[str]] = {
            str(subject): list(dict.fromkeys(part["sequence"]))
            for subject, part in frames.groupby("subject", sort=False)
        }
        self._average = result.average_face
        self._shares = {name: subject_maps(found) for name, found in result.contributions.items()}
        subjects = list(self._sequences)
        wide = widgets.Layout(width="460px")
        style = {"description_width": "80px"}
        self.target = widgets.ToggleButtons(
            options=[(name.upper(), name) for name in result.targets], description="estimate", style=style
        )
        self.subject = widgets.SelectionSlider(
            options=subjects, description="subject", layout=wide, style=style
        )
        self.sequence = widgets.SelectionSlider(
            options=self._sequences[subjects[0]], description="sequence", layout=wide, style=style
        )
        self.frame = widgets.IntSlider(
            min=0, max=0, description="frame", layout=wide, style=style, readout=False
        )
        self.play = widgets.Play(min=0, max=0, interval=150, description="play the sequence")
        self.background = widgets.ToggleButtons(
            options=["frame", "average face"], description="drawn on", style=style
        )
        self.vectors = widgets.Checkbox(value=False, description="show x and y as vectors", indent=False)
        self.compared = widgets.SelectMultiple(
            options=subjects,
            value=subjects[:_MAPS],
            rows=4,
            description="side by side",
            style=style,
            layout=wide,
        )
        self.caption = widgets.HTML()
        widgets.link((self.play, "value"), (self.frame, "value"))
        self.figure = self._empty_figure()
        self._rows: NDArray[np.intp] = np.array([], dtype=np.intp)
        self.subject.observe(self._on_subject, "value")
        self.sequence.observe(self._on_sequence, "value")
        self.target.observe(self._on_sequence, "value")
        for control in (self.frame, self.background, self.vectors):
            control.observe(self._on_frame, "value")
        self.target.observe(self._on_compared, "value")
        self.compared.observe(self._on_compared, "value")
        self._on_sequence()
        self._on_compared()
        # Inside a box, a FigureWidget shows the state it was made with: drawn first, made then.
        self.figure = go.FigureWidget(self.figure)
        super().__init__(
            [
                widgets.HBox(
                    [
                        widgets.VBox(
                            [self.subject, self.sequence, self.frame, widgets.HBox([self.play, self.vectors])]
                        ),
                        widgets.VBox([self.target, self.background, self.compared]),
                    ]
                ),
                self.caption,
                self.figure,
            ]
        )

    def _trace(self, name: str) -> Any:
        return next(trace for trace in self.figure.data if trace.name == name)

    def _empty_figure(self) -> go.Figure:
        grid = make_subplots(
            3,
            _MAPS,
            specs=[
                [{"colspan": 2}, None, {"colspan": 2}, None],
                [{"colspan": _MAPS}, *[None] * (_MAPS - 1)],
                [{}] * _MAPS,
            ],
            row_heights=[0.48, 0.22, 0.3],
            vertical_spacing=0.09,
            horizontal_spacing=0.05,
            subplot_titles=[
                "contribution of each landmark",
                f"top {_TOP} landmarks",
                "estimates over the frames",
                *[" "] * _MAPS,
            ],
        )
        add_face(grid, self._average, values=np.zeros(len(self._average)), row=1, col=1)
        grid.data[-2].name, grid.data[-1].name = "face lines", "face"
        grid.add_scatter(
            x=[],
            y=[],
            mode="lines",
            line={"color": "#111", "width": 2},
            name="vectors",
            showlegend=False,
            row=1,
            col=1,
        )
        grid.add_box(
            q1=[0],
            median=[0],
            q3=[0],
            lowerfence=[0],
            upperfence=[0],
            x=[""],
            name="boxes",
            showlegend=False,
            marker_color=QUALITATIVE[0],
            row=1,
            col=3,
        )
        lines: tuple[tuple[str, dict[str, Any]], ...] = (
            (
                "band",
                {
                    "fill": "toself",
                    "fillcolor": "rgba(0,114,178,0.15)",
                    "line": {"width": 0},
                    "hoverinfo": "skip",
                },
            ),
            ("frame estimate", {"line": {"color": QUALITATIVE[1], "width": 1.5}}),
            ("Gaussian process", {"line": {"color": QUALITATIVE[0]}}),
            ("label", {"line": {"color": "#222", "dash": "dot"}}),
            ("cursor", {"line": {"color": QUALITATIVE[5], "width": 2}, "hoverinfo": "skip"}),
        )
        for name, look in lines:
            grid.add_scatter(x=[], y=[], mode="lines", name=name, row=2, col=1, **look)
            grid.data[-1].showlegend = name not in ("band", "cursor")
        for column in range(1, _MAPS + 1):
            add_face(
                grid,
                self._average,
                values=np.zeros(len(self._average)),
                row=3,
                col=column,
                coloraxis="coloraxis2",
            )
            grid.data[-2].name, grid.data[-1].name = f"map lines {column}", f"map {column}"
        grid.update_layout(
            legend={"orientation": "h", "x": 1, "xanchor": "right", "y": 0.505, "yanchor": "bottom"},
            coloraxis={
                "colorscale": "RdBu_r",
                "cmid": 0,
                "colorbar": {"len": 0.4, "y": 0.82, "x": 0.47, "thickness": 12},
            },
            coloraxis2={
                "colorscale": "Viridis",
                "cmin": 0,
                "colorbar": {"len": 0.26, "y": 0.12, "thickness": 12, "title": "% of total"},
            },
        )
        # The colour bar of the face stands where the box plots would have their axis.
        grid.update_yaxes(side="right", title_text="distance from the origin, z", row=1, col=3)
        grid.update_xaxes(title_text="frame", row=2, col=1)
        finish(grid, "Landmark explorer", simulated=self.result.cohort.simulated, height=900)
        return grid

    def _on_subject(self, _: object = None) -> None:
        # New options bring a new value; drawn once, and also when two subjects' sequences share a name.
        self.sequence.unobserve(self._on_sequence, "value")
        self.sequence.options = self._sequences[self.subject.value]
        self.sequence.observe(self._on_sequence, "value")
        self._on_sequence()

    def _on_sequence(self, _: object = None) -> None:
        result, target = self.result, self.target.value
        found = result.contributions[target]
        self._rows = result.tracked_rows(self.subject.value, self.sequence.value)
        self.frame.max = self.play.max = len(self._rows) - 1
        self.frame.value = min(self.frame.value, len(self._rows) - 1)
        numbers = result.cohort.frames["frame"].to_numpy()[self._rows]
        ends = np.array([numbers[0], numbers[-1]])
        told = result.predictions
        told = told[
            (told["subject"] == self.subject.value)
            & (told["sequence"] == self.sequence.value)
            & (told["target"] == target)
        ]
        means = found.vectors[self._rows].sum(axis=2).mean(axis=0)
        order = np.argsort(-means, kind="stable")[:_TOP]
        distance = np.linalg.norm(found.inputs[self._rows][:, order], axis=2)
        low, q1, median, q3, high = np.nanpercentile(distance, [5, 25, 50, 75, 95], axis=0)
        with self.figure.batch_update():
            boxes = self._trace("boxes")
            boxes.x = [f"{index}: {landmark_name(int(index))}" for index in order]
            boxes.lowerfence, boxes.q1, boxes.median, boxes.q3, boxes.upperfence = low, q1, median, q3, high
            estimate = self._trace("frame estimate")
            estimate.x, estimate.y = numbers, found.estimates[self._rows]
            for name, column in (("label", "y_true"), ("Gaussian process", "y_pred")):
                trace = self._trace(name)
                trace.x = ends if len(told) else []
                trace.y = np.repeat(told[column].to_numpy(), 2)
            half = norm.ppf(0.5 + _BAND / 2) * told["y_std"].to_numpy()
            middle = told["y_pred"].to_numpy()
            band = self._trace("band")
            band.x = np.r_[ends, ends[::-1]] if len(told) else []
            band.y = np.r_[np.repeat(middle - half, 2), np.repeat(middle + half, 2)]
        self._on_frame()

    def _on_frame(self, _: object = None) -> None:
        result, target = self.result, self.target.value
        row = int(self._rows[self.frame.value])
        record = result.cohort.frames.iloc[row]
        contribution = np.asarray(result.contributions[target].vectors[row], dtype=float)
        on_frame = self.background.value == "frame"
        points = result.cohort.landmarks[row] if on_frame else self._average
        image = result.cohort.image(row) if on_frame and isinstance(record["image"], str) else None
        summed = contribution.sum(axis=1)
        margin = 0.08 * float(np.max(np.ptp(points, axis=0)))
        low, high = points.min(axis=0) - margin, points.max(axis=0) + margin
        with self.figure.batch_update():
            lines, face, arrows = self._trace("face lines"), self._trace("face"), self._trace("vectors")
            lines.x, lines.y = outline(points)
            face.x, face.y = points[:, 0], points[:, 1]
            face.marker.color, face.customdata = summed, summed
            arrows.x, arrows.y = self._vector_lines(points, contribution) if self.vectors.value else ([], [])
            self.figure.layout.images = (
                []
                if image is None
                else [
                    {
                        "source": image_uri(image),
                        "xref": "x",
                        "yref": "y",
                        "x": 0,
                        "y": 0,
                        "sizex": image.shape[1],
                        "sizey": image.shape[0],
                        "sizing": "stretch",
                        "layer": "below",
                    }
                ]
            )
            self.figure.layout.xaxis.range = [float(low[0]), float(high[0])]
            self.figure.layout.yaxis.range = [float(high[1]), float(low[1])]
            cursor, estimate = self._trace("cursor"), self._trace("frame estimate")
            heights = np.concatenate(
                [np.asarray(self._trace(n).y, float) for n in ("frame estimate", "label", "band")]
            )
            cursor.x = [record["frame"]] * 2
            cursor.y = [np.nanmin(heights), np.nanmax(heights)]
        self.caption.value = (
            f"<b>frame {int(record['frame'])}</b>: PSPI {record['pspi']:g} (0-16); frame estimate "
            f"{float(np.asarray(estimate.y)[self.frame.value]):.2f} {target.upper()}; "
            f"contributions sum to {summed.sum():+.2f} (estimate minus the estimate at the average input)"
        )

    def _vector_lines(
        self, points: NDArray[np.floating], contribution: NDArray[np.floating]
    ) -> tuple[list[float | None], list[float | None]]:
        longest = float(np.linalg.norm(contribution, axis=1).max()) or 1.0
        tips = points + contribution * (_VECTOR_LENGTH * float(np.ptp(points[:, 1])) / longest)
        x: list[float | None] = []
        y: list[float | None] = []
        for start, tip in zip(points, tips, strict=True):
            x += [float(start[0]), float(tip[0]), None]
            y += [float(start[1]), float(tip[1]), None]
        return x, y

    def _on_compared(self, _: object = None) -> None:
        chosen = list(self.compared.value)[:_MAPS]
        maps = self._shares[self.target.value].loc[chosen].to_numpy()
        with self.figure.batch_update():
            for column in range(1, _MAPS + 1):
                shown = column <= len(chosen)
                trace = self._trace(f"map {column}")
                trace.visible = self._trace(f"map lines {column}").visible = shown
                # The panel titles come behind those of the three panels above.
                self.figure.layout.annotations[2 + column].text = chosen[column - 1] if shown else " "
                if shown:
                    trace.marker.color = trace.customdata = maps[column - 1]
            self.figure.layout.coloraxis2.cmax = float(np.max(maps)) if len(chosen) else 1.0

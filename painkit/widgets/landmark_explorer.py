"""An explorer of what each landmark contributed, frame by frame, subject by subject."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import norm
from traitlets import Any as AnyValue
from traitlets import Bool, List, Unicode, observe, validate

from painkit.attribution.explanation import LandmarkExplanation
from painkit.attribution.landmark_scores import rank_correlations, subject_magnitudes, subject_maps
from painkit.data.average_face import AverageFace
from painkit.errors import PainkitError
from painkit.figures.style import picture
from painkit.vocabulary.landmarks import LINES, landmark_name
from painkit.vocabulary.scales import scale_of
from painkit.widgets.explorer import packed, page_script
from painkit.widgets.frame_browser import FrameBrowser
from painkit.widgets.landmark_parts import CAUSES, PARTS, moved_by_subject, moved_in_frames, over_parts

__all__ = ["LandmarkExplorer"]

_MAPS: Final = 4
_BAND: Final = 0.9
_UNKNOWN: Final = "not known"


class LandmarkExplorer(FrameBrowser):
    """A face coloured by contribution, beside the largest of them, over the estimates of the sequence.

    Parameters
    ----------
    result : LandmarkExplanation
        Contributions, estimates and predictions of one run.

    Attributes
    ----------
    target : str
        Estimate that is explained.
    background : {'frame', 'average face'}
        What the landmarks are drawn on: the frame's own image, or the mean of aligned frames of the cohort.
    division : str
        Over which parts contributions are summed: a key of `painkit.widgets.landmark_parts.PARTS`.
    colour_range : {'sequence', 'subject', 'frame'}
        Over what the largest contribution is taken that has the deepest colour.
    vectors : bool
        Draw the contributions of x and y as vectors.
    truth : bool
        Show what really moved the landmarks; stays False where nobody knows.
    compared : list of str
        Up to four subjects whose maps stand side by side.
    view, maps : dict, list
        What is drawn: of the open sequence, and of the subjects compared.

    Raises
    ------
    PainkitError
        When no frame of the cohort has landmarks, or a chooser is set to what it does not offer.
    """

    _esm = page_script("frame_browser.js", "landmark_panels.js", "subject_maps.js", "landmark_explorer.js")

    target = Unicode().tag(sync=True)
    background = Unicode("frame").tag(sync=True)
    division = Unicode("landmarks").tag(sync=True)
    colour_range = Unicode("sequence").tag(sync=True)
    vectors = Bool(False).tag(sync=True)
    truth = Bool(False).tag(sync=True)
    has_truth = Bool(False).tag(sync=True)
    compared = List(Unicode()).tag(sync=True)
    face = AnyValue().tag(sync=True, to_json=packed)
    view = AnyValue().tag(sync=True, to_json=packed)
    maps = AnyValue().tag(sync=True, to_json=packed)

    def __init__(self, result: LandmarkExplanation) -> None:
        tracked = result.cohort.frames["tracked"].to_numpy(dtype=bool)
        if not tracked.any():
            raise PainkitError("no frame has landmarks", where=result.cohort.root)
        self.result = result
        self._scores = {target: found.scores for target, found in result.contributions.items()}
        self._shares = {target: subject_maps(found) for target, found in result.contributions.items()}
        names, average = [landmark_name(i) for i in range(66)], result.average_face
        super().__init__(
            result.cohort,
            tracked,
            heading="Landmark explorer",
            choices={
                "target": list(result.targets),
                "background": ["frame", "average face"],
                "division": list(PARTS),
                "colour_range": ["sequence", "subject", "frame"],
            },
            target=result.targets[0],
            face={"points": average.landmarks, "lines": LINES, "names": names, **_photo(average)},
            has_truth=result.cohort.simulated and (result.cohort.root / "truth" / "landmarks.csv").is_file(),
        )
        self.compared = self.choices["subject"][:_MAPS]

    def opened(self) -> dict[str, Any]:
        """Return traits to set because another sequence is open."""
        return {**super().opened(), "view": self._view()}

    def table(self) -> pd.DataFrame:
        """Contributions of the open sequence, over the parts that are shown.

        Returns
        -------
        DataFrame
            One row for each frame and part: subject, sequence, frame, target, estimate, part, contribution
            (unit of the target), moved_by_pain_px and moved_by_decoys_px where the truth is shown, simulated.
        """
        view, parts = self.view, list(PARTS[self.division])
        n = len(self.rows)
        columns = {
            "subject": self.subject,
            "sequence": self.sequence,
            "frame": np.repeat(view["frames"], len(parts)),
            "target": self.target,
            "estimate": np.repeat(view["trace"]["estimate"], len(parts)),
            "part": parts * n,
            "contribution": view["values"][self.division].ravel(),
        }
        if view["moved"] is not None:
            for cause in CAUSES:
                columns[f"moved_by_{cause}_px"] = view["moved"]["parts"][self.division][cause].ravel()
        return pd.DataFrame({**columns, "simulated": self.cohort.simulated})

    def files(self) -> dict[str, str]:
        """Return what can be saved: the table of the open sequence."""
        return {f"{self.subject}-{self.sequence}-{self.target}.csv": self.table().to_csv(index=False)}

    @validate("target", "background", "division", "colour_range")
    def _listed(self, proposal: Any) -> str:
        return self.offered(proposal)

    @validate("truth")
    def _known(self, proposal: Any) -> bool:
        return bool(proposal.value) and self.has_truth

    @validate("compared")
    def _some_subjects(self, proposal: Any) -> list[str]:
        unknown = set(proposal.value) - set(self.choices["subject"])
        if unknown or len(proposal.value) > _MAPS:
            raise PainkitError(
                f"subjects side by side: {', '.join(proposal.value)}",
                expected=f"up to {_MAPS} of {', '.join(self.choices['subject'])}",
            )
        return list(proposal.value)

    @observe("target", "truth")
    def _on_view(self, _: object) -> None:
        if self.sequence:
            self.view = self._view()

    @observe("target", "truth", "compared")
    def _on_maps(self, _: object) -> None:
        moved = moved_by_subject(self.cohort.root) if self.truth else {}
        magnitudes = subject_magnitudes(self.result.contributions[self.target])[0] if moved else None
        self.maps = [self._map(subject, moved, magnitudes) for subject in self.compared]

    def _view(self) -> dict[str, Any]:
        """Put together what is drawn of the open sequence."""
        cohort, found, rows = self.cohort, self.result.contributions[self.target], self.rows
        scores = self._scores[self.target]
        values = over_parts(scores[rows], np.sum)
        whole = over_parts(scores[(cohort.frames["subject"] == self.subject).to_numpy()], np.sum)
        scale = scale_of(self.target)
        return {
            "frames": cohort.frames["frame"].to_numpy()[rows],
            "points": cohort.landmarks[rows],
            "vectors": found.vectors[rows],
            "parts": {name: list(parts) for name, parts in PARTS.items()},
            "members": {name: list(parts.values()) for name, parts in PARTS.items()},
            "values": values,
            "ranges": {
                name: {"sequence": _largest(values[name]), "subject": _largest(whole[name])} for name in PARTS
            },
            "name": scale.key.upper(),
            "unit": scale.label,
            "trace": self._trace(),
            "facts": self._facts(),
            "frame_facts": self._frame_facts(),
            "moved": self._moved(),
        }

    def _told(self, target: str) -> pd.DataFrame:
        told = self.result.predictions
        here = (told["subject"] == self.subject) & (told["sequence"] == self.sequence)
        return told[here & (told["target"] == target)]

    def _trace(self) -> dict[str, Any]:
        told = self._told(self.target)
        trace: dict[str, Any] = {"estimate": self.result.contributions[self.target].estimates[self.rows]}
        if len(told):
            label, middle, sd = (float(told[column].iloc[0]) for column in ("y_true", "y_pred", "y_std"))
            half = norm.ppf(0.5 + _BAND / 2) * sd
            known = {"label": label, "middle": middle, "low": middle - half, "high": middle + half}
            trace |= {name: value for name, value in known.items() if np.isfinite(value)}
        return trace

    def _facts(self) -> list[tuple[str, str]]:
        cohort = self.cohort
        sequence = cohort.sequences[
            (cohort.sequences["subject"] == self.subject) & (cohort.sequences["sequence"] == self.sequence)
        ].iloc[0]
        person = cohort.subjects[cohort.subjects["subject"] == self.subject].iloc[0]
        estimates = []
        for target in self.result.targets:
            for _, told in self._told(target).iterrows():
                estimates.append(f"{target.upper()} {told['y_pred']:z.2f} (sd {told['y_std']:.2f})")
        return [
            ("reported", ", ".join(f"{name.upper()} {_number(sequence[name])}" for name in ("vas", "opi"))),
            ("Gaussian process", ", ".join(estimates) or "no estimate"),
            ("subject", ", ".join(_text(person[name], name) for name in ("age", "gender", "complexion"))),
        ]

    def _frame_facts(self) -> list[tuple[str, list[str]]]:
        found, rows, name = self.result.contributions[self.target], self.rows, self.target.upper()
        frames = self.cohort.frames.iloc[rows]
        units = [column for column in frames.columns if column.startswith("AU")]
        coded = []
        for values in frames[units].to_numpy(dtype=float):
            shown = ", ".join(
                f"{unit} {value:g}" for unit, value in zip(units, values, strict=True) if value > 0
            )
            coded.append(shown or ("none coded" if np.isfinite(values).any() else _UNKNOWN))
        total = self._scores[self.target][rows].sum(axis=1)
        told = [
            f"{name} {shown:z.2f} = {mean:z.2f} at the mean face "
            f"{'−' if moved <= -0.005 else '+'} {abs(moved):.2f}"
            for shown, mean, moved in zip(found.estimates[rows], found.reference[rows], total, strict=True)
        ]
        return [
            ("frame estimate", told),
            ("PSPI (0-16)", [_number(value) for value in frames["pspi"]]),
            ("action units", coded),
        ]

    def _moved(self) -> dict[str, Any] | None:
        if not self.truth:
            return None
        numbers = self.cohort.frames["frame"].to_numpy()[self.rows]
        vectors = moved_in_frames(self.cohort.root, self.subject, self.sequence, numbers)
        distances = {c: over_parts(np.linalg.norm(moved, axis=2), np.mean) for c, moved in vectors.items()}
        parts = {name: {cause: distances[cause][name] for cause in CAUSES} for name in PARTS}
        top = {name: max(_largest(moved) for moved in parts[name].values()) for name in PARTS}
        return {"vectors": vectors, "parts": parts, "ranges": top}

    def _map(
        self, subject: str, moved: dict[str, pd.DataFrame], magnitudes: pd.DataFrame | None
    ) -> dict[str, Any]:
        shares = self._shares[self.target].loc[subject].to_numpy(np.float64)
        top = ", ".join(
            f"{landmark_name(i)}: {shares[i]:.1f} %" for i in np.argsort(-shares, kind="stable")[:3]
        )
        one: dict[str, Any] = {"subject": subject, "shares": shares, "note": top, "moved": {}}
        if magnitudes is not None:
            for cause, table in moved.items():
                true = table.loc[subject].to_numpy(np.float64)
                rho = rank_correlations(magnitudes.loc[subject], true)
                one["moved"][cause] = {"px": true, "rho": float(rho)}
        return one


def _photo(face: AverageFace) -> dict[str, Any]:
    """The picture of a face for a page; nothing where it has none."""
    if face.image is None:
        return {}
    return {"image": picture(face.image, photo=True)["source"], "size": len(face.image)}


def _largest(values: NDArray[np.floating]) -> float:
    """Largest magnitude; 1 where all are 0 or nothing is known, so that it can be divided by."""
    known = np.abs(values[np.isfinite(values)])
    return float(known.max(initial=0.0)) or 1.0


def _number(value: Any) -> str:
    return _UNKNOWN if pd.isna(value) else f"{value:g}"


def _text(value: Any, name: str) -> str:
    return f"{name} {_UNKNOWN}" if pd.isna(value) else str(value)

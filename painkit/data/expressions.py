"""Frames of BioVid's clips as a cohort of expressions: pain by heat, emotions posed (Weitz et al. 2018)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from painkit.data.biovid import read_biovid
from painkit.data.cohort import Cohort, content_digest
from painkit.data.video import VideoFrames, clip_frames
from painkit.errors import PainkitError, unknown
from painkit.simulation.marker import simulation_notes
from painkit.simulation.profiles import default_root
from painkit.vocabulary.classes import STIMULI
from painkit.vocabulary.scales import expression_scale

__all__ = ["CLASSES", "expressions_of", "read_expressions"]

#: What each class is made of: stimuli of part A, or classes of part D's table (Weitz et al. 2018, Table 1).
CLASSES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {"pain": ("PA3", "PA4"), "disgust": ("disgust",), "happiness": ("happiness",)}
)

_NOTE = "Images are frames of clips, decoded when they are asked for."


def read_expressions(
    root: str | PathLike[str],
    *,
    classes: Mapping[str, Sequence[str]] = CLASSES,
    table: str | PathLike[str] | None = None,
    between: tuple[float, float] = (0.0, 1.0),
    per_clip: int | None = None,
    progress: bool = True,
    jobs: int = 2,
) -> Cohort:
    """Read the frames of the clips of some classes, decoding none yet.

    Parameters
    ----------
    root : path
        Folder of BioVid: part A's ``starting_point`` and ``video``, and the videos of part D.
    classes : mapping of str to sequence of str
        The classes to tell apart, in order, and what each is made of: stimuli of part A (BL1, PA1 to PA4) or
        classes of part D's table.
    table : path, optional
        Of part D, see `painkit.data.biovid.read_biovid`.
    between : (float, float)
        Take the frames of this part of each clip, as shares of its length: clips begin and end with a face at
        rest, which shows no class.
    per_clip : int, optional
        Take so many of these frames of each clip, evenly spread; default all.
    progress, jobs
        See `read_biovid`.

    Returns
    -------
    Cohort
        A sequence a clip and a row of `frames` a frame, with its class (a category of `classes`) in a column
        named by `painkit.vocabulary.scales.expression_scale`, ``expression`` for the paper's list; images are
        decoded from the videos when asked for. There are no landmarks.

    Raises
    ------
    PainkitError
        When a class has no clip, two classes share one, no frame lies `between`, and as `read_biovid` and
        `expression_scale` do.
    """
    scale = expression_scale(tuple(classes))
    sources = [source for own in classes.values() for source in own]
    if shared := sorted({source for source in sources if sources.count(source) > 1}):
        raise PainkitError(f"{shared[0]} is listed twice", expected="each clip in one class")
    wanted = {source: name for name, own in classes.items() for source in own}
    parts = []
    if set(wanted) & set(STIMULI):
        parts.append(read_biovid(root, progress=progress, jobs=jobs))
    if set(wanted) - set(STIMULI):
        parts.append(read_biovid(root, part="D", table=table, progress=progress, jobs=jobs))
    sequences = pd.concat([part.sequences for part in parts], ignore_index=True)
    sequences["expression"] = pd.Categorical(sequences["class"].map(wanted), categories=list(classes))
    sequences = sequences.dropna(subset=["expression"]).sort_values(
        ["subject", "sequence"], ignore_index=True
    )
    lacking = [name for name in classes if not (sequences["expression"] == name).any()]
    if lacking:
        raise PainkitError(
            f"no clip shows {lacking[0]}", where=root, expected=f"one of {', '.join(classes[lacking[0]])}"
        )
    first = parts[0]
    listed = clip_frames(replace(first, sequences=sequences), jobs)
    low, high = between
    if not 0 <= low < high <= 1:
        raise PainkitError(f"between={between}", expected="two shares of a clip, 0 to 1, the smaller first")
    place = (listed.groupby("video").cumcount() + 0.5) / listed.groupby("video")["frame"].transform("size")
    listed = listed[place.between(low, high)].reset_index(drop=True)
    if listed.empty:
        raise PainkitError(f"no frame of any clip lies between {low:g} and {high:g} of it", where=root)
    if per_clip is not None:
        number = np.asarray(listed.groupby("video").cumcount(), np.intp)
        length = np.asarray(listed.groupby("video")["frame"].transform("size"), np.intp)
        listed = listed[_evenly(number, length, per_clip)].reset_index(drop=True)
    shown = listed.groupby("video")["video"].size()
    sequences["n_frames"] = sequences["video"].map(shown)
    frames = listed[["subject", "sequence", "frame"]].assign(
        **{scale.key: pd.Categorical(listed["class"].map(wanted), categories=list(classes))},
        pspi=np.nan,
        tracked=False,
        black=False,
        image=pd.Series([None] * len(listed), dtype="str"),
    )
    read = VideoFrames(first.root, listed["video"].tolist(), listed["frame"].tolist())
    subjects = pd.concat([part.subjects for part in parts]).drop_duplicates("subject").sort_values("subject")
    return Cohort(
        name=first.name,
        root=first.root,
        simulated=first.simulated,
        subjects=subjects[subjects["subject"].isin(sequences["subject"])].reset_index(drop=True),
        sequences=sequences.drop(columns="expression"),
        frames=frames,
        landmarks=np.full((len(frames), 66, 2), np.nan, np.float32),
        findings=pd.concat([part.findings for part in parts], ignore_index=True),
        fingerprint=content_digest(read.fingerprint, frames),
        notes=(*simulation_notes(root), _NOTE),
        draw=_Clips(read, listed),
    )


def expressions_of(
    data: str, root: str | PathLike[str] | None, *, profile: str = "demo", seed: int = 0, **options: Any
) -> Cohort:
    """Read the expressions of a copy of BioVid, or of a simulated tree.

    Parameters
    ----------
    data : {'biovid', 'simulated'}
    root : path or None
        The copy, or the simulated tree (whose clips lie in ``biovid``); None simulates one.
    profile, seed
        Of the simulation.
    **options
        See `read_expressions`.
    """
    if data not in ("biovid", "simulated"):
        raise unknown("data set of clips", data, ("biovid", "simulated"))
    if root is None and data == "biovid":
        raise PainkitError("no root is given", expected="the folder of your copy of BioVid")
    if root is None:
        from painkit.simulation.simulation import simulate  # not needed to read one that is there

        root = default_root(profile, "thin", seed)
        simulate(root, profile=profile, seed=seed, jobs=options.get("jobs", 2))
    return read_expressions(Path(root) / "biovid" if data == "simulated" else root, **options)


class _Clips:
    """Frames of clips by name."""

    def __init__(self, read: VideoFrames, listed: pd.DataFrame) -> None:
        self.read = read
        keys = zip(listed["subject"], listed["sequence"], listed["frame"].tolist(), strict=True)
        self.number = {key: i for i, key in enumerate(keys)}

    def __call__(self, subject: str, sequence: str, frame: int) -> NDArray[np.uint8]:
        return self.read(self.number[subject, sequence, frame])


def _evenly(place: NDArray[np.intp], length: NDArray[np.intp], count: int) -> NDArray[np.bool_]:
    """Which places of 0..length-1 are among `count` evenly spread ones."""
    if count < 1:
        raise PainkitError(f"{count} frames a clip", expected="1 or more")
    step = np.maximum(length / count, 1)
    return np.asarray(np.floor(place / step) != np.floor((place - 1) / step))

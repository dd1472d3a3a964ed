"""Clips of heat pain and of posed emotions in the layout of the BioVid database."""

from __future__ import annotations

from fractions import Fraction
from functools import cache, partial
from pathlib import Path
from typing import Final, NamedTuple

import av
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from painkit.files import write_atomically, write_text
from painkit.simulation.anatomy import Person, draw_person
from painkit.simulation.causes import TRACE, stream
from painkit.simulation.dynamics import draw_decoys, draw_pose, draw_style, grimace
from painkit.simulation.portraits import MIXTURES, units
from painkit.simulation.profiles import Size
from painkit.simulation.render import render
from painkit.simulation.writer import Task
from painkit.vocabulary.action_units import AUS
from painkit.vocabulary.classes import STIMULI
from painkit.vocabulary.personal import AGES, GENDERS

__all__ = ["biovid_tables", "biovid_tasks", "clip_truth"]

FPS: Final = 25
FRAMES_PER_VIDEO: Final = 138
"""A clip of part A lasts 5.5 s."""
PEAK_PSPI: Final = (0.0, 0.8, 2.0, 5.0, 9.0)
"""Median PSPI at the peak of a clip of each class."""
POSED: Final = ("happiness", "disgust", "pain")
SHOWN: Final = {"brow": 4.0, "levator": 0.2, "stretch": 0.6}
"""How much more heat pain shows about the brows, and less about nose and mouth, than the archive's pain does.
Disgust moves nose and mouth, so even a furrowed face tells the two apart."""


def biovid_tables(size: Size, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Tables of the clips of heat pain and of the posed ones, as `read_biovid` takes parts A and D.

    Returns
    -------
    samples : DataFrame
        subject_id, subject_name, class_id, class_name, sample_id, sample_name.
    posed : DataFrame
        subject, class, path.
    """
    samples: list[tuple[int, str, int, str, int, str]] = []
    posed: list[tuple[str, str, str]] = []
    for number in range(size.clip_subjects):
        name = _subject(seed, number)[0]
        for kind, label in enumerate(STIMULI):
            for i in range(size.clips):
                samples.append(
                    (number + 1, name, kind, label, len(samples) + 1, f"{name}-{label}-{i + 1:03d}")
                )
        for label in POSED:
            posed += [
                (name, label, f"posed/{name}/{label}-{i + 1:03d}.mp4") for i in range(max(size.clips // 2, 1))
            ]
    columns = ["subject_id", "subject_name", "class_id", "class_name", "sample_id", "sample_name"]
    return pd.DataFrame(samples, columns=columns), pd.DataFrame(posed, columns=["subject", "class", "path"])


def biovid_tasks(root: Path, size: Size, seed: int) -> list[Task]:
    """Work that writes ``biovid/``: ``starting_point/samples.csv``, ``video``, ``videos.csv``, ``posed``."""
    folder = root / "biovid"
    samples, posed = biovid_tables(size, seed)
    tables = folder / "starting_point" / "samples.csv", folder / "videos.csv"
    return [
        Task(partial(_tables, *tables, samples, posed), dict.fromkeys(tables)),
        *(
            Task(partial(_clip, folder / path, seed, clip, size.clip_step), {folder / path: None})
            for path, clip in _clips(size, seed).items()
        ),
    ]


def _tables(of_samples: Path, of_posed: Path, samples: pd.DataFrame, posed: pd.DataFrame) -> None:
    write_text(of_samples, samples.to_csv(sep="\t", index=False))
    write_text(of_posed, posed.to_csv(index=False))


def _subject(seed: int, number: int) -> tuple[str, Person]:
    """Name, which holds date, sex and age in years, and face of a subject."""
    rng = stream(seed, 22, number)
    age = AGES[number % 3]
    person = draw_person(rng, gender=GENDERS[number // 3 % 2], age=age)
    years = int(rng.integers(*{"young": (20, 36), "middle-aged": (36, 51), "elderly": (51, 66)}[age]))
    sex = "w" if person.gender == "female" else "m"
    return f"{7 + number // 9:02d}{1 + number % 28:02d}{rng.choice([9, 14]):02d}_{sex}_{years}", person


class _Clip(NamedTuple):
    number: int  # of the subject, from 0
    sample: int  # of the clip, from 1
    label: str


@cache
def _clips(size: Size, seed: int) -> dict[str, _Clip]:
    """All clips by their path in ``biovid``."""
    samples, posed = biovid_tables(size, seed)
    number = {name: i - 1 for name, i in zip(samples["subject_name"], samples["subject_id"], strict=True)}
    listed = [
        (f"video/{row['subject_name']}/{row['sample_name']}.mp4", row["subject_name"], row["class_name"])
        for row in samples.to_dict("records")
    ]
    listed += [(row["path"], row["subject"], row["class"]) for row in posed.to_dict("records")]
    return {path: _Clip(number[who], i, label) for i, (path, who, label) in enumerate(listed, start=1)}


def clip_truth(size: Size, seed: int) -> pd.DataFrame:
    """What moved the face in each frame of each clip.

    Returns
    -------
    DataFrame
        video (path in ``biovid``), frame (from 0), yaw, pitch, roll, tx, ty, scale, and by unit, at 0-5:
        AU<n> as shown, AU<n>_expression, what the pain or the posed expression asks for, and AU<n>_decoy,
        what moves besides. The larger of both, a little smoothed, is shown.
    """
    names = ["yaw", "pitch", "roll", "tx", "ty", "scale"]
    names += [f"AU{au}{end}" for end in ("", "_expression", "_decoy") for au in AUS]
    tables = []
    for video, clip in _clips(size, seed).items():
        expression, decoys, pose = _movements(seed, clip)
        rows = np.hstack([pose, _shown(expression, decoys), expression, decoys])[:: size.clip_step]
        table = pd.DataFrame(rows.astype(np.float32), columns=names)
        table.insert(0, "video", video)
        table.insert(1, "frame", np.arange(len(table)))
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def _shown(expression: NDArray[np.float64], decoys: NDArray[np.float64]) -> NDArray[np.float64]:
    smooth = gaussian_filter1d(np.maximum(expression, decoys), 0.7, axis=0)
    return np.asarray(smooth.clip(0, 5), float)


def _movements(
    seed: int, clip: _Clip
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Expression, decoys and pose in all frames."""
    rng = stream(seed, 23, clip.sample)
    style = draw_style(stream(seed, 24, clip.number))
    style |= {name: times * style[name] for name, times in SHOWN.items()}
    time = np.arange(FRAMES_PER_VIDEO)
    begin, apex = rng.uniform(15, 50), rng.uniform(70, 110)
    envelope = np.clip(np.minimum((time - begin) / (apex - begin), 1 - (time - apex) / 60), 0, 1) ** 1.5
    moved, _ = draw_decoys(rng, style, FRAMES_PER_VIDEO)
    pose = draw_pose(rng, style, FRAMES_PER_VIDEO)
    if clip.label in STIMULI:
        depth = PEAK_PSPI[STIMULI.index(clip.label)] * np.exp(0.35 * rng.standard_normal()) * envelope
        depth = np.clip(depth, 0, 15)
        pspi = np.round(depth).astype(int)
        return grimace(rng, style, pspi, depth, np.minimum(depth, TRACE))[1], moved, pose
    play = np.exp(0.2 * rng.standard_normal(15))
    full = units(MIXTURES[clip.label], rng.uniform(0.75, 1.2)) * play
    return np.clip(np.outer(envelope**0.5, full), 0, 5), moved * 0.2, pose


def _clip(path: Path, seed: int, clip: _Clip, step: int) -> None:
    person = _subject(seed, clip.number)[1]
    expression, decoys, pose = _movements(seed, clip)
    shown = _shown(expression, decoys)
    frames = [render(person, a, p) for a, p in zip(shown[::step], pose[::step], strict=True)]
    _encode(path, frames, Fraction(FPS, step))


def _encode(path: Path, frames: list[NDArray[np.uint8]], rate: Fraction) -> None:
    with write_atomically(path) as temporary, av.open(str(temporary), "w") as container:
        # The same bytes everywhere: one thread whatever the number of cores, and x264's code for any
        # processor, which does not read memory that nobody has set as its quick macroblock tree does.
        options = {"crf": "18", "preset": "veryfast", "threads": "1", "x264-params": "cpu-independent=1"}
        video = container.add_stream("libx264", rate=rate, options=options)
        video.height, video.width = frames[0].shape[:2]
        video.pix_fmt = "yuv420p"
        for frame in frames:
            container.mux(video.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(video.encode())

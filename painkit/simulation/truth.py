"""What really caused the labels, written beside the data."""

from __future__ import annotations

import json
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd

from painkit.faces.alignment import ALIGNED_SIZE, apply_transform, five_points, similarity_transform
from painkit.files import write_atomically, write_text
from painkit.simulation import causes
from painkit.simulation.action_units import DISPLACEMENT, landmarks
from painkit.simulation.anatomy import MEAN_FACE, NEUTRAL_POSE, Person, project
from painkit.simulation.biovid import clip_truth
from painkit.simulation.dynamics import person_of
from painkit.simulation.labels import Labels
from painkit.simulation.profiles import PROFILES, Settings
from painkit.simulation.regions import SHORTCUT_REGION, region_mask
from painkit.simulation.writer import Task, folder_task, write_png
from painkit.vocabulary.action_units import AUS

__all__ = ["frame_truth", "landmark_truth", "region_tasks", "write_truth"]

README = """Causes of a simulated cohort. Nothing here is known of real people.

causes.json     effect sizes on reported pain in standard deviations of felt pain; the shortcut
subjects.csv    traits, expressiveness and effects of every subject
sequences.csv   felt pain; shown: felt + expressiveness + leak; visible: mean of the strongest tenth of
                frames; report and rating: the scores that VAS and OPI rank
frames.parquet  PSPI, level, depth (PSPI before rounding), trace (movement below the threshold of coding),
                head pose, AU<n>: shown intensity 0-5, AU<n>_pain: the part of it that pain causes;
                shortcut: the mark is there, shortcut_follows: it was told to follow the level
units.csv       displacement of every landmark by every unit at intensity 5 on the mean face, in pixels,
                before head pose
landmarks.csv   mean displacement in pixels that pain causes, and that decoys cause, of every landmark, by
                subject
clips.parquet   of every frame of every clip in ``biovid``: head pose, AU<n>: shown intensity 0-5, and what
                would show by one cause alone, AU<n>_expression: pain or the posed expression, AU<n>_decoy:
                all else; not there where no clips are
regions/        pixels where each unit may show: on the mean face and on every subject's face at rest, in
                the 320x240 image at neutral pose and in the aligned 112x96 crop
"""


def write_truth(root: Path, labels: Labels, settings: Settings) -> None:
    """Write ``truth/`` without the regions, which `region_tasks` write."""
    folder, seed = root / "truth", settings.seed
    latents = labels.latents
    unit, point = np.divmod(np.arange(len(AUS) * 66), 66)
    moved = pd.DataFrame(DISPLACEMENT.reshape(-1, 3), columns=["dx", "dy", "dz"])
    moved.insert(0, "au", np.array(AUS)[unit])
    moved.insert(1, "landmark", point)
    tables = {
        "subjects": latents.subjects,
        "sequences": latents.sequences,
        "units": moved,
        "landmarks": landmark_truth(labels, seed),
    }
    for name, table in tables.items():
        write_text(folder / f"{name}.csv", table.to_csv(index=False, float_format="%.9g"))
    with write_atomically(folder / "frames.parquet") as path:
        frame_truth(labels).to_parquet(path, index=False)
    if settings.images != "none":
        with write_atomically(folder / "clips.parquet") as path:
            clip_truth(PROFILES[settings.profile], seed).to_parquet(path, index=False)
    effects = {name.lower(): getattr(causes, name) for name in causes.__all__ if name.isupper()}
    about = {**effects, "shortcut": {"share": settings.shortcut, "region_xyxy": SHORTCUT_REGION}}
    write_text(folder / "causes.json", json.dumps(about, indent=1) + "\n")
    write_text(folder / "README.txt", README)


def frame_truth(labels: Labels) -> pd.DataFrame:
    """One row for each frame, as ``truth/README.txt`` says."""
    latents, signals = labels.latents, labels.signals
    lengths = latents.sequences["n_frames"].to_numpy()
    frame = np.arange(lengths.sum()) - np.repeat(latents.start[:-1], lengths) + 1
    columns = {
        "subject": np.repeat(latents.sequences["subject"].to_numpy(), lengths),
        "sequence": np.repeat(latents.sequences["sequence"].to_numpy(), lengths),
        "frame": frame,
        "pspi": latents.pspi,
        "level": latents.level,
        "depth": latents.depth,
        "trace": latents.trace,
        "tracked": np.concatenate([s.tracked for s in signals]),
        "black": np.concatenate([s.black for s in signals]),
        "pictured": labels.pictured,
        "shortcut": labels.marked,
        "shortcut_follows": labels.follows,
    }
    shown = np.concatenate([s.intensity for s in signals]).astype(np.float32)
    pain = np.concatenate([s.pain for s in signals]).astype(np.float32)
    pose = np.concatenate([s.pose for s in signals]).astype(np.float32)
    columns |= dict(zip(("yaw", "pitch", "roll", "tx", "ty", "scale"), pose.T, strict=True))
    columns |= {f"AU{au}": shown[:, i] for i, au in enumerate(AUS)}
    columns |= {f"AU{au}_pain": pain[:, i] for i, au in enumerate(AUS)}
    return pd.DataFrame(columns)


def landmark_truth(labels: Labels, seed: int) -> pd.DataFrame:
    """How far pain and decoys move every landmark in the image, by subject.

    Returns
    -------
    DataFrame
        subject, landmark (0-65), pain_px, decoy_px: mean over frames of the distance in pixels between the
        landmark as shown and without the one cause; pain_px_above_zero: the same over frames with a level
        above 0 (NaN if there are none).
    """
    latents = labels.latents
    tables = []
    for number, subject in enumerate(latents.subjects["subject"]):
        person = person_of(latents, seed, number)
        rows = np.flatnonzero(latents.sequences["subject"] == subject)
        own = [labels.signals[i] for i in rows]
        pose = np.concatenate([s.pose for s in own])
        shown, decoy, pain = (
            landmarks(person, np.concatenate([getattr(s, kind) for s in own]), pose)
            for kind in ("intensity", "decoy", "pain")
        )
        by_pain, by_decoy = (np.linalg.norm(shown - without, axis=2) for without in (decoy, pain))
        above = np.concatenate(
            [latents.pspi[a:b] > 0 for a, b in np.array(list(pairwise(latents.start)))[rows]]
        )
        tables.append(
            pd.DataFrame(
                {
                    "subject": subject,
                    "landmark": np.arange(66),
                    "pain_px": by_pain.mean(axis=0),
                    "pain_px_above_zero": by_pain[above].mean(axis=0) if above.any() else np.nan,
                    "decoy_px": by_decoy.mean(axis=0),
                }
            )
        )
    return pd.concat(tables, ignore_index=True)


def region_tasks(root: Path, labels: Labels, seed: int) -> list[Task]:
    """Work that writes ``truth/regions/NAME/{image,crop}_AU04.png``: 255 where the unit may show."""
    folder = root / "truth" / "regions"
    people = {s: person_of(labels.latents, seed, i) for i, s in enumerate(labels.latents.subjects["subject"])}
    return [
        folder_task(folder / name, partial(_regions, person=person), 2 * len(AUS))
        for name, person in ({"mean": None} | people).items()
    ]


def _regions(folder: Path, *, person: Person | None) -> None:
    pose = np.atleast_2d(NEUTRAL_POSE)
    if person is None:
        image = project(MEAN_FACE[None], pose)[0]
    else:
        image = landmarks(person, np.zeros((1, len(AUS))), pose)[0]
    crop = apply_transform(similarity_transform(five_points(image)), image)
    for au in AUS:
        for kind, points, size in (("image", image, (240, 320)), ("crop", crop, ALIGNED_SIZE)):
            mask = region_mask(au, points, size)
            write_png(folder / f"{kind}_AU{au:02d}.png", mask.astype(np.uint8) * np.uint8(255))

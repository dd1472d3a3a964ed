"""Action units, head pose and tracking of one sequence, frame by frame.

Pain moves the units of PSPI along a path: every step of PSPI adds one step to one unit, in an order that is
the subject's style with a little play. Smiles, speech, raised brows, blinks and head movement are drawn apart
from it: they are the decoys.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from painkit.simulation.anatomy import Person, draw_person
from painkit.simulation.causes import Latents, stream
from painkit.vocabulary.action_units import AUS

__all__ = [
    "CODED",
    "NOISE_SD",
    "Signals",
    "draw_decoys",
    "draw_pose",
    "draw_signals",
    "draw_style",
    "grimace",
    "person_of",
    "tracked_landmarks",
]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

FRAMES_PER_SECOND = 30
CODED = (4, 6, 7, 9, 10, 12, 15, 20, 25, 26, 43, 50)
"""Units that FACS files of the simulated cohort hold; 50 is speech."""
NOISE_SD = 0.5
"""Standard deviation of tracking noise in pixels; half of its variance lasts over frames."""
STEPS = {"brow": 0.07, "orbit": 0.75, "levator": 0.05, "lids": 0.13}
"""Mean share of each group (AU4; AU6 or 7; AU9 or 10; AU43) in the first steps of PSPI."""
MOST = {"brow": 5, "orbit": 5, "levator": 5, "lids": 1}
_AT = {au: i for i, au in enumerate(AUS)}


@dataclass(frozen=True)
class Signals:
    """What happens in one sequence.

    Parameters
    ----------
    coded : ndarray, shape (n_frames, 12)
        Intensities 0-5 of `CODED` as a FACS coder writes them; AU43 is 0 or 1.
    pain : ndarray, shape (n_frames, 15)
        The part of every unit of `AUS` that pain causes, 0-5 (closed eyes are 5).
    decoy : ndarray, shape (n_frames, 15)
        The part that smiles, speech, raised brows and blinks cause, 0-5.
    pose : ndarray, shape (n_frames, 6)
        Yaw, pitch, roll in radians, shift in pixels, scale.
    tracked : ndarray of bool, shape (n_frames,)
        Whether a landmark file is written.
    black : ndarray of bool, shape (n_frames,)
    """

    coded: Ints
    pain: Floats
    decoy: Floats
    pose: Floats
    tracked: NDArray[np.bool_]
    black: NDArray[np.bool_]

    @property
    def intensity(self) -> Floats:
        """Intensity 0-5 of every unit, shape (n_frames, 15): what face and landmarks show."""
        return np.maximum(self.pain, self.decoy)


def person_of(latents: Latents, seed: int, number: int) -> Person:
    """The face of subject `number`, with the traits of the subjects' table."""
    s: Any = latents.subjects.loc[number]
    return draw_person(stream(seed, 4, number), gender=s["gender"], age=s["age"], complexion=s["complexion"])


def draw_signals(latents: Latents, seed: int, index: int) -> Signals:
    """Draw sequence `index` of a cohort."""
    row: Any = latents.sequences.loc[index]
    number = int(np.flatnonzero(latents.subjects["subject"] == row["subject"])[0])
    rows = slice(latents.start[index], latents.start[index + 1])
    rng = stream(seed, 5, index)
    style = draw_style(stream(seed, 6, number))
    n, black = int(row["n_frames"]), int(row["black"])
    pspi, depth, trace = latents.pspi[rows], latents.depth[rows], latents.trace[rows]
    coded, pain = grimace(rng, style, pspi, depth, trace)
    decoy, talking = draw_decoys(rng, style, n)
    shown = np.maximum(pain, decoy)
    for au in (12, 15, 20, 25, 26):
        coded[:, CODED.index(au)] = np.round(shown[:, _AT[au]])
    coded[:, CODED.index(50)] = talking
    tracked = np.ones(n, bool)
    if index % 20 == 5:
        first = int(rng.integers(n - 6))
        tracked[first : first + int(rng.integers(1, 7))] = False
    dark = np.arange(n) < black
    coded[dark] = 0
    return Signals(coded, pain, decoy, draw_pose(rng, style, n), tracked & ~dark, dark)


def tracked_landmarks(points: Floats, seed: int, index: int) -> Floats:
    """Landmarks with the tracker's noise: `NOISE_SD` pixels, half of its variance lasting some frames."""
    rng = stream(seed, 7, index)
    lasting = gaussian_filter1d(rng.standard_normal(points.shape), 2, axis=0, mode="wrap")
    lasting /= max(float(lasting.std()), 1e-9)
    return np.asarray(points + NOISE_SD * np.sqrt(0.5) * (lasting + rng.standard_normal(points.shape)))


def draw_style(rng: np.random.Generator) -> dict[str, float]:
    """How one subject shows pain and how often the subject smiles, talks and moves."""
    lively = np.exp(0.35 * rng.standard_normal(10))
    style = {name: share * play for (name, share), play in zip(STEPS.items(), lively, strict=False)}
    names = ("stretch", "smile", "talk", "brows", "move")
    return style | dict(zip(names, lively[4:].tolist(), strict=False)) | {"cheek": rng.uniform(0.35, 0.9)}


def grimace(
    rng: np.random.Generator, style: dict[str, float], pspi: Ints, depth: Floats, trace: Floats
) -> tuple[Ints, Floats]:
    """Codes of the PSPI units that sum to `pspi`, and the movement that pain causes in every unit."""
    path = _path(rng, style)
    counts = {name: np.concatenate([[0], np.cumsum(path == i)]) for i, name in enumerate(STEPS)}
    cheek, nose = rng.random() < style["cheek"], rng.random() < 0.45
    lag = [int(rng.choice([1, 2, 9], p=[0.3, 0.2, 0.5])) for _ in range(2)]
    coded = np.zeros((len(pspi), len(CODED)), int)
    pain = np.zeros((len(pspi), len(AUS)))
    step = np.arange(len(path) + 1)

    def groups(value: Floats | Ints) -> dict[int, Floats]:
        part = {name: np.interp(value, step, count) for name, count in counts.items()}
        out = {4: part["brow"], 43: part["lids"]}
        for name, (lead, other), behind in (
            ("orbit", (6, 7) if cheek else (7, 6), lag[0]),
            ("levator", (9, 10) if nose else (10, 9), lag[1]),
        ):
            out |= {lead: part[name], other: np.maximum(part[name] - behind, 0)}
        return out

    for au, codes in groups(pspi).items():
        coded[:, CODED.index(au)] = codes
    for au, movement in groups(depth).items():
        # Below the threshold of coding every PSPI unit moves a little with felt pain.
        pain[:, _AT[au]] = 5 * movement if au == 43 else np.maximum(movement, trace)
    strength = np.maximum(depth, 0.5 * trace)
    opens = rng.random() < 0.5
    for au, start, slope in ((20, 2.0, 0.35), (25, 2.0, 0.35 * opens), (26, 2.5, 0.25 * opens)):
        pain[:, _AT[au]] = np.clip(style["stretch"] * slope * (strength - start), 0, 4)
    return coded, gaussian_filter1d(pain, 1.0, axis=0, mode="nearest").clip(0, 5)


def _path(rng: np.random.Generator, style: dict[str, float]) -> Ints:
    """Which group each of the 16 steps of PSPI moves."""
    left = np.array([MOST[name] for name in STEPS], float)
    weight = np.array([style[name] for name in STEPS]) * np.exp(0.25 * rng.standard_normal(4))
    path = []
    for _ in range(int(left.sum())):
        chance = weight * (left > 0)
        group = int(rng.choice(4, p=chance / chance.sum()))
        left[group] -= 1
        path.append(group)
    return np.array(path)


def _events(
    rng: np.random.Generator, n: int, per_second: float, seconds: tuple[float, float]
) -> list[Floats]:
    """Smooth envelopes 0-1 of events that start at random."""
    time = np.arange(n)
    envelopes = []
    for _ in range(rng.poisson(per_second * n / FRAMES_PER_SECOND)):
        begin, length = rng.uniform(-10, n), rng.uniform(*seconds) * FRAMES_PER_SECOND
        rise, fall = rng.uniform(5, 10), rng.uniform(8, 18)
        envelopes.append(
            np.clip(np.minimum((time - begin) / rise, (begin + length - time) / fall), 0, 1) ** 2
        )
    return envelopes


def draw_decoys(
    rng: np.random.Generator, style: dict[str, float], n: int
) -> tuple[Floats, NDArray[np.bool_]]:
    """Movement that pain does not cause, and when the subject talks."""
    units = np.zeros((n, len(AUS)))

    def add(au: int, movement: Floats) -> None:
        units[:, _AT[au]] = np.maximum(units[:, _AT[au]], movement)

    for envelope in _events(rng, n, 0.065 * style["smile"], (1.2, 4.5)):
        strength = rng.uniform(1.2, 4)
        add(12, strength * envelope)
        add(25, max(strength - 2.8, 0) * envelope)
    talking = np.zeros(n, bool)
    for envelope in _events(rng, n, 0.035 * style["talk"], (0.7, 3)):
        rhythm = gaussian_filter1d(rng.standard_normal(n), 2.5)
        rhythm = np.clip(0.5 + 0.5 * rhythm / max(float(rhythm.std()), 1e-9), 0, 1.6)
        add(25, 1.6 * envelope * rhythm)
        add(26, 1.8 * envelope * rhythm)
        talking |= envelope > 0.5
    for envelope in _events(rng, n, 0.03 * style["brows"], (0.5, 2)):
        strength = rng.uniform(1, 4)
        add(1, strength * envelope)
        add(2, 0.8 * strength * envelope)
    for au, rate in ((15, 0.01), (17, 0.02)):
        for envelope in _events(rng, n, rate, (0.7, 2)):
            add(au, rng.uniform(1, 3) * envelope)
    frame = rng.exponential(FRAMES_PER_SECOND * 4)
    while frame < n:  # a blink lasts about a fifth of a second and is no AU43, which takes half a second
        add(43, 5 * np.exp(-0.5 * ((np.arange(n) - frame) / 1.4) ** 4))
        frame += FRAMES_PER_SECOND * (1 + rng.exponential(3.5))
    return units, talking


def draw_pose(rng: np.random.Generator, style: dict[str, float], n: int) -> Floats:
    """Head pose that drifts and sways, unrelated to pain."""
    spread = np.array([0.03, 0.02, 0.015, 2.0, 1.5, 0.006])
    drift = gaussian_filter1d(rng.standard_normal((n, 6)), 40, axis=0, mode="reflect") * np.sqrt(40 * 3.54)
    sway = gaussian_filter1d(rng.standard_normal((n, 6)), 7, axis=0, mode="reflect") * np.sqrt(7 * 3.54)
    pose = spread * (0.1 * rng.standard_normal(6) + style["move"] * (0.5 * drift + 0.25 * sway))
    pose[:, 5] += 1
    return np.asarray(np.clip(pose, (-0.35, -0.25, -0.2, -18, -14, 0.9), (0.35, 0.25, 0.2, 18, 14, 1.1)))

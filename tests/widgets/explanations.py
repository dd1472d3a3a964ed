"""Explanations to explore: made by hand, and of a linear model on a simulated cohort."""

from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.linear_model import Ridge

from painkit.attribution.deeplift import LandmarkContributions
from painkit.attribution.explanation import LandmarkExplanation
from painkit.data.cohort import Cohort


def by_hand(tracked=True):
    """Two subjects, three short sequences of random faces."""
    rng = np.random.default_rng(0)
    sequences = pd.DataFrame(
        {"subject": ["a", "a", "b"], "sequence": ["a1", "a2", "b1"], "n_frames": [4, 6, 5]}
    )
    sequences[["vas", "opi", "aff", "sen"]] = [[2.0, np.nan, 3.0, 4.0]] * 3
    frames = sequences.loc[
        sequences.index.repeat(sequences["n_frames"]), ["subject", "sequence"]
    ].reset_index(drop=True)
    frames["frame"] = frames.groupby("sequence").cumcount() + 1
    frames["pspi"], frames["AU4"], frames["AU6"] = 3.0, 1.0, 2.0
    frames.loc[2, ["pspi", "AU4", "AU6"]] = np.nan
    frames["tracked"] = tracked
    frames.loc[1, "tracked"] = False  # the second frame of a1
    frames["black"] = False
    frames["image"] = pd.array([pd.NA] * len(frames), dtype="string")
    landmarks = rng.uniform(50, 200, (len(frames), 66, 2)).astype(np.float32)
    landmarks[~frames["tracked"].to_numpy()] = np.nan
    cohort = Cohort(
        name="made by hand",
        root=Path("nowhere"),
        simulated=True,
        subjects=pd.DataFrame(
            {"subject": ["a", "b"], "gender": "female", "age": ["young", pd.NA], "complexion": "pale-fair"}
        ),
        sequences=sequences,
        frames=frames,
        landmarks=landmarks,
        findings=pd.DataFrame(columns=["kind", "subject", "sequence", "frame", "path", "message"]),
        fingerprint="0",
    )
    vectors = {t: rng.normal(size=landmarks.shape).astype(np.float32) + 0 * landmarks for t in ("vas", "opi")}
    estimates = {target: found.sum((1, 2)) + 2.5 for target, found in vectors.items()}
    return explanation(cohort, vectors, estimates, inputs=landmarks / 100, reference=2.5)


def linear(root):
    """A linear model of each frame's PSPI on the simulated cohort: its contributions are known exactly."""
    import painkit.data

    cohort = painkit.data.load("simulated", root, profile="smoke", images="all")
    tracked = cohort.frames["tracked"].to_numpy()
    inputs = np.full(cohort.landmarks.shape, np.nan, np.float32)
    for rows in cohort.frames[tracked].groupby("subject").indices.values():
        own = cohort.landmarks[np.flatnonzero(tracked)[rows]]
        inputs[np.flatnonzero(tracked)[rows]] = (own - own.mean(0)) / own.std(0)
    flat = inputs.reshape(len(inputs), -1)
    fitted = Ridge(30).fit(flat[tracked], cohort.frames["pspi"][tracked])
    weights = fitted.coef_.reshape(66, 2).astype(np.float32)
    vectors = {"vas": inputs * weights, "opi": inputs * weights / 2}
    reference = float(fitted.intercept_)
    estimates = {target: found.sum((1, 2)) + reference for target, found in vectors.items()}
    return explanation(cohort, vectors, estimates, inputs=inputs, reference=reference)


def explanation(cohort, vectors, estimates, *, inputs, reference):
    contributions = {
        target: LandmarkContributions(
            target=target,
            frames=cohort.frames[["subject", "sequence", "frame"]],
            vectors=vectors[target],
            personal=np.zeros((len(inputs), 0), np.float32),
            inputs=inputs,
            estimates=estimates[target],
            reference=np.full_like(estimates[target], reference),
        )
        for target in vectors
    }
    told = cohort.sequences[["subject", "sequence"]].assign(y_true=2.0, y_pred=3.0, y_std=1.0)
    predictions = pd.concat([told.assign(target=target) for target in contributions])
    return LandmarkExplanation(cohort, contributions, predictions)

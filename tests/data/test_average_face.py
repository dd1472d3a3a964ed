"""Frames lie on each other in the average face, whatever their pose; what has no face is left out."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from painkit.data.average_face import average_face
from painkit.data.cohort import Cohort
from painkit.errors import PainkitError
from painkit.faces.alignment import apply_transform
from painkit.faces.crops import warp
from painkit.simulation.anatomy import MEAN_FACE, NEUTRAL_POSE, project

FACE = project(MEAN_FACE[None], np.atleast_2d(NEUTRAL_POSE))[0]


def painted(colours=((200, 90, 40), (40, 90, 200))):
    """Discs about the landmarks, turned, scaled and shifted in each frame; a colour for each subject."""
    rng = np.random.default_rng(0)
    frames = pd.DataFrame({"subject": np.repeat(["a", "b"], [12, 3]), "sequence": "s"})
    frames["frame"] = frames.groupby("subject").cumcount() + 1
    frames["image"] = None
    landmarks, images = [], {}
    for row in frames.itertuples():
        still = np.full((240, 320, 3), 60, np.uint8)
        for x, y in FACE:
            cv2.circle(still, (round(x * 16), round(y * 16)), 40, colours[row.subject == "b"], -1, shift=4)
        turned = cv2.getRotationMatrix2D((160, 120), rng.uniform(-10, 10), rng.uniform(0.85, 1.15))
        turned[:, 2] += rng.uniform(-8, 8, 2)
        landmarks.append(apply_transform(turned, FACE))
        images[row.subject, row.sequence, row.frame] = warp(still, turned, (240, 320))
    return Cohort(
        name="painted",
        root=Path("nowhere"),
        simulated=True,
        subjects=pd.DataFrame({"subject": ["a", "b"]}),
        sequences=pd.DataFrame({"subject": ["a", "b"], "sequence": "s"}),
        frames=frames,
        landmarks=np.array(landmarks, np.float32),
        findings=pd.DataFrame(),
        fingerprint="0",
        draw=lambda *frame: images[frame],
    )


def test_frames_of_any_pose_lie_on_each_other_and_each_subject_counts_alike():
    cohort = painted()
    face = average_face(cohort, per_subject=3)
    assert face.n_frames == 6
    inside = np.rint(face.landmarks).astype(int)
    # At all landmarks, so the frames are aligned; the mean of the two colours, so the subjects count alike.
    np.testing.assert_allclose(face.image[inside[:, 1], inside[:, 0]], [[120, 90, 120]] * 66, atol=6)
    np.testing.assert_allclose(face.image[-1, 0], 60, atol=1)
    again = average_face(cohort, per_subject=3)
    np.testing.assert_array_equal(again.image, face.image)


def test_the_landmarks_are_those_of_a_similarity_of_the_mean_face():
    found = average_face(painted()).landmarks
    solved = np.linalg.lstsq(np.c_[FACE, np.ones(66)], found, rcond=None)[0]
    np.testing.assert_allclose(np.c_[FACE, np.ones(66)] @ solved, found, atol=1e-3)
    np.testing.assert_allclose(solved[0], [solved[1, 1], -solved[1, 0]], atol=1e-6)
    assert ((found > 0) & (found < 255)).all()


def test_frames_without_a_face_and_damaged_images_are_left_out():
    cohort = painted()
    landmarks = cohort.landmarks.copy()
    landmarks[[1, 4]] = np.nan

    def draw(*frame):
        if frame == ("b", "s", 2):
            raise PainkitError("is no whole image")
        return (
            np.zeros((240, 320, 3), np.uint8)
            if frame in [("a", "s", 2), ("a", "s", 5)]
            else cohort.draw(*frame)
        )

    face = average_face(replace(cohort, landmarks=landmarks, draw=draw), per_subject=20)
    assert face.n_frames == 12
    inside = np.rint(face.landmarks).astype(int)
    np.testing.assert_allclose(face.image[inside[:, 1], inside[:, 0]], [[173, 90, 67]] * 66, atol=6)


def test_without_images_there_are_landmarks_and_without_landmarks_an_error():
    cohort = replace(painted(), draw=None)
    face = average_face(cohort)
    assert face.image is None
    assert face.n_frames == 0
    np.testing.assert_allclose(face.landmarks, average_face(painted()).landmarks)
    with pytest.raises(PainkitError, match="no frame has landmarks"):
        average_face(replace(cohort, landmarks=np.full_like(cohort.landmarks, np.nan)))

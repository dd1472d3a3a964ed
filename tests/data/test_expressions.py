"""Frames of BioVid's clips, by the expression they show."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from clip_files import number_of, write_clip

from painkit.data.expressions import read_expressions
from painkit.errors import PainkitError
from painkit.evaluation.samples import samples

HEADER = "subject_id\tsubject_name\tclass_id\tclass_name\tsample_id\tsample_name\n"
HEAT = [
    (1, "071309_w_21", "BL1"),
    (1, "071309_w_21", "PA3"),
    (1, "071309_w_21", "PA4"),
    (2, "082414_m_64", "PA4"),
]
POSED = [("071309_w_21", "disgust"), ("082414_m_64", "happiness"), ("082414_m_64", "anger")]
N = 10


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Clips of 10 frames that spell their numbers; the k-th clip is 128 + 16 k pixels wide."""
    root = tmp_path_factory.mktemp("biovid")
    lines = []
    for k, (number, subject, label) in enumerate(HEAT):
        clip = root / "video" / subject / f"{subject}-{label}-{k:03d}.mp4"
        clip.parent.mkdir(parents=True, exist_ok=True)
        write_clip(clip, range(N), size=(96, 128 + 16 * k))
        stimulus = ["BL1", "PA1", "PA2", "PA3", "PA4"].index(label)
        lines.append(f"{number}\t{subject}\t{stimulus}\t{label}\t{k}\t{clip.stem}\n")
    (root / "starting_point").mkdir()
    (root / "starting_point" / "samples.csv").write_text(HEADER + "".join(lines))
    table = ["subject,class,path\n"]
    for k, (subject, label) in enumerate(POSED, start=len(HEAT)):
        (root / "posed").mkdir(exist_ok=True)
        write_clip(root / "posed" / f"{subject}-{label}.mp4", range(N), size=(96, 128 + 16 * k))
        table.append(f"{subject},{label},posed/{subject}-{label}.mp4\n")
    (root / "videos.csv").write_text("".join(table))
    return root


def test_a_frame_is_a_row_with_the_class_of_its_clip_and_the_image_is_that_frame(root: Path) -> None:
    cohort = read_expressions(root, progress=False)
    frames = cohort.frames
    counts = frames.groupby(["subject", "expression"], observed=True).size().to_dict()
    assert counts == {
        ("071309_w_21", "pain"): 2 * N,
        ("071309_w_21", "disgust"): N,
        ("082414_m_64", "pain"): N,
        ("082414_m_64", "happiness"): N,
    }
    assert list(frames["expression"].cat.categories) == ["pain", "disgust", "happiness"]
    shown = [(name, cohort.image(row)) for row, name in enumerate(frames["sequence"])]
    assert [number_of(image) for _, image in shown] == list(range(N)) * 5
    wide = {"PA3": 144, "PA4": 160, "disgust": 192, "happiness": 208}
    for name, image in shown:
        label = next(label for label in wide if label in name)
        assert image.shape[1] == (176 if name.startswith("082414") and label == "PA4" else wide[label])


def test_a_part_of_each_clip_and_so_many_frames_of_it(root: Path) -> None:
    middle = read_expressions(root, between=(0.4, 0.8), progress=False)
    assert [number_of(middle.image(row)) for row in range(len(middle.frames))] == [4, 5, 6, 7] * 5
    two = read_expressions(root, between=(0.4, 0.8), per_clip=2, progress=False)
    assert [number_of(two.image(row)) for row in range(len(two.frames))] == [4, 6] * 5
    assert two.fingerprint != middle.fingerprint
    assert two.sequences["n_frames"].tolist() == [2] * 5


def test_any_list_of_classes(root: Path) -> None:
    classes = {"rest": ["BL1"], "anger": ["anger"], "heat": ["PA3", "PA4"]}
    cohort = read_expressions(root, classes=classes, progress=False)
    key = "expression(rest|anger|heat)"
    assert cohort.frames[key].value_counts(sort=False).to_dict() == {"rest": N, "anger": N, "heat": 3 * N}
    found = samples(cohort, key)
    numbers = cohort.frames[key].map({"rest": 0, "anger": 1, "heat": 2}).to_numpy(float)
    np.testing.assert_array_equal(found.labels(np.arange(len(numbers))), numbers)
    assert key not in found.test(np.arange(3))  # a model that is asked sees no class
    with pytest.raises(PainkitError, match=r"classes heat.*expected two names or more"):
        read_expressions(root, classes={"heat": ["PA4"]}, progress=False)
    with pytest.raises(PainkitError, match="PA4 is listed twice"):
        read_expressions(root, classes={"heat": ["PA4"], "pain": ["PA3", "PA4"]}, progress=False)


def test_the_classes_are_numbers_of_a_target_in_their_order(root: Path) -> None:
    cohort = read_expressions(root, progress=False)
    found = samples(cohort, "expression")
    named = cohort.frames["expression"].map({"pain": 0, "disgust": 1, "happiness": 2}).to_numpy(float)
    np.testing.assert_array_equal(found.labels(np.arange(len(named))), named)
    assert found.usable.all()


def test_what_cannot_be_read_is_told(root: Path) -> None:
    with pytest.raises(PainkitError, match=r"no clip shows sadness.*expected one of sadness"):
        read_expressions(root, classes={"pain": ["PA4"], "sadness": ["sadness"]}, progress=False)
    for between in ((0.5, 0.5), (0.8, 0.2), (-0.1, 1), (0, 1.5)):
        with pytest.raises(PainkitError, match=r"between=.*expected two shares"):
            read_expressions(root, between=between, progress=False)
    with pytest.raises(PainkitError, match="no frame of any clip lies between"):
        read_expressions(root, between=(0.96, 0.99), progress=False)
    with pytest.raises(PainkitError, match="0 frames a clip"):
        read_expressions(root, per_clip=0, progress=False)

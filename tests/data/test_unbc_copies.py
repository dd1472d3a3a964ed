"""Copies of the archive as people have them: saved again, placed otherwise, cut off, with what is no file."""

from __future__ import annotations

import os
import shutil

import cv2
import numpy as np
import pytest
from archive_files import OTHER, OTHER_SEQUENCE, SEQUENCE, SUBJECT, face, points_text

from painkit.data import load
from painkit.errors import PainkitError


def read(archive):
    return load("unbc", archive.root, cache=False, progress=False)


def kinds(cohort, *, ignore=("missing",)):
    found = cohort.findings
    return sorted(found[~found["kind"].isin(ignore)]["kind"])


@pytest.mark.parametrize("ending", [".jpg", ".PNG", ".JPEG", ".bmp"])
def test_images_saved_again(archive, noise, ending):
    for frame in range(1, 5):
        path = archive.image(SUBJECT, SEQUENCE, frame, noise(frame))
        path.write_bytes(cv2.imencode(ending.lower(), noise(frame)[..., ::-1])[1].tobytes())
        path.rename(path.with_suffix(ending))
    cohort = read(archive)
    assert cohort.frames["image"].notna().tolist() == [True] * 4 + [False] * 3
    assert cohort.image(1).shape == (48, 64, 3)
    assert kinds(cohort) == []
    # The same frame in two formats: one of them is used, and that is told.
    archive.image(SUBJECT, SEQUENCE, 1, noise(1))
    assert kinds(read(archive)) == (
        [] if ending == ".PNG" and len(list(path.parent.iterdir())) == 4 else ["duplicate"]
    )


def test_facs_without_pspi(archive):
    whole = read(archive)
    shutil.rmtree(archive.root / "Frame_Labels" / "PSPI")
    archive.path("FACS", SUBJECT, SEQUENCE, 4).write_text("unreadable")
    cohort = read(archive)
    assert cohort.frames["pspi"].fillna(-1).tolist() == [0, 10, 0, -1, 0, 0, 0]
    assert any(note.startswith("PSPI is computed from the action units") for note in cohort.notes)
    assert not whole.notes
    archive.path("PSPI", SUBJECT, SEQUENCE, 1).parent.mkdir(parents=True)  # an empty folder tells no more
    assert read(archive).frames["pspi"].fillna(-1).tolist() == [0, 10, 0, -1, 0, 0, 0]


@pytest.mark.parametrize(
    "moves",
    [
        {
            "Frame_Labels": "frame_labels",
            "AAM_landmarks": "aam landmarks",
            "Sequence_Labels": "SEQUENCE-LABELS",
        },
        {"Frame_Labels": "Sequence_Labels/Frame_Labels"},
        {"Sequence_Labels": "Frame_Labels/Sequence_Labels"},
        {"Frame_Labels/PSPI": "PSPI", "Frame_Labels/FACS": "FACS"},
        {"Frame_Labels/PSPI": "Frame_Labels/pspi", "Sequence_Labels/VAS": "Sequence_Labels/vas"},
    ],
)
def test_folders_spelled_or_placed_otherwise_change_nothing(archive, moves):
    plain = read(archive)
    for old, new in moves.items():
        (archive.root / old).rename(archive.root / new)
    moved = read(archive)
    assert moved.fingerprint == plain.fingerprint
    assert list(moved.findings["message"]) == list(plain.findings["message"])


def test_a_copy_within_the_folder_is_named(archive):
    with pytest.raises(
        PainkitError, match="but unbc in it may be one: it holds Frame_Labels and Sequence_Labels"
    ):
        load("unbc", archive.root.parent)


def test_many_findings_of_one_kind_are_one_with_a_count(archive):
    folder = archive.path("PSPI", SUBJECT, SEQUENCE, 1).parent
    for number in range(200):
        (folder / f"frame_{number:03d}.txt").write_text("0")
    for number in range(100):
        (folder.parent.parent / OTHER / OTHER_SEQUENCE / f"note_{number:03d}.txt").write_text("0")
    (finding,) = read(archive).findings.query("kind == 'unexpected'").to_dict("records")
    assert finding["message"].endswith("(the first of 300 alike in 2 sequences)")
    assert finding["path"] == str(folder / "frame_000.txt")
    assert finding["subject"] is np.nan or finding["subject"] is None


@pytest.mark.parametrize(
    ("kind", "content", "told"),
    [
        ("PSPI", "   1.0000000e+0", "ends within a line"),  # reads 1, was 10
        ("landmarks", points_text(face(2))[:-2], "ends within a line"),
        ("FACS", "   4.0000000e+00   4.0000000e+00   0.0000000e+00   0.0000000e+0", "ends within a line"),
        (
            "landmarks",
            points_text(face(2)).replace("1.0200000e+02", "1.0200000e+00"),
            "line 1: a point far from",
        ),
    ],
)
def test_numbers_cut_off_are_missing_not_wrong(archive, kind, content, told):
    if kind == "FACS":
        archive.frame(SUBJECT, SEQUENCE, 1, 4, content + "0\n")
    archive.path(kind, SUBJECT, SEQUENCE, 2).write_text(content)
    cohort = read(archive)
    column = {"PSPI": "pspi", "FACS": "AU4", "landmarks": "tracked"}[kind]
    assert not cohort.frames.iloc[1][column] or np.isnan(cohort.frames.iloc[1][column])
    (finding,) = cohort.findings.query("kind == 'unreadable'").to_dict("records")
    assert told in finding["message"]
    assert finding["frame"] == 2


def test_a_sequence_label_cut_off_is_missing(archive):
    archive.label("VAS", SUBJECT, SEQUENCE, 10).write_text("   1.0000000")
    cohort = read(archive)
    assert np.isnan(cohort.sequences["vas"].iloc[0])
    assert kinds(cohort) == ["unreadable"]


@pytest.mark.parametrize("kind", ["PSPI", "FACS", "landmarks", "images"])
@pytest.mark.parametrize("what", ["pipe", "device", "loop"])
def test_what_is_no_file_is_missing_and_told(archive, kind, what, noise):
    for frame in range(1, 5):
        archive.image(SUBJECT, SEQUENCE, frame, noise(frame))
    path = archive.path(kind, SUBJECT, SEQUENCE, 1)
    path.unlink()
    if what == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero" if what == "device" else path)
    cohort = read(archive)
    row = cohort.frames.iloc[0]
    assert {
        "PSPI": np.isnan(row["pspi"]),
        "FACS": np.isnan(row["AU4"]),  # a size of 0 does not mean "no unit" here
        "landmarks": not row["tracked"],
        "images": True,
    }[kind]
    assert cohort.frames.iloc[1:]["tracked"].all()
    assert kinds(cohort) == ["unreadable"]


def test_links_in_a_circle_and_names_in_another_encoding_stop_nothing(archive):
    plain = read(archive)
    folder = archive.path("PSPI", SUBJECT, SEQUENCE, 1).parent
    (folder / "again").symlink_to(archive.root / "Frame_Labels" / "PSPI")
    (folder.parent / "self").symlink_to("self")
    (archive.root / "AAM_landmarks" / os.fsdecode(b"caf\xe9")).mkdir()
    (folder / os.fsdecode(b"\xff.txt")).write_text("0")
    for cache in (False, True, True):
        cohort = load("unbc", archive.root, cache=cache, progress=False)
        assert cohort.fingerprint == plain.fingerprint
        assert kinds(cohort) == ["unexpected"] * 4
    "".join(cohort.findings["path"].dropna()).encode()  # no lone surrogates


@pytest.mark.parametrize("case", ["unbc_facs_only", "unbc_jpg", "unbc_lowercase", "unbc_nested"])
def test_copies_that_people_have(shared, case):
    cohort = load("unbc", shared / "cases" / case, cache=False, progress=False)
    assert cohort.frames["pspi"].tolist() == [2, 2, 1, 1, 1]
    assert cohort.frames["image"].notna().all() == (case != "unbc_facs_only")
    assert set(cohort.findings["kind"]) == ({"missing", "computed"} if case == "unbc_facs_only" else set())

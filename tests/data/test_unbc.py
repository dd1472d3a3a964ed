"""The archive's layout, whole and damaged."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import cv2
import numpy as np
import pytest
from archive_files import OTHER, OTHER_SEQUENCE, SEQUENCE, SUBJECT, face, points_text

from painkit.data import load
from painkit.errors import PainkitError
from painkit.simulation.marker import marker_text


def read(archive, **options):
    return load("unbc", archive.root, cache=False, progress=False, **options)


def kinds(cohort, *, ignore=("missing",)):
    found = cohort.findings
    return sorted(found[~found["kind"].isin(ignore)]["kind"])


def test_whole_copy(archive):
    cohort = read(archive)
    assert list(cohort.subjects["subject"]) == [SUBJECT, OTHER]
    frames = cohort.frames
    assert list(frames["sequence"]) == [SEQUENCE] * 4 + [OTHER_SEQUENCE] * 3
    assert list(frames["frame"]) == [1, 2, 3, 4, 1, 2, 3]
    assert list(frames["pspi"]) == [0, 10, 0, 0, 0, 0, 0]
    apex = frames.iloc[1]
    units = {4: 4, 6: 1, 7: 2, 9: 3, 10: 1, 43: 1, 12: 2, 15: 0, 50: 0}
    assert {au: apex[f"AU{au}"] for au in units} == units  # AU43: a row means 1; code 0 is no unit
    assert frames.iloc[0].filter(regex=r"^AU\d+$").eq(0).all()  # an empty file is "coded, no unit"
    assert "AU0" not in frames
    for row, frame in enumerate(frames["frame"]):
        np.testing.assert_allclose(cohort.landmarks[row], face(frame), rtol=1e-6)
    assert cohort.landmarks.dtype == np.float32
    assert frames["tracked"].all()
    first = cohort.sequences.iloc[0]
    assert first[["n_frames", "vas", "opi", "aff", "sen"]].tolist() == [4, 7, 3, 12, 11]
    assert first[["test", "movement", "side"]].tolist() == [1, "abduction", "affected"]
    assert cohort.sequences.iloc[1][["test", "movement", "side"]].tolist() == [
        2,
        "internal rotation",
        "unaffected",
    ]
    assert not cohort.simulated
    # The copy has no images, and says so; nothing else is amiss.
    assert list(cohort.findings["message"]) == ["this copy has no folder of images"]


def test_doubled_folders_and_litter_change_nothing(archive):
    plain = read(archive)
    for name in ("Frame_Labels", "AAM_landmarks", "Sequence_Labels"):
        (archive.root / "inner").mkdir()
        (archive.root / name).rename(archive.root / "inner" / name)
        (archive.root / "inner").rename(archive.root / name)
    pspi = archive.root / "Frame_Labels" / "Frame_Labels" / "PSPI"
    (pspi / ".DS_Store").write_bytes(b"\x00\x01")
    (pspi / SUBJECT / SEQUENCE / f"._{SEQUENCE}001_facs.txt").write_bytes(b"\x00\x05\x16\x07")
    (archive.root / "__MACOSX" / "Frame_Labels").mkdir(parents=True)
    (pspi / "__MACOSX" / SEQUENCE).mkdir(parents=True)
    (pspi / "__MACOSX" / SEQUENCE / "x.txt").write_text("1")
    doubled = read(archive)
    assert doubled.fingerprint == plain.fingerprint
    assert list(doubled.findings["message"]) == list(plain.findings["message"])


@pytest.mark.parametrize("level", ["subject", "sequence"])
def test_folders_doubled_further_down_change_nothing(archive, level):
    plain = read(archive)
    for folder in ("Frame_Labels/PSPI", "Frame_Labels/FACS", "AAM_landmarks"):
        doubled = archive.root / folder / SUBJECT
        if level == "sequence":
            doubled = doubled / SEQUENCE
        doubled.rename(archive.root / "inner")
        doubled.mkdir()
        (archive.root / "inner").rename(doubled / doubled.name)
    labels = archive.root / "Sequence_Labels" / "VAS" / SUBJECT
    labels.rename(archive.root / "inner")
    labels.mkdir()
    (archive.root / "inner").rename(labels / SUBJECT)
    doubled = read(archive)
    assert doubled.fingerprint == plain.fingerprint
    assert list(doubled.findings["message"]) == list(plain.findings["message"])


def test_whatever_is_left_out_is_told(archive):
    plain = read(archive)
    pspi, vas = archive.root / "Frame_Labels" / "PSPI", archive.root / "Sequence_Labels" / "VAS"
    deep = pspi / "group" / SUBJECT / SEQUENCE / f"{SEQUENCE}001_facs.txt"
    second = pspi / SUBJECT / SUBJECT / SEQUENCE / f"{SEQUENCE}001_facs.txt"
    stray = archive.root / "AAM_landmarks" / "readme.txt"
    nobody = archive.label("VAS", SUBJECT, "ll042t1aaunaff", 3)
    low = vas / "group" / SUBJECT / f"{SEQUENCE}.txt"
    for path in (deep, second, stray, low):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("1")
    cohort = read(archive)
    assert cohort.fingerprint == plain.fingerprint
    found = cohort.findings[cohort.findings["kind"] == "unexpected"].set_index("path")["message"]
    assert found.to_dict() == {
        str(deep.parent): "1 file was left out: the place is not SUBJECT/SEQUENCE",
        str(second.parent): f"1 file was left out: those in {SUBJECT}/{SEQUENCE} were read",
        str(stray.parent): "1 file was left out: the place is not SUBJECT/SEQUENCE",
        str(low.parent): "1 file was left out: the place is not SUBJECT",
        str(nobody): "the file was left out: no sequence with frames is called so (VAS)",
    }


def test_copy_with_frame_labels_only(archive):
    shutil.rmtree(archive.root / "AAM_landmarks")
    shutil.rmtree(archive.root / "Sequence_Labels")
    cohort = read(archive)
    assert cohort.sequences[["vas", "opi", "aff", "sen"]].isna().all(axis=None)
    assert not cohort.frames["tracked"].any()
    assert np.isnan(cohort.landmarks).all()
    assert list(cohort.frames["pspi"]) == [0, 10, 0, 0, 0, 0, 0]
    absent = {message.rsplit(" ", 1)[1] for message in cohort.findings["message"]}
    assert absent == {"landmarks", "images", "VAS", "OPR", "AFF", "SEN"}


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (points_text(face())[:-40], "line 65"),
        (points_text(face()[:65]), "holds 65 points"),
        (points_text(np.vstack([face(), face()])), "holds 132 points"),
        (points_text(face() / 1000), "wrong scale"),
        (points_text(face()).replace("1.0150000e+02", "nan"), "line 2: 'nan'"),
        (points_text(face()).replace("1.0150000e+02", "1e99"), "line 2: a point far outside"),
        (" ".join(points_text(face()).split()), "132 numbers in the line"),
        ("1 2 3\n4\n" + points_text(face()[2:]), "line 1: 3 numbers"),
        ("\x00\xff\x10binary", "line 1: holds byte"),
        ("", "holds 0 points"),
    ],
)
def test_damaged_landmarks_are_masked_and_told(archive, content, told):
    path = archive.path("landmarks", SUBJECT, SEQUENCE, 3)
    path.write_bytes(content.encode("latin-1"))
    cohort = read(archive)
    assert list(cohort.frames["tracked"]) == [True, True, False, True, True, True, True]
    assert np.isnan(cohort.landmarks[2]).all()
    np.testing.assert_allclose(cohort.landmarks[3], face(4), rtol=1e-6)
    finding = cohort.findings[cohort.findings["kind"] == "unreadable"]
    assert len(finding) == 1
    assert finding.iloc[0][["subject", "sequence", "frame", "path"]].tolist() == [
        SUBJECT,
        SEQUENCE,
        3,
        str(path),
    ]
    assert told in finding.iloc[0]["message"]


@pytest.mark.parametrize("content", ["17", "-1", "nan", "", "1 2", "two", "1_0", "\x00", "9" * 400])
def test_damaged_pspi_is_missing_not_zero(archive, content):
    archive.path("PSPI", SUBJECT, SEQUENCE, 1).write_text(content)
    cohort = read(archive)
    assert np.isnan(cohort.frames["pspi"].iloc[0])
    assert list(cohort.frames["pspi"].iloc[1:]) == [10, 0, 0, 0, 0, 0]
    assert kinds(cohort) == ["unreadable"]


@pytest.mark.parametrize(
    "content", ["4 6 0 0", "4 0.5 0 0", "4 2", "4.5 2 0 0", "200 2 0 0", "4 nan 0 0", "AU4"]
)
def test_damaged_facs_leaves_units_missing(archive, content):
    archive.path("FACS", SUBJECT, SEQUENCE, 2).write_text(content)
    cohort = read(archive)
    units = cohort.frames.filter(regex=r"^AU\d+$")
    assert units.iloc[1].isna().all()
    assert units.drop(index=1).eq(0).all(axis=None)
    assert cohort.frames["pspi"].iloc[1] == 10
    assert kinds(cohort) == ["unreadable"]


def test_missing_files_are_counted_not_filled(archive):
    archive.path("landmarks", SUBJECT, SEQUENCE, 2).unlink()
    archive.path("PSPI", OTHER, OTHER_SEQUENCE, 3).unlink()
    archive.path("FACS", SUBJECT, SEQUENCE, 4).unlink()
    (archive.root / "Sequence_Labels" / "VAS" / OTHER / f"{OTHER_SEQUENCE}.txt").unlink()
    cohort = read(archive)
    assert len(cohort.frames) == 7
    assert not cohort.frames["tracked"].iloc[1]
    assert np.isnan(cohort.frames["pspi"].iloc[6])
    assert np.isnan(cohort.frames["AU4"].iloc[3])
    assert np.isnan(cohort.sequences["vas"].iloc[1])
    named = cohort.findings.dropna(subset=["sequence"])
    assert set(named["kind"]) == {"missing"}
    assert sorted(named["frame"].fillna(0)) == [0, 2, 3, 4]
    assert all(path.endswith(".txt") for path in named["path"])


def test_gap_and_stray_names_are_told(archive):
    for kind in ("PSPI", "FACS", "landmarks"):
        archive.path(kind, SUBJECT, SEQUENCE, 3).unlink()
    folder = archive.path("PSPI", SUBJECT, SEQUENCE, 1).parent
    (folder / "readme.txt").write_text("hello")
    (folder / f"{SEQUENCE}1_facs.txt").write_text("0")
    cohort = read(archive)
    assert list(cohort.frames["frame"]) == [1, 2, 4, 1, 2, 3]
    assert kinds(cohort) == ["duplicate", "unexpected"]
    assert "1 of the frame numbers up to 4 occur nowhere" in list(cohort.findings["message"])


def test_pspi_that_disagrees_with_the_units(archive):
    archive.path("PSPI", SUBJECT, SEQUENCE, 2).write_text("9\n")
    archive.path("PSPI", OTHER, OTHER_SEQUENCE, 1).write_text("1\n")
    cohort = read(archive)
    wrong = cohort.findings[cohort.findings["kind"] == "pspi_mismatch"]
    assert wrong["frame"].tolist() == [2, 1]
    assert "stored as 9; the action units give 10" in wrong["message"].iloc[0]


@pytest.mark.parametrize(("kind", "value"), [("VAS", 11), ("OPR", 6), ("AFF", 16), ("SEN", -1)])
def test_sequence_label_off_its_scale(archive, kind, value):
    archive.label(kind, SUBJECT, SEQUENCE, value)
    cohort = read(archive)
    column = {"VAS": "vas", "OPR": "opi", "AFF": "aff", "SEN": "sen"}[kind]
    assert np.isnan(cohort.sequences[column].iloc[0])
    assert cohort.sequences[column].notna().iloc[1]
    assert kinds(cohort) == ["unreadable"]


def test_black_frames_by_content(archive, noise):
    for frame in range(1, 5):
        archive.image(SUBJECT, SEQUENCE, frame, noise(frame) if frame != 3 else noise(0) // 30)
    archive.image(OTHER, OTHER_SEQUENCE, 1, np.zeros((48, 64, 3), np.uint8))
    cohort = read(archive)
    assert list(cohort.frames["black"]) == [False, False, True, False, True, False, False]
    assert list(cohort.frames["tracked"]) == [True, True, False, True, False, True, True]
    assert np.isnan(cohort.landmarks[[2, 4]]).all()
    assert cohort.frames["pspi"].notna().all()  # the label stays
    assert kinds(cohort) == ["black", "black"]
    assert "2 of 3 frames have no file of images" in list(cohort.findings["message"])


def test_black_among_uncompressed_images(archive, noise):
    import cv2

    for frame in range(1, 5):
        pixels = noise(frame) if frame < 4 else np.zeros((48, 64, 3), np.uint8)
        path = archive.image(SUBJECT, SEQUENCE, frame, pixels)
        path.write_bytes(cv2.imencode(".png", pixels, [cv2.IMWRITE_PNG_COMPRESSION, 0])[1].tobytes())
    assert list(read(archive).frames["black"].iloc[:4]) == [False, False, False, True]


def test_images_open_by_row(archive, noise):
    archive.image(SUBJECT, SEQUENCE, 2, noise(5))
    broken = archive.image(OTHER, OTHER_SEQUENCE, 1, noise(6))
    broken.write_bytes(b"")
    cohort = read(archive)
    np.testing.assert_array_equal(cohort.image(1), noise(5))
    assert kinds(cohort) == ["unreadable"]
    with pytest.raises(PainkitError, match="no whole image"):
        cohort.image(4)
    with pytest.raises(PainkitError, match=r"frame 1 .* has no image"):
        cohort.image(0)
    with pytest.raises(PainkitError, match="there is no frame 7"):
        cohort.image(7)


def test_known_black_frames_without_images(archive):
    subject, sequence = "095-tv095", "tv095t2aeunaff"
    for frame in range(1, 300):
        archive.frame(subject, sequence, frame)
    cohort = read(archive).select(subjects=[subject])
    assert np.flatnonzero(cohort.frames["black"]).tolist() == list(range(7))
    for kind in ("PSPI", "FACS", "landmarks"):  # a copy without the seven: its first frames are faces
        for frame in range(293, 300):
            archive.path(kind, subject, sequence, frame).unlink()
    assert not read(archive).frames["black"].any()


def test_simulated_tree_says_so(archive):
    with pytest.raises(PainkitError, match=r"has no simulation\.json"):
        load("simulated", archive.root)
    (archive.root / "simulation.json").write_text(marker_text({"profile": "smoke", "seed": 3, "version": 1}))
    cohort = load("simulated", archive.root, progress=False)
    assert (cohort.name, cohort.simulated) == ("simulated", True)
    assert "SIMULATED" in str(cohort.summary())
    assert "profile smoke, seed 3" in str(cohort.summary())


def test_structural_errors(archive, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    for root, told in (
        (tmp_path / "nowhere", "does not exist"),
        (empty, "the folder is empty"),
        (tmp_path, "is not a copy of UNBC-McMaster"),
        (archive.path("PSPI", SUBJECT, SEQUENCE, 1), "is a file"),
        (None, "no folder was given"),
        ("\0", "could not be opened|does not exist"),
    ):
        with pytest.raises(PainkitError, match=told):
            load("unbc", root)
    shutil.rmtree(archive.root / "Frame_Labels")
    shutil.rmtree(archive.root / "AAM_landmarks")
    (archive.root / "Images").mkdir()
    with pytest.raises(PainkitError, match="no sequence was found"):
        read(archive)


def test_a_kind_damaged_throughout_is_an_error(archive):
    for path in (archive.root / "AAM_landmarks").rglob("*.txt"):
        path.write_text("0.5 0.5\n" * 66)
    with pytest.raises(PainkitError, match="wrong scale; nor could any other file of landmarks"):
        read(archive)


def test_unreadable_file_is_a_finding(archive):
    path = archive.path("landmarks", SUBJECT, SEQUENCE, 1)
    path.unlink()
    path.symlink_to(archive.root / "gone")
    big = archive.path("PSPI", OTHER, OTHER_SEQUENCE, 1)
    with open(big, "wb") as file:
        os.truncate(file.fileno(), 2 << 20)
    cohort = read(archive)
    assert kinds(cohort) == ["unreadable", "unreadable"]
    assert np.isnan(cohort.landmarks[0]).all()
    assert np.isnan(cohort.frames["pspi"].iloc[4])


def test_unknown_reader_and_option(archive):
    with pytest.raises(PainkitError, match="no reader 'ubnc'; did you mean 'unbc'"):
        load("ubnc", archive.root)
    with pytest.raises(PainkitError, match="has no option 'landmark'"):
        load("unbc", archive.root, landmark=True)


_READ_BOTH_WAYS = """
import sys, warnings
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
import pandas as pd
from painkit.data import unbc

pools = []

class Pool(ProcessPoolExecutor):
    def __init__(self, *args, **options):
        pools.append(args)
        super().__init__(*args, **options)

unbc.ProcessPoolExecutor = Pool
unbc._MANY = 1  # the smallest copy shared out
warnings.simplefilter("error")
copy = Path(sys.argv[1])
alone, shared_out = (unbc.read_unbc(copy, cache=False, progress=False, jobs=jobs) for jobs in (1, 2))
assert pools == [(2,)], pools
assert alone.fingerprint == shared_out.fingerprint
pd.testing.assert_frame_equal(alone.frames, shared_out.frames)
pd.testing.assert_frame_equal(alone.findings, shared_out.findings)
print(*alone.frames["image"][alone.frames["black"]], sep="\\n")
"""


def test_threads_and_processes_read_what_one_of_each_reads(smoke, tmp_path):
    """Files by processes, images that may be black by threads; no warning of forking either.

    In a program of its own: one that has threads, as that of parallel tests, is not forked.
    """
    copy = shutil.copytree(smoke, tmp_path / "copy")
    black = sorted((copy / "Images").rglob("*.png"))[::40]
    for path in black:
        path.write_bytes(cv2.imencode(".png", np.zeros((240, 320, 3), np.uint8))[1].tobytes())
    done = subprocess.run(
        [sys.executable, "-c", _READ_BOTH_WAYS, str(copy)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert set(black) <= {copy / line for line in done.stdout.splitlines()}

"""Tables of OpenFace and py-feat about several people, recordings or images."""

from __future__ import annotations

import pytest
from feature_tables import OPENFACE, PYFEAT, openface, table

from painkit.data import load
from painkit.errors import PainkitError


def sequences(cohort):
    """(subject, sequence) to frames and AU4."""
    return {
        key: (part["frame"].tolist(), part["AU4"].tolist())
        for key, part in cohort.frames.groupby(["subject", "sequence"])
    }


def interleaved(*parts):
    return [row for together in zip(*parts, strict=True) for row in together]


def test_two_faces_of_openface_are_two_sequences_of_one_subject(tmp_path):
    path = tmp_path / "interview.csv"
    path.write_text(
        table(OPENFACE, interleaved(openface([1, 2, 3], au4=4), openface([1, 2, 3], face=1, au4=1)))
    )
    cohort = load("openface", path)
    assert sequences(cohort) == {
        ("interview", "interview/face_0"): ([1, 2, 3], [4, 4, 4]),
        ("interview", "interview/face_1"): ([1, 2, 3], [1, 1, 1]),
    }
    assert cohort.frames["pspi"].tolist() == [4] * 3 + [1] * 3
    assert not len(cohort.findings)
    assert any("only you know" in note for note in cohort.notes)


def test_two_identities_of_pyfeat_whichever_is_surer(tmp_path):
    rows = [
        (n, 0.9 + 0.01 * ((n + who) % 2), level, 0, "talk.mp4", f"Person_{who}")
        for n in range(4)
        for who, level in enumerate((0.75, 0.25))
    ]
    (tmp_path / "talk.csv").write_text(table(PYFEAT, rows, ","))
    cohort = load("pyfeat", tmp_path)
    assert sequences(cohort) == {
        ("talk", "talk/Person_0"): ([0, 1, 2, 3], [0.75] * 4),
        ("talk", "talk/Person_1"): ([0, 1, 2, 3], [0.25] * 4),
    }


def test_rows_without_an_identity_belong_to_the_one_person_or_to_nobody(tmp_path):
    path = tmp_path / "a.csv"
    rows = [(0, 0.9, 0, 0, "v", "Person_0"), (1, "", 0, 0, "v", ""), (2, 0.9, 0, 0, "v", "Person_0")]
    path.write_text(table(PYFEAT, rows, ","))
    cohort = load("pyfeat", path)
    assert cohort.frames["frame"].tolist() == [0, 1, 2]
    assert cohort.frames["tracked"].tolist() == [True, False, True]
    path.write_text(table(PYFEAT, [*rows, (3, 0.9, 0, 0, "v", "Person_1")], ","))
    cohort = load("pyfeat", path)
    assert cohort.frames["frame"].tolist() == [0, 2, 3]
    messages = cohort.findings["message"].tolist()
    assert "rows without Identity were left out: 1 of 4" in messages


def test_an_id_that_changes_without_overlap_is_told(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text(table(OPENFACE, [*openface([1, 2, 3]), *openface([4, 5], face=2)]))
    cohort = load("openface", path)
    assert cohort.sequences["n_frames"].tolist() == [3, 2]
    (finding,) = cohort.findings.to_dict("records")
    assert finding["kind"] == "identity"
    assert finding["message"].startswith("face_id 2 begins with frame 4, face_id 0 ended with frame 3: ")
    # A second person throughout does not hide that the first was lost and found again.
    rows = [*openface([1, 2, 3]), *openface([4, 5], face=2), *openface(range(1, 6), face=1)]
    path.write_text(table(OPENFACE, sorted(rows)))
    assert load("openface", path).findings["kind"].tolist() == ["identity"]


VIDEOS = [("P01_a.csv", "P01"), ("P01_b.csv", "P01"), ("P02_a.csv", "P02")]


@pytest.mark.parametrize(
    ("video", "participant", "options"),
    [
        ("video_file", "participant_id", {}),
        ("File Name", "Subject-ID", {}),
        ("Clip_of", "who", {"video": "Clip_of", "subject": "who"}),
    ],
)
def test_videos_of_one_table_are_kept_apart_by_the_column_that_names_them(
    tmp_path, video, participant, options
):
    path = tmp_path / "all.csv"
    rows = [row for k, (name, who) in enumerate(VIDEOS) for row in openface([1, 2], au4=k, v=name, p=who)]
    path.write_text(table([*OPENFACE, video, participant], rows))
    cohort = load("openface", path, **options)
    assert sequences(cohort) == {
        ("P01", "all/P01_a"): ([1, 2], [0, 0]),
        ("P01", "all/P01_b"): ([1, 2], [1, 1]),
        ("P02", "all/P02_a"): ([1, 2], [2, 2]),
    }
    assert not len(cohort.findings)


def test_videos_without_a_subject_count_as_one_and_say_so(tmp_path):
    path = tmp_path / "all.csv"
    rows = [row for name in (r"C:\a\x.mp4", r"C:\b\x.mp4") for row in openface([1, 2], v=name)]
    path.write_text(table([*OPENFACE, "video"], rows))
    cohort = load("openface", path)
    # One name in two folders: the whole path keeps them apart.
    assert cohort.sequences["sequence"].tolist() == ["all/C:/a/x.mp4", "all/C:/b/x.mp4"]
    assert cohort.subjects["subject"].tolist() == ["all"]
    assert any(note.startswith("Files that hold several recordings count as one") for note in cohort.notes)


@pytest.mark.parametrize(
    ("frames", "told"),
    [
        (
            [1, 2, 3, 1, 2, 3],
            r"line 5: frame 1 stands a second time, first in line 2 \(expected one row a frame",
        ),
        ([5, 6, 7, 1, 2, 3], r"line 5: frame 1 follows frame 7: the count starts again .*option video="),
    ],
)
def test_videos_of_one_table_without_a_column_are_refused(tmp_path, frames, told):
    path = tmp_path / "all.csv"
    path.write_text(table(OPENFACE, openface(frames)))
    with pytest.raises(PainkitError, match=told):
        load("openface", path)


@pytest.mark.parametrize("option", ["video", "subject"])
def test_a_column_that_is_asked_for_must_be_there(tmp_path, option):
    path = tmp_path / "all.csv"
    path.write_text(table(OPENFACE, openface([1])))
    with pytest.raises(PainkitError, match="line 1: has no column camera"):
        load("openface", path, **{option: "camera"})


def test_columns_that_name_the_subject_differently_are_refused(tmp_path):
    path = tmp_path / "all.csv"
    rows = [*openface([1], s="a", p="x"), *openface([2], s="a", p="y")]
    path.write_text(table([*OPENFACE, "subject", "patient"], rows))
    with pytest.raises(PainkitError, match="columns subject and patient tell people apart differently"):
        load("openface", path)
    assert load("openface", path, subject="patient").subjects["subject"].tolist() == ["x", "y"]


def fex(images, frames=None):
    """Rows of py-feat on a list of images; AU04 tells the place in the list."""
    numbers = range(len(images)) if frames is None else frames
    return [(n, 0.9, k / 100, 0, image, "") for k, (n, image) in enumerate(zip(numbers, images, strict=True))]


@pytest.mark.parametrize(
    ("images", "expected"),
    [
        (  # counted on over both folders; the names tell the frames
            ["/d/s1/s1001.png", "/d/s1/s1002.png", "/d/s2/s2001.png", "/d/s2/s2002.png"],
            {("f", "f/s1"): ([1, 2], [0, 0.01]), ("f", "f/s2"): ([1, 2], [0.02, 0.03])},
        ),
        (  # as text 10 comes before 9
            [r"C:\s1\img_10.JPG", r"C:\s1\img_9.JPG"],
            {("f", "f"): ([9, 10], [0.01, 0])},
        ),
        (["s1/happy.png", "s1/sad.png"], {("f", "f"): ([0, 1], [0, 0.01])}),  # as the tool counted
    ],
)
def test_images_of_one_folder_are_a_sequence(tmp_path, images, expected):
    path = tmp_path / "f.csv"
    path.write_text(table(PYFEAT, fex(images), ","))
    assert sequences(load("pyfeat", path)) == expected


def test_images_that_nobody_has_numbered_are_frames_in_the_order_of_their_names(tmp_path):
    path = tmp_path / "f.csv"
    path.write_text(table(PYFEAT, fex(["s/sad.png", "s/happy.png"], frames=[0, 0]), ","))
    assert sequences(load("pyfeat", path)) == {("f", "f"): ([0, 1], [0.01, 0])}


def test_images_of_several_sequences_in_one_folder_are_refused(tmp_path):
    path = tmp_path / "f.csv"
    path.write_text(table(PYFEAT, fex(["all/p1_001.png", "all/p1_002.png", "all/p2_001.png"]), ","))
    with pytest.raises(PainkitError, match="line 4: frame 1 stands a second time, first in line 2"):
        load("pyfeat", path)


IMAGE = ["face", "confidence", "AU04_r", "AU06_r", "AU07_r", "AU09_r", "AU10_r", "AU45_c"]


def test_face_landmark_img_writes_a_file_an_image_and_a_folder_is_a_sequence(tmp_path):
    for name, faces in {
        "p1/s1/s1_010": [(0, 0.9, 3, 0, 0, 0, 0, 1)],
        "p1/s1/s1_009": [(0, 0.9, 1, 0, 0, 0, 0, 0)],
        "p1/s1/s1_011": [],  # no face in the image
        "p1/s1/s1_012": [(0, 0.9, 5, 0, 0, 0, 0, 0), (1, 0.9, 0, 0, 0, 0, 0, 0)],
        "p2/x": [(0, 0.9, 2, 0, 0, 0, 0, 0)],
        "p2/y": [(0, 0.3, 2, 0, 0, 0, 0, 0)],
    }.items():
        path = tmp_path / f"{name}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(table(IMAGE, faces))
    cohort = load("openface", tmp_path, min_confidence=0.5)
    frames = cohort.frames
    assert frames[["subject", "sequence", "frame"]].to_numpy().tolist() == [
        *(["p1", "s1", n] for n in (9, 10, 11, 12)),
        ["p2", "p2", 0],
        ["p2", "p2", 1],
    ]
    assert frames["tracked"].tolist() == [True, True, False, False, True, False]
    assert frames["pspi"].fillna(-1).tolist() == [1, 4, -1, -1, 2, -1]
    told = cohort.findings["message"].tolist()
    assert "the image shows 2 faces, nothing tells whose they are: it is not tracked" in told


def test_a_damaged_image_table_is_left_out_and_told_with_its_own_name(tmp_path):
    for name, level in (("1", 1), ("2", 7), ("3", 3)):
        (tmp_path / f"{name}.csv").write_text(table(IMAGE, [(0, 0.9, level, 0, 0, 0, 0, 0)]))
    cohort = load("openface", tmp_path)
    assert cohort.frames["frame"].tolist() == [1, 3]
    (finding,) = cohort.findings.to_dict("records")
    assert finding["path"] == str(tmp_path / "2.csv")
    assert "line 2: AU04_r is '7'" in finding["message"]


def test_landmarks_of_an_image_that_no_face_has_are_told_with_its_name(tmp_path):
    for name, value in (("1", "150"), ("2", "-986")):
        text = table(IMAGE, [(0, 0.9, 1, 0, 0, 0, 0, 0)]).replace(" 150,", f" {value},", 1)
        (tmp_path / f"{name}.csv").write_text(text)
    cohort = load("openface", tmp_path)
    assert cohort.frames["tracked"].tolist() == [True, False]
    finding = cohort.findings.iloc[0]
    assert finding["path"] == str(tmp_path / "2.csv")
    assert finding["message"] == "line 2: a landmark far from all others; the landmarks are masked"


def test_an_image_table_of_another_scheme_costs_none_of_the_others(tmp_path):
    for name, points in (("1", 68), ("2", 68), ("3", 98)):
        (tmp_path / f"{name}.csv").write_text(table(IMAGE, [(0, 0.9, 1, 0, 0, 0, 0, 0)], points=points))
    cohort = load("openface", tmp_path)
    assert cohort.frames["frame"].tolist() == [1, 2]
    (finding,) = cohort.findings.to_dict("records")
    assert finding["path"] == str(tmp_path / "3.csv")
    assert "line 1: has 98 landmarks" in finding["message"]


def test_image_tables_of_one_number_are_refused(tmp_path):
    for name in ("p1_1", "p2_1"):
        (tmp_path / f"{name}.csv").write_text(table(IMAGE, [(0, 0.9, 1, 0, 0, 0, 0, 0)]))
    with pytest.raises(PainkitError, match=r"p1_1\.csv and p2_1\.csv are both frame 1 .*a folder for each"):
        load("openface", tmp_path)


@pytest.mark.parametrize(
    ("case", "tool", "expected"),
    [
        ("openface_two_people", "openface", {"interview/face_0": [9] * 8, "interview/face_1": [0] * 8}),
        (
            "openface_merged_videos",
            "openface",
            {"all_clips/P01_a": [8] * 5, "all_clips/P01_b": [6] * 5, "all_clips/P02_a": [0] * 5},
        ),
        ("openface_FaceLandmarkImg", "openface", {"p01": [1.5, 1.5]}),
    ],
)
def test_shapes_that_people_have(shared, case, tool, expected):
    cohort = load(tool, shared / "cases" / case)
    assert cohort.frames.groupby("sequence")["pspi"].apply(list).to_dict() == expected
    assert cohort.frames["tracked"].all()


def test_shapes_that_people_have_of_pyfeat(shared):
    cohort = load("pyfeat", shared / "cases/pyfeat_two_identities")
    levels = cohort.frames.groupby("sequence")["AU4"].apply(list).to_dict()
    assert levels == {"talk/Person_0": [0.9] * 8, "talk/Person_1": [0.05] * 8}
    cohort = load("pyfeat", shared / "cases/pyfeat_image_list")
    assert cohort.sequences[["sequence", "n_frames"]].to_numpy().tolist() == [
        ["p01/s1t1", 5],
        ["p01/s1t2", 5],
    ]

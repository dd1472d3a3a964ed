"""OpenFace and py-feat files, real and hand-made."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from feature_tables import OPENFACE, PYFEAT, one_face, openface, table
from hypothesis import given, settings
from hypothesis import strategies as st

from painkit.data import load
from painkit.errors import PainkitError

KEPT = [k for k in range(68) if k not in (60, 64)]


def raw(path):
    with open(path, newline="") as file:
        rows = list(csv.reader(file, skipinitialspace=True))
    return [name.strip() for name in rows[0]], rows[1:]


def test_real_openface_file(shared):
    path = shared / "real/openface/OpenFace_Test.csv"
    cohort = load("openface", path)
    header, rows = raw(path)
    assert len(cohort.frames) == len(rows) == 100
    column = {name: k for k, name in enumerate(header)}
    for i in (0, 57, 99):
        xy = [[float(rows[i][column[f"{axis}_{k}"]]) for axis in "xy"] for k in KEPT]
        np.testing.assert_array_equal(cohort.landmarks[i], np.array(xy, np.float32))
        au = {n: float(rows[i][column[f"AU{n:02d}_r"]]) for n in (4, 6, 7, 9, 10)}
        pspi = au[4] + max(au[6], au[7]) + max(au[9], au[10]) + float(rows[i][column["AU45_c"]])
        assert cohort.frames["pspi"].iloc[i] == pytest.approx(pspi)
        assert cohort.frames["AU12"].iloc[i] == float(rows[i][column["AU12_r"]])
    assert cohort.frames["frame"].tolist() == list(range(1, 101))
    assert any("proxy" in note and "AU45" in note for note in cohort.notes)
    assert "proxy" in str(cohort.summary())


def test_real_pyfeat_file(shared):
    path = shared / "real/openface/Feat_Test.csv"
    cohort = load("pyfeat", path)
    header, (row,) = raw(path)
    column = {name: k for k, name in enumerate(header)}
    xy = [[float(row[column[f"{axis}_{k}"]]) for axis in "xy"] for k in KEPT]
    np.testing.assert_array_equal(cohort.landmarks[0], np.array(xy, np.float32))
    assert cohort.frames["AU43"].iloc[0] == float(row[column["AU43"]])
    assert cohort.frames["frame"].tolist() == [0]
    assert np.isnan(cohort.frames["pspi"].iloc[0])
    assert any("PSPI is missing" in note for note in cohort.notes)


@pytest.mark.parametrize(
    ("file", "own", "told"), [("Feat", "pyfeat", "py-feat"), ("OpenFace", "openface", "OpenFace")]
)
def test_each_is_refused_by_the_other_reader(shared, file, own, told):
    (other,) = {"openface", "pyfeat"} - {own}
    message = rf'{file}_Test\.csv, line 1: this is a table of {told} \(expected .*; "{own}" reads this one'
    with pytest.raises(PainkitError, match=message):
        load(other, shared / f"real/openface/{file}_Test.csv")


@pytest.mark.parametrize("separator", [",", ", "])
def test_failed_frames_are_masked_and_counted(tmp_path, separator):
    rows = [
        (1, 0, 0.00, 0.98, 1, 1, 2, 3, 0, 1, 2),
        (2, 0, 0.04, 0.20, 0, 5, 5, 5, 5, 5, 5),
        (3, 0, 0.08, 0.98, 1, 1, "-nan(ind)", 0, 0, 1, 0.5),
        (4, 0, 0.12, 0.50, 1, 0, 0, 0, 0, 0, 0),
    ]
    (tmp_path / "p1").mkdir()
    (tmp_path / "p1" / "walk.csv").write_text(table(OPENFACE, rows, separator))
    cohort = load("openface", tmp_path, min_confidence=0.4)
    frames = cohort.frames
    assert cohort.sequences[["subject", "sequence", "n_frames"]].iloc[0].tolist() == ["p1", "walk", 4]
    assert frames["tracked"].tolist() == [True, False, True, True]
    assert np.isnan(cohort.landmarks[1]).all()
    assert frames.iloc[1].filter(regex="^AU").isna().all()
    # Without AU45_c the proxy is AU45_r of at least 1: 1 + max(2, 3) + max(0, 1) + 1.
    assert frames["pspi"].iloc[0] == 6
    assert frames["pspi"].iloc[[1, 2]].isna().all()
    assert cohort.findings["message"].tolist() == [
        "tracking failed in 1 of 4 frames; their landmarks are masked"
    ]


def test_a_unit_off_its_scale_is_told_with_its_line(tmp_path):
    path = tmp_path / "strong.csv"
    path.write_text(table(OPENFACE, [(1, 0, 0, 0.9, 0, 7, *[0] * 5), (2, 0, 0, 0.9, 1, 5.5, *[0] * 5)]))
    with pytest.raises(PainkitError, match=r"strong\.csv, line 3: AU04_r is '5\.5' \(expected .* 0 to 5\)"):
        load("openface", path)


@pytest.mark.parametrize("tool", ["openface", "pyfeat"])
def test_folders_of_one_name_are_not_one_subject(tmp_path, tool):
    for name in ("p1/s1/a", "p2/s1/b", "p3/c", "d"):
        path = tmp_path / f"{name}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(table(*one_face(tool, [1])))
    cohort = load(tool, tmp_path)
    assert cohort.subjects["subject"].tolist() == ["d", "p1/s1", "p2/s1", "p3"]
    assert any("2 subjects are folders in folders, such as 'p1/s1'" in note for note in cohort.notes)
    assert not any("folders in folders" in note for note in load(tool, tmp_path / "p3").notes)


@pytest.mark.parametrize("tool", ["openface", "pyfeat"])
def test_a_file_about_two_people_is_about_two_people(tmp_path, tool):
    """Both have frames 1 and 2; none is a further face of the other's."""
    columns, (one, two) = one_face(tool, [1, 2])
    columns = ["subject", *columns]
    rows = [(name, *row) for row in (one, two) for name in ("p2", "p1")]
    path = tmp_path / "study.csv"
    path.write_text(table(columns, rows))
    cohort = load(tool, path)
    assert cohort.frames[["subject", "sequence", "frame"]].to_numpy().tolist() == [
        ["p1", "study", 1],
        ["p1", "study", 2],
        ["p2", "study", 1],
        ["p2", "study", 2],
    ]
    assert not len(cohort.findings)
    path.write_text(table(columns, [*rows, rows[0]]))  # another face beside p2, or a mistake
    with pytest.raises(PainkitError, match=r"line 6: frame 1 stands a second time, first in line 2"):
        load(tool, path)
    path.write_text(table(columns, [rows[0], ("", *rows[1][1:])]))
    with pytest.raises(PainkitError, match=r"study\.csv, line 3: subject is empty"):
        load(tool, path)


def test_pyfeat_inputs_failures_and_missing_unit(tmp_path):
    rows = [(0, 0.99, 0.5, r"C:\v\a.mp4"), (1, "", 0.7, r"C:\v\a.mp4"), (0, 0.9, 0.1, "/v/b.png")]
    (tmp_path / "fex.csv").write_text(table(["frame", "FaceScore", "AU04", "input"], rows, ","))
    cohort = load("pyfeat", tmp_path)
    assert cohort.sequences["sequence"].tolist() == ["fex/a", "fex/v"]
    assert cohort.frames["tracked"].tolist() == [True, False, True]
    assert cohort.frames["AU4"].fillna(-1).tolist() == [0.5, -1, 0.1]
    assert cohort.frames["AU43"].isna().all()
    assert any(note.startswith("AU43 (eyes closed) is missing") for note in cohort.notes)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "is empty"),
        ("frame,success\n1,1\n", r"line 1: has no column x_0"),
        (table(OPENFACE, []), "has no row"),
        (table(OPENFACE, [("x", 0, 0, 1, 1, *[0] * 6)]), "line 2: frame is 'x'"),
        (table(OPENFACE, [(1.5, 0, 0, 1, 1, *[0] * 6)]), "line 2: frame is '1.5'"),
        (
            table(OPENFACE, [(1, 0, 0, 1, 1, *[0] * 6), (2, 0, 0, 1, 1, "huh", *[0] * 5)]),
            "line 3: AU04_r is 'huh'",
        ),
        (
            table(OPENFACE, [(1, 0, 0, 1, 1, *[0] * 6)])[:-300],
            r"line 2: 88 cells in the row \(expected 147 as in the header",
        ),
        ("\x00\xff\xfe", "line 1: is not UTF-8 text"),
    ],
)
def test_damaged_tables(tmp_path, content, told):
    path = tmp_path / "bad.csv"
    path.write_bytes(content.encode("latin-1"))
    with pytest.raises(PainkitError, match=told):
        load("openface", path)


@pytest.mark.parametrize(("points", "scheme"), [(98, "WFLW"), (478, "MediaPipe"), (66, "")])
@pytest.mark.parametrize("tool", ["openface", "pyfeat"])
def test_landmarks_of_another_scheme_are_refused_by_name(tmp_path, tool, points, scheme):
    path = tmp_path / "a.csv"
    columns, rows = {
        "openface": (OPENFACE, openface([1])),
        "pyfeat": (PYFEAT, [(0, 0.9, 0, 0, "v", "")]),
    }[tool]
    path.write_text(table(columns, rows, points=points))
    with pytest.raises(PainkitError, match=rf"line 1: has {points} landmarks a face.*{scheme}.*68 landmarks"):
        load(tool, path)


def test_landmarks_from_0_to_1_are_refused_as_those_of_the_archive_are(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text(table(OPENFACE, openface([1, 2]), scale=1 / 300))
    with pytest.raises(PainkitError, match="line 2: chin and nose root are less than 2 pixels apart"):
        load("openface", path)


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("-986", "a landmark far from all others"),
        ("10000", "a landmark far outside any image"),
        ("1e8", "a landmark far outside any image"),
        ("inf", "a landmark far outside any image"),
        ("1e999", "a landmark far outside any image"),
        ("1.50", "a landmark far from all others"),
    ],
)
def test_landmarks_that_no_face_has_are_masked_and_told_with_their_line(tmp_path, value, told):
    path = tmp_path / "a.csv"
    text = table(OPENFACE, openface([1, 2, 3]), ",").splitlines(keepends=True)
    text[2] = text[2].replace(",150,", f",{value},", 1)
    path.write_text("".join(text))
    cohort = load("openface", path)
    assert cohort.frames["tracked"].tolist() == [True, False, True]
    assert cohort.frames["pspi"].tolist() == [0, 0, 0]
    assert cohort.findings["message"].iloc[0] == f"line 3: {told}; the landmarks are masked"
    # What is not tracked may hold anything.
    path.write_text("".join(text).replace("2,0,0.08,0.9,1,", "2,0,0.08,0.9,0,"))
    assert load("openface", path).findings["kind"].tolist() == ["not_tracked"]


@pytest.mark.parametrize("value", ["-572", "1e18", "inf", "1.01"])
def test_units_of_pyfeat_are_from_0_to_1(tmp_path, value):
    path = tmp_path / "a.csv"
    path.write_text(table(PYFEAT, [(0, 0.9, 0.5, 0, "v", ""), (1, 0.9, value, 0, "v", "")], ","))
    with pytest.raises(PainkitError, match=rf"line 3: AU04 is '{value}' \(expected a number from 0 to 1"):
        load("pyfeat", path)


@pytest.mark.parametrize("tool", ["openface", "pyfeat"])
def test_a_foreign_or_damaged_file_is_left_out_and_told(tmp_path, tool):
    columns, rows = {
        "openface": (OPENFACE, openface([1])),
        "pyfeat": (PYFEAT, [(0, 0.9, 0, 0, "v", "")]),
    }[tool]
    good = table(columns, rows, ",")
    (tmp_path / "a.CSV").write_text(good)
    (tmp_path / "participants.csv").write_text("participant,age\np01,40\n")
    (tmp_path / "cut.csv").write_text(good[:-100])
    cohort = load(tool, tmp_path)
    assert cohort.sequences["sequence"].tolist() == ["a"]
    found = cohort.findings.set_index("path")
    assert found.loc[str(tmp_path / "participants.csv"), "kind"] == "unexpected"
    assert "line 1: has no column frame" in found.loc[str(tmp_path / "participants.csv"), "message"]
    assert found.loc[str(tmp_path / "cut.csv"), "kind"] == "unreadable"
    assert "Files left out, as the findings say: 2." in cohort.notes
    (tmp_path / "a.CSV").unlink()
    with pytest.raises(PainkitError, match=r"cut\.csv, line 2: .* nor could any of 1 other files be read"):
        load(tool, tmp_path)


def test_openface_with_action_units_alone(tmp_path):
    rows = [(1, 0, 0, 0.9, 1, 2, 1, 0, 0, 1, 0), (2, 0, 0, 0.2, 0, 5, 5, 5, 5, 5, 5)]
    path = tmp_path / "a.csv"
    path.write_text(table(OPENFACE, rows, points=0))
    cohort = load("openface", path)
    assert cohort.frames["pspi"].fillna(-1).tolist() == [4, -1]
    assert not cohort.frames["tracked"].any()
    assert np.isnan(cohort.landmarks).all()
    (message,) = cohort.findings["message"]
    assert message == "the file has no landmarks, only action units: no frame counts as tracked"


def test_success_in_words(tmp_path):
    rows = [(1, 0, 0, 0.9, "True", *[0] * 6), (2, 0, 0, 0.9, "False", *[0] * 6), (3, 0, 0, 0.9, "", *[0] * 6)]
    path = tmp_path / "a.csv"
    path.write_text(table(OPENFACE, rows))
    assert load("openface", path).frames["tracked"].tolist() == [True, False, False]
    path.write_text(table(OPENFACE, [*rows, (4, 0, 0, 0.9, "maybe", *[0] * 6)]))
    with pytest.raises(PainkitError, match="line 5: success is 'maybe'"):
        load("openface", path)


def test_clnf_of_daic_woz(tmp_path):
    folder = tmp_path / "300_P"
    folder.mkdir()
    landmarks, units = folder / "300_CLNF_features.txt", folder / "300_CLNF_AUs.txt"
    columns = ["frame", "timestamp", "confidence", "success"]
    rows = [(1, 0, 0.9, 1), (2, 0.03, 0.9, 1)]
    landmarks.write_text(table(columns, rows, name="{axis}{k}"))
    units.write_text(table([*columns, "AU04_r", "AU12_r"], [(*row, 3, 1) for row in rows], points=0))
    (folder / "300_COVAREP.csv").write_text("1,2\n3,4\n")
    cohort = load("openface", tmp_path)
    assert cohort.sequences[["subject", "sequence", "n_frames"]].to_numpy().tolist() == [["300_P", "300", 2]]
    assert cohort.landmarks[1, 8].tolist() == [108, 208]
    assert cohort.frames["AU4"].tolist() == [3, 3]
    assert cohort.frames["pspi"].isna().all()  # no AU7 in these files
    assert cohort.findings["kind"].tolist() == ["unexpected"]
    units.write_text(table([*columns, "AU04_r"], [(9, 0, 0.9, 1, 3)] * 2, points=0))
    with pytest.raises(PainkitError, match=r"its frames are not those of 300_CLNF_AUs\.txt"):
        load("openface", tmp_path)
    units.unlink()
    assert load("openface", tmp_path).frames["AU4"].isna().all()


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (",", ";", r"line 1: is separated by ';' \(expected ','"),
        ("0.9", "0,9", r"line 2: 148 cells in the row \(expected 147 .* no ',' within a number"),
        ("0.9", '"0,9"', r"line 2: confidence is '0,9' .* a point before its decimals"),
        (",267\n", ",267,\n", r"line 2: 148 cells in the row"),  # py-feat 0.1
    ],
)
def test_other_separators_and_longer_rows_are_told_with_line_and_column(tmp_path, old, new, told):
    path = tmp_path / "a.csv"
    path.write_text(table(OPENFACE, openface([1, 2]), ",").replace(old, new))
    with pytest.raises(PainkitError, match=told):
        load("openface", path)


def test_a_file_without_its_last_end_of_line_is_suspect(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text(table(OPENFACE, openface([1]))[:-1])
    assert load("openface", path).findings["kind"].tolist() == ["unended"]


def test_pyfeat_says_whose_faces_its_models_have_seen(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text(table(PYFEAT, [(0, 0.9, 0, 0, "v", "")], ","))
    assert any("trained on UNBC-McMaster" in note for note in load("pyfeat", path).notes)


@pytest.mark.parametrize(
    "case",
    [
        "openface_98_points",
        "openface_comma_decimals",
        "openface_semicolon_dot",
        "pyfeat_mpdetector",
        "pyfeat_row_longer_than_header",
    ],
)
def test_what_people_have_and_cannot_be_read_is_told_with_its_line(shared, case):
    with pytest.raises(PainkitError, match=r"\.csv, line [12]: (has \d+ landmarks|is separated|\d+ cells)"):
        load(case.split("_")[0], shared / "cases" / case)


@pytest.mark.parametrize(
    ("case", "n_tracked"),
    [
        ("openface_aus_only", 0),
        ("openface_bool_success", 4),
        ("openface_daic_clnf", 5),
        ("openface_stray_csv", 5),
        ("openface_uppercase_CSV", 5),
        ("pyfeat_stray_csv", 3),
    ],
)
def test_what_people_have_is_read(shared, case, n_tracked):
    cohort = load(case.split("_")[0], shared / "cases" / case)
    assert cohort.frames["tracked"].sum() == n_tracked
    assert len(cohort.sequences) == 1


def test_wrong_places(tmp_path):
    with pytest.raises(PainkitError, match="does not exist"):
        load("openface", tmp_path / "no")
    with pytest.raises(PainkitError, match="holds no CSV file"):
        load("pyfeat", tmp_path)
    with pytest.raises(PainkitError, match="no file or folder was given"):
        load("openface")
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "same.csv").write_text(
            table(["subject", *OPENFACE], [("s", 1, 0, 0, 1, 1, *[0] * 6)])
        )
    with pytest.raises(PainkitError, match="two recordings are called s/same"):
        load("openface", tmp_path)


@settings(max_examples=60)
@given(
    content=st.one_of(
        st.binary(max_size=300),
        st.text('frame,success,x_0,"\n\r\t 01.e+-nan;', max_size=200).map(str.encode),
        st.tuples(st.integers(0, 2000), st.binary(min_size=1, max_size=8)).map(
            lambda cut: (
                lambda whole: (
                    whole[: cut[0] % len(whole)] + cut[1] + whole[cut[0] % len(whole) + len(cut[1]) :]
                )
            )(table(OPENFACE, [(1, 0, 0, 1, 1, *[0] * 6)] * 2).encode())
        ),
    ),
    name=st.sampled_from(["openface", "pyfeat"]),
)
def test_any_bytes_give_a_cohort_or_a_painkit_error(tmp_path_factory, content, name):
    path = tmp_path_factory.getbasetemp() / "fuzz.csv"
    path.write_bytes(content)
    try:
        cohort = load(name, path)
    except PainkitError:
        return
    assert len(cohort.frames) == len(cohort.landmarks)

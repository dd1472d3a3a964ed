"""The index of BioVid."""

from __future__ import annotations

import re

import numpy as np
import pytest
from clip_files import write_clip
from hypothesis import given, settings
from hypothesis import strategies as st

from painkit.data import load
from painkit.data.biovid import NON_REACTIVE
from painkit.errors import PainkitError

HEADER = "subject_id\tsubject_name\tclass_id\tclass_name\tsample_id\tsample_name\n"
ROWS = [
    (1, "071309_w_21", 0, "BL1", 1, "071309_w_21-BL1-081"),
    (1, "071309_w_21", 4, "PA4", 2, "071309_w_21-PA4-024"),
    (2, "082414_m_64", 3, "PA3", 3, "082414_m_64-PA3-001"),
]


def write(root, rows=ROWS, header=HEADER):
    (root / "starting_point").mkdir(parents=True, exist_ok=True)
    path = root / "starting_point" / "samples.csv"
    path.write_text(header + "".join("\t".join(map(str, row)) + "\n" for row in rows))
    for _, subject, _, _, _, sample in rows[:2]:
        (root / "video" / str(subject)).mkdir(parents=True, exist_ok=True)
        clip = root / "video" / str(subject) / f"{sample}.mp4"
        if not clip.exists():
            write_clip(clip, range(3))
    return path


def test_part_a(tmp_path):
    write(tmp_path)
    cohort = load("biovid", tmp_path)
    assert cohort.sequences["sequence"].tolist() == [row[5] for row in ROWS]
    assert cohort.sequences["class_id"].tolist() == [0, 4, 3]
    assert cohort.sequences["class"].tolist() == ["BL1", "PA4", "PA3"]
    assert cohort.sequences["n_frames"].fillna(-1).tolist() == [3, 3, -1]
    assert cohort.sequences["video"].iloc[1] == "video/071309_w_21/071309_w_21-PA4-024.mp4"
    assert (tmp_path / cohort.sequences["video"].iloc[1]).is_file()
    columns = ["gender", "age", "age_years", "non_reactive"]
    assert cohort.subjects[columns].to_numpy().tolist() == [
        ["female", "young", 21, False],
        ["male", "elderly", 64, True],
    ]
    assert len(cohort.frames) == len(cohort.landmarks) == 0
    assert cohort.landmarks.shape == (0, 66, 2)
    missing = cohort.findings
    assert missing["kind"].tolist() == ["missing"]
    assert missing["path"].iloc[0].endswith("video/082414_m_64/082414_m_64-PA3-001.mp4")
    assert np.isnan(cohort.personal()).all()  # complexion is unknown
    assert len(cohort.select(subjects=["071309_w_21"]).sequences) == 2
    assert "not on disk as single files" in str(cohort.summary())


def test_a_clip_that_is_no_video_is_told(tmp_path):
    write(tmp_path)
    clip = tmp_path / "video" / "071309_w_21" / "071309_w_21-BL1-081.mp4"
    clip.write_text("see the readme")
    cohort = load("biovid", tmp_path)
    assert cohort.findings[["kind", "path"]].iloc[0].tolist() == ["unreadable", str(clip)]
    assert cohort.sequences["n_frames"].fillna(-1).tolist() == [-1, 3, -1]


def test_subjects_known_not_to_react(shared):
    text = (shared / "spec" / "formats.md").read_text()
    listed = re.search(r"Twenty subjects are often excluded.*?\. \[", text, re.DOTALL).group()
    assert set(re.findall(r"\d{6}_[mw]_\d{2}", listed)) == NON_REACTIVE
    assert len(NON_REACTIVE) == 20


def test_doubled_folders(tmp_path):
    write(tmp_path / "starting_point")
    (tmp_path / "starting_point" / "video").rename(tmp_path / "plain")
    (tmp_path / "video").mkdir()
    (tmp_path / "plain").rename(tmp_path / "video" / "video")
    cohort = load("biovid", tmp_path)
    assert len(cohort.findings) == 1
    assert cohort.sequences["video"].iloc[0].startswith("video/video/")


def test_some_classes_numbered_anew_are_known_by_their_names(tmp_path):
    anew = {"BL1": 0, "PA3": 1, "PA4": 2}
    write(tmp_path, [(*row[:2], anew[row[3]], *row[3:]) for row in ROWS])
    cohort = load("biovid", tmp_path)
    assert cohort.sequences["class"].tolist() == ["BL1", "PA4", "PA3"]
    assert cohort.sequences["class_id"].tolist() == [0, 4, 3]
    write(tmp_path, [(*row[:2], anew[row[3]] if row[3] != "BL1" else 1, *row[3:]) for row in ROWS])
    with pytest.raises(PainkitError, match="line 2: subject, class and class_id"):
        load("biovid", tmp_path)


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([], "lists no video"),
        ([*ROWS, (3, "x", 0, "BL1", 4, "x-BL1-001")], "line 5: sample_name is 'x-BL1-001'"),
        ([(1, "071309_w_21", 1, "BL1", 1, "071309_w_21-BL1-081")], "line 2: subject, class and class_id"),
        ([(1, "071309_m_21", 0, "BL1", 1, "071309_w_21-BL1-081")], "line 2: subject, class and class_id"),
        ([ROWS[0], ROWS[0]], "line 3: sample_name is .* not listed before"),
    ],
)
def test_damaged_index(tmp_path, rows, told):
    write(tmp_path, rows)
    with pytest.raises(PainkitError, match=told):
        load("biovid", tmp_path)


def test_wrong_separator_and_missing_index(tmp_path):
    path = write(tmp_path, header=HEADER.replace("\t", ","))
    with pytest.raises(PainkitError, match=r"samples\.csv"):
        load("biovid", tmp_path)
    path.unlink()
    with pytest.raises(PainkitError, match=r"samples\.csv: could not be read"):
        load("biovid", tmp_path)
    with pytest.raises(PainkitError, match="part 'B' is not read"):
        load("biovid", tmp_path, part="B")


def test_part_d_by_a_users_table(tmp_path):
    (tmp_path / "clips").mkdir()
    write_clip(tmp_path / "clips" / "one.avi", range(5))
    with pytest.raises(PainkitError, match="part D needs a table"):
        load("biovid", tmp_path, part="D")
    table = tmp_path / "videos.csv"
    table.write_text("subject,class,path\n071309_w_21,disgust,clips/two.avi\nsomeone,pain,clips/one.avi\n")
    cohort = load("biovid", tmp_path, part="D")
    assert cohort.sequences[["subject", "sequence", "class", "video"]].to_numpy().tolist() == [
        ["071309_w_21", "clips/two", "disgust", "clips/two.avi"],
        ["someone", "clips/one", "pain", "clips/one.avi"],
    ]
    assert cohort.sequences["n_frames"].fillna(-1).tolist() == [-1, 5]
    assert cohort.subjects["gender"].fillna("?").tolist() == ["female", "?"]
    assert cohort.findings["path"].tolist() == [str(tmp_path / "clips" / "two.avi")]
    for text, told in (
        ("subject,class,path\n", "lists no video"),
        ("subject,class,path\na,,x.avi\n", "line 2: class is empty"),
        ("subject,class,path\na,b,x.avi\na,b,x.avi\n", "line 3: path is 'x.avi' .* not listed before"),
        ("subject,path\n", "no column class"),
    ):
        table.write_text(text)
        with pytest.raises(PainkitError, match=told):
            load("biovid", tmp_path, part="D", table=table)


@settings(max_examples=60)
@given(
    st.one_of(
        st.binary(max_size=200),
        st.text('071309_w_21-PA4BL\t\n"01', max_size=200).map(lambda t: (HEADER + t).encode()),
    )
)
def test_any_bytes_give_an_index_or_a_painkit_error(tmp_path_factory, content):
    root = tmp_path_factory.getbasetemp() / "biovid"
    write(root).write_bytes(content)
    try:
        cohort = load("biovid", root)
    except PainkitError:
        return
    assert len(cohort.sequences) > 0

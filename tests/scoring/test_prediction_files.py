"""Readers of prediction files: what they give, what they refuse and how they say it."""

from __future__ import annotations

import struct

import numpy as np
import pandas as pd
import pytest
import scipy.io
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from painkit.data.mat_cells import read_cells
from painkit.errors import PainkitError
from painkit.scoring.prediction_files import UNBC_SUBJECTS, read_predictions

RELEASED = ("6-vanilla-sigmoid", "l1_l1_sigmoid")
HEADER = "subject,sequence,frame,y_true,y_pred"


def cells(vectors):
    out = np.empty((len(vectors), 1), dtype=object)
    for i, vector in enumerate(vectors):
        out[i, 0] = np.atleast_2d(vector)
    return out


TRUE = [np.array([0, 1, 5], dtype=np.uint8), np.array([2, 2], dtype=np.uint8)]
PRED = [np.array([0.5, 1.0, 4.25]), np.array([1.5, 2.0])]


def save(path, *, compress=False, **variables):
    scipy.io.savemat(path, variables, do_compression=compress)
    return path


@pytest.mark.parametrize("compress", [False, True])
def test_mat_cells_become_rows(tmp_path, compress):
    path = save(tmp_path / "a.mat", ground_truth=cells(TRUE), predict=cells(PRED), compress=compress)
    table = read_predictions(path)
    assert table["subject"].tolist() == ["subject 001"] * 3 + ["subject 002"] * 2
    assert table["y_true"].tolist() == [0, 1, 5, 2, 2]
    assert table["y_pred"].tolist() == [0.5, 1.0, 4.25, 1.5, 2.0]
    assert table["frame"].tolist() == [1, 2, 3, 1, 2]
    assert set(table["target"]) == {"level"}
    save(tmp_path / "video_index.mat", video_index=cells([[1, 2], [2]]))
    table = read_predictions(path)
    assert table["sequence"].tolist() == ["01", "02", "02", "01", "01"]
    assert table["frame"].tolist() == [1, 1, 2, 1, 2]


@pytest.mark.parametrize("name", [*RELEASED, "video_index"])
def test_released_files_read_as_scipy_reads_them(shared, name):
    path = shared / "real" / "PainRegression" / f"{name}.mat"
    theirs = {key: value for key, value in scipy.io.loadmat(path).items() if not key.startswith("__")}
    ours = read_cells(path, list(theirs))
    for key, value in theirs.items():
        for a, b in zip(value.ravel(order="F"), ours[key], strict=True):
            np.testing.assert_array_equal(a.ravel(), b)


def test_every_number_type_reads_as_written(tmp_path):
    vectors = [np.array([1, 2, 3], dtype=kind) for kind in "bBhHiIqQfd"]
    path = save(tmp_path / "a.mat", predict=cells(vectors))
    for vector in read_cells(path, ["predict"])["predict"]:
        assert vector.tolist() == [1, 2, 3]


def test_a_file_from_a_big_endian_machine_reads_as_scipy_reads_it(tmp_path):
    def element(kind, content):
        return struct.pack(">II", kind, len(content)) + content + bytes(-len(content) % 8)

    def matrix(code, name, shape, content):
        flags = element(6, struct.pack(">II", code, 0)) + element(5, struct.pack(">ii", *shape))
        return element(14, flags + element(1, name) + content)

    vector = matrix(6, b"", (1, 3), element(3, struct.pack(">hhh", 1, -2, 300)))  # doubles kept as int16
    path = tmp_path / "a.mat"
    path.write_bytes(
        b"MATLAB 5.0 MAT-file".ljust(124) + b"\x01\x00MI" + matrix(1, b"predict", (1, 1), vector)
    )
    assert read_cells(path, ["predict"])["predict"][0].tolist() == [1, -2, 300]
    assert scipy.io.loadmat(path)["predict"][0, 0].tolist() == [[1, -2, 300]]


def test_released_subjects_are_the_archive_s(shared):
    table = read_predictions(shared / "real" / "PainRegression" / "l1_l1_sigmoid.mat")
    assert table["subject"].drop_duplicates().tolist() == list(UNBC_SUBJECTS)
    assert len(table) == 48_391
    assert len(table[["subject", "sequence"]].drop_duplicates()) == 200
    assert (table.loc[table["subject"] == "101-mg101", "y_true"] == 0).all()


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"other": cells(TRUE)}, r"a\.mat: has no variable ground_truth and predict; it holds other"),
        ({"ground_truth": cells(TRUE)}, "no variable predict"),
        ({"ground_truth": np.zeros(3), "predict": cells(PRED)}, "ground_truth is double of shape"),
        ({"ground_truth": cells(TRUE), "predict": cells(PRED[:1])}, "2 cells and predict has 1"),
        ({"ground_truth": cells(TRUE), "predict": cells(PRED[::-1])}, "cell 1 has 3 labels and 2 estimates"),
        ({"ground_truth": cells(TRUE), "predict": cells([np.eye(3), PRED[1]])}, r"cell 1: double of shape"),
        ({"ground_truth": cells(TRUE), "predict": cells([PRED[0] * 1j, PRED[1]])}, "cell 1: complex double"),
        ({"ground_truth": cells(["abc", "de"]), "predict": cells(PRED)}, "cell 1: char"),
        ({"ground_truth": cells([TRUE[0] * 3, TRUE[1]]), "predict": cells(PRED)}, "frame 3: y_true is 15"),
        (
            {"ground_truth": cells([[0, np.nan, 1], TRUE[1]]), "predict": cells(PRED)},
            "subject 001, sequence 01, frame 2: y_true is 'nan'",
        ),
        (
            {"ground_truth": cells(TRUE), "predict": cells([[0, np.inf, 1], PRED[1]])},
            "subject 001, sequence 01, frame 2: y_pred is 'inf'",
        ),
    ],
)  # fmt: skip
def test_mat_files_that_are_something_else_say_what(tmp_path, variables, message):
    with pytest.raises(PainkitError, match=message):
        read_predictions(save(tmp_path / "a.mat", **variables))


@pytest.mark.parametrize("lengths", [[[1, 1], [2]], [[3]], [[3, 0], [2]]])
def test_video_index_has_to_add_up(tmp_path, lengths):
    path = save(tmp_path / "a.mat", ground_truth=cells(TRUE), predict=cells(PRED))
    save(tmp_path / "video_index.mat", video_index=cells(lengths))
    with pytest.raises(
        PainkitError, match=r"video_index\.mat: cell 1 does not add up to the 3 frames of a\.mat"
    ):
        read_predictions(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "128 bytes"),
        (b"\x00\xff" * 200, "128 bytes"),
        (b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(126) + b"IM" + b"\x89HDF", "version 7.3"),
    ],
)
def test_binary_junk_is_no_mat_file(tmp_path, content, message):
    (tmp_path / "a.mat").write_bytes(content)
    with pytest.raises(PainkitError, match=message):
        read_predictions(tmp_path / "a.mat")


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    compress=st.booleans(),
    edits=st.lists(
        st.tuples(st.floats(0, 1, exclude_max=True), st.binary(max_size=6), st.integers(0, 6)), max_size=5
    ),
    cut=st.floats(0.1, 1),
)
@example(compress=False, edits=[], cut=0.5)
def test_damaged_mat_files_raise_our_error_only(tmp_path, compress, edits, cut):
    """scipy's own reader ends in a segmentation fault on some of these."""
    path = save(tmp_path / "a.mat", ground_truth=cells(TRUE), predict=cells(PRED), compress=compress)
    data = bytearray(path.read_bytes())
    for place, new, removed in edits:
        at = int(place * len(data))
        data[at : at + removed] = new
    path.write_bytes(data[: int(cut * len(data))])
    try:
        table = read_predictions(path)
    except PainkitError as error:
        told = str(error)
    else:
        told = f"{path} was read" if np.isfinite(table[["y_true", "y_pred"]]).all(axis=None) else "not finite"
    assert str(path) in told


def test_csv_and_parquet_give_the_same_table(tmp_path):
    rows = pd.DataFrame(
        {
            "subject": ["a", "a", "b"],
            "sequence": ["x", "x", "y"],
            "frame": [1, 2, 1],
            "fold": [0, 0, 1],
            "y_true": [0, 3, 5],
            "y_pred": [0.25, 2.5, 6.0],
            "y_std": [1.0, 0.5, 2.0],
        }
    )
    rows.to_csv(tmp_path / "a.csv", index=False)
    rows.to_parquet(tmp_path / "a.parquet")
    tables = [read_predictions(tmp_path / name) for name in ("a.csv", "a.parquet")]
    pd.testing.assert_frame_equal(*tables)
    assert tables[0]["y_pred"].tolist() == [0.25, 2.5, 6.0]
    assert tables[0]["target"].tolist() == ["level"] * 3


def test_empty_frames_are_whole_sequences_on_the_vas(tmp_path):
    (tmp_path / "a.csv").write_text(HEADER + "\na,x,,10,4\na,y,,0,4\n")
    table = read_predictions(tmp_path / "a.csv")
    assert table["frame"].isna().all()
    assert set(table["target"]) == {"vas"}
    assert set(read_predictions(tmp_path / "a.csv", "sen")["target"]) == {"sen"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty.*header line naming subject"),
        (HEADER + "\n", "has no rows"),
        (
            "subject,frame,y_true\na,1,0\n",
            "line 1: has no column sequence, y_pred; it has subject, frame, y_true",
        ),
        (HEADER + "\na,x,1,0,1\na,x,2,,1\n", "line 3: y_true is ''.*finite"),
        (HEADER + "\na,x,1,0,1\na,x,2,nan,1\n", "line 3: y_true is 'nan'"),
        (HEADER + "\na,x,1,0,1\na,x,2,0,high\n", "line 3: y_pred is 'high'"),
        (HEADER + "\na,x,1,0,inf\n", "line 2: y_pred is 'inf'"),
        (HEADER + "\na,x,1,0,1\na,x,2,7,1\n", "line 3: y_true is 7, which is not on the scale level 0-5"),
        (HEADER + "\na,x,1,0,1\n,x,2,0,1\n", "line 3: subject is empty"),
        (HEADER + "\na,x,1.5,0,1\n", "line 2: frame is '1.5'"),
        (HEADER + "\na,x,1,0,1\na,x,2,0,1\na,x,1,0,2\n", "line 4: the same subject.* as line 2"),
        (HEADER + "\na,x,1,0,1,9\n", "line 2: 6 cells in the row.*expected 5"),
        (HEADER + "\na,x,1,0\n", "line 2: 4 cells in the row.*expected 5"),
        (HEADER + "\na,x,1,0,1\n\na,x,2,0,1\n", "line 3: a blank row"),
        (HEADER + ",target\na,x,1,0,1,mood\n", "line 2: target is 'mood'.*vas"),
        (HEADER + ",y_std\na,x,1,0,1,-1\n", "line 2: y_std is negative"),
        (HEADER + ",y_pred\na,x,1,0,1,1\n", "column 'y_pred' stands twice"),
    ],
)
def test_bad_csv_names_file_line_and_what_was_expected(tmp_path, text, message):
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(PainkitError, match=message) as caught:
        read_predictions(tmp_path / "a.csv")
    assert "a.csv" in str(caught.value)
    assert caught.value.expected


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.one_of(
        st.binary(max_size=200),
        st.text(max_size=200).map(lambda text: (HEADER + "\n" + text).encode()),
        st.lists(st.text('a1,.\n"\x00-e', max_size=12), max_size=12).map(
            lambda lines: (HEADER + "\n" + "\n".join(lines)).encode()
        ),
    ),
    st.sampled_from(["a.csv", "a.parquet", "a.mat"]),
)
@example(b"\xff\xfe\x00", "a.csv")
@example(b"PAR1PAR1", "a.parquet")
def test_junk_raises_our_error_only(tmp_path, data, name):
    (tmp_path / name).write_bytes(data)
    try:
        table = read_predictions(tmp_path / name)
    except PainkitError as error:
        told = str(error)
    else:
        told = f"{name} was read" if np.isfinite(table[["y_true", "y_pred"]]).all(axis=None) else "not finite"
    assert name in told


def test_paths_that_are_no_prediction_files(tmp_path):
    (tmp_path / "a.txt").write_text("x")
    for name, message in (("", "is a folder"), ("b.csv", "not there"), ("a.txt", r"\.txt")):
        with pytest.raises(PainkitError, match=message):
            read_predictions(tmp_path / name)

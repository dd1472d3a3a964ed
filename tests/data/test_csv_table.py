"""Tables in CSV files are read as texts, and what does not fit a table is told with its line."""

from __future__ import annotations

import csv
import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from painkit.data.csv_table import read_csv, read_rows
from painkit.errors import PainkitError


def written(tmp_path, content):
    path = tmp_path / "table.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("tail", [b"", b"\n", b"\n\n  \n", b"\n, ,\n,,\n"])
def test_cells_are_texts_and_blank_ones_are_missing(tmp_path, start, end, tail):
    lines = [b'"name", a ,b', b"001,1.50, x y ", b'NA,,"1,5"', b" ,0,nan"]
    table = read_rows(written(tmp_path, (start + b"\n".join(lines) + tail).replace(b"\n", end)))
    assert list(table) == ["name", "a", "b"]
    assert table.fillna("?").to_numpy().tolist() == [
        ["001", "1.50", "x y"],
        ["NA", "?", "1,5"],
        ["?", "0", "nan"],
    ]
    assert table.index.tolist() == [0, 1, 2]


def test_a_header_alone_has_no_rows_and_a_name_may_stand_twice(tmp_path):
    assert read_rows(written(tmp_path, "a,b")).shape == (0, 2)
    path = written(tmp_path, "a,b,a\n1,2,3\n")
    assert list(read_rows(path)) == ["a", "b", "a"]
    assert read_csv(path, required=["a"]).iloc[0].tolist() == ["1", "2"]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("a,b\n1,2\n3\n4,5\n", r"line 3: 1 cells in the row \(expected 2 as in the header"),
        ("a,b\n1,2\n3,4,5\n4,5\n", r"line 3: 3 cells in the row \(expected 2"),
        ("a,b\n" + 200_000 * "10,20\n" + "3\n4,5\n", "line 200002: 1 cells"),
        ("a,b\n1,2\n\n4,5\n", "line 3: a blank row"),
        ("a;b\n1,5;2,5\n", r"line 1: is separated by ';' \(expected ','\)"),
        ("a\tb\n1\t2\n", r"line 1: is separated by '\\t'"),
        (b"a,b\n1,2\n3,\xff\n", "line 3: is not UTF-8 text"),
        ("a,b\n1,2\n".encode("utf-16"), "line 1: is not UTF-8 text"),
        ("", "is empty"),
        ("c,b\n1,2\n", "line 1: has no column a"),
    ],
)
def test_what_does_not_fit_is_told_with_its_line(tmp_path, content, told):
    with pytest.raises(PainkitError, match=told):
        read_csv(written(tmp_path, content), required=["a"])


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.lists(st.lists(st.text('ab," é', max_size=4), min_size=2, max_size=3), min_size=1, max_size=6))
def test_whatever_the_standard_library_writes_is_read_or_refused(tmp_path_factory, rows):
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    path = tmp_path_factory.getbasetemp() / "written.csv"
    path.write_text(text.getvalue(), encoding="utf-8")
    stripped = [[cell.strip() or None for cell in row] for row in rows]
    try:
        table = read_rows(path)
    except PainkitError:
        blank = [not any(row) for row in stripped]
        assert len(set(map(len, rows))) > 1 or any(blank)
        return
    cells = table.astype(object).where(table.notna(), None).to_numpy().tolist()
    assert [name or None for name in table] == stripped[0]
    assert cells == stripped[1 : 1 + len(cells)]
    assert not np.any([any(row) for row in stripped[1 + len(cells) :]])

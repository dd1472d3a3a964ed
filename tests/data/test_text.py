"""The text readers: many at once equals one by one, and nothing but PainkitError escapes."""

from __future__ import annotations

import io
import pickle

import numpy as np
import pytest
from archive_files import face, points_text
from hypothesis import given, settings
from hypothesis import strategies as st

from painkit.data import text
from painkit.data.fixed_width import fixed_width_rows
from painkit.errors import PainkitError

# Text that is nearly right finds more than random bytes do.
NEARLY = st.one_of(
    st.binary(max_size=200),
    st.text("0123456789.eE+-_ \t\r\n\x00naif,;x", max_size=120).map(str.encode),
    st.lists(st.lists(st.floats(-20, 60, width=32), min_size=1, max_size=5), max_size=70).map(
        lambda rows: "\n".join(" ".join(map(repr, row)) for row in rows).encode()
    ),
)
PARSERS = {
    "number": (lambda data: text.parse_number(data, 0, 16), lambda files: text.stack_numbers(files, 0, 16)),
    "units": (text.parse_action_units, text.stack_action_units),
    "points": (text.parse_points, text.stack_points),
}


@pytest.mark.parametrize("kind", PARSERS)
@settings(max_examples=150)
@given(data=NEARLY)
def test_any_bytes_give_a_value_or_a_painkit_error(kind, data):
    parse, stack = PARSERS[kind]
    try:
        single = parse(data)
    except PainkitError:
        single = None
    many = stack([data])
    # The fast way never takes what the strict way refuses, and reads the same where it takes it.
    if many is not None:
        assert single is not None
        np.testing.assert_equal(many[0], np.float32(single) if kind == "number" else single)


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(st.sampled_from([0, 4, 6, 43, 50]), st.integers(1, 5), st.integers(0, 9)),
        min_size=1,
        max_size=6,
    )
)
def test_facs_rows(rows):
    data = "\n".join(f" {a:.7e}\t{i:.7e} {u} 0 " for a, i, u in rows).encode()
    expected: dict[int, float] = {}
    for unit, intensity, _ in rows:
        if unit == 43:
            expected[43] = 1
        elif unit:
            expected[unit] = max(expected.get(unit, 0), intensity)
    assert text.parse_action_units(data) == expected
    assert text.stack_action_units([data, data]) == [expected, expected]


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\n\n  \n"])
def test_points_as_loadtxt_reads_them(ending):
    files = [
        points_text(face(k)).replace("\n", ending, 1 if len(ending) > 2 else -1).encode() for k in range(5)
    ]
    slow = np.stack([np.loadtxt(io.BytesIO(data)) for data in files]).astype(np.float32)
    for k, data in enumerate(files):
        np.testing.assert_array_equal(text.parse_points(data), slow[k])
    fast = text.stack_points(files)
    if len(ending) < 3:  # A blank line inside a file goes the strict way.
        np.testing.assert_array_equal(fast, slow)


@settings(max_examples=100)
@given(
    st.lists(
        st.tuples(*[st.just(0.0) | st.floats(1e-12, 9e13) | st.floats(-9e13, -1e-12)] * 2),
        min_size=1,
        max_size=20,
    )
)
def test_fixed_width_numbers_are_those_of_the_standard_conversion(rows):
    data = "".join(f"{x:16.7e}{y:16.7e}\n" for x, y in rows).encode()
    expected = np.loadtxt(io.BytesIO(data), ndmin=2).astype(np.float32)
    found = fixed_width_rows([data, data], 2)
    np.testing.assert_array_equal(found[0], np.vstack([expected, expected]))
    assert found[1].tolist() == [len(rows), len(rows)]
    # Numbers too small to be divided exactly are left to the general way, not read wrongly.
    assert fixed_width_rows([b"   1.2345678e-30\n"], 1) is None


@pytest.mark.parametrize("place", range(33))
def test_fixed_width_refuses_a_character_out_of_place(place):
    line = b"   1.2345678e+02  -8.7654321e-01\n"
    np.testing.assert_array_equal(fixed_width_rows([line], 2)[0], np.float32([[123.45678, -0.87654321]]))
    for wrong in b"x/:,\t":
        assert fixed_width_rows([line[:place] + bytes([wrong]) + line[place + 1 :]], 2) is None
    assert fixed_width_rows([line, line[:-1]], 2) is None
    assert fixed_width_rows([], 2) is None


def test_one_bad_file_stops_the_stack_only():
    good, bad = points_text(face()).encode(), points_text(face()[:65]).encode()
    more = points_text(np.vstack([face(), [[1, 2]]])).encode()
    assert text.stack_points([good, bad, more]) is None  # 65 + 67 points: right in sum, wrong in each
    assert text.stack_numbers([b"1", b"17"], 0, 16) is None
    assert text.stack_numbers([b"1 2", b""], 0, 16) is None
    assert text.stack_action_units([b"4 1 0 0", b"4 1 0"]) is None


def test_errors_name_file_line_and_expectation(tmp_path):
    path = tmp_path / "a_aam.txt"
    with pytest.raises(
        PainkitError, match=r"a_aam\.txt, line 3: 1 numbers in the line \(expected 66 lines 'x y'"
    ):
        text.parse_points(b"1 2\n3 4\n5\n", path)
    with pytest.raises(PainkitError, match=r"a_aam\.txt: could not be read: No such file") as caught:
        text.read_bytes(path)
    copy = pickle.loads(pickle.dumps(caught.value))  # noqa: S301 - errors must cross process borders
    assert (str(copy), copy.where) == (str(caught.value), str(path))
    with pytest.raises(PainkitError, match="could not be read"):
        text.read_bytes(tmp_path)  # a folder


@pytest.mark.parametrize("size", [0, 1, 8191, 8192, 8193, 16384, text.LIMIT_BYTES])
def test_files_are_read_to_their_end(tmp_path, size):
    path = tmp_path / "file"
    content = np.random.default_rng(size).bytes(size)
    path.write_bytes(content)
    assert text.read_bytes(path) == content
    path.write_bytes(bytes(text.LIMIT_BYTES + 1))
    with pytest.raises(PainkitError, match="too large"):
        text.read_bytes(path)


@pytest.mark.parametrize(
    ("files", "cut"),
    [
        ([b"   0.0000000e+00\n"] * 3 + [b"   1.0000000e+0"], [3]),  # reads 1, was 10
        ([b"   0.0000000e+00\n"] * 3 + [b"   1.0000000"], [3]),
        ([b"0\n", b"2\n", b"1"], [2]),  # may have been 10
        ([b"0", b"10", b"2"], []),  # nobody ends lines here, and numbers differ in length
        ([b"0.0000000e+00", b"1.0000000e+01", b"1.0000000e+0"], [2]),
        ([b"", b"", b"4 2.0 0 0\n", b"4 2.0 0"], [3]),  # empty files tell nothing
        ([b"4 2 0 0"], []),
        ([b"168.12 100.50\n168.12 100.5"], [0]),
        ([b"168.12 100.50\n168.12 100.50"], []),
        ([b"168.1 100.50\n168.12 10.5"], []),
        ([], []),
    ],
)
def test_numbers_that_seem_cut_off(files, cut):
    assert text.cut_files(files) == cut


@given(st.integers(0, 65), st.sampled_from([0.01, 10, -20]))
def test_a_point_torn_off_a_face_is_refused_wherever_it_is(point, factor):
    points = face()
    points[point, 0] *= factor
    data = points_text(points).encode()
    with pytest.raises(PainkitError, match=rf"line {point + 1}: a point far from all others"):
        text.parse_points(data, "x")
    assert text.stack_points([points_text(face()).encode(), data]) is None

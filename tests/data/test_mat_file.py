"""MATLAB files: nested content as scipy reads it, damage as an error of ours."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
import pytest
import scipy.io
from hypothesis import given, settings
from hypothesis import strategies as st

from painkit.data.mat_file import DamagedMat, tree, variables

CONTENT = {
    "net": {
        "name": "fc6",
        "weights": np.arange(24.0).reshape(2, 3, 4).astype(np.float32),
        "pair": np.array([[np.array([[1, 2]]), "text"]], dtype=object),
        "empty": np.empty((0, 0)),
        "inner": {"a": 1.5, "b": np.array([[True, False]])},
    },
    "odd": np.array([[1 + 2j]]),
    "sparse": scipy.sparse.eye(3).tocsc(),
}


def saved(content: dict[str, Any], *, compress: bool = False) -> bytes:
    buffer = io.BytesIO()
    scipy.io.savemat(buffer, content, do_compression=compress)
    return buffer.getvalue()


@pytest.mark.parametrize("compress", [False, True])
def test_nested_content_is_read_as_it_was_written(compress: bool) -> None:
    found = {matrix.name: tree(matrix) for matrix in variables(saved(CONTENT, compress=compress), 1 << 20)}
    (net,) = found["net"]
    assert net["name"] == "fc6"
    assert net["weights"].dtype == np.float32
    np.testing.assert_array_equal(net["weights"], CONTENT["net"]["weights"])
    np.testing.assert_array_equal(net["pair"][0], [[1, 2]])
    assert net["pair"][1] == "text"
    assert net["empty"].size == 0
    assert net["inner"][0]["a"] == [[1.5]]
    assert net["inner"][0]["b"].tolist() == [[1, 0]]
    assert found["odd"] is None
    assert found["sparse"] is None


def test_large_content_is_not_unpacked() -> None:
    data = saved({"x": np.zeros(1 << 16)}, compress=True)
    assert len(data) < 2000
    with pytest.raises(DamagedMat, match="too large"):
        list(variables(data, 1 << 16))


def test_endless_nesting_is_refused() -> None:
    content: Any = 1.0
    for _ in range(30):
        content = {"x": content}
    (matrix,) = variables(saved({"x": content}), 1 << 20)
    with pytest.raises(DamagedMat, match="deep"):
        tree(matrix)


@settings(max_examples=400, deadline=None)
@given(
    compress=st.booleans(),
    edits=st.lists(st.tuples(st.floats(0, 1), st.integers(1, 255)), min_size=1, max_size=4),
    cut=st.floats(0, 1),
)
def test_damage_raises_nothing_else(compress: bool, edits: list[tuple[float, int]], cut: float) -> None:
    data = bytearray(saved(CONTENT, compress=compress))
    for place, change in edits:
        data[int(place * (len(data) - 1))] ^= change
    if cut < 0.3:
        del data[int(cut / 0.3 * len(data)) :]
    try:
        found = [tree(matrix) for matrix in variables(bytes(data), 1 << 20)]
    except (DamagedMat, zlib.error, struct.error):
        return
    assert len(found) <= len(CONTENT) + 1

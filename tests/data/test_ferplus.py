"""FER+ votes and FER2013 images."""

from __future__ import annotations

import csv
import os
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from painkit.data import load
from painkit.data.ferplus import EmotionImages
from painkit.errors import PainkitError
from painkit.vocabulary.classes import VOTES

HEADER = "Usage,Image name," + ",".join(VOTES) + "\n"


def published_majority(votes):
    """The loop of the published code, number by number; None where it leaves the image out."""
    raw = [float(v) for v in votes]
    for i in range(len(raw)):
        if raw[i] < 1.0 + sys.float_info.epsilon:
            raw[i] = 0.0
    top = max(raw)
    winner = raw.index(top) if top > 0.5 * sum(raw) else len(raw) - 2
    return winner if winner < 8 else None


def test_real_votes_give_the_published_counts(shared):
    images = load("ferplus", shared / "real/FERPlus")
    assert (len(images), images.dropped) == (35_714, 173)
    kept, label = images.majority()
    counts = [int((kept.usage == usage).sum()) for usage in ("Training", "PublicTest", "PrivateTest")]
    assert counts == [25_060, 3_199, 3_153]
    with open(shared / "real/FERPlus/fer2013new.csv", newline="") as file:
        rows = list(csv.reader(file))[1:]
    slow = [
        (k, published_majority(row[2:]))
        for k, row in enumerate(rows)
        if row[1] and published_majority(row[2:]) is not None
    ]
    assert [k for k, _ in slow] == kept.rows.tolist()
    assert [winner for _, winner in slow] == label.tolist()
    with pytest.raises(PainkitError, match="votes but no images"):
        images.images(0)
    assert "25,060" not in repr(images)
    assert "votes only" in str(images.summary())


def published_shares(votes):
    """Shares of the emotions by the published code's walk through the votes; None where it leaves one out."""
    raw = [v if v > 1 else 0 for v in votes]
    total, taken, count, going = sum(raw), [0] * 10, 0, True
    held = 0
    while held < 0.75 * total and count < 3 and going:
        top = max(raw)
        for i in range(10):
            if raw[i] != top:
                continue
            taken[i], raw[i] = top, 0
            held += top
            count += 1
            if i >= 8:
                going = False
                if sum(taken) > top:
                    taken[i] = 0
                    count -= 1
                break
    if sum(taken) <= 0.5 * total or count > 3 or taken.index(max(taken)) >= 8:
        return None
    return [v / sum(taken[:8]) for v in taken[:8]]


def test_probability_mode_of_the_real_votes_is_that_of_the_published_code(shared):
    images = load("ferplus", shared / "real/FERPlus")
    kept, shares = images.probability()
    slow = [published_shares(votes) for votes in images.votes.tolist()]
    assert kept.rows.tolist() == [row for row, one in zip(images.rows, slow, strict=True) if one is not None]
    np.testing.assert_allclose(shares, [one for one in slow if one is not None])
    assert set(images.majority()[0].rows) <= set(kept.rows)
    assert len(kept) > 32_000


@given(st.lists(st.lists(st.integers(0, 10), min_size=10, max_size=10), min_size=1, max_size=8))
def test_probability_mode_of_any_votes_is_that_of_the_published_code(votes):
    n = len(votes)
    images = EmotionImages(
        Path(), np.array(votes), np.full(n, "Training"), np.full(n, "x"), np.arange(n), 0, "votes", None
    )
    kept, shares = images.probability()
    slow = [published_shares(one) for one in votes]
    assert kept.rows.tolist() == [row for row, one in enumerate(slow) if one is not None]
    np.testing.assert_allclose(shares, np.reshape([one for one in slow if one is not None], (-1, 8)))


def write(root, n=6, blank=(2,)):
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (n, 48, 48), dtype=np.uint8)
    usage = ["Training"] * (n - 2) + ["PublicTest", "PrivateTest"]
    votes = np.zeros((n, 10), int)
    votes[np.arange(n), np.arange(n) % 10] = 8
    root.mkdir(exist_ok=True)
    with open(root / "fer2013new.csv", "w") as file:
        file.write(HEADER)
        for k in range(n):
            name = "" if k in blank else f"fer{k + 7:07d}.png"
            file.write(f"{usage[k]},{name},{','.join(map(str, votes[k]))}\n")
    with open(root / "fer2013.csv", "w") as file:
        file.write("emotion,pixels,Usage\n")
        for k in range(n):
            file.write(f"0,{' '.join(map(str, pixels[k].ravel()))},{usage[k]}\n")
    return pixels, votes


@pytest.mark.parametrize("cache", [True, False])
def test_images_are_joined_by_row(tmp_path, cache, private_cache):
    pixels, votes = write(tmp_path)
    images = load("ferplus", tmp_path, cache=cache)
    rows = [0, 1, 3, 4, 5]
    assert (images.rows.tolist(), images.dropped) == (rows, 1)
    np.testing.assert_array_equal(images.votes, votes[rows])
    np.testing.assert_array_equal(images.images(), pixels[rows])
    np.testing.assert_array_equal(images.images(2), pixels[3])
    np.testing.assert_array_equal(images.take([4, 0]).images(), pixels[[5, 0]])
    assert images.majority()[1].tolist() == rows
    assert len(list(private_cache.rglob("*.npy"))) == int(cache)


def test_cached_images_are_reread_when_the_file_changes_or_the_cache_is_cut(tmp_path, private_cache):
    pixels, _ = write(tmp_path)
    load("ferplus", tmp_path)
    (kept,) = private_cache.rglob("*.npy")
    kept.write_bytes(kept.read_bytes()[:5000])
    with pytest.warns(UserWarning, match=r"pixels\.npy: is damaged"):
        images = load("ferplus", tmp_path)
    np.testing.assert_array_equal(images.images(0), pixels[0])
    path = tmp_path / "fer2013.csv"
    text = path.read_text().replace(f"0,{pixels[0, 0, 0]} ", "0,7 ", 1)
    path.write_text(text)
    os.utime(path, ns=(1, 1))
    assert load("ferplus", tmp_path).images(0)[0, 0] == 7


def test_a_cache_that_cannot_be_written_costs_nothing_but_time(tmp_path, private_cache):
    pixels, _ = write(tmp_path)
    (private_cache / "ferplus").write_text("a file is in the way")
    with pytest.warns(UserWarning, match="the cache .*could not be written"):
        images = load("ferplus", tmp_path)
    np.testing.assert_array_equal(images.images(0), pixels[0])


@pytest.mark.parametrize(
    ("name", "old", "new", "told"),
    [
        ("fer2013new.csv", ",8,", ",-8,", r"fer2013new\.csv, line 2: neutral is '-8' .*votes"),
        ("fer2013new.csv", ",8,", ",x,", "line 2: neutral is 'x' .*votes"),
        ("fer2013new.csv", "Training", "Trainig", "line 2: Usage is 'Trainig'"),
        ("fer2013new.csv", "neutral", "calm", "has no column neutral"),
        ("fer2013.csv", "Training", "PublicTest", "line 2: Usage differs"),
        ("fer2013.csv", "0,", "0,999 ", r"fer2013\.csv, line 2: the row is damaged"),
        ("fer2013.csv", "pixels", "pixel", "line 1: the header differs"),
        ("fer2013.csv", "PrivateTest", "PrivateTest\n0,0,Training", "line 8: more rows"),
    ],
)
def test_damaged_files(tmp_path, name, old, new, told):
    write(tmp_path)
    path = tmp_path / name
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(PainkitError, match=told):
        load("ferplus", tmp_path)


def as_icml(text):
    rows = [line.split(",") for line in text.splitlines()]
    return "emotion, Usage, pixels\n" + "".join(f"{a},{c},{b}\n" for a, b, c in rows[1:])


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("fer2013.csv", lambda text: "\ufeff" + text.replace("\n", "\r\n")),
        ("fer2013.csv", lambda text: text + "\n  \n"),
        ("fer2013.csv", lambda text: '"emotion","pixels","Usage"\n' + text.split("\n", 1)[1]),
        ("fer2013.csv", as_icml),
        ("icml_face_data.csv", as_icml),
    ],
)
def test_tables_of_images_as_people_have_them(tmp_path, name, change):
    pixels, _ = write(tmp_path)
    path = tmp_path / "fer2013.csv"
    text = path.read_text()
    path.unlink()
    (tmp_path / name).write_text(change(text), encoding="utf-8", newline="")
    np.testing.assert_array_equal(load("ferplus", tmp_path, cache=False).pixels, pixels)


def test_the_last_number_of_a_table_cut_off(tmp_path):
    write(tmp_path)
    path = tmp_path / "fer2013.csv"
    path.write_text(as_icml(path.read_text())[:-2])  # the last grey value lost a digit, and reads
    with pytest.raises(PainkitError, match="line 7: the row ends within a number"):
        load("ferplus", tmp_path)
    path.unlink()
    votes = tmp_path / "fer2013new.csv"
    text = votes.read_text().rstrip()
    votes.write_text(text)  # whole, but for the end of line
    assert len(load("ferplus", tmp_path)) == 5
    votes.write_text(text[: -len("8,0,0,0,0")] + "1,0,0,0,0")
    with pytest.raises(PainkitError, match="line 7: the file ends within a line: its last row has 1 votes"):
        load("ferplus", tmp_path)


@pytest.mark.parametrize(
    ("cut", "told"),
    [
        ("fer2013new.csv", r"fer2013\.csv, line 6: more rows than fer2013new\.csv .*expected 4 rows"),
        ("fer2013.csv", r"fer2013\.csv, line 5: ends after 4 rows .*expected 6 as in fer2013new\.csv"),
    ],
)
def test_two_files_of_different_length_do_not_belong_together(tmp_path, cut, told):
    write(tmp_path)
    path = tmp_path / cut
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:5]))
    for cache in (True, False):
        with pytest.raises(PainkitError, match=told):
            load("ferplus", tmp_path, cache=cache)


def test_a_row_after_a_blank_one(tmp_path):
    write(tmp_path)
    path = tmp_path / "fer2013.csv"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([*lines[:3], "\n", *lines[3:]]))
    with pytest.raises(PainkitError, match="line 5: a row after a blank one"):
        load("ferplus", tmp_path)


@pytest.mark.parametrize("case", ["fer_blank_last_line", "fer_bom", "fer_icml_columns", "fer_quoted_header"])
def test_tables_that_people_have(shared, case):
    images = load("ferplus", shared / "cases" / case, cache=False)
    assert (len(images), images.dropped) == (9, 1)
    assert images.images().shape == (9, 48, 48)


def test_cut_file_and_wrong_place(tmp_path):
    write(tmp_path)
    path = tmp_path / "fer2013.csv"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(PainkitError, match="line 4: the row is damaged"):
        load("ferplus", tmp_path)
    path.write_bytes(b"\n".join(whole.split(b"\n")[:4]))
    with pytest.raises(PainkitError, match="line 4: ends after 3 rows"):
        load("ferplus", tmp_path)
    (tmp_path / "fer2013new.csv").unlink()
    with pytest.raises(PainkitError, match=r"fer2013new\.csv: could not be read"):
        load("ferplus", tmp_path)
    with pytest.raises(PainkitError, match="is a file"):
        load("ferplus", path)


@settings(max_examples=60)
@given(
    votes=st.one_of(
        st.just(None), st.binary(max_size=150), st.text("Training,fer0.png,0123\n", max_size=150)
    ),
    pixels=st.one_of(st.binary(max_size=150), st.text("0,1 2 Training\n", max_size=150)),
)
def test_any_bytes_give_images_or_a_painkit_error(tmp_path_factory, votes, pixels):
    root = tmp_path_factory.getbasetemp() / "ferfuzz"
    write(root)
    if votes is not None:
        body = votes if isinstance(votes, bytes) else votes.encode()
        (root / "fer2013new.csv").write_bytes(HEADER.encode() + body)
    body = pixels if isinstance(pixels, bytes) else pixels.encode()
    (root / "fer2013.csv").write_bytes(b"emotion,pixels,Usage\n" + body)
    with pytest.raises(PainkitError, match=r"fer2013"):
        load("ferplus", root, cache=False, progress=False)

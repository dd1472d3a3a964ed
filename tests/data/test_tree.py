"""Listing folders: what is no file, what cannot be named, what leads round in a circle."""

from __future__ import annotations

import os
import socket

import pytest

from painkit.data.tree import existing_folder, list_files, undoubled, why_no_file
from painkit.errors import PainkitError
from painkit.files import ends_in_line, read_file


@pytest.fixture
def zoo(tmp_path, monkeypatch):
    """A folder of what may lie where a file is expected."""
    folder = tmp_path / "zoo"
    folder.mkdir()
    (folder / "file").write_bytes(b"12")
    os.mkfifo(folder / "pipe")
    monkeypatch.chdir(folder)  # names of sockets are short
    with socket.socket(socket.AF_UNIX) as own:
        own.bind("socket")
    (folder / "device").symlink_to("/dev/zero")
    (folder / "loop").symlink_to("loop")
    (folder / "gone").symlink_to("nowhere")
    return folder


def test_what_is_no_file_has_no_size(zoo):
    listing = list_files(zoo)
    assert [(name, size) for name, size, _ in listing[""]] == [
        ("device", -1),
        ("file", 2),
        ("gone", -1),
        ("loop", -1),
        ("pipe", -1),
        ("socket", -1),
    ]


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("pipe", "is a pipe, socket or device"),
        ("device", "is a pipe, socket or device"),
        ("socket", "could not be read|is a pipe"),
        ("loop", "could not be read: Too many levels"),
        ("gone", "could not be read: No such file"),
        (".", "could not be read: Is a directory"),
    ],
)
def test_what_is_no_file_is_refused_at_once(zoo, name, told):
    with pytest.raises(PainkitError, match=told):
        read_file(zoo / name)
    if name != ".":
        assert why_no_file(zoo / name).what.startswith(("is a pipe", "could not be read"))


def test_files_are_read_whole_up_to_a_limit(zoo):
    assert read_file(zoo / "file", 2) == b"12"
    with pytest.raises(PainkitError, match=r"is too large \(expected at most 1 bytes\)"):
        read_file(zoo / "file", 1)


@pytest.mark.parametrize(("content", "ends"), [(b"1\n", True), (b"1\r\n", True), (b"1", False), (b"", False)])
def test_whether_a_file_ends_in_a_line(tmp_path, content, ends):
    (tmp_path / "a").write_bytes(content)
    assert ends_in_line(tmp_path / "a") == ends


def test_links_to_folders_above_are_told_and_others_are_followed(tmp_path):
    root = tmp_path / "root"
    (root / "a" / "b").mkdir(parents=True)
    (root / "a" / "b" / "file").write_text("")
    (root / "a" / "b" / "up").symlink_to(root / "a")
    (root / "again").symlink_to(root / "a")
    odd = []
    listing = list_files(root, odd)
    assert sorted(listing) == ["a/b", "again/b"]
    why = "a link to a folder that it lies in was not followed"
    assert odd == [(str(root / "a/b/up"), why), (str(root / "again/b/up"), why)]


def test_names_that_are_not_utf8_are_told(tmp_path):
    root = tmp_path / "root"
    root.mkdir()
    (root / "good").write_text("")
    os.mkdir(os.fsencode(root) + b"/caf\xe9")
    odd = []
    assert sorted(list_files(root, odd)) == [""]
    assert odd == [(f"{root}/caf\\xe9", "the name is not UTF-8; it was left out")]
    with pytest.raises(PainkitError, match=r"caf\\xe9: the name is not UTF-8"):
        existing_folder(os.fsdecode(os.fsencode(root) + b"/caf\xe9"), "files")


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser opens any folder")
def test_a_closed_folder_is_told_or_an_error(tmp_path):
    (tmp_path / "closed").mkdir(mode=0o000)
    odd = []
    assert list_files(tmp_path, odd) == {}
    assert [path for path, _ in odd] == [str(tmp_path / "closed")]
    with pytest.raises(PainkitError, match="the folder could not be opened: Permission denied"):
        list_files(tmp_path)


@pytest.mark.parametrize("name", ["frame_labels", "Frame Labels", "FRAME-LABELS", "Frame_Labels"])
def test_folders_spelled_otherwise(tmp_path, name):
    (tmp_path / name / name).mkdir(parents=True)
    assert undoubled(tmp_path, "Frame_Labels") == tmp_path / name / name
    assert undoubled(tmp_path, "Images") is None


def test_two_folders_spelled_otherwise_are_refused(tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "IMAGES").mkdir()
    if len(list(tmp_path.iterdir())) < 2:
        pytest.skip("this file system does not tell case")
    with pytest.raises(PainkitError, match=r"holds IMAGES and images \(expected one folder, called Images"):
        undoubled(tmp_path, "Images")
    (tmp_path / "Images").mkdir()
    assert undoubled(tmp_path, "Images") == tmp_path / "Images"


def test_a_folder_doubled_by_a_link_to_itself(tmp_path):
    (tmp_path / "Images").mkdir()
    (tmp_path / "Images" / "Images").symlink_to(tmp_path / "Images")
    assert undoubled(tmp_path, "Images") == tmp_path / "Images"

"""Files are written whole or not at all, whatever the system or the program does meanwhile."""

import os
import signal
import stat
import subprocess
import sys
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from painkit.errors import PainkitError
from painkit.files import file_name, write_atomically


@pytest.fixture
def old(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("old")
    return path


def run(code, *arguments):
    return subprocess.run([sys.executable, "-c", code, *map(str, arguments)], capture_output=True, text=True)


def test_a_finished_block_replaces_the_file_and_leaves_nothing_else(old):
    with write_atomically(old) as temporary:
        temporary.write_text("new")
        assert old.read_text() == "old"
    assert old.read_text() == "new"
    assert [path.name for path in old.parent.iterdir()] == ["table.csv"]


def test_a_block_that_fails_leaves_the_old_file(old):
    def write_half():
        with write_atomically(old) as temporary:
            temporary.write_text("half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_half()
    assert old.read_text() == "old"
    assert [path.name for path in old.parent.iterdir()] == ["table.csv"]


def test_a_system_that_refuses_the_bytes_is_told_and_the_old_file_stays(old):
    # A limit on file size refuses the write as a full disk does.
    result = run(
        "import resource, signal, sys\n"
        "from painkit.files import write_atomically\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "with write_atomically(sys.argv[1]) as temporary:\n"
        "    temporary.write_text('x' * 100_000)\n",
        old,
    )
    assert "painkit.errors.WriteError" in result.stderr
    assert "table.csv: could not be written: File too large; nothing was changed" in result.stderr
    assert old.read_text() == "old"
    assert [path.name for path in old.parent.iterdir()] == ["table.csv"]


def test_a_killed_program_leaves_the_old_file_whole(old):
    result = run(
        "import os, signal, sys\n"
        "from painkit.files import write_atomically\n"
        "with write_atomically(sys.argv[1]) as temporary:\n"
        "    temporary.write_text('half')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n",
        old,
    )
    assert result.returncode == -signal.SIGKILL
    assert old.read_text() == "old"


def test_a_folder_that_is_a_file_is_told(old):
    with pytest.raises(PainkitError, match="could not be written"), write_atomically(old / "below.csv"):
        pass
    assert old.read_text() == "old"


def test_new_files_have_the_rights_the_user_set_for_new_files(tmp_path):
    before = os.umask(0o027)
    try:
        with write_atomically(tmp_path / "new.txt") as temporary:
            temporary.write_text("new")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "new.txt").stat().st_mode) == 0o640


NAMES = st.text(st.characters(exclude_categories=()), max_size=300) | st.text(
    "aB.~%_- \u00e9e\u0301", max_size=12
)


@given(NAMES)
@example("..")
@example(".")
@example("")
@example("a" * 300)
@example("\u75db" * 28)
@example("nul")
@example("aux.txt")
@example("a\x00b")
@example("\udcff")
@example("50%")
@example(" a")
@example("a.")
def test_any_name_gives_a_file_name(name):
    made = file_name(name)
    assert 0 < len(made) <= 100
    assert made.isascii()
    assert made.isprintable()
    assert not set(made) & set('/\\:*?"<>|%[]')
    assert made[0] not in ". "
    assert made[-1] not in ". "
    assert made.split(".")[0] not in {"con", "prn", "aux", "nul", "com1", "lpt9"}
    assert file_name(name) == made


@given(NAMES, NAMES)
@example("Ab", "aB")
@example("a", "a ")
@example("a/b", "a_b")
@example("\u00e9", "e\u0301")
@example("\u75db" * 28, "\u75db" * 29)
@example("..", ".")
@example("a" * 101, "a" * 102)
def test_two_names_never_give_one_file_name_even_where_case_is_not_told(one, other):
    if one != other:
        assert unicodedata.normalize("NFC", file_name(one)).casefold() != file_name(other).casefold()


@given(NAMES)
def test_no_name_is_the_file_name_of_another(name):
    if file_name(name) != name:
        assert file_name(file_name(name)) != file_name(name)


def test_usual_names_stay():
    for name in ("042-ll042", "ll042t1aaaff", "071309_w_21", "fold 3", "v1.2"):
        assert file_name(name) == name
    assert file_name("S001").startswith("S001~")


def test_leftovers_of_killed_processes_are_removed_and_nothing_else(old):
    others = [
        old.with_name(name)
        for name in (".table-.csv", ".table-abc.csv", ".table-12345678.txt", "table-12345678.csv")
    ]
    for path in others:
        path.touch()
    with write_atomically(old) as first:
        first.write_text("first")
        run(
            "import os, signal, sys\n"
            "from painkit.files import write_atomically\n"
            "with write_atomically(sys.argv[1]) as temporary:\n"
            "    temporary.write_text('half')\n"
            "    os.kill(os.getpid(), signal.SIGKILL)\n",
            old,
        )
        assert len(list(old.parent.glob(".table-????????.csv"))) == 2
        with write_atomically(old) as second:
            second.write_text("second")
            assert {*old.parent.glob(".table-????????.csv")} == {first, second}
        assert old.read_text() == "second"
    assert old.read_text() == "first"
    assert {*old.parent.iterdir()} == {old, *others}

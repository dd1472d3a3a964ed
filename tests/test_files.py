"""Files are written whole or not at all, whatever the system or the program does meanwhile."""

import os
import signal
import stat
import subprocess
import sys

import pytest

from painkit.errors import PainkitError
from painkit.files import write_atomically


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
    assert "PainkitError" in result.stderr
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

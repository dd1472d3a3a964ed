"""The table of subjects beside a copy of the archive."""

from __future__ import annotations

import os

import numpy as np
import pytest
from archive_files import OTHER, SUBJECT

from painkit.data import load
from painkit.errors import PainkitError


def read(archive):
    return load("unbc", archive.root, cache=False, progress=False)


def test_personal_features(archive):
    (archive.root / "subjects.csv").write_text(
        f"subject,gender,age,complexion\n{SUBJECT},female,elderly,olive-dark\nsomeone,male,young,pale-fair\n"
    )
    cohort = read(archive)
    personal = cohort.personal()
    # Columns: complexion (3), age (3), gender (2).
    np.testing.assert_array_equal(personal[0], [0, 0, 1, 0, 0, 1, 1, 0])
    assert np.isnan(personal[1]).all()
    assert list(cohort.subjects["subject"]) == [SUBJECT, OTHER]


def test_rows_about_nobody_in_the_copy_are_told(archive):
    (archive.root / "subjects.csv").write_text(
        f"subject,gender,age,complexion\nll042,female,elderly,olive-dark\n{OTHER},male,young,pale-fair\n"
    )
    found = read(archive).findings
    (message,) = found[found["kind"] == "unexpected"]["message"]
    assert message == f"line 2: this copy has no subject 'll042', but such as '{SUBJECT}'"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("subject,gender,age\n", "no column complexion"),
        (f"subject,gender,age,complexion\n{SUBJECT},woman,young,pale-fair\n", "line 2: gender is 'woman'"),
        (
            f"subject,gender,age,complexion\n{SUBJECT},,,\n{SUBJECT},,,\n",
            "line 3: subject is .* not listed before",
        ),
        ("subject,gender,age,complexion\n,female,,\n", "line 2: subject is empty"),
        ("subject,gender,age,complexion\na,b,c,d,e,f\n", "line 2: 6 cells in the row"),
        ("", "is empty"),
    ],
)
def test_wrong_table_of_subjects(archive, text, told):
    (archive.root / "subjects.csv").write_text(text)
    with pytest.raises(PainkitError, match=told):
        read(archive)


@pytest.mark.parametrize("what", ["pipe", "device"])
def test_a_table_of_subjects_that_is_no_file_is_refused(archive, what):
    path = archive.root / "subjects.csv"
    if what == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero")
    with pytest.raises(PainkitError, match=r"subjects\.csv: is a pipe, socket or device"):
        read(archive)

"""The optional table of subjects beside a copy of the archive."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from painkit.data.csv_table import read_csv, refuse
from painkit.data.tables import Finding, subjects_table
from painkit.vocabulary.personal import PERSONAL_VALUES

__all__ = ["read_subjects"]


def read_subjects(path: Path, ids: Iterable[str]) -> tuple[pd.DataFrame, list[Finding]]:
    """Personal features of the given subjects from a CSV file, all unknown where there is none.

    Parameters
    ----------
    path : Path
        CSV with the columns subject, gender (female, male), age (young, middle-aged, elderly) and complexion
        (pale-fair, fair-olive, olive-dark); empty cells are unknown.
    ids : iterable of str
        Subjects of the cohort.

    Returns
    -------
    DataFrame
        subject, gender, age, complexion; a row for each of `ids`, sorted.
    list of Finding
        One for each row of the file that is about nobody among `ids`.

    Raises
    ------
    PainkitError
        For a missing column, a row without a subject, a subject listed twice, or a value that is not in the
        list.
    """
    table = subjects_table(ids)
    if not path.exists():
        return table, []
    given = read_csv(path, required=("subject", *PERSONAL_VALUES))
    refuse(given["subject"], given["subject"].isna(), path, "a name")
    refuse(given["subject"], given["subject"].duplicated(), path, "one that is not listed before")
    for column, accepted in PERSONAL_VALUES.items():
        cells = given[column]
        refuse(cells, cells.notna() & ~cells.isin(accepted), path, ", ".join(accepted))
    known = table["subject"].tolist()
    findings: list[Finding] = []
    for line, subject in enumerate(given["subject"], start=2):
        if subject not in known:
            message = f"line {line}: this copy has no subject {subject!r}, but such as {known[0]!r}"
            findings.append(("unexpected", None, None, None, str(path), message))
    return table[["subject"]].merge(given[list(table)], on="subject", how="left"), findings

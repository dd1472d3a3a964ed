"""Every number of every table of the five papers, and every place where painkit departs from their texts."""

from __future__ import annotations

from functools import cache
from importlib import resources

import pandas as pd

from painkit.errors import PainkitError

__all__ = ["deviations", "published", "released"]


def published(paper: str | None = None, *, besides: str | None = None, noted: bool = False) -> pd.DataFrame:
    """Published numbers.

    Parameters
    ----------
    paper : str, optional
        Such as "deepfacelift"; default all.
    besides : str, optional
        A table whose rows are left out.
    noted : bool
        Only rows with a note, each note once a row.

    Returns
    -------
    DataFrame
        paper, table, row, metric, scale, averaging, value (NaN where the table prints that there is none;
        shares as 0-1), note. averaging is pooled, per_subject, best_fold, or unstated where the paper does
        not say; empty for counts that are no average.

    Raises
    ------
    PainkitError
        When there is no such paper.
    """
    rows = _of(_table("published.csv"), paper)
    rows = rows if besides is None else rows[rows["table"] != besides]
    rows = rows[rows["note"] != ""].drop_duplicates(["row", "note"]) if noted else rows
    return rows.reset_index(drop=True)


def deviations(paper: str | None = None) -> pd.DataFrame:
    """Defaults where a paper is silent and resolutions where it is wrong.

    Parameters
    ----------
    paper : str, optional
        As for `published`; what holds for all of them comes first.

    Returns
    -------
    DataFrame
        paper ("all" for what is common), place, text (what it says), painkit (what is done here), why.

    Raises
    ------
    PainkitError
        When there is no such paper.
    """
    return _of(_table("deviations.csv"), paper)


def released() -> dict[str, str]:
    """Published rows by the stem of the file in which their authors have released the predictions."""
    table = _table("released.csv")
    return dict(zip(table["file"], table["row"], strict=True))


@cache
def _table(name: str) -> pd.DataFrame:
    place = resources.files("painkit.evaluation") / "published_tables" / name
    with place.open(encoding="utf-8") as file:
        table = pd.read_csv(file)
    texts = table.columns.drop("value", errors="ignore")
    table[texts] = table[texts].fillna("")
    return table


def _of(table: pd.DataFrame, paper: str | None) -> pd.DataFrame:
    if paper is None:
        return table.copy()
    known = list(dict.fromkeys(_table("published.csv")["paper"]))
    if paper not in known:
        raise PainkitError(f"there is no paper {paper!r}", expected=", ".join(known))
    return table[table["paper"].isin([paper, "all"])].reset_index(drop=True)

"""Every number of every table of the five papers, and every place where painkit departs from their texts."""

from __future__ import annotations

from functools import cache
from importlib import resources

import pandas as pd

from painkit.errors import PainkitError

__all__ = ["PAPERS", "deviations", "published"]

PAPERS = ("deepfacelift", "facenet_regression", "saliency", "lrp_emotions", "seven_levels")


def published(paper: str | None = None) -> pd.DataFrame:
    """Published numbers.

    Parameters
    ----------
    paper : str, optional
        One of `PAPERS`; default all.

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
    return _of(_table("published.csv"), paper)


def deviations(paper: str | None = None) -> pd.DataFrame:
    """Defaults where a paper is silent and resolutions where it is wrong.

    Parameters
    ----------
    paper : str, optional
        One of `PAPERS`; what holds for all of them comes first.

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


@cache
def _table(name: str) -> pd.DataFrame:
    with resources.files("painkit.evaluation").joinpath("tables", name).open(encoding="utf-8") as file:
        table = pd.read_csv(file)
    texts = table.columns.drop("value", errors="ignore")
    table[texts] = table[texts].fillna("")
    return table


def _of(table: pd.DataFrame, paper: str | None) -> pd.DataFrame:
    if paper is None:
        return table.copy()
    if paper not in PAPERS:
        raise PainkitError(f"there is no paper {paper!r}", expected=", ".join(PAPERS))
    return table[table["paper"].isin([paper, "all"])].reset_index(drop=True)

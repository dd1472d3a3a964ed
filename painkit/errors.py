"""The error painkit raises for anything a user can put right."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from os import PathLike

__all__ = ["PainkitError", "WriteError", "unknown"]


class PainkitError(Exception):
    """Bad input or a bad setting, told so that a reader can mend it.

    Parameters
    ----------
    what : str
        What is wrong, and what was given.
    where : path, optional
        The file or folder concerned.
    line : int, optional
        1-based line in `where`.
    expected : str, optional
        What would have been accepted.
    """

    def __init__(
        self,
        what: str,
        *,
        where: str | PathLike[str] | None = None,
        line: int | None = None,
        expected: str | None = None,
    ) -> None:
        self.what = what
        self.where = None if where is None else str(where)
        self.line = line
        self.expected = expected
        place = "" if where is None else f"{where}{'' if line is None else f', line {line}'}: "
        super().__init__(f"{place}{what}{'' if expected is None else f' (expected {expected})'}")

    def __reduce__(self) -> tuple[object, ...]:
        # Errors cross process borders in parallel folds; keyword-only arguments need this.
        return (_rebuild, (type(self), self.what, self.where, self.line, self.expected))


class WriteError(PainkitError):
    """The system refused to write: the disk is full, or permission is wanting."""


def unknown(
    what: str, name: str, known: Iterable[str], *, where: str | PathLike[str] | None = None
) -> PainkitError:
    """Return the error for a name that stands for nothing, with the nearest of those that do.

    Parameters
    ----------
    what : str
        What it should name, such as ``"notebook"``.
    name : str
        What was given.
    known : iterable of str
        What can be given.
    where : path, optional
        The file or folder concerned.
    """
    names = list(known)
    near = get_close_matches(name, names, 1)
    meant = f"; did you mean {near[0]!r}?" if near else ""
    comma = "; " if any("," in one for one in names) else ", "
    return PainkitError(f"no {what} {name!r}{meant}", where=where, expected=comma.join(names))


def _rebuild(
    kind: type[PainkitError], what: str, where: str | None, line: int | None, expected: str | None
) -> PainkitError:
    return kind(what, where=where, line=line, expected=expected)

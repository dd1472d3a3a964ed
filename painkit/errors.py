"""The one error type painkit raises for anything a user can put right."""

from __future__ import annotations

from os import PathLike

__all__ = ["PainkitError"]


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
        return (_rebuild, (self.what, self.where, self.line, self.expected))


def _rebuild(what: str, where: str | None, line: int | None, expected: str | None) -> PainkitError:
    return PainkitError(what, where=where, line=line, expected=expected)

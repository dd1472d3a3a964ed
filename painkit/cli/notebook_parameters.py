"""`-p NAME VALUE`, any number of times: typer has no option of two words that repeats."""

from __future__ import annotations

import json
from typing import Any

import typer
from typer.core import TyperCommand

__all__ = ["NotebookCommand", "read_parameters"]


_PYTHON_WORDS = {"True": True, "False": False, "None": None}


class NotebookCommand(TyperCommand):
    """A command whose ``-p NAME VALUE`` reaches the parser as the one word ``NAME=VALUE`` it can repeat."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Join the two words behind each ``-p`` and parse as usual."""
        joined: list[str] = []
        words = iter(args)
        for word in words:
            joined.append(word)
            if word in ("-p", "--parameter"):
                name = next(words, None)
                if name is not None and "=" not in name:
                    value = next(words, None)
                    if value is None:
                        raise typer.BadParameter(f"-p {name} lacks a value", ctx=ctx)
                    name = f"{name}={value}"
                joined += [] if name is None else [name]
        return super().parse_args(ctx, joined)


def read_parameters(pairs: list[str]) -> dict[str, Any]:
    """Read ``NAME=VALUE`` words; later ones win.

    Values are JSON (numbers, true, null, lists, objects, quoted text) or Python's True, False and None. All
    other text is taken as it is, so that a subject 042, a date or a title with a colon stays what was typed.

    Raises
    ------
    typer.BadParameter
        When a value begins as a list or an object does and is no JSON.
    """
    chosen: dict[str, Any] = {}
    for pair in pairs:
        name, _, text = pair.partition("=")
        try:
            chosen[name] = _PYTHON_WORDS[text] if text in _PYTHON_WORDS else json.loads(text)
        except ValueError as error:
            if text.lstrip().startswith(("[", "{")):
                raise typer.BadParameter(
                    f'-p {name} is no JSON: {error} (expected such as ["a", 1] or {{"a": 1}})'
                ) from error
            chosen[name] = text
    return chosen

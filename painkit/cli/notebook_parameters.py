"""`-p NAME VALUE`, any number of times: typer has no option of two words that repeats."""

from __future__ import annotations

from typing import Any

import typer
import yaml
from typer.core import TyperCommand

__all__ = ["NotebookCommand", "read_parameters"]


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
    """Read ``NAME=VALUE`` words; values are YAML (numbers, true, null, lists), later ones win."""
    chosen: dict[str, Any] = {}
    for pair in pairs:
        name, _, text = pair.partition("=")
        try:
            chosen[name] = yaml.safe_load(text)
        except yaml.YAMLError:
            chosen[name] = text  # text that is no YAML, such as a title with a colon, is taken as it is
    return chosen

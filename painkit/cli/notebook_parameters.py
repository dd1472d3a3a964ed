"""Parameters of a notebook: which it declares, `-p NAME VALUE` read and checked before a kernel starts."""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperCommand

from painkit.errors import PainkitError, unknown

__all__ = ["NotebookCommand", "Parameter", "check_parameters", "declared_parameters", "read_parameters"]


_PYTHON_WORDS = {"True": True, "False": False, "None": None}
_TYPES: dict[str, type] = {"str": str, "int": int, "float": float, "bool": bool, "list": list, "dict": dict}


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


@dataclass(frozen=True)
class Parameter:
    """One line of a notebook's cell of parameters.

    Attributes
    ----------
    default : str
        As it is written.
    kind : type or None
        As annotated (``root: str = None``), else that of the default; None where neither tells.
    meaning : str
        The comment behind it.
    """

    default: str
    kind: type | None
    meaning: str = ""

    @property
    def expected(self) -> str:
        """What it accepts, in words."""
        kind = "anything" if self.kind is None else self.kind.__name__
        return kind if self.default == "None" else f"{kind}, such as {self.default}"

    def accepts(self, value: Any) -> bool:
        """Whether a value is of the parameter's type; None is, where it is the default."""
        if self.kind is None or (value is None and self.default == "None"):
            return True
        if isinstance(value, bool):  # which is an int to Python
            return self.kind is bool
        return isinstance(value, (int, float) if self.kind is float else self.kind)


def declared_parameters(notebook: Path) -> dict[str, Parameter]:
    """Return what the notebook's cell tagged ``parameters`` declares, by name.

    Raises
    ------
    PainkitError
        When the file is no notebook.
    """
    from nbformat import ValidationError
    from nbformat.reader import NotJSONError
    from papermill import inspect_notebook

    wrong = (ValueError, KeyError, AttributeError, TypeError, RecursionError, NotJSONError, ValidationError)
    try:
        told = inspect_notebook(str(notebook))
    except (*wrong, OSError) as error:
        reason = "its parts are too deeply nested" if isinstance(error, RecursionError) else error
        raise PainkitError(
            f"cannot be read: {reason}", where=notebook, expected="a Python notebook"
        ) from error
    return {name: Parameter(one["default"], _kind(one), one["help"]) for name, one in told.items()}


def _kind(told: Mapping[str, str]) -> type | None:
    annotated = told["inferred_type_name"].partition("[")[0]
    if annotated in _TYPES:
        return _TYPES[annotated]
    try:
        kind = type(ast.literal_eval(told["default"]))
    except (ValueError, SyntaxError, MemoryError, RecursionError):  # an expression
        return None
    return kind if kind in _TYPES.values() else None


def check_parameters(notebook: Path, declared: Mapping[str, Parameter], chosen: Mapping[str, Any]) -> None:
    """Refuse a parameter that the notebook does not declare, and a value of another type.

    Raises
    ------
    PainkitError
        Naming it.
    """
    for name, value in chosen.items():
        if name not in declared:
            raise unknown("parameter", name, declared, where=notebook)
        if not declared[name].accepts(value):
            raise PainkitError(
                f"parameter {name} is {value!r}", where=notebook, expected=declared[name].expected
            )


def read_parameters(pairs: Sequence[str], declared: Mapping[str, Parameter]) -> dict[str, Any]:
    """Read ``NAME=VALUE`` words; later ones win.

    The value of a parameter that is text is taken as it is, so that a folder 2024 stays what was typed.
    Other values are JSON (numbers, true, null, lists, objects, quoted text) or Python's True, False and None,
    or else text.

    Raises
    ------
    typer.BadParameter
        When a value begins as a list or an object does and is no JSON.
    """
    chosen: dict[str, Any] = {}
    for pair in pairs:
        name, _, text = pair.partition("=")
        is_text = name in declared and declared[name].kind is str
        try:
            value = _PYTHON_WORDS[text] if text in _PYTHON_WORDS else json.loads(text)
        except (ValueError, RecursionError) as error:
            if text.lstrip().startswith(("[", "{")) and not is_text:
                raise typer.BadParameter(
                    f'-p {name} is no JSON: {error} (expected such as ["a", 1] or {{"a": 1}})'
                ) from error
            value = text
        chosen[name] = value if not is_text or value is None or isinstance(value, str) else text
    return chosen

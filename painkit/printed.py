"""Reports that print themselves with rich, to a terminal in its width and to a file in one of their own."""

from __future__ import annotations

import io
from abc import ABC, abstractmethod
from collections.abc import Iterator

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult

__all__ = ["Printed"]


class Printed(ABC):
    """Base of what prints itself; a subclass yields its lines and tables."""

    @abstractmethod
    def _renderables(self) -> Iterator[RenderableType]: ...

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield from self._renderables()

    def print(self, console: Console) -> None:
        """Print to a terminal in its width, and to a pipe or a file in the width the tables need."""
        if console.is_terminal:
            console.print(self)
        else:
            console.file.write(self.to_text())

    def to_text(self, width: int = 118) -> str:
        """Return the report as plain text of so many columns."""
        out = io.StringIO()
        Console(file=out, width=width, color_system=None, legacy_windows=False).print(self)
        return out.getvalue()

    def __str__(self) -> str:
        return self.to_text()

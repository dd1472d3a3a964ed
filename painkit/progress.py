"""Progress bars of long work: widgets beside a notebook's cell, text in a terminal, none under Voila."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final, TypeVar

__all__ = ["AHEAD", "ahead", "reading", "tqdm"]

#: How a line begins that a terminal is told before long work; on a page it stands in a cell's own output.
AHEAD: Final = "Ahead: "

Item = TypeVar("Item")

# Widgets of a kernel that papermill drives are seen by nobody; text on standard error reaches the terminal.
if TYPE_CHECKING or os.environ.get("PAINKIT_TEXT_PROGRESS"):
    from tqdm import tqdm
elif "VOILA_BASE_URL" in os.environ:
    from tqdm import tqdm as _tqdm

    class tqdm(_tqdm):
        """Nothing to see: Voila shows outputs when their cell is done, and a bar that is gone as an error."""

        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **{**options, "disable": True})
else:
    from tqdm.auto import tqdm


def reading(items: Iterable[Item], total: int, what: str, unit: str, shown: bool) -> Iterable[Item]:
    """Show a bar over what is read, on a terminal alone; it is gone when all is read."""
    return tqdm(items, total=total, desc=what, unit=unit, disable=None if shown else True, leave=False)


def ahead(text: str) -> str:
    """Tell the terminal, where bars are text, what work lies ahead; give the text for the page."""
    if os.environ.get("PAINKIT_TEXT_PROGRESS"):
        sys.stderr.write(f"{AHEAD}{text}\n")
        sys.stderr.flush()
    return text

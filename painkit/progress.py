"""Progress bars of long work: widgets beside a notebook's cell, text where it is executed from a terminal."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, TypeVar

# Widgets of a kernel that papermill drives are seen by nobody; text on standard error reaches the terminal.
if TYPE_CHECKING or os.environ.get("PAINKIT_TEXT_PROGRESS"):
    from tqdm import tqdm
else:
    from tqdm.auto import tqdm

__all__ = ["reading", "tqdm"]

Item = TypeVar("Item")


def reading(items: Iterable[Item], total: int, what: str, unit: str, shown: bool) -> Iterable[Item]:
    """Show a bar over what is read, on a terminal alone; it is gone when all is read."""
    return tqdm(items, total=total, desc=what, unit=unit, disable=None if shown else True, leave=False)

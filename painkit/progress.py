"""Progress bars of long work: widgets beside a notebook's cell, text where it is executed from a terminal."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

# Widgets of a kernel that papermill drives are seen by nobody; text on standard error reaches the terminal.
if TYPE_CHECKING or os.environ.get("PAINKIT_TEXT_PROGRESS"):
    from tqdm import tqdm
else:
    from tqdm.auto import tqdm

__all__ = ["tqdm"]

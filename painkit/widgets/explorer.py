"""What all explorers share: looks, choosers that refuse what they do not offer, a slider that plays, saving.

The state is in traits, so that a test can turn a control and read what is shown without a browser.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anywidget
import numpy as np
from numpy.typing import NDArray
from traitlets import Bool, Dict, Int, Unicode, validate

from painkit.errors import PainkitError
from painkit.figures.style import SIMULATED

__all__ = ["Explorer", "packed", "page_script"]

_HERE = Path(__file__).parent


def page_script(*names: str) -> str:
    """Join JavaScript files of this folder, after those of all explorers, into the module a page loads."""
    shared = ("drawing.js", "bars.js", "saving.js", "explorer.js")
    return "\n".join((_HERE / name).read_text("utf-8") for name in (*shared, *names))


def packed(value: Any, _: object = None) -> Any:
    """Make a tree of dicts, lists and arrays into one a page can be sent: arrays become bytes.

    They stay uint8 or int16 where they are, and become float32 otherwise.
    """
    if isinstance(value, np.ndarray):
        kind = value.dtype.name if value.dtype in (np.uint8, np.int16) else "float32"
        return {"shape": list(value.shape), kind: np.ascontiguousarray(value, kind).tobytes()}
    if isinstance(value, dict):
        return {name: packed(part) for name, part in value.items()}
    return [packed(part) for part in value] if isinstance(value, list | tuple) else value


class Explorer(anywidget.AnyWidget):
    """A heading, the mark that says "simulated", and a slider over what can be shown.

    Tab moves between the controls. On the slider, arrow keys move by one, Page Up and Page Down by ten, Home
    and End go to the ends, Space plays.

    Parameters
    ----------
    simulated : bool
        Whether any of the data come from the simulator.
    **state
        First values of the traits.

    Attributes
    ----------
    frame : int
        Counts from 0 among the frames that are offered; values outside are moved to the nearest.
    playing : bool
        While true, an open page moves `frame`.
    choices : dict of str to list of str
        What each chooser offers now.
    rows : (n,) intp array
        Rows, in the table of all frames, of those that are offered.
    """

    _css = _HERE / "explorer.css"

    heading = Unicode().tag(sync=True)
    mark = Unicode().tag(sync=True)
    choices = Dict().tag(sync=True)
    n_frames = Int().tag(sync=True)
    frame = Int().tag(sync=True)
    playing = Bool().tag(sync=True)

    def __init__(self, *, simulated: bool, **state: Any) -> None:
        self.rows: NDArray[np.intp] = np.array([], np.intp)
        super().__init__(mark=SIMULATED if simulated else "", **state)
        self.on_msg(self._on_message)

    def files(self) -> dict[str, str]:
        """Return what can be saved as a file, by the file's name."""
        return {}

    def offered(self, proposal: Any) -> str:
        """Validate a chooser: `choices` under its name lists what it may be set to.

        Raises
        ------
        PainkitError
            For anything else.
        """
        listed = self.choices.get(proposal.trait.name, ())
        if proposal.value not in listed:
            raise PainkitError(
                f"no {proposal.trait.name.replace('_', ' ')} called {proposal.value!r}",
                expected=f"one of {', '.join(listed)}",
            )
        return str(proposal.value)

    @validate("frame")
    def _inside(self, proposal: Any) -> int:
        return int(np.clip(proposal.value, 0, max(len(self.rows) - 1, 0)))

    def _on_message(self, _: object, content: dict[str, Any], __: Sequence[memoryview]) -> None:
        if content["ask"] == "files":
            self.send({**content, "files": self.files()})

"""What all explorers share: a subject, one of its sequences and a frame of it, by mouse and by keyboard.

The state is in traits, so that a test can turn a control and read what is shown without a browser. What is drawn
is sent once a sequence; the page repaints a change of frame by itself and asks for images as it needs them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anywidget
import cv2
import numpy as np
from numpy.typing import NDArray
from traitlets import Bool, Dict, Int, Unicode, observe, validate

from painkit.data.cohort import Cohort
from painkit.errors import PainkitError
from painkit.figures.style import SIMULATED

__all__ = ["FrameBrowser", "packed", "page_script"]

_HERE = Path(__file__).parent


def page_script(*names: str) -> str:
    """Join JavaScript files of this folder into the one module that a page loads."""
    return "\n".join((_HERE / name).read_text("utf-8") for name in names)


def packed(value: Any, _: object = None) -> Any:
    """Make a tree of dicts, lists and arrays into one a page can be sent: arrays become float32 bytes."""
    if isinstance(value, np.ndarray):
        return {"shape": list(value.shape), "float32": np.ascontiguousarray(value, np.float32).tobytes()}
    if isinstance(value, dict):
        return {name: packed(part) for name, part in value.items()}
    return [packed(part) for part in value] if isinstance(value, list | tuple) else value


class FrameBrowser(anywidget.AnyWidget):  # type: ignore[misc]
    """Subject and sequence by name, a frame slider that plays, and the mark that says "simulated".

    Tab moves between the controls. On the slider, arrow keys move by a frame, Page Up and Page Down by ten, Home
    and End go to the ends, Space plays.

    Parameters
    ----------
    cohort : Cohort
    usable : (n_frames,) bool array
        Frames of the cohort that can be shown.

    Attributes
    ----------
    subject, sequence : str
    frame : int
        Counts from 0 among the sequence's usable frames; values outside are moved to the nearest.
    playing : bool
        While true, an open page moves `frame`.
    choices : dict of str to list of str
        What each chooser offers now.
    rows : (n,) intp array
        Rows of ``cohort.frames`` of the sequence that is open.

    Raises
    ------
    PainkitError
        When a chooser is set to what it does not offer.
    """

    _css = _HERE / "frame_browser.css"

    heading = Unicode().tag(sync=True)
    mark = Unicode().tag(sync=True)
    choices = Dict().tag(sync=True)
    subject = Unicode().tag(sync=True)
    sequence = Unicode().tag(sync=True)
    n_frames = Int().tag(sync=True)
    frame = Int().tag(sync=True)
    playing = Bool().tag(sync=True)

    def __init__(self, cohort: Cohort, usable: NDArray[np.bool_], **state: Any) -> None:
        self.cohort = cohort
        frames = cohort.frames.reset_index(drop=True)[usable]
        self._rows_of = {
            (str(subject), str(sequence)): part.index.to_numpy()
            for (subject, sequence), part in frames.groupby(["subject", "sequence"], sort=False)
        }
        self.rows: NDArray[np.intp] = np.array([], np.intp)
        super().__init__(mark=SIMULATED if cohort.simulated else "", **state)
        self.on_msg(self._on_message)
        self.choices = {
            **self.choices,
            "subject": list(dict.fromkeys(subject for subject, _ in self._rows_of)),
        }
        self.subject = self.choices["subject"][0]

    def opened(self) -> dict[str, Any]:
        """Return traits to set because another sequence is open; explorers add what they draw."""
        return {"n_frames": len(self.rows), "frame": 0, "playing": False}

    def picture(self, row: int) -> NDArray[np.uint8]:
        """Return what is shown for a row of ``cohort.frames``: (h, w, 3) RGB."""
        return self.cohort.image(row)

    def files(self) -> dict[str, str]:
        """Return what can be saved as a file, by the file's name."""
        return {}

    @validate("subject", "sequence")
    def _offered(self, proposal: Any) -> str:
        offered = self.choices.get(proposal.trait.name, ())
        if proposal.value not in offered:
            raise PainkitError(
                f"no {proposal.trait.name.replace('_', ' ')} called {proposal.value!r}",
                expected=f"one of {', '.join(offered)}",
            )
        return str(proposal.value)

    @validate("frame")
    def _inside(self, proposal: Any) -> int:
        return int(np.clip(proposal.value, 0, max(len(self.rows) - 1, 0)))

    @observe("subject")
    def _on_subject(self, _: object) -> None:
        sequences = [sequence for subject, sequence in self._rows_of if subject == self.subject]
        with self.hold_sync():
            self.choices = {**self.choices, "sequence": sequences}
            if self.sequence == sequences[0]:  # of the subject before: names repeat in some archives
                self._on_sequence(None)
            self.sequence = sequences[0]

    @observe("sequence")
    def _on_sequence(self, _: object) -> None:
        self.rows = self._rows_of[self.subject, self.sequence]
        with self.hold_sync():
            for name, value in self.opened().items():
                setattr(self, name, value)

    def _on_message(self, _: object, content: dict[str, Any], __: Sequence[memoryview]) -> None:
        if content["ask"] == "images":
            told, buffers = [], []
            for frame in content["frames"]:
                image, problem = b"", ""
                try:
                    drawn = self.picture(int(self._rows_of[content["subject"], content["sequence"]][frame]))
                    image = cv2.imencode(".jpg", drawn[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 92])[
                        1
                    ].tobytes()
                except PainkitError as error:
                    problem = error.what
                told.append(problem)
                buffers.append(image)
            self.send({**content, "problems": told}, buffers)
        elif content["ask"] == "files":
            self.send({**content, "files": self.files()})

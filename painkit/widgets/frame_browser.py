"""A subject, one of its sequences and a frame of it, by mouse and by keyboard.

What is drawn is sent once a sequence; the page repaints a change of frame by itself and asks for images as it
needs them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from traitlets import Unicode, observe, validate

from painkit.data.cohort import Cohort
from painkit.errors import PainkitError
from painkit.widgets.explorer import Explorer

__all__ = ["FrameBrowser"]


class FrameBrowser(Explorer):
    """Subject and sequence by name over an explorer of the sequence's frames.

    Parameters
    ----------
    cohort : Cohort
    usable : (n_frames,) bool array
        Frames of the cohort that can be shown.
    **state
        First values of the traits.

    Attributes
    ----------
    subject, sequence : str
    rows : (n,) intp array
        Rows of ``cohort.frames`` of the sequence that is open.

    Raises
    ------
    PainkitError
        When a chooser is set to what it does not offer.
    """

    subject = Unicode().tag(sync=True)
    sequence = Unicode().tag(sync=True)

    def __init__(self, cohort: Cohort, usable: NDArray[np.bool_], **state: Any) -> None:
        self.cohort = cohort
        frames = cohort.frames.reset_index(drop=True)[usable]
        self._rows_of = {
            (str(subject), str(sequence)): part.index.to_numpy()
            for (subject, sequence), part in frames.groupby(["subject", "sequence"], sort=False)
        }
        super().__init__(simulated=cohort.simulated, **state)
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

    @validate("subject", "sequence")
    def _of_the_cohort(self, proposal: Any) -> str:
        return self.offered(proposal)

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
        super()._on_message(_, content, __)

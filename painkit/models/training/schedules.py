"""Learning rates of fine-tuning by epoch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

__all__ = ["SCHEDULES", "WORKABLE_HEAD", "Schedule", "ScheduleName"]

ScheduleName = Literal["published", "workable"]


@dataclass(frozen=True)
class Schedule:
    """A rate that falls to a fifth after one third of the epochs, and to a fifth of that after two thirds.

    Parameters
    ----------
    lr : float
        Of the first third.
    epochs : int
    """

    lr: float
    epochs: int

    def rates(self) -> NDArray[np.float64]:
        """Learning rate (epochs,) of every epoch."""
        return np.asarray(self.lr * 0.2 ** (3 * np.arange(self.epochs) // self.epochs), np.float64)


#: ``published``: 4e-6, from epoch 60 on 8e-7, from 120 on 1.6e-7, 180 in all (Hosseini et al., Sec. IV-A;
#: they print "4e" for the first rate, and the fall to a fifth that the others show makes it 4e-6). At these
#: rates a new layer hardly moves; ``workable`` falls in the same way from a rate at which nets learn.
SCHEDULES: Final[dict[ScheduleName, Schedule]] = {
    "published": Schedule(4e-6, 180),
    "workable": Schedule(2e-2, 30),
}
#: ``workable`` where the last layer is trained alone, of which epochs cost nothing.
WORKABLE_HEAD: Final = Schedule(5e-2, 180)

"""The parts of a face over which a frame's contributions are told, and what moved them in a simulation."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from painkit.vocabulary.landmarks import GROUPS, landmark_name

__all__ = ["CAUSES", "PARTS", "moved_by_subject", "moved_in_frames", "over_parts"]

#: Landmarks of each part, by the name of the division. Action units share landmarks.
PARTS: Final[dict[str, dict[str, tuple[int, ...]]]] = {
    "landmarks": {landmark_name(i): (i,) for i in range(66)},
    "facial regions": GROUPS,
}
CAUSES: Final = ("pain", "decoys")
_STRONGEST: Final = 5.0  # intensity at which truth/units.csv gives the displacement


def over_parts(
    values: NDArray[np.floating], reduced: Callable[..., NDArray[np.float64]]
) -> dict[str, NDArray[np.float64]]:
    """Reduce a value of each landmark to one of each part: (n, 66) to (n, n_parts), by division.

    Parameters
    ----------
    values : (n, 66) array
    reduced : function
        `numpy.sum` for contributions, `numpy.mean` for distances.
    """
    return {
        name: np.stack([reduced(values[:, members], axis=1) for members in parts.values()], axis=1)
        for name, parts in PARTS.items()
    }


def moved_in_frames(
    root: Path, subject: str, sequence: str, numbers: NDArray[np.integer]
) -> dict[str, NDArray[np.float64]]:
    """How far each cause moves each landmark of a simulated sequence.

    Parameters
    ----------
    root : Path
        Folder of the simulated cohort, with ``truth/``.
    subject, sequence : str
    numbers : (n,) array of int
        Frame numbers.

    Returns
    -------
    dict of str to (n, 66, 2) array
        By cause, ``"pain"`` and ``"decoys"``: pixels on the mean face before head pose, x right and y down: the
        displacement of each unit at the intensity that the cause gives it. NaN for a frame without truth.
    """
    moves = pd.read_csv(root / "truth" / "units.csv")
    units = moves["au"].unique()
    at_strongest = moves[["dx", "dy"]].to_numpy().reshape(len(units), 66, 2)
    shown, by_pain = [f"AU{unit}" for unit in units], [f"AU{unit}_pain" for unit in units]
    frames = pd.read_parquet(
        root / "truth" / "frames.parquet",
        columns=["frame", *shown, *by_pain],
        filters=[("subject", "==", subject), ("sequence", "==", sequence)],
    )
    frames = frames.set_index("frame").reindex(numbers)
    pain, both = frames[by_pain].to_numpy(np.float64), frames[shown].to_numpy(np.float64)
    return {
        cause: np.tensordot(intensity / _STRONGEST, at_strongest, axes=1)
        for cause, intensity in zip(CAUSES, (pain, both - pain), strict=True)
    }


def moved_by_subject(root: Path) -> dict[str, pd.DataFrame]:
    """Mean displacement of each landmark over a subject's frames, in pixels of the image.

    Returns
    -------
    dict of str to DataFrame
        By cause: index subject, columns 0-65.
    """
    table = pd.read_csv(root / "truth" / "landmarks.csv", dtype={"subject": str})
    columns = dict(zip(CAUSES, ("pain_px", "decoy_px"), strict=True))
    return {
        cause: table.pivot_table(index="subject", columns="landmark", values=c)
        for cause, c in columns.items()
    }

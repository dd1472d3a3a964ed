"""Reading predictions that others have written: released `.mat` files, CSV and Parquet."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet
from numpy.typing import NDArray

from painkit.data.csv_table import read_rows
from painkit.data.mat_cells import read_cells
from painkit.errors import PainkitError
from painkit.scoring.prediction_checks import REQUIRED, check_predictions

__all__ = ["UNBC_SUBJECTS", "read_predictions"]

# Sorted as folders are; the released files hold one cell per subject in this order.
UNBC_SUBJECTS = (
    "042-ll042", "043-jh043", "047-jl047", "048-aa048", "049-bm049", "052-dr052", "059-fn059", "064-ak064",
    "066-mg066", "080-bn080", "092-ch092", "095-tv095", "096-bg096", "097-gf097", "101-mg101", "103-jk103",
    "106-nm106", "107-hs107", "108-th108", "109-ib109", "115-jy115", "120-kz120", "121-vw121", "123-jh123",
    "124-dn124",
)  # fmt: skip


def read_predictions(path: str | PathLike[str], scale: str | None = None) -> pd.DataFrame:
    """Read a file of predictions and check every row.

    Parameters
    ----------
    path : path
        `.mat` with cells `ground_truth` and `predict`, one (1, frames) array per subject, in folders' order
        (as released with Wang et al. 2017; `video_index.mat` beside it gives the frames of each sequence);
        or `.csv` / `.parquet` with columns subject, sequence, frame, y_true, y_pred and optional fold, y_std,
        target and p_0, p_1, ... (a score per class).
    scale : str, optional
        Key of `painkit.vocabulary.scales.SCALES` that y_true is on. Default: the target column; without one,
        "level" where there are frames and "vas" where `frame` is empty.

    Returns
    -------
    DataFrame
        subject, sequence (str), frame (Int64), y_true, y_pred (float), target (str), assumed (bool: nothing
        states the target) and the optional columns.

    Raises
    ------
    PainkitError
        Naming the file, the line where there is one, and what was expected.
    """
    file = Path(path)
    if not file.is_file():
        raise PainkitError("is a folder" if file.is_dir() else "is not there", where=file, expected="a file")
    suffix = file.suffix.lower()
    if suffix == ".mat":
        table = _read_mat(file)
    elif suffix == ".csv":
        expected = f"a table with a header line naming {', '.join(REQUIRED)}"
        table = read_rows(file, expected=expected).fillna("")
    elif suffix in {".parquet", ".pq"}:
        table = _read_parquet(file)
    else:
        raise PainkitError(f"unknown kind of file {suffix!r}", where=file, expected=".mat, .csv or .parquet")
    return check_predictions(table, file, scale)


def _read_mat(file: Path) -> pd.DataFrame:
    cells = read_cells(file, ["ground_truth", "predict"])
    true, pred = cells["ground_truth"], cells["predict"]
    if len(true) != len(pred):
        raise PainkitError(
            f"ground_truth has {len(true)} cells and predict has {len(pred)}",
            where=file,
            expected="as many of each",
        )
    count = len(true)
    subjects = (
        UNBC_SUBJECTS if count == len(UNBC_SUBJECTS) else [f"subject {i + 1:03d}" for i in range(count)]
    )
    beside = file.with_name("video_index.mat")
    lengths: list[NDArray[np.float64]] | None = None
    if beside.is_file() and beside != file:
        lengths = read_cells(beside, ["video_index"])["video_index"]
    parts = []
    for number, (subject, y_true, y_pred) in enumerate(zip(subjects, true, pred, strict=True)):
        if len(y_true) != len(y_pred):
            raise PainkitError(
                f"cell {number + 1} has {len(y_true)} labels and {len(y_pred)} estimates",
                where=file,
                expected="as many of each",
            )
        frames = np.array([len(y_true)])
        if lengths is not None:
            frames = lengths[number].astype(int) if len(lengths) == count else np.zeros(1, dtype=int)
            if frames.min() < 1 or frames.sum() != len(y_true):
                raise PainkitError(
                    f"cell {number + 1} does not add up to the {len(y_true)} frames of {file.name}",
                    where=beside,
                    expected=f"{count} cells with the frames of every sequence of a subject",
                )
        parts.append(
            pd.DataFrame(
                {
                    "subject": subject,
                    "sequence": np.repeat([f"{i + 1:02d}" for i in range(len(frames))], frames),
                    "frame": np.concatenate([np.arange(1, n + 1) for n in frames]),
                    "y_true": y_true,
                    "y_pred": y_pred,
                    "fold": number,  # each subject was tested by a network trained on all others
                }
            )
        )
    return pd.concat(parts, ignore_index=True).assign(target="level")


def _read_parquet(file: Path) -> pd.DataFrame:
    try:
        table: pd.DataFrame = pyarrow.parquet.read_table(file).to_pandas().reset_index(drop=True)
    # Damaged files leave pyarrow as ArrowInvalid, OSError, and errors of its conversion to pandas.
    except Exception as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise PainkitError(
            f"cannot be read as Parquet ({reason})", where=file, expected=f"columns {', '.join(REQUIRED)}"
        ) from error
    return table

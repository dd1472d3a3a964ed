"""What was tried to bring saliency to where pain moves the face: settings of the supervision, one by one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import clone

from painkit.data.crop_store import CropStore
from painkit.errors import unknown
from painkit.evaluation.protocols import Protocol
from painkit.evaluation.study import Row, Rows, Study
from painkit.papers.saliency import COMPARED, DIRECT, LOCAL
from painkit.papers.saliency_maps import held_out_maps, mass_in_pain_regions

__all__ = ["TRIALS", "trials"]

#: Settings of `SaliencySupervision` that differ from those of method 2; ``longer`` is a factor.
TRIALS: Final[Mapping[str, Mapping[str, Any]]] = {
    "local rate times 0.1": {"local_lr": 0.001},
    "local rate times 10": {"local_lr": 0.1},
    "histograms of width 3": {"bin_width": 3.0},
    "64 bins": {"bins": 64},
    "patches of 5 pixels": {"patch": 5},
    "patches of 21 pixels": {"patch": 21},
    "PReLU on the way back": {"prelu": "prelu"},
    "3 times the iterations": {"longer": 3},
    "local rate times 10, 3 times the iterations": {"local_lr": 0.1, "longer": 3},
}


def trials(
    study: Study,
    rows: Rows,
    store: CropStore,
    landmarks: NDArray[np.floating],
    names: Sequence[str],
    *,
    protocol: Protocol,
    per_subject: int = 8,
) -> pd.DataFrame:
    """Train method 2 again with single settings changed, and measure where its maps lie.

    Parameters
    ----------
    study : Study
    rows : Rows
        As from `painkit.papers.saliency.rows`.
    store : CropStore
    landmarks : (n_frames, 132) array
        In the crops' pixels.
    names : sequence of str
        Keys of `TRIALS`; none gives an empty table.
    protocol : Protocol
        Of the trials: few folds save time.
    per_subject : int
        See `held_out_maps`.

    Returns
    -------
    DataFrame
        setting ("direct", "global" and "as in the table" are the rows of Table 1 under this protocol), and
        the columns of `mass_in_pain_regions` but row and step.

    Raises
    ------
    PainkitError
        For a name that is no trial.
    """
    for name in names:
        if name not in TRIALS:
            raise unknown("trial", name, TRIALS)
    if not names:
        return pd.DataFrame(columns=["setting", "share", "area", "value", "low", "high", "change"])
    here = replace(study, protocol=protocol)
    base = rows.only(COMPARED)
    as_is = here.run(base)
    common = {"n_resamples": study.n_resamples, "seed": study.seed}
    first = held_out_maps(as_is, store, landmarks, COMPARED, per_subject=per_subject)
    parts = [mass_in_pain_regions(first, study.cohort, **common)]
    for name in names:
        estimator, target = base.estimators[LOCAL]
        changed = dict(TRIALS[name])
        factor = changed.pop("longer", 1)
        changed["iterations"] = factor * estimator.pretrained.iterations
        again = clone(estimator).set_params(**{f"pretrained__{key}": one for key, one in changed.items()})
        run = here.run(replace(base, estimators={LOCAL: Row(again, target)}))
        found, direct = (
            held_out_maps(
                one, store, landmarks, [row], per_subject=per_subject, prelu=again.pretrained.prelu
            ).maps[row]
            for one, row in ((run, LOCAL), (as_is, DIRECT))
        )
        both = replace(first, maps={DIRECT: direct, name: found})
        parts.append(mass_in_pain_regions(both, study.cohort, **common).iloc[1:])
    table = pd.concat(parts, ignore_index=True)
    table["row"] = table["row"].replace(
        dict(zip(COMPARED, ("direct", "global", "as in the table"), strict=True))
    )
    return table.drop(columns=["step", "step_low", "step_high"]).rename(columns={"row": "setting"})

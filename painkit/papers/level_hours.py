"""How long the notebook of the seven levels will take, from a few batches that are timed on this machine."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
import pandas as pd
import torch
from torch.nn import functional

from painkit.data.crop_store import CropStore
from painkit.evaluation.run_fold import limited_threads
from painkit.evaluation.samples import samples
from painkit.evaluation.study import Rows, Study
from painkit.models.crops.emotions import EmotionResNet
from painkit.models.crops.seven_levels import N_LEVELS, SevenLevels
from painkit.models.nets.resnet18 import ResNet18
from painkit.models.training.acceleration import choose_acceleration
from painkit.models.training.views import VIEWS
from painkit.papers.seven_levels import levels_balanced
from painkit.progress import ahead

__all__ = ["hours_ahead", "hours_sentence"]

_TIMED: Final = 16  # images of a batch
_BATCHES: Final = 2
_BLOCKS: Final = 0.8  # share of the epochs in which convolutions are trained, block by block


def hours_ahead(
    study: Study, rows: Rows, store: CropStore, emotions: Mapping[str, Any] | None = None
) -> pd.DataFrame:
    """Estimate how long the nets will be trained, as if nothing were done yet.

    Parameters
    ----------
    study : Study
    rows : Rows
        Of `painkit.papers.seven_levels.rows`. Heads alone cost one look at the images, which the rows and
        the audit share.
    store : CropStore
    emotions : mapping, optional
        Parameters of `EmotionResNet` that differ from the defaults, where it is trained in each mode of FER+.

    Returns
    -------
    DataFrame
        what, trained (images that go through the net and back), seen (through the net), hours, and takes:
        the same in words.
    """
    estimators = {name: row.estimator for name, row in rows.estimators.items()}
    one: SevenLevels = next(iter(estimators.values()))
    back, forth = _seconds(one, study.threads)
    table = levels_balanced(study, store)
    n_folds = len(study.protocol.splits(samples(study.cohort, "seven_levels").table))
    images, frames = float(table["after"].sum()), int(store.usable.sum())
    copied = frames * float(table["before"][2:].sum() / max(table["before"].sum(), 1))
    lines: list[tuple[str, float, float]] = []
    if emotions is not None:
        net = EmotionResNet(**emotions)
        lines.append(("emotions of FER+, in both modes", 2.0 * net.iterations * net.batch_size, 0.0))
    looked = False
    for name, estimator in estimators.items():
        if estimator.mode == "head":
            if not looked or estimator.pretrained is None:
                seen = frames + (len(VIEWS) - 1) * copied
                lines.append((f"features for {name}", 0.0, seen))
                looked = looked or estimator.pretrained is not None
            continue
        share = _BLOCKS if estimator.mode == "blocks" else 1.0
        lines.append((name, share * len(estimator.rates()) * images * n_folds, float(frames)))
    found = pd.DataFrame(lines, columns=["what", "trained", "seen"])
    at_once = np.where(found["what"].str.startswith(("emotions", "features")), 1, min(study.jobs, n_folds))
    seconds: pd.Series[float] = (back * found["trained"] + forth * found["seen"]) / at_once
    hours = seconds / 3600
    found = found.round().astype({"trained": int, "seen": int})
    return found.assign(hours=hours, takes=[_in_words(one) for one in hours])


def hours_sentence(table: pd.DataFrame) -> str:
    """Say how long it will take, on the page and in the terminal."""
    hours = float(table["hours"].sum())
    longest = table.iloc[int(table["hours"].argmax())]
    share = 100 * longest["hours"] / hours if hours else 0.0
    return ahead(
        f"Training the nets takes about {_in_words(hours)} on this machine as it is now, {share:.0f} % of it "
        f"for {longest['what']}. Images are read, baselines fitted and maps drawn besides. What is done is "
        "kept: after a kill the same command goes on, and loses only what a fold had begun."
    )


def _in_words(hours: float) -> str:
    if hours >= 1:
        return f"{hours:.1f} hours"
    return f"{60 * hours:.1f} minutes" if hours >= 1 / 60 else f"{3600 * hours:.1f} seconds"


def _seconds(estimator: SevenLevels, threads: int) -> tuple[float, float]:
    """Seconds that an image takes through the net and back, and through it alone."""
    acceleration = choose_acceleration(estimator.device, estimator.precision)
    net = ResNet18(N_LEVELS, width=estimator.width).to(acceleration.device)
    side = estimator.input_size
    images = torch.rand(_TIMED, 3, side, side, device=acceleration.device)
    images = images.to(memory_format=torch.channels_last)
    levels = torch.zeros(_TIMED, dtype=torch.long, device=acceleration.device)

    def there_and_back() -> None:
        with acceleration.autocast():
            loss = functional.cross_entropy(net(images).float(), levels)
        torch.autograd.backward(loss)

    @torch.inference_mode()
    def there() -> None:
        with acceleration.autocast():
            net(images)

    with limited_threads(threads):
        return _timed(there_and_back, acceleration.device), _timed(there, acceleration.device)


def _timed(work: Callable[[], None], device: torch.device) -> float:
    work()
    started = time.perf_counter()
    for _ in range(_BATCHES):
        work()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return (time.perf_counter() - started) / (_BATCHES * _TIMED)

"""What ResNet-18 starts from: weights that the user has, else eight emotions of FER+, learned here."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import clone

from painkit.data.ferplus import EmotionImages, read_ferplus
from painkit.errors import PainkitError
from painkit.evaluation.keys import describe, digest, settled, versions
from painkit.evaluation.run_fold import limited_threads
from painkit.evaluation.study import Study
from painkit.evaluation.tables import stacked
from painkit.kept import kept
from painkit.metrics import evaluate
from painkit.models.crops.emotions import EmotionResNet
from painkit.models.nets.weights import WeightsFile

__all__ = ["EmotionStart", "start_from_emotions"]

Mode = Literal["majority", "probability"]

_TRAINED, _TESTED = "Training", "PrivateTest"
_METRICS = ("accuracy", "recall")


class EmotionStart(NamedTuple):
    """What `start_from_emotions` made.

    Attributes
    ----------
    weights : WeightsFile
        For ``SevenLevels(pretrained=...)``.
    scores : DataFrame
        row (the mode, or "majority class"), metric, value, low, high, n: on the faces of PrivateTest on whose
        emotion most people agree; empty where the weights were given. Intervals resample faces, since nobody
        knows which are of one person.
    simulated : bool
        Whether the faces were.
    """

    weights: WeightsFile
    scores: pd.DataFrame
    simulated: bool = False


def start_from_emotions(
    study: Study,
    faces: str | Path,
    *,
    mode: Mode = "majority",
    pretrained: str | Path | None = None,
    net: Mapping[str, Any] | None = None,
) -> EmotionStart:
    """Give weights to start from: those the user has, else trained here on FER+ in both of its modes.

    Parameters
    ----------
    study : Study
        Nets are kept in its folder under keys of everything they depend on, and read from there next time.
    faces : path
        Folder with ``fer2013new.csv`` and ``fer2013.csv``.
    mode : {'majority', 'probability'}
        Whose weights are handed on; both are trained and scored.
    pretrained : path, optional
        A file of weights; nothing is then trained.
    net : mapping, optional
        Parameters of `EmotionResNet` that differ from the defaults.

    Raises
    ------
    PainkitError
        For another mode, files of FER+ that are damaged or of different length, or too few faces.
    """
    if pretrained is not None:
        return EmotionStart(WeightsFile(pretrained), pd.DataFrame(columns=["row", "metric", "value"]))
    images = read_ferplus(faces)
    labelled = {"majority": images.majority(), "probability": images.probability()}
    if mode not in labelled:
        raise PainkitError(f"mode {mode!r}", expected=" or ".join(labelled))
    tested, emotion = labelled["majority"]
    test = tested.usage == _TESTED
    settings = {"random_state": study.seed, "progress": True, **(net or {})}
    folders, tables = {}, {}
    truth = pd.DataFrame(
        {"subject": tested.names[test], "target": "emotion", "y_true": emotion[test].astype(float)}
    )
    for name, (chosen, labels) in labelled.items():
        train = chosen.usage == _TRAINED
        if not train.any() or not test.any():
            raise PainkitError(
                f"{int(train.sum())} faces to train on, {int(test.sum())} to test on",
                where=images.root,
                expected="faces on whose emotion most people agree",
            )
        folder = _trained(study, EmotionResNet(**settings), chosen, labels, train)
        folders[name] = folder
        with limited_threads(study.threads):
            logits = EmotionResNet.load(folder / "net").decision_function(tested.images(test))
        tables[name] = truth.assign(y_pred=logits.argmax(axis=1).astype(float))
    usual = np.bincount(emotion[tested.usage == _TRAINED]).argmax()
    tables["majority class"] = truth.assign(y_pred=float(usual))
    scored = {
        name: evaluate(table, _METRICS, n_resamples=study.n_resamples, seed=study.seed)
        for name, table in tables.items()
    }
    scores = stacked(scored, "row")[["row", "metric", "value", "low", "high", "n", "scale"]]
    return EmotionStart(WeightsFile(folders[mode] / "weights.safetensors"), scores, images.simulated)


def _trained(
    study: Study, net: EmotionResNet, chosen: EmotionImages, labels: NDArray[Any], train: NDArray[np.bool_]
) -> Path:
    """Folder of the net that is trained on some faces, made once."""
    net = settled(net)
    content = {
        "net": describe(net),
        "faces": chosen.take(train).fingerprint,
        "labels": labels[train].tolist(),
        "threads": study.threads,
        "versions": versions(),
    }

    def make(folder: Path) -> None:
        with limited_threads(study.threads):
            fitted = clone(net).fit(chosen.images(train), labels[train])
        fitted.save(folder / "net")
        fitted.save_backbone(folder / "weights.safetensors")

    return kept(study.out, f"emotions-{digest(content)[:12]}", make)

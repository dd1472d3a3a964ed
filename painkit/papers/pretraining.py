"""Verification pre-training of the face net's backbone, and how well it tells unseen people apart."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
from sklearn.base import clone

from painkit.data.crop_building import build_crop_store
from painkit.data.crop_store import CropStore
from painkit.data.identities import IdentityImages, read_identities
from painkit.errors import PainkitError
from painkit.evaluation.keys import describe, digest, settled, versions
from painkit.evaluation.run_fold import limited_threads
from painkit.evaluation.study import Study
from painkit.faces.crops import FaceCrop
from painkit.files import write_text
from painkit.kept import kept
from painkit.metrics.verification import verification_auc
from painkit.models.crops.verification import FaceVerification
from painkit.models.nets.weights import WeightsFile

__all__ = ["Pretraining", "backbone", "identity_store", "pretrain"]

_RESAMPLES = 300  # of people: each draws again among up to two million pairs


class Pretraining(NamedTuple):
    """What `pretrain` made.

    Attributes
    ----------
    weights : WeightsFile
        The backbone, for ``FaceNetRegression(pretrained=...)``.
    auc : DataFrame
        row (untrained, pre-trained, gain), metric, value, low, high, n_pairs, n_identities, n_left_out:
        verification AUC on people the net was not trained on, 0.5 is chance; ``gain`` is the second minus the
        first on the same pairs. Intervals resample people.
    history : DataFrame
        softmax and center loss by iteration.
    counts : DataFrame
        what, count: people and images trained on, images left out, people held out.
    channels : {'rgb', 'bgr'}
        Order the weights were trained in.
    simulated : bool
        Whether the people were.
    """

    weights: WeightsFile
    auc: pd.DataFrame
    history: pd.DataFrame
    counts: pd.DataFrame
    channels: Literal["rgb", "bgr"] = "rgb"
    simulated: bool = False


def backbone(
    study: Study,
    people: str | Path,
    crops: str | Path,
    *,
    pretrained: str | Path | None = None,
    channels: Literal["rgb", "bgr"] = "rgb",
    net: Mapping[str, Any] | None = None,
) -> Pretraining:
    """Give a backbone to start from: weights the user has, else pre-trained here on people.

    Parameters
    ----------
    study : Study
    people : path
        Folder with one folder of images a person.
    crops : path
        Where their crops are kept.
    pretrained : path, optional
        A file of weights; nothing is then trained, and the tables are empty.
    channels : {'rgb', 'bgr'}
        Order those were trained in; the published Caffe model has bgr.
    net : mapping, optional
        Parameters of `FaceVerification` that differ from the defaults.
    """
    if pretrained is not None:
        told = pd.DataFrame({"what": ["pre-trained here: nothing, the weights were given"], "count": [0]})
        auc = pd.DataFrame(columns=["row", "metric", "value", "low", "high"])
        return Pretraining(WeightsFile(pretrained), auc, pd.DataFrame(), told, channels)
    identities = read_identities(people)
    store = identity_store(identities, crops, jobs=study.jobs)
    settings = {"random_state": study.seed, "progress": True, **(net or {})}
    return pretrain(study, FaceVerification(store=store, **settings), identities)


def identity_store(
    identities: IdentityImages, folder: str | Path, *, jobs: int = 2, progress: bool = True
) -> CropStore:
    """Aligned crops of an identity set; faces without a landmark file are looked for by the detector."""
    unmarked = bool(np.isnan(identities.landmarks).any(axis=(1, 2)).any())
    return build_crop_store(
        identities.image,
        identities.landmarks,
        folder,
        content=identities.fingerprint,
        crop=FaceCrop(detect=unmarked),
        jobs=jobs,
        progress=progress,
        simulated=identities.simulated,
    )


def pretrain(
    study: Study, net: FaceVerification, identities: IdentityImages, *, held_out: float = 0.3
) -> Pretraining:
    """Train a net to tell people apart, and test it, and an untrained one, on people held out.

    Parameters
    ----------
    study : Study
        Its seed chooses the people. The backbone is kept in its folder under a key of everything it depends
        on, and read from there next time.
    net : FaceVerification
        With the store of the crops of `identities`; cloned.
    identities : IdentityImages
    held_out : float
        Share of the people that are tested on, two at least.

    Raises
    ------
    PainkitError
        When too few people remain to train or to test on.
    """
    net, images = settled(net), identities.images
    people = images["identity"].unique()
    n_test = max(2, round(held_out * len(people)))
    if len(people) - n_test < 2:
        raise PainkitError(
            f"{len(people)} people, {n_test} of them held out",
            where=identities.root,
            expected="at least 2 people to train on and 2 to test on",
        )
    tested = np.random.default_rng(study.seed).permutation(people)[:n_test]
    test = images["identity"].isin(tested)
    content = {
        "net": describe(net),
        "images": identities.fingerprint,
        "test": sorted(tested),
        "bootstrap": [_RESAMPLES, study.seed],
        "threads": study.threads,
        "versions": versions(),
    }

    def make(folder: Path) -> None:
        with limited_threads(study.threads):
            _train_and_test(net, images, test.to_numpy(), folder, study.seed)

    # A net that was trained before a kill is not trained again.
    folder = kept(study.out, f"verification-{digest(content)[:12]}", make, resumable=True)
    trained = FaceVerification.load(folder / "net")
    counts: dict[str, int] = {
        "people trained on": len(trained.identities_),
        "images trained on": trained.n_trained_images_,
        "images without a face": trained.n_without_face_,
        "images alone of their person": trained.n_single_,
        "people held out": n_test,
    }
    history = pd.DataFrame(trained.history_, columns=["softmax", "center loss, weighted"])
    auc = pd.read_csv(folder / "auc.csv")
    return Pretraining(
        WeightsFile(folder / "backbone.safetensors"),
        auc,
        history,
        pd.DataFrame(counts.items(), columns=["what", "count"]),
        simulated=identities.simulated,
    )


def _train_and_test(net: FaceVerification, images: pd.DataFrame, test: Any, folder: Path, seed: int) -> None:
    train, people = images[~test], images.loc[~test, "identity"]
    untrained = clone(net).set_params(iterations=0).fit(train, people).transform(images[test])
    try:
        trained = FaceVerification.load(folder / "net").set_params(store=net.store)
    except PainkitError:  # none yet, or damaged
        trained = clone(net).fit(train, people)
        trained.save(folder / "net")
    trained.save_backbone(folder / "backbone.safetensors")
    features = trained.transform(images[test])
    rows = []
    for name, of, baseline in (
        ("untrained", untrained, None),
        ("pre-trained", features, None),
        ("gain", features, untrained),
    ):
        found = verification_auc(
            of, images.loc[test, "identity"], baseline=baseline, n_resamples=_RESAMPLES, seed=seed
        )
        rows.append({"row": name, "metric": "AUC", **found._asdict()})
    write_text(folder / "auc.csv", pd.DataFrame(rows).to_csv(index=False))

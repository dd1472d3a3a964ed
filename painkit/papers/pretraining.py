"""Verification pre-training of the face net's backbone, and how well it tells unseen people apart."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from sklearn.base import clone

from painkit.data.crop_store import FrameStore, build_frame_store
from painkit.data.identities import IdentityImages
from painkit.errors import PainkitError
from painkit.evaluation.keys import describe, digest, settled, versions
from painkit.faces.crops import FaceCrop
from painkit.files import write_atomically
from painkit.models.crops.verification import FaceVerification, verification_auc
from painkit.models.nets.weights import WeightsFile

__all__ = ["Pretraining", "identity_store", "pretrain"]


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
    counts : dict of str to int
        People and images trained on, images left out, people held out.
    """

    weights: WeightsFile
    auc: pd.DataFrame
    history: pd.DataFrame
    counts: dict[str, int]


def identity_store(
    identities: IdentityImages,
    folder: str | Path,
    *,
    jobs: int = 2,
    progress: bool = True,
    simulated: bool = False,
) -> FrameStore:
    """Aligned crops of an identity set; faces without a landmark file are looked for by the detector."""
    unmarked = bool(np.isnan(identities.landmarks).any(axis=(1, 2)).any())
    return build_frame_store(
        identities.image,
        identities.landmarks,
        folder,
        content=identities.fingerprint,
        crop=FaceCrop(detect=unmarked),
        jobs=jobs,
        progress=progress,
        simulated=simulated,
    )


def pretrain(
    net: FaceVerification,
    identities: IdentityImages,
    out: str | Path,
    *,
    held_out: float = 0.3,
    n_resamples: int = 300,
    seed: int = 0,
) -> Pretraining:
    """Train a net to tell people apart, and test it, and an untrained one, on people held out.

    Parameters
    ----------
    net : FaceVerification
        With the store of the crops of `identities`; cloned.
    identities : IdentityImages
    out : path
        The backbone is kept in here under a key of everything it depends on, and read from there next time.
    held_out : float
        Share of the people that are tested on, two at least.
    n_resamples : int
        Of the bootstrap over people.
    seed : int
        Of the choice of people and of the bootstrap.

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
    tested = np.random.default_rng(seed).permutation(people)[:n_test]
    test = images["identity"].isin(tested)
    content = {
        "net": describe(net),
        "images": identities.fingerprint,
        "test": sorted(tested),
        "bootstrap": [n_resamples, seed],
        "versions": versions(),
    }
    folder = Path(out) / f"verification-{digest(content)[:12]}"
    if not (folder / "auc.csv").is_file():
        _train_and_test(net, images, test.to_numpy(), folder, n_resamples, seed)
    trained = FaceVerification.load(folder)
    counts = {
        "people trained on": len(trained.identities_),
        "images trained on": trained.n_trained_images_,
        "images without a face": trained.n_without_face_,
        "images alone of their person": trained.n_single_,
        "people held out": n_test,
    }
    history = pd.DataFrame(trained.history_, columns=["softmax", "center loss, weighted"])
    auc = pd.read_csv(folder / "auc.csv")
    return Pretraining(WeightsFile(folder / "backbone.safetensors"), auc, history, counts)


def _train_and_test(
    net: FaceVerification, images: pd.DataFrame, test: Any, folder: Path, n_resamples: int, seed: int
) -> None:
    train, people = images[~test], images.loc[~test, "identity"]
    untrained = clone(net).set_params(iterations=0).fit(train, people).transform(images[test])
    if (folder / "backbone.safetensors").is_file():  # written after the rest of the net
        trained = FaceVerification.load(folder).set_params(store=net.store)
    else:
        trained = clone(net).fit(train, people)
        trained.save(folder)
        trained.save_backbone(folder / "backbone.safetensors")
    features = trained.transform(images[test])
    rows = []
    for name, of, baseline in (
        ("untrained", untrained, None),
        ("pre-trained", features, None),
        ("gain", features, untrained),
    ):
        found = verification_auc(
            of, images.loc[test, "identity"], baseline=baseline, n_resamples=n_resamples, seed=seed
        )
        rows.append({"row": name, "metric": "AUC", **found._asdict()})
    # The scores come last: a folder that has them is complete.
    with write_atomically(folder / "auc.csv") as path:
        pd.DataFrame(rows).to_csv(path, index=False)

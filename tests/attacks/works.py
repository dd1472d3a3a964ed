"""Works that are killed and whose files are damaged: each can be asked for again and gives what it gave.

A work takes a folder that it fills, and a folder of sources that it only reads, and gives digests of all that
a user gets from it. Processes of their own import this module.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import torch
from joblib.externals.loky import get_reusable_executor
from noisy import Noisy
from numpy.typing import NDArray
from small_cohort import small_cohort

import painkit.data.crop_building as crop_building
import painkit.models.crops.frozen_features as frozen_features
from painkit.data import load, unbc
from painkit.data.cohort import Cohort
from painkit.data.crop_store import CropStore
from painkit.data.identities import read_identities
from painkit.errors import PainkitError
from painkit.evaluation import Study, leave_one_subject_out, run
from painkit.evaluation.keys import versions
from painkit.evaluation.runs import Run
from painkit.faces.alignment import TEMPLATE
from painkit.models.crops.frozen_features import FrozenFeatures
from painkit.models.crops.verification import FaceVerification
from painkit.models.nets.resnet18 import ResNet18, to_input
from painkit.models.training.acceleration import Acceleration
from painkit.papers.pretraining import Pretraining, identity_store, pretrain
from painkit.simulation.simulation import simulate

versions()  # read here, before any fork: the checkout may be edited while the tests run

Digests = dict[str, str]
QUIET = {"progress": False}


def digest(content: Any) -> str:
    """Tell contents apart: bytes, arrays, tables (with their types), whatever JSON takes."""
    if isinstance(content, pd.DataFrame):
        content = content.to_csv() + str(content.dtypes.to_dict())
    elif isinstance(content, np.ndarray):
        content = repr((content.shape, content.dtype)).encode() + np.ascontiguousarray(content).tobytes()
    elif not isinstance(content, bytes | str):
        content = json.dumps(content, sort_keys=True, default=str)
    return hashlib.sha256(content if isinstance(content, bytes) else content.encode()).hexdigest()


def files_below(folder: Path) -> list[Path]:
    """Everything that lies there but locks, which stay."""
    return sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix != ".lock")


def write_sources(sources: Path) -> None:
    """Make what the works read."""
    simulate(sources / "unbc", profile="smoke", images="none", **QUIET)
    for kind in ("Frame_Labels/PSPI", "Frame_Labels/FACS", "AAM_landmarks", "Sequence_Labels/VAS"):
        one = next((sources / "unbc" / kind).iterdir())
        shutil.copytree(one, sources / "one subject" / kind / one.name)
    rng = np.random.default_rng(0)
    for person in range(5):
        folder = sources / "people" / f"p{person}"
        folder.mkdir(parents=True)
        for i in range(3):
            picture = rng.integers(0, 255, (112, 96, 3), dtype=np.uint8)
            cv2.imwrite(str(folder / f"{i}.png"), cv2.GaussianBlur(picture, (0, 0), 3))
    (sources / "fer").mkdir()
    heading = "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF\n"
    votes, pixels = [heading], ["emotion,pixels,Usage\n"]
    for i in range(40):
        votes.append(f"Training,fer{i:07d}.png,8,1,1,0,0,0,0,0,0,0\n")
        pixels.append(f"0,{' '.join(map(str, rng.integers(0, 256, 2304)))},Training\n")
    (sources / "fer" / "fer2013new.csv").write_text("".join(votes))
    (sources / "fer" / "fer2013.csv").write_text("".join(pixels))


def of_run(done: Run) -> Digests:
    models = {fold: [p.read_bytes() for p in files_below(done.model_folder(fold))] for fold in done.folds}
    told = {k: v for k, v in done.info.items() if k not in ("seconds_over_folds", "machine")}
    told["folds"] = [{k: v for k, v in f.items() if k not in ("seconds", "finished")} for f in told["folds"]]
    return {"predictions": digest(done.predictions), "info": digest(told), "models": digest(repr(models))}


def running(out: Path, sources: Path, jobs: int = 2) -> Digests:
    cohort, protocol = small_cohort(5), leave_one_subject_out()
    return of_run(run(Noisy(), cohort, protocol, "vas", out, jobs=jobs, keep_models=True, **QUIET))


def simulating(out: Path, sources: Path, jobs: int = 2) -> Digests:
    profile, images = os.environ.get("PAINKIT_ATTACKED_SIMULATION", "smoke none").split()
    root = simulate(out / "tree", profile=profile, images=images, jobs=jobs, **QUIET)
    return {str(path.relative_to(root)): digest(path.read_bytes()) for path in files_below(root)}


def of_cohort(cohort: Cohort) -> Digests:
    tables = ("subjects", "sequences", "frames", "findings", "landmarks")
    told = {name: digest(getattr(cohort, name)) for name in tables}
    return told | {"about": digest([cohort.name, cohort.simulated, cohort.fingerprint, cohort.notes])}


def reading(out: Path, sources: Path, jobs: int = 2, cohort: str = "unbc") -> Digests:
    os.environ["PAINKIT_CACHE"] = str(out)
    return of_cohort(load("unbc", sources / cohort, jobs=jobs, **QUIET))


def reading_ferplus(out: Path, sources: Path, jobs: int = 2) -> Digests:
    os.environ["PAINKIT_CACHE"] = str(out)
    images = load("ferplus", sources / "fer", **QUIET)
    return {"pixels": digest(images.images()), "votes": digest(images.votes), "key": images.fingerprint}


def noise_image(i: int) -> NDArray[np.uint8]:
    return np.random.default_rng(i).integers(0, 256, (240, 320, 3), dtype=np.uint8)


def do_crops(out: Path, n: int = 40) -> CropStore:
    points = np.tile(TEMPLATE.mean(axis=0), (n, 66, 1))
    points[:, 36:42], points[:, 42:48], points[:, [30, 48, 54]] = TEMPLATE[0], TEMPLATE[1], TEMPLATE[2:]
    points += np.array([40, 30])
    points[5] = np.nan
    return crop_building.build_crop_store(noise_image, points, out, content="attacked", **QUIET)


def of_crops(store: CropStore) -> Digests:
    usable = np.flatnonzero(store.usable)
    return {
        "status": digest(store.status),
        "crops": digest(store.batch(usable)),
        "about": digest(store.description),
    }


def cropping(out: Path, sources: Path, jobs: int = 2) -> Digests:
    return of_crops(do_crops(out))


def do_pretraining(out: Path, sources: Path) -> Pretraining:
    people = read_identities(sources / "people")
    # Pictures are taken as they are: no landmarks are there, and no detector is needed.
    store = identity_store(people, out / "crops", **QUIET)
    net = FaceVerification(
        store=store, width=1 / 32, iterations=2, batch_size=4, device="cpu", random_state=0
    )
    study = Study(small_cohort(5), leave_one_subject_out(), out)
    return pretrain(study, net, people)


def pretraining(out: Path, sources: Path, jobs: int = 2) -> Digests:
    done = do_pretraining(out, sources)
    return {
        "weights": done.weights.fingerprint,
        "auc": digest(done.auc),
        "history": digest(done.history),
        "counts": digest(done.counts),
    }


def featuring(out: Path, sources: Path, jobs: int = 2) -> Digests:
    store = do_crops(out / "crops")
    rows = np.flatnonzero(store.usable)
    torch.manual_seed(0)
    net = ResNet18(2, width=1 / 16).eval()
    make = FrozenFeatures(net, store, Acceleration(torch.device("cpu")), to_input, "0-1", memory=out)
    views = np.arange(4)[:, None]
    pairs = np.broadcast_to(rows, (4, rows.size)).ravel(), np.broadcast_to(views, (4, rows.size)).ravel()
    return {"features": digest(make(*pairs))}


WORKS: Mapping[str, Callable[[Path, Path, int], Digests]] = {
    "simulate": simulating,
    "run": running,
    "cohort cache": reading,
    "FER+ cache": reading_ferplus,
    "crop store": cropping,
    "pre-training": pretraining,
    "kept features": featuring,
}


def do_alone(name: str, out: Path, sources: Path, told: Path, jobs: int = 2) -> None:
    """Do a work as the first of its session, which every process that it starts is in."""
    os.setsid()
    unbc._MANY = 1  # the smallest cohort is read by several processes
    crop_building._CHUNK = 4  # a few crops are written at a time
    frozen_features._WRITTEN = 1  # and the features of a few
    try:
        digests = WORKS[name](out, sources, jobs)
    except PainkitError as error:
        digests = {"PainkitError": str(error)}
    told.write_text(json.dumps(digests))
    get_reusable_executor().shutdown()  # or multiprocessing waits for loky's workers to grow tired of idling

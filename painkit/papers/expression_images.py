"""Images of expressions, each with the net of the fold that did not train on its subject."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from painkit.attribution.lrp import Preset
from painkit.attribution.pixel_map import PixelMaps
from painkit.attribution.pixel_maps import pixel_maps
from painkit.data.cohort import Cohort
from painkit.data.crop_store import CropStore
from painkit.data.unbc import read_unbc
from painkit.errors import PainkitError
from painkit.evaluation.held_out import HeldOut, held_out
from painkit.evaluation.run_fold import limited_threads
from painkit.evaluation.study import Results
from painkit.faces.alignment import apply_transform, box_transform, square_box
from painkit.faces.detector import detect_face
from painkit.faces.tracker import track_face
from painkit.models.crops.expressions import ExpressionClassifier
from painkit.models.nets.vgg_face import to_input
from painkit.papers.lrp_emotions import CROP, NET, classes_of, every_fold
from painkit.vocabulary.landmarks import N_LANDMARKS

__all__ = ["HeldOutImages", "examples", "held_out_images", "transfer_images"]


@dataclass(frozen=True, eq=False)
class HeldOutImages:
    """Images, and for each the net that has not seen its subject.

    Attributes
    ----------
    frames : DataFrame
        subject, sequence, frame, row, fold, true, predicted (names of classes).
    images : (n, side, side, 3) uint8 array
    landmarks : (n, 66, 2) array
        Pixels of `images`; NaN where none were found, or where the tracker is not installed.
    nets : tuple of Module
    classes : tuple of str
        Names of the nets' outputs, or whatever else `frames` are told apart by.
    logits : (n, k) array
    simulated : bool
    threads : int
        That maps are computed with; see `Study`.
    note : str
        Says why there are no landmarks; "" where there are.
    to_input : callable
        From images to what the nets take.
    """

    frames: pd.DataFrame
    images: NDArray[np.uint8]
    landmarks: NDArray[np.floating]
    nets: tuple[nn.Module, ...]
    classes: tuple[str, ...]
    logits: NDArray[np.floating]
    simulated: bool
    threads: int = 1
    note: str = ""
    to_input: Callable[[NDArray[np.uint8]], Tensor] = to_input

    def take(self, rows: Sequence[int] | NDArray[np.intp]) -> HeldOutImages:
        """Keep some of the images, in this order."""
        return replace(
            self,
            frames=self.frames.iloc[list(rows)].reset_index(drop=True),
            images=self.images[rows],
            landmarks=self.landmarks[rows],
            nets=tuple(self.nets[row] for row in rows),
            logits=self.logits[rows],
        )

    def maps(self, method: str | Preset, target: int | NDArray[np.integer] | None = None) -> PixelMaps:
        """Explain one class, one of each image, or of each the predicted one, each image by its own net."""
        targets = self.logits.argmax(axis=1) if target is None else np.full(len(self.nets), target)
        parts, order = [], []
        with limited_threads(self.threads):
            for net in dict.fromkeys(self.nets):
                rows = [i for i, own in enumerate(self.nets) if own is net]
                parts.append(pixel_maps(net, self.to_input(self.images[rows]), method, targets[rows]))
                order += rows
        back = np.argsort(order)
        fields = ("relevance", "target", "logits", "expected")
        joined = [np.concatenate([getattr(part, field) for part in parts])[back] for field in fields]
        return PixelMaps(parts[0].method, *joined)


def held_out_images(
    results: Results,
    store: CropStore,
    *,
    per_clip: int = 2,
    rows: NDArray[np.intp] | None = None,
    landmarks: bool = True,
) -> HeldOutImages:
    """Take some frames of every clip, evenly spread, with the net of the fold that tested them.

    Parameters
    ----------
    results : Results
        Of `painkit.papers.lrp_emotions.rows`.
    store : CropStore
    per_clip : int
    rows : array of int, optional
        Rows of the cohort's frames to choose from; default all.
    landmarks : bool
        Look for landmarks, which takes about 0.1 s a frame.

    Raises
    ------
    PainkitError
        When no clip has a crop, or a fold was trained without one of the classes.
    """
    classes = classes_of(results)
    frames, images, nets, logits = [], [], [], []
    with limited_threads(results.study.threads):
        for fold in held_out(results[NET], ExpressionClassifier.load):
            model = _of_all_classes(fold, classes).set_params(store=store)
            tested = fold.predictions.dropna(subset=["y_true"])
            tested = tested[store.usable[tested["row"].to_numpy(np.intp)]]
            tested = tested if rows is None else tested[tested["row"].isin(rows)]
            for _, clip in tested.groupby(["subject", "sequence"], sort=False):
                places = np.linspace(0, len(clip), per_clip + 2)[1:-1].astype(int)
                frames.append(clip.iloc[np.unique(places)])
                logits.append(model.decision_function(frames[-1]))
                nets += [model.net_.eval()] * len(frames[-1])
                images.append(store.batch(frames[-1]["row"].to_numpy(np.intp)))
    if not frames:
        raise PainkitError("no frame of a clip has a crop", where=store.folder)
    table, scores = pd.concat(frames, ignore_index=True), np.concatenate(logits)
    names = np.array(classes)
    table = table[["subject", "sequence", "frame", "row", "fold"]].assign(
        true=names[table["y_true"].to_numpy(np.intp)], predicted=names[scores.argmax(axis=1)]
    )
    cohort = results.study.cohort
    points, note = np.full((len(table), 66, 2), np.nan), "landmarks were not asked for"
    if landmarks:
        shown = table["row"].to_numpy(np.intp)
        points, note = _landmarks(cohort, shown, store.crop_shape[0])
    return HeldOutImages(
        table,
        np.concatenate(images),
        points,
        tuple(nets),
        classes,
        scores,
        cohort.simulated,
        results.study.threads,
        note,
    )


def _of_all_classes(fold: HeldOut, classes: Sequence[str]) -> ExpressionClassifier:
    """The model of a fold, whose outputs are all classes in their order."""
    model: ExpressionClassifier = fold.model
    if lacking := sorted(set(range(len(classes))) - set(model.classes_)):
        raise PainkitError(
            f"fold {fold.fold} was trained without {classes[lacking[0]]}",
            expected="folds with every class: more subjects, or fewer folds",
        )
    return model


def _landmarks(cohort: Cohort, rows: NDArray[np.intp], side: int) -> tuple[NDArray[np.float64], str]:
    """Landmarks of frames, the cohort's own or the tracker's, in pixels of their crops; why some lack."""
    points, note = np.full((len(rows), N_LANDMARKS, 2), np.nan), ""
    for place, row in enumerate(rows):
        image = cohort.image(int(row))
        box, known = detect_face(image), np.asarray(cohort.landmarks[row], np.float64)
        if box is None:
            continue
        if not np.isfinite(known).all():
            try:
                tracked = track_face(image, box)
            except PainkitError as error:  # the extra is not installed
                note = str(error)
                continue
            if tracked is None:
                continue
            known = tracked
        points[place] = apply_transform(box_transform(square_box(box, CROP.grow), side), known)
    return points, note


def transfer_images(results: Results, root: str | Path | None, *, count: int = 4) -> HeldOutImages | None:
    """Take images of pain of another data set, with the net of the fold of the highest accuracy (Fig. 4).

    Landmarks are the archive's own where it has them.

    Parameters
    ----------
    results : Results
    root : path, optional
        Folder in the layout of the UNBC-McMaster archive. None takes the simulated one that lies beside
        simulated clips, and gives None where there is none.
    count : int
        Subjects, of each the frame with the highest PSPI that has an image with a face.

    Raises
    ------
    PainkitError
        When no frame of the folder has both, or as `held_out_images` does.
    """
    clips = results.study.cohort
    if root is None and clips.simulated and (clips.root.parent / "Frame_Labels").is_dir():
        root = clips.root.parent
    if root is None:
        return None
    archive = read_unbc(root, progress=False).with_images()
    folds = every_fold(results).iloc[:-2]
    best = folds["fold"].iloc[int(folds["accuracy"].argmax())]
    fold = next(one for one in held_out(results[NET], ExpressionClassifier.load) if one.fold == best)
    net = _of_all_classes(fold, classes_of(results)).net_.eval()
    crop = replace(CROP, side=net.input_size)
    order = archive.frames.reset_index(drop=True).sort_values("pspi", ascending=False, kind="stable")
    rows, images = [], []
    for _, own in order[order["pspi"] > 0].groupby("subject", sort=False):
        for row in own.index[:3]:
            image = crop(archive.image(int(row)))
            if image is not None:
                rows.append(int(row))
                images.append(image)
                break
        if len(rows) == count:
            break
    if not rows:
        raise PainkitError("no frame of pain has an image with a face", where=root)
    pixels = np.stack(images)
    points, note = _landmarks(archive, np.array(rows), crop.side)
    with limited_threads(results.study.threads), torch.no_grad():
        scores = net(to_input(pixels)).numpy()
    frames = order.loc[rows, ["subject", "sequence", "frame"]].reset_index(drop=True)
    frames = frames.assign(
        row=rows, fold=best, true="pain", predicted=np.array(classes_of(results))[scores.argmax(axis=1)]
    )
    return HeldOutImages(
        frames,
        pixels,
        points,
        (net,) * len(rows),
        classes_of(results),
        scores,
        archive.simulated or clips.simulated,
        results.study.threads,
        note,
    )


def examples(found: HeldOutImages, count: int = 4) -> HeldOutImages:
    """Choose images of each class for a figure, half of them right and half wrong; the surest first."""
    sure = np.sort(found.logits, axis=1)
    margin = sure[:, -1] - sure[:, -2]
    wrong = (found.frames["true"] != found.frames["predicted"]).to_numpy()
    chosen: list[int] = []
    for name in found.classes:
        own = np.flatnonzero(found.frames["true"] == name)
        order = own[np.argsort(-margin[own], kind="stable")]
        right, missed = order[~wrong[order]].tolist(), order[wrong[order]].tolist()
        half = max(1, round(count / len(found.classes) / 2))
        chosen += right[:half] + missed[:half]
    return found.take(chosen)

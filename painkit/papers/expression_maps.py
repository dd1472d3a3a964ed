"""Relevance maps of expressions, each by the net of the fold that did not train on the subject."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import torch
from numpy.typing import NDArray
from torch import Tensor

from painkit.attribution.landmark_scores import rank_correlations
from painkit.attribution.lrp import PRESETS, Preset
from painkit.attribution.pixel_map import PixelMaps
from painkit.attribution.pixel_maps import pixel_maps
from painkit.attribution.region_reading import region_shares
from painkit.attribution.sanity import randomisation_check, randomisation_sentence
from painkit.data.cohort import Cohort
from painkit.data.crop_store import CropStore
from painkit.data.unbc import read_unbc
from painkit.errors import PainkitError
from painkit.evaluation.held_out import held_out
from painkit.evaluation.run_fold import limited_threads
from painkit.evaluation.study import Results
from painkit.faces.alignment import apply_transform, box_transform, square_box
from painkit.faces.detector import detect_face
from painkit.faces.tracker import track_face
from painkit.figures.pixel_maps import heatmaps
from painkit.figures.style import finish
from painkit.metrics.bootstrap import percentile_interval, resample_weights
from painkit.models.crops.expressions import ExpressionClassifier
from painkit.models.nets.vgg_face import VGGFace, to_input
from painkit.papers.lrp_emotions import CROP, NET, every_fold
from painkit.simulation.biovid import clip_causes
from painkit.simulation.marker import simulation_of
from painkit.simulation.profiles import VERSION, Settings
from painkit.vocabulary.action_units import AUS
from painkit.vocabulary.classes import EXPRESSIONS

__all__ = [
    "PAPER_PRESETS",
    "VARIATIONS",
    "HeldOutImages",
    "agreement_with_causes",
    "class_shares",
    "conservation",
    "differences_sentence",
    "examples",
    "held_out_images",
    "map_figure",
    "maps_by_preset",
    "randomisation",
    "randomisation_sentences",
    "sensitivity",
    "transfer_images",
]

#: The four settings of Figure 3.
PAPER_PRESETS: Final = ("LRPZ", "LRPEpsilon", "LRPPresetAFlat", "LRPPresetBFlat")

#: Settings about preset A, one thing changed at a time.
VARIATIONS: Final[Mapping[str, Preset]] = {
    "epsilon 0.001": Preset(epsilon=0.001, alpha=1, beta=0, flat=True),
    "epsilon 1": Preset(epsilon=1, alpha=1, beta=0, flat=True),
    "first layer not flat": Preset(epsilon=0.1, alpha=1, beta=0),
    "alpha 1.5, beta 0.5": Preset(epsilon=0.1, alpha=1.5, beta=0.5, flat=True),
    "alpha 2, beta 1 (preset B)": PRESETS["LRPPresetBFlat"],
    "no alpha and beta": Preset(epsilon=0.1, flat=True),
    "epsilon everywhere": Preset(epsilon=0.1),
}


_MOVED: Final = 0.5
"""Intensity by which one cause leads the other for a unit to be called its own."""


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
    nets : tuple of VGGFace
    classes : tuple of str
    logits : (n, k) array
    simulated : bool
    threads : int
        That maps are computed with; see `Study`.
    note : str
        Says why there are no landmarks; "" where there are.
    """

    frames: pd.DataFrame
    images: NDArray[np.uint8]
    landmarks: NDArray[np.floating]
    nets: tuple[VGGFace, ...]
    classes: tuple[str, ...]
    logits: NDArray[np.floating]
    simulated: bool
    threads: int = 1
    note: str = ""

    def take(self, rows: Sequence[int] | NDArray[np.intp]) -> HeldOutImages:
        """Keep some of the images, in this order."""
        return HeldOutImages(
            self.frames.iloc[list(rows)].reset_index(drop=True),
            self.images[rows],
            self.landmarks[rows],
            tuple(self.nets[row] for row in rows),
            self.classes,
            self.logits[rows],
            self.simulated,
            self.threads,
            self.note,
        )

    def maps(self, method: str | Preset, target: int | None = None) -> PixelMaps:
        """Explain one class, or of every image the predicted one, each image by its own net."""
        targets = self.logits.argmax(axis=1) if target is None else np.full(len(self.nets), target)
        parts, order = [], []
        with limited_threads(self.threads):
            for net in dict.fromkeys(self.nets):
                rows = [i for i, own in enumerate(self.nets) if own is net]
                parts.append(pixel_maps(net, self._input(rows), method, targets[rows]))
                order += rows
        back = np.argsort(order)
        fields = ("relevance", "target", "logits", "expected")
        joined = [np.concatenate([getattr(part, field) for part in parts])[back] for field in fields]
        return PixelMaps(parts[0].method, *joined)

    def _input(self, rows: Sequence[int]) -> Tensor:
        return to_input(self.images[list(rows)])


def held_out_images(
    results: Results, store: CropStore, *, per_clip: int = 2, landmarks: bool = True
) -> HeldOutImages:
    """Take some frames of every clip, evenly spread, with the net of the fold that tested them.

    Parameters
    ----------
    results : Results
        Of `painkit.papers.lrp_emotions.rows`.
    store : CropStore
    per_clip : int
    landmarks : bool
        Look for landmarks, which takes about 0.1 s a frame.

    Raises
    ------
    PainkitError
        When no clip has a crop.
    """
    frames, images, nets, logits = [], [], [], []
    with limited_threads(results.study.threads):
        for fold in held_out(results[NET], ExpressionClassifier.load):
            model = fold.model.set_params(store=store)
            tested = fold.predictions.dropna(subset=["y_true"])
            tested = tested[store.usable[tested["row"].to_numpy(np.intp)]]
            for _, clip in tested.groupby(["subject", "sequence"], sort=False):
                places = np.linspace(0, len(clip), per_clip + 2)[1:-1].astype(int)
                frames.append(clip.iloc[np.unique(places)])
                logits.append(model.decision_function(frames[-1]))
                nets += [model.net_.eval()] * len(frames[-1])
                images.append(store.batch(frames[-1]["row"].to_numpy(np.intp)))
    if not frames:
        raise PainkitError("no frame of a clip has a crop", where=store.folder)
    table, scores = pd.concat(frames, ignore_index=True), np.concatenate(logits)
    names = np.array(EXPRESSIONS)
    table = table[["subject", "sequence", "frame", "row", "fold"]].assign(
        true=names[table["y_true"].to_numpy(np.intp)], predicted=names[scores.argmax(axis=1)]
    )
    cohort = results.study.cohort
    points, note = np.full((len(table), 66, 2), np.nan), "landmarks were not asked for"
    if landmarks:
        try:
            side = store.crop_shape[0]
            points = np.stack([_landmarks(cohort, int(row), side) for row in table["row"]])
            note = ""
        except PainkitError as error:  # the extra is not installed
            note = str(error)
    return HeldOutImages(
        table,
        np.concatenate(images),
        points,
        tuple(nets),
        EXPRESSIONS,
        scores,
        cohort.simulated,
        results.study.threads,
        note,
    )


def _landmarks(cohort: Cohort, row: int, side: int) -> NDArray[np.float64]:
    """Landmarks of a frame in pixels of its crop."""
    image = cohort.image(row)
    box = detect_face(image)
    found = None if box is None else track_face(image, box)
    if box is None or found is None:
        return np.full((66, 2), np.nan)
    return np.asarray(apply_transform(box_transform(square_box(box, CROP.grow), side), found))


def transfer_images(results: Results, root: str | Path | None, *, count: int = 4) -> HeldOutImages | None:
    """Take images of pain of another data set, with the net of the fold of the highest accuracy (Fig. 4).

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
        When no frame of the folder has both.
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
    net = fold.model.net_.eval()
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
    with limited_threads(results.study.threads), torch.no_grad():
        scores = net(to_input(pixels)).numpy()
    frames = order.loc[rows, ["subject", "sequence", "frame"]].reset_index(drop=True)
    frames = frames.assign(
        row=rows, fold=best, true="pain", predicted=np.array(EXPRESSIONS)[scores.argmax(axis=1)]
    )
    return HeldOutImages(
        frames,
        pixels,
        np.full((len(rows), 66, 2), np.nan),
        (net,) * len(rows),
        EXPRESSIONS,
        scores,
        archive.simulated or clips.simulated,
        results.study.threads,
        "landmarks were not asked for",
    )


def map_figure(found: HeldOutImages | None, title: str, presets: Sequence[str] = PAPER_PRESETS) -> go.Figure:
    """Draw images with true and predicted class and a map of each preset; without images, say so."""
    if found is None:
        return finish(go.Figure(), f"{title}: no images are given", simulated=False, height=160)
    maps = {name: one.heatmaps for name, one in maps_by_preset(found, presets).items()}
    captions = (found.frames["true"] + " / " + found.frames["predicted"]).tolist()
    return heatmaps(found.images, captions, maps, title, simulated=found.simulated)


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


def maps_by_preset(found: HeldOutImages, presets: Sequence[str] = PAPER_PRESETS) -> dict[str, PixelMaps]:
    """`HeldOutImages.maps` of every preset."""
    return {preset: found.maps(preset) for preset in presets}


def conservation(maps: Mapping[str, PixelMaps]) -> pd.DataFrame:
    """How far the relevance of each map is from the logit it starts from, as a share of it.

    Returns
    -------
    DataFrame
        preset, images, median, largest: of the magnitude of the conservation error.
    """
    rows = []
    for preset, found in maps.items():
        error = np.abs(found.conservation_error)
        rows.append((preset, len(error), float(np.nanmedian(error)), float(np.nanmax(error))))
    return pd.DataFrame(rows, columns=["preset", "images", "median", "largest"])


def sensitivity(
    found: HeldOutImages, variations: Mapping[str, Preset] = VARIATIONS, *, of: str = "LRPPresetAFlat"
) -> pd.DataFrame:
    """How much maps change with the settings of relevance propagation.

    Returns
    -------
    DataFrame
        setting, images, rank_correlation (Spearman's over pixels with the map of the preset, mean over
        images), positive (share of the magnitude that is positive), changed_sign (share of pixels).
    """
    own = found.maps(of)
    base = own.heatmaps.reshape(len(own.target), -1)
    rows = []
    for name, maps in [(of, own), *((name, found.maps(preset)) for name, preset in variations.items())]:
        flat = maps.heatmaps.reshape(base.shape)
        total = np.abs(flat).sum(axis=1)
        positive = np.divide(
            flat.clip(min=0).sum(axis=1), total, where=total > 0, out=np.full(len(total), np.nan)
        )
        rows.append((
            name,
            len(flat),
            float(np.nanmean(rank_correlations(base, flat))),
            float(np.nanmean(positive)),
            float((np.sign(flat) != np.sign(base)).mean()),
        ))  # fmt: skip
    columns = ["setting", "images", "rank_correlation", "positive", "changed_sign"]
    return pd.DataFrame(rows, columns=columns)


def randomisation(
    found: HeldOutImages, presets: Sequence[str] = PAPER_PRESETS, *, count: int = 6, seed: int = 0
) -> pd.DataFrame:
    """`randomisation_check` of every preset on some images of the first net, evenly spread."""
    own = [i for i, net in enumerate(found.nets) if net is found.nets[0]]
    rows = np.unique(np.linspace(0, len(own) - 1, count).astype(int))
    rows = np.array(own)[rows]
    net, images, targets = found.nets[0], found._input(rows), found.logits[rows].argmax(axis=1)
    with limited_threads(found.threads):
        checks = [randomisation_check(net, images, preset, targets, seed=seed) for preset in presets]
    return pd.concat(checks, ignore_index=True)


def randomisation_sentences(checks: pd.DataFrame) -> str:
    """`randomisation_sentence` of every preset."""
    return " ".join(randomisation_sentence(part) for _, part in checks.groupby("method", sort=False))


def differences_sentence(shares: pd.DataFrame, found: HeldOutImages) -> str:
    """Say in which parts of the face pain's share of relevance differs from another class's."""
    if shares.empty:
        return f"No image has landmarks, so maps are not read by parts of the face: {found.note}"
    parts = shares[(shares["kind"] == "part") & ~shares["class"].isin(found.classes)]
    told = parts[(parts["low"] > 0) | (parts["high"] < 0)]
    said = [
        f"{row['class']}: {row['name']} {100 * row['value']:+.0f} points ({100 * row['low']:+.0f} to "
        f"{100 * row['high']:+.0f})"
        for _, row in told.iterrows()
    ]
    others = f"The other {len(parts) - len(told)} of {len(parts)} differences hold 0 in their interval"
    doubt = "intervals are not corrected for their number"
    return f"Shares of positive relevance differ for {'; '.join(said) or 'no part'}. {others}; {doubt}."


def class_shares(
    found: HeldOutImages,
    method: str = "LRPPresetAFlat",
    *,
    n_resamples: int = 10_000,
    seed: int = 0,
) -> pd.DataFrame:
    """Shares of positive relevance in the parts of the face, by the class that the map explains.

    Shares are means of a subject's images first, then over subjects; intervals resample subjects.

    Returns
    -------
    DataFrame
        class (or "pain - disgust", ...: the difference, over the subjects that have both), kind ("part" or
        "unit"), name, value, low, high, area (share of the picture), subjects, images. Empty where no image
        has landmarks.
    """
    shares = region_shares(found.maps(method).heatmaps, found.landmarks)
    facts = found.frames[["subject", "predicted"]].rename_axis("image").reset_index()
    shares = shares.merge(facts, on="image").dropna(subset=["positive", "area"])
    columns = ["class", "kind", "name", "value", "low", "high", "area", "subjects", "images"]
    subjects = sorted(shares["subject"].unique())
    if not subjects:
        return pd.DataFrame(columns=columns)
    weights = resample_weights(len(subjects), n_resamples, seed)
    rows: list[tuple[object, ...]] = []
    for (kind, name), part in shares.groupby(["kind", "name"], sort=False):
        by = part.pivot_table(index="subject", columns="predicted", values="positive").reindex(subjects)
        counts = part["predicted"].value_counts()
        shown = [c for c in found.classes if c in by]
        compared = {c: by[c] for c in shown} | {
            f"{shown[0]} - {other}": by[shown[0]] - by[other] for other in shown[1:]
        }
        for label, values in compared.items():
            mean, low, high, known = _over_subjects(values, weights)
            images = int(counts.get(label, counts.sum()))
            rows.append((label, kind, name, mean, low, high, part["area"].mean(), known, images))
    return pd.DataFrame(rows, columns=columns)


def agreement_with_causes(
    found: HeldOutImages,
    cohort: Cohort,
    method: str = "LRPPresetAFlat",
    *,
    n_resamples: int = 10_000,
    seed: int = 0,
) -> pd.DataFrame:
    """Does relevance for pain lie about the units that pain moved, or about those that decoys moved?

    Of images of true pain the class pain is explained. The density of a unit's places is the share of
    positive relevance there over their share of the picture: 1 is what relevance spread evenly would give.

    Returns
    -------
    DataFrame
        units (moved more by pain, moved more by decoys, difference), density, low, high (means of subjects,
        which the intervals resample), subjects, images. Empty for data that were not simulated by this
        version, or without landmarks.
    """
    columns = ["units", "density", "low", "high", "subjects", "images"]
    told = simulation_of(cohort.root) or {}
    pain = np.flatnonzero((found.frames["true"] == "pain") & np.isfinite(found.landmarks).all(axis=(1, 2)))
    if told.get("version") != VERSION or not pain.size:
        return pd.DataFrame(columns=columns)
    settings = Settings(**{one.name: told[one.name] for one in fields(Settings) if one.name in told})
    shown = found.take(pain)
    shares = region_shares(shown.maps(method, found.classes.index("pain")).heatmaps, shown.landmarks)
    own = shares[shares["kind"] == "unit"].assign(density=shares["positive"] / shares["area"])
    videos = cohort.sequences.set_index("sequence")["video"]
    parts = []
    for image, row in enumerate(shown.frames.to_dict("records")):
        causes = clip_causes(settings, videos[row["sequence"]])
        expression, decoys = (of[int(row["frame"])] for of in causes)
        for name, leads in (
            ("moved more by pain", expression - decoys),
            ("moved more by decoys", decoys - expression),
        ):
            moved = [f"AU{au}" for au, lead in zip(AUS, leads, strict=True) if lead > _MOVED]
            found_there = own[own["image"].eq(image) & own["name"].isin(moved)]["density"].dropna()
            if len(found_there):
                parts.append((row["subject"], name, float(found_there.mean())))
    if not parts:
        return pd.DataFrame(columns=columns)
    table = pd.DataFrame(parts, columns=["subject", "units", "density"])
    by = table.pivot_table(index="subject", columns="units", values="density")
    names = [name for name in ("moved more by pain", "moved more by decoys") if name in by]
    compared = {name: by[name] for name in names}
    if len(names) == 2:
        compared["difference"] = by[names[0]] - by[names[1]]
    weights = resample_weights(len(by), n_resamples, seed)
    counts = table["units"].value_counts()
    rows = []
    for name, values in compared.items():
        mean, low, high, n_subjects = _over_subjects(values, weights)
        rows.append((name, mean, low, high, n_subjects, int(counts.get(name, counts.min()))))
    return pd.DataFrame(rows, columns=columns)


def _over_subjects(values: pd.Series, weights: NDArray[np.float64]) -> tuple[float, float, float, int]:
    """Mean of the subjects' values that exist, its interval over resamples, and how many exist."""
    own = values.to_numpy(np.float64)
    known = np.isfinite(own)
    if not known.any():
        return np.nan, np.nan, np.nan, 0
    drawn = weights[:, known].sum(axis=1)
    means = np.full(len(weights), np.nan)
    np.divide(weights[:, known] @ own[known], drawn, where=drawn > 0, out=means)
    low, high = percentile_interval(means) if known.sum() > 1 else (np.nan, np.nan)
    return float(own[known].mean()), low, high, int(known.sum())

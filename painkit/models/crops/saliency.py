"""Saliency supervision: the bottleneck learns where to look, before the regression (Li et al. 2018)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, NamedTuple, Self

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor
from torch.nn import functional

from painkit.errors import PainkitError
from painkit.models.crops.base import CropEstimator
from painkit.models.crops.pain_level import check_levels
from painkit.models.frame_tables import Features
from painkit.models.nets.deconvnet import Deconvnet, Encoded, PReLURule, brightness, encode
from painkit.models.nets.face_net import PainNet
from painkit.models.training.loop import descend
from painkit.models.training.saliency_losses import (
    LocalLoss,
    Signs,
    earth_movers_distance,
    global_loss,
    local_loss,
)
from painkit.models.training.triplets import Triplets, mine, unit_sets
from painkit.models.training.unit_patches import PATCH_LANDMARKS, unit_histograms, unit_membership
from painkit.vocabulary.action_units import UNIT_LANDMARKS
from painkit.vocabulary.landmarks import N_LANDMARKS

__all__ = ["SaliencySupervision"]

_COUNTS = (
    "triplets", "without_positive", "without_negative", "empty_relevant", "empty_irrelevant",
    "units_left_out", "pixels_outside",
)  # fmt: skip


class _Coded(NamedTuple):
    """Of the frames trained on: points (n, p, 2), units (n, k), and which points each unit has (k, p)."""

    points: Tensor
    units: Tensor
    membership: Tensor


@dataclass(kw_only=True, eq=False, repr=False)
class SaliencySupervision(CropEstimator):
    """Face net whose bottleneck is trained on triplets of frames, and whose saliency map is supervised.

    It estimates no level: it is what `FaceNetRegression` starts from (``pretrained=``), fitted there on the
    fold's own frames. Frames of a batch form triplets by level (`mine`). A global step pulls the normalised
    bottleneck features of one level together; a local step, on the same triplets, asks the saliency map to
    differ about the action units that changed with the level and to stay the same about the others.

    Frames of `X` carry the units, columns ``AU4`` and so on. Crops are not mirrored, turned or shifted: the
    landmarks would not follow.

    Parameters
    ----------
    losses : {'both', 'global', 'local'}
        Which steps are taken: `both` is method 2 of the paper, `global` method 1. With `local` alone the
        global loss is looked at, and not descended.
    landmarks : (n_frames, 132) or (n_frames, 66, 2) array, or path of an .npy file
        Of the cohort's frames, in pixels of the aligned crop, as `landmark_features` gives them; NaN where
        missing. Not needed for the global step.
    local_lr : float
        Learning rate of the local step; `lr` is that of the global one.
    alpha : float
        Least difference of a unit that counts (Eq. 1).
    beta : float
        Margin of the global loss for each level between anchor and negative (Eq. 6).
    signs : {'working', 'as_printed'}
        See `painkit.models.training.saliency_losses.Signs`.
    patch, bins, bin_width : int, int, float
        Side of the patches in pixels; see `soft_histogram`.
    prelu : {'relu', 'prelu'}
        What the deconvnet does at a PReLU.
    **others
        As in `CropEstimator`.

    Attributes
    ----------
    net_ : PainNet
    history_ : (iterations, 1 or 3) array
        Global loss, and where there is a local step the losses of the sets A and B, at each iteration.
    subjects_ : (s,) array of str
        Whose frames were in a triplet.
    units_ : (k,) int array
        Action units that are coded and have landmarks.
    n_without_landmarks_ : int
        Training frames without landmarks, which take part in the global step only.
    n_triplets_, n_without_positive_, n_without_negative_ : int
        Triplets over all iterations, and anchors without one: their level had one frame in the batch, or no
        other level had any.
    n_empty_relevant_, n_empty_irrelevant_ : int
        Triplets whose set A, or B, held no unit and contributed 0.
    n_units_left_out_ : int
        Units of triplets in neither set: not coded, or without a pixel about their landmarks, in one of the
        three frames.
    n_pixels_outside_ : int
        Pixels of patches that lay outside the crops and were left out.
    """

    losses: Literal["both", "global", "local"] = "both"
    landmarks: Features | None = None
    lr: float = 1e-3
    local_lr: float = 1e-2
    mirror: bool = False
    alpha: float = 1.0
    beta: float = 0.2
    signs: Signs = "working"
    patch: int = 11
    bins: int = 16
    bin_width: float = 1.0
    prelu: PReLURule = "relu"

    _transferred: ClassVar[tuple[str, ...]] = ("backbone", "ip1", "ip1_relu")

    def fit(self, X: pd.DataFrame, y: ArrayLike) -> Self:
        """Train on frames, their levels and their action units.

        Parameters
        ----------
        X : DataFrame with subject, sequence, frame, row and, for the local step, AU4, AU6, ...
        y : (n,) array
            Levels 0-5; NaN where missing.

        Raises
        ------
        PainkitError
            On labels outside 0-5, no usable frame, a local step without landmarks or action units, crops that
            are to be augmented, and as `CropEstimator` says.
        """
        if self.mirror or self.rotation or self.shift:
            raise PainkitError(
                f"mirror={self.mirror}, rotation={self.rotation:g}, shift={self.shift:g}",
                expected="crops as they are, which the landmarks belong to",
            )
        device = self._acceleration().device
        frames, levels = self._labelled_frames(X, y)
        check_levels(levels)
        rows = frames["row"].to_numpy(dtype=np.intp)
        seed, rng = self._start(X, y)
        targets = torch.from_numpy(np.rint(levels)).to(device, torch.float32)
        self.units_, self.n_without_landmarks_ = np.empty(0, dtype=np.int64), 0
        coded = None if self.losses == "global" else self._coded(frames, rows, device)
        used = torch.zeros(rows.size, dtype=torch.bool, device=device)
        counts = torch.zeros(len(_COUNTS), dtype=torch.int64, device=device)
        global_descent, local_descent = self._optimizer(), self._optimizer(self.local_lr)

        def step(batch: tuple[Tensor, NDArray[np.intp]]) -> list[Tensor]:
            images, at = batch[0], torch.from_numpy(batch[1]).to(device)
            encoded = self._encode(images)
            features = functional.normalize(encoded.embedding)
            triplets = mine(features, targets[at])
            used[at[torch.cat(triplets[:3])]] = True
            counts[:3] += _stacked(
                counts, len(triplets.anchor), triplets.n_without_positive, triplets.n_without_negative
            )
            terms = [global_loss(features, triplets, self.beta, self.signs)]
            if self.losses != "local":
                descend(terms, global_descent)
            if coded is not None:
                if self.losses == "both":
                    encoded = self._encode(images)
                of_batch = coded._replace(points=coded.points[at], units=coded.units[at])
                local, told = self._local(encoded, triplets, of_batch)
                counts[3:] += told
                descend(list(local), local_descent)
                terms += local
            return terms

        self._train(step, rows, np.rint(levels), seed, rng)
        for name, count in zip(_COUNTS, counts.tolist(), strict=True):
            setattr(self, f"n_{name}_", count)
        self.subjects_ = np.unique(frames["subject"].astype(str).to_numpy()[used.cpu().numpy()])
        return self

    def _encode(self, images: Tensor) -> Encoded:
        with self._acceleration().autocast():
            embedding, switches = encode(self.net_, images)
        return Encoded(embedding.float(), switches)

    def _local(self, encoded: Encoded, triplets: Triplets, coded: _Coded) -> tuple[LocalLoss, Tensor]:
        """Losses of the map about the units, and what was left out, as the last four of `_COUNTS`."""
        maps = brightness(Deconvnet(self.net_, self.prelu)(encoded))
        found = unit_histograms(
            maps, coded.points, coded.membership, side=self.patch, bins=self.bins, width=self.bin_width
        )
        sets = unit_sets(coded.units, triplets, self.alpha, found.known)
        of_anchor, of_positive, of_negative = (found.histograms[one] for one in triplets[:3])
        loss = local_loss(
            earth_movers_distance(of_anchor, of_positive),
            earth_movers_distance(of_anchor, of_negative),
            sets,
            triplets.gap,
            self.signs,
        )
        told = _stacked(
            coded.membership,
            (~sets.relevant.any(dim=1)).sum(),
            (~sets.irrelevant.any(dim=1)).sum(),
            (~(sets.relevant | sets.irrelevant)).sum(),
            found.n_outside,
        )
        return loss, told

    def _coded(self, frames: pd.DataFrame, rows: NDArray[np.intp], device: torch.device) -> _Coded:
        """Landmarks and units of the frames that are trained on, and of no others."""
        units = [unit for unit in UNIT_LANDMARKS if f"AU{unit}" in frames]
        if not units:
            raise PainkitError(
                "the frame table holds no action unit", expected=", ".join(f"AU{u}" for u in UNIT_LANDMARKS)
            )
        points = self._landmarks_of(rows)[:, PATCH_LANDMARKS]
        self.units_ = np.array(units)
        self.n_without_landmarks_ = int((~np.isfinite(points).all(axis=(1, 2))).sum())
        intensity = frames[[f"AU{unit}" for unit in units]].to_numpy(dtype=np.float32)
        tensors = (torch.from_numpy(points), torch.from_numpy(intensity), unit_membership(units))
        return _Coded(*(tensor.to(device) for tensor in tensors))

    def _landmarks_of(self, rows: NDArray[np.intp]) -> NDArray[np.float32]:
        """Landmarks (n, 66, 2) of rows of the store, in the crop's pixels."""
        table, where = self.landmarks, None
        if table is None:
            raise PainkitError(
                "landmarks=None", expected="landmarks in the crop's pixels, for the local step"
            )
        if not isinstance(table, np.ndarray):
            where = table
            try:
                table = np.load(where, mmap_mode="r")
            except (OSError, ValueError) as error:
                raise PainkitError(f"landmarks could not be read: {error}", where=where) from error
        n = len(self._open_store())
        if table.shape not in ((n, 2 * N_LANDMARKS), (n, N_LANDMARKS, 2)):
            raise PainkitError(
                f"landmarks of shape {table.shape} for a store of {n} frames",
                where=where,
                expected=f"({n}, {2 * N_LANDMARKS}) or ({n}, {N_LANDMARKS}, 2)",
            )
        return np.asarray(table[rows], dtype=np.float32).reshape(-1, N_LANDMARKS, 2)

    def _new_net(self) -> PainNet:
        return PainNet(self.width).to(memory_format=torch.channels_last)


def _stacked(like: Tensor, *numbers: Tensor | int) -> Tensor:
    return torch.stack([torch.as_tensor(number, device=like.device, dtype=torch.int64) for number in numbers])

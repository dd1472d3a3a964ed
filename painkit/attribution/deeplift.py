"""DeepLIFT contributions of landmarks to a stage-1 network's frame estimates."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from painkit.errors import PainkitError
from painkit.models.nets.landmark_net import N_COORDINATES
from painkit.models.sequences.stage1 import FrameNetwork

with warnings.catch_warnings():
    warnings.simplefilter("ignore", category=DeprecationWarning)
    from captum.attr import DeepLift

if TYPE_CHECKING:
    from painkit.data.cohort import SequenceSample

__all__ = ["LandmarkContributions", "deeplift"]


@dataclass(frozen=True, eq=False)
class LandmarkContributions:
    """Contributions of every frame's landmarks to its estimate.

    Attributes
    ----------
    target : str
        ``'vas'`` (0-10) or ``'opi'`` (0-5): the unit of every contribution.
    frames : DataFrame
        Columns subject, sequence, frame; one row per frame, in the order of the sequences.
    vectors : (n_frames, 66, 2) float32
        Contribution of x and of y of each landmark; NaN where the frame is not tracked.
    personal : (n_frames, n_personal) float32
        Contribution of each personal input; 0 while the reference keeps the subject's own.
    inputs : (n_frames, 66, 2) float32
        The z-scored coordinates that were explained.
    estimates, reference : (n_frames,) float32
        f(x) and f(reference).
    """

    target: str
    frames: pd.DataFrame
    vectors: NDArray[np.float32]
    personal: NDArray[np.float32]
    inputs: NDArray[np.float32]
    estimates: NDArray[np.float32]
    reference: NDArray[np.float32]

    @property
    def scores(self) -> NDArray[np.float32]:
        """Contribution of each landmark, x and y summed: (n_frames, 66)."""
        return np.asarray(self.vectors.sum(axis=2))

    @property
    def distances(self) -> NDArray[np.float32]:
        """Distance of each landmark from the origin, in z-scores: (n_frames, 66) (Fig. 3's box plots)."""
        return np.asarray(np.linalg.norm(self.inputs, axis=2))

    @property
    def completeness_error(self) -> NDArray[np.float64]:
        """Per frame, sum of contributions - (f(x) - f(reference)), in the target's unit."""
        total = self.vectors.sum(axis=(1, 2), dtype=np.float64) + self.personal.sum(axis=1, dtype=np.float64)
        return np.asarray(total - (self.estimates.astype(np.float64) - self.reference))


def deeplift(
    model: FrameNetwork,
    X: Sequence[SequenceSample],
    *,
    target: str = "vas",
    personal_reference: Literal["own", "zero"] = "own",
    chunk: int = 2048,
) -> LandmarkContributions:
    """Contributions by DeepLIFT's rescale rule against the zero vector of z-scored inputs.

    With inputs z-scored per subject, the zero vector is the subject's mean face. Contributions of one frame
    sum to f(x) - f(reference) (DeepFaceLIFT, Sec. 4.1; Shrikumar et al. 2016).

    Parameters
    ----------
    model : FrameNetwork
        A fitted `DeepFaceLIFT` or `MeanVoting`.
    X : list of SequenceSample
    target : {'vas', 'opi'}
    personal_reference : {'own', 'zero'}
        Personal inputs of the reference: the subject's own, so that landmarks carry the difference, or 0.
    chunk : int
        Frames per pass; bounds the memory.

    Raises
    ------
    PainkitError
        When the network has no such output or `personal_reference` is neither of the two.
    """
    if target not in model.labels:
        raise PainkitError(f"target={target!r}", expected=f"one of the network's labels {model.labels}")
    if personal_reference not in ("own", "zero"):
        raise PainkitError(f"personal_reference={personal_reference!r}", expected="'own' or 'zero'")
    rows = np.concatenate(model.network_inputs(X))
    known = np.isfinite(rows[:, 0])
    contributions = np.full_like(rows, np.nan)
    values = np.full((len(rows), 2), np.nan, dtype=np.float32)
    column = model.labels.index(target)
    explainer = DeepLift(model.net_)
    gradient = _GradientOfSum()
    explainer.gradient_func = gradient
    for part in np.array_split(np.flatnonzero(known), max(1, -(-int(known.sum()) // chunk))):
        if len(part) == 0:
            continue
        inputs = torch.from_numpy(rows[part]).to(model.device)
        reference = torch.zeros_like(inputs)
        if personal_reference == "own":
            reference[:, N_COORDINATES:] = inputs[:, N_COORDINATES:]
        with warnings.catch_warnings():
            # It says that it hooks the activations; it takes the hooks away again.
            warnings.filterwarnings("ignore", "Setting forward, backward hooks")
            found = explainer.attribute(inputs.requires_grad_(), baselines=reference, target=column)
        contributions[part] = found.detach().cpu().numpy()
        values[part] = gradient.outputs.reshape(2, -1).T.cpu().numpy()
    return LandmarkContributions(
        target=target,
        frames=_frames(X),
        vectors=contributions[:, :N_COORDINATES].reshape(-1, 66, 2),
        personal=contributions[:, N_COORDINATES:],
        inputs=rows[:, :N_COORDINATES].reshape(-1, 66, 2),
        estimates=values[:, 0],
        reference=values[:, 1],
    )


class _GradientOfSum:
    """Gradients of every frame's output: frames do not mix, so that of their sum holds them all.

    captum's own function splits the outputs into one tensor per frame, which takes four times as long. The
    outputs are kept: those of the inputs, then those of their references.
    """

    outputs: Tensor

    def __call__(self, forward: Callable[[], Tensor], inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        with torch.enable_grad():
            outputs = forward()
            self.outputs = outputs.detach()
            return torch.autograd.grad(outputs.sum(), inputs)


def _frames(X: Sequence[SequenceSample]) -> pd.DataFrame:
    lengths = [len(sample.landmarks) for sample in X]
    return pd.DataFrame({
        "subject": np.repeat([sample.subject for sample in X], lengths),
        "sequence": np.repeat([sample.sequence for sample in X], lengths),
        "frame": np.concatenate([sample.frames for sample in X]),
    })  # fmt: skip

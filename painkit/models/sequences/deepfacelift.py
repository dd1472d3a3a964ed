"""DeepFaceLIFT: stage-1 network, statistics of its frame estimates, Gaussian process."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.model_selection import GroupKFold

from painkit.errors import PainkitError
from painkit.models.sequences.gaussian_process import GaussianProcess
from painkit.models.sequences.stage1 import FrameNetwork
from painkit.models.sequences.statistics import sequence_statistics, statistic_names

if TYPE_CHECKING:
    from painkit.data.cohort import SequenceSample

__all__ = ["DeepFaceLIFT"]


@dataclass(kw_only=True, eq=False, repr=False)
class DeepFaceLIFT(FrameNetwork):
    """Two-stage personalised model of a sequence's VAS, and OPI (Liu et al. 2017, Sec. 3).

    Stage 1 estimates VAS (and OPI) on every frame; ten statistics of a sequence's estimates go to an exact
    Gaussian process, one per target, which gives the sequence's estimate and its standard deviation.

    Parameters
    ----------
    gp_inputs : tuple of str
        Whose frame estimates are summarised for stage 2: ``('vas', 'opi')`` (20 statistics) or ``('vas',)``.
    stage2 : {'cross_fitted', 'in_sample'}
        Statistics on which the Gaussian process is trained. ``'cross_fitted'``: each training subject is
        estimated by a stage-1 network that has not seen that subject. ``'in_sample'``: by the final network,
        as the paper seems to do; those estimates are over-confident, since the network knows their labels.
    inner_folds : int
        Subject folds of the cross-fit; fewer when there are fewer training subjects.
    gp_restarts : int
        Starts of the search for hyperparameters; see `GaussianProcess`.
    **others
        As in `FrameNetwork`.

    Attributes
    ----------
    net_ : LandmarkNet
        The final stage-1 network, trained on all training subjects.
    gps_ : list of GaussianProcess
        One per target, in the order VAS, OPI.
    statistics_ : (n_sequences, n_statistics) array
        What the Gaussian processes were trained on.
    """

    gp_inputs: tuple[str, ...] = ("vas",)
    stage2: Literal["cross_fitted", "in_sample"] = "cross_fitted"
    inner_folds: int = 4
    gp_restarts: int = 3

    def fit(self, X: Sequence[SequenceSample], y: ArrayLike) -> Self:
        """Train both stages; see `FrameNetwork.fit` for `X`, `y` and errors."""
        samples, values = self._labelled_sequences(X, y)
        self._fit_net(samples, values)
        if self.stage2 == "in_sample":
            estimates = self.frame_estimates(samples)
        else:
            estimates = self._out_of_fold_estimates(samples, values)
        statistics = self._summarise(estimates)
        usable = np.isfinite(statistics).all(axis=1)  # not so without a tracked frame
        self.statistics_ = statistics[usable]
        self.gps_ = [
            GaussianProcess(n_restarts=self.gp_restarts, random_state=self.seed_).fit(self.statistics_, one)
            for one in values[usable].T
        ]
        return self

    def _check_settings(self) -> None:
        super()._check_settings()
        if not self.gp_inputs or not set(self.gp_inputs) <= set(self.labels):
            raise PainkitError(f"gp_inputs={self.gp_inputs}", expected=f"some of labels={self.labels}")

    def _out_of_fold_estimates(
        self, samples: list[SequenceSample], values: NDArray[np.float64]
    ) -> list[NDArray[np.float64]]:
        subjects = np.array([sample.subject for sample in samples])
        n_folds = min(self.inner_folds, len(np.unique(subjects)))
        if n_folds < 2:
            raise PainkitError(
                f"cross-fitting needs two training subjects or more; there is {len(np.unique(subjects))} "
                f"and inner_folds={self.inner_folds}",
                expected="more subjects, or stage2='in_sample'",
            )
        stage1 = {field.name: getattr(self, field.name) for field in fields(FrameNetwork)}
        estimates: dict[int, NDArray[np.float64]] = {}
        folds = GroupKFold(n_folds, shuffle=True, random_state=self.seed_)
        for fold, (train, held_out) in enumerate(folds.split(samples, groups=subjects)):
            network = FrameNetwork(**stage1 | {"random_state": (self.seed_ + 1 + fold) % 2**31})
            network.fit([samples[i] for i in train], values[train])
            estimates |= zip(held_out, network.frame_estimates([samples[i] for i in held_out]), strict=True)
        return [estimates[i] for i in range(len(samples))]

    def _summarise(self, estimates: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
        columns = [self.labels.index(name) for name in self.gp_inputs]
        return np.array([sequence_statistics(estimate[:, columns]) for estimate in estimates])

    @property
    def statistic_names_(self) -> list[str]:
        """Names of the columns of `statistics_`."""
        return statistic_names(self.gp_inputs)

    def sequence_statistics(self, X: Sequence[SequenceSample]) -> NDArray[np.float64]:
        """Stage-2 inputs (n_sequences, n_statistics) by the final network; NaN without a tracked frame."""
        return self._summarise(self.frame_estimates(X))

    def predict(
        self, X: Sequence[SequenceSample], return_std: bool = False
    ) -> NDArray[np.float64] | tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Estimate sequences of any subjects; no label is needed.

        Returns
        -------
        mean, or (mean, std)
            Shaped like the `y` of `fit`, on the labels' scales (VAS 0-10, OPI 0-5, not clipped). The standard
            deviation is that of a new rating (noise included). NaN for a sequence without a tracked frame.

        Warns
        -----
        UserWarning
            With the number of sequences that have no tracked frame.
        """
        statistics = self.sequence_statistics(X)
        n_unknown = int(np.isnan(statistics).any(axis=1).sum())
        if n_unknown:
            warnings.warn(
                f"{n_unknown} of {len(statistics)} sequences have no frame with all landmarks; they get NaN",
                stacklevel=2,
            )
        posterior = [gp.predict(statistics, return_std=True) for gp in self.gps_]
        mean, std = (self._shaped(np.stack(one, axis=1)) for one in zip(*posterior, strict=True))
        return (mean, std) if return_std else mean

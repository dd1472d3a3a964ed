"""HCRF baseline: a chain of hidden states between the frames and one ordinal label per sequence."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from painkit.errors import PainkitError
from painkit.models.sequences.base import TARGETS, SequenceEstimator
from painkit.models.training.acceleration import choose_device
from painkit.progress import tqdm

if TYPE_CHECKING:
    from painkit.data.cohort import SequenceSample

__all__ = ["HCRF", "HiddenChain"]

_N_CLASSES = {"vas": 11, "opi": 6}


class HiddenChain(nn.Module):
    """Scores of every class for sequences of frames, summed over all paths of hidden states.

    ``score(c | x) = log sum_h exp(sum_t [w(h_t) . x_t + a(c, h_t)] + sum_t b(c, h_t, h_t+1))``: frames
    speak to hidden states by weights that the classes share, classes have their own state and transition
    scores (Gunawardana et al. 2005, without their Gaussian terms).

    Parameters
    ----------
    n_inputs, n_states, n_classes : int
    """

    def __init__(self, n_inputs: int, n_states: int, n_classes: int) -> None:
        super().__init__()
        self.observation = nn.Parameter(torch.zeros(n_states, n_inputs))
        self.state = nn.Parameter(torch.zeros(n_classes, n_states))
        self.transition = nn.Parameter(torch.zeros(n_classes, n_states, n_states))

    def forward(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        """Scores (n, n_classes) by the forward algorithm in log space.

        Parameters
        ----------
        inputs : (n, n_frames, n_inputs)
            Padded at the end, longest sequence first.
        lengths : (n,) int
            True lengths, descending, at least 1.
        """
        emitted = inputs @ self.observation.T
        # One step for all classes: log(exp(alpha) exp(B)), the maximum taken out, is a small matrix product.
        transition = self.transition.exp()
        alpha = emitted[:, 0, None, :] + self.state
        finished = []
        running = [int(n) for n in (lengths[None] > torch.arange(inputs.shape[1])[:, None]).sum(dim=1)]
        for step in range(1, inputs.shape[1]):
            # Sequences are sorted by length: those that have ended are the last rows.
            if running[step] < len(alpha):
                finished.append(alpha[running[step] :])
                alpha = alpha[: running[step]]
            top = alpha.amax(dim=2, keepdim=True).detach()
            moved = torch.einsum("nch,chk->nck", (alpha - top).exp(), transition)
            alpha = moved.log() + top + emitted[: running[step], step, None, :] + self.state
        return torch.logsumexp(torch.cat([alpha, *finished[::-1]]), dim=2)


@dataclass(kw_only=True, eq=False, repr=False)
class HCRF(SequenceEstimator):
    """Hidden conditional random field with five hidden states (DeepFaceLIFT, Sec. 4, HCRF baseline).

    Labels are the classes 0-10 (VAS) or 0-5 (OPI), rounded; the estimate is the expectation over the classes'
    probabilities and its standard deviation the root of their variance. The conditional log likelihood with
    an L2 penalty is maximised by L-BFGS on its exact gradient. One chain per target.

    Parameters
    ----------
    n_states : int
    l2 : float
        Weight of half the squared norm of the parameters, per sequence.
    max_iter : int
        Iterations of L-BFGS.
    **others
        As in `SequenceEstimator`. `frame_step` holds in training and prediction: neighbouring frames say
        nearly the same, and the cost is linear in the length of the longest sequence. `random_state` seeds
        the initial parameters (hidden states start out different, else they stay equal).

    Attributes
    ----------
    net_ : ModuleList of HiddenChain
        One per target, in the order VAS, OPI.
    converged_ : bool
        Whether L-BFGS ended because nothing more was to be gained, for every target.
    """

    n_states: int = 5
    placement: Literal["none", "input"] = "none"
    l2: float = 1e-3
    max_iter: int = 50
    frame_step: int = 4

    def fit(self, X: Sequence[SequenceSample], y: ArrayLike) -> Self:
        """Train on sequences; see `FrameNetwork.fit` for `X` and `y` (one or two columns).

        Raises
        ------
        PainkitError
            As `FrameNetwork.fit`, and when a label is off its scale.

        Warns
        -----
        ConvergenceWarning
            When a search stopped early, for each such target; see `converged_`.
        """
        rows, labels = self._training_rows(*self._labelled_sequences(X, y))
        classes = np.rint(labels).astype(np.int64)
        for name, column in zip(TARGETS, classes.T, strict=False):
            if column.min() < 0 or column.max() >= _N_CLASSES[name]:
                raise PainkitError(
                    f"{name.upper()} labels from {column.min()} to {column.max()}",
                    expected=f"0 to {_N_CLASSES[name] - 1}",
                )
        order, inputs, lengths = self._padded(rows)
        self.net_, self.converged_ = self._new_net(), True
        for name, chain, column in zip(TARGETS, self.net_, classes.T, strict=False):
            generator = torch.Generator().manual_seed(self.seed_)
            start = 0.1 * torch.randn(sum(p.numel() for p in chain.parameters()), generator=generator)
            wanted = torch.from_numpy(column[order]).to(inputs.device)
            stopped = self._maximise(chain, start.double().numpy(), inputs, lengths, wanted)
            if stopped is not None:
                self.converged_ = False
                warnings.warn(f"HCRF, {name.upper()}: {stopped}", ConvergenceWarning, stacklevel=2)
        return self

    def _maximise(
        self, chain: HiddenChain, start: NDArray[np.float64], inputs: Tensor, lengths: Tensor, wanted: Tensor
    ) -> str | None:
        """Give the chain its best parameters; say why the search stopped when it was too early."""
        parameters = list(chain.parameters())

        def loss(vector: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
            flat = torch.from_numpy(vector).to(inputs.device, torch.float32)
            nn.utils.vector_to_parameters(flat, parameters)
            value = nn.functional.cross_entropy(chain(inputs, lengths), wanted)
            # Chains of one frame have no transition: its gradient is 0, not missing.
            slopes = torch.autograd.grad(value, parameters, materialize_grads=True)
            gradient = torch.cat([g.reshape(-1) for g in slopes])
            penalty = 0.5 * self.l2 * float(vector @ vector)
            return value.item() + penalty, gradient.double().cpu().numpy() + self.l2 * vector

        with tqdm(total=self.max_iter, desc="HCRF", leave=False, disable=not self.progress) as bar:
            # A finer end than 1e-6 of the loss is lost in float32: the line search would fail there.
            asked: Any = {
                "options": {"maxiter": self.max_iter, "ftol": 1e-6},
                "callback": lambda _: bar.update(),
            }
            found: Any = minimize(loss, start, jac=True, method="L-BFGS-B", **asked)
        flat = torch.from_numpy(np.asarray(found.x, dtype=np.float32)).to(inputs.device)
        nn.utils.vector_to_parameters(flat, parameters)
        return None if found.success else str(found.message)

    def _padded(self, rows: list[NDArray[np.float32]]) -> tuple[NDArray[np.int64], Tensor, Tensor]:
        """Order by falling length, padded inputs and lengths in that order."""
        order = np.argsort([-len(r) for r in rows], kind="stable")
        tensors = [torch.from_numpy(rows[i]) for i in order]
        # A mean over the inputs keeps the scores of 132 coordinates at the scale of the other terms.
        padded = nn.utils.rnn.pad_sequence(tensors, batch_first=True) / tensors[0].shape[1] ** 0.5
        return order, padded.to(choose_device(self.device)), torch.tensor([len(t) for t in tensors])

    def predict_proba(self, X: Sequence[SequenceSample]) -> list[NDArray[np.float64]]:
        """Class probabilities, one (n, n_classes) array per target; NaN without a tracked frame."""
        check_is_fitted(self)
        rows = [self._tracked(one) for one in self._frame_rows(X)]
        known = [i for i, one in enumerate(rows) if len(one)]
        tables = [np.full((len(rows), len(chain.state)), np.nan) for chain in self.net_]
        if known:
            order, inputs, lengths = self._padded([rows[i] for i in known])
            with torch.inference_mode():
                for table, chain in zip(tables, self.net_, strict=True):
                    probabilities = chain(inputs, lengths).double().softmax(dim=1).cpu().numpy()
                    table[np.asarray(known)[order]] = probabilities
        return tables

    def predict(
        self, X: Sequence[SequenceSample], return_std: bool = False
    ) -> NDArray[np.float64] | tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Expected label, and its standard deviation, shaped like the `y` of `fit`."""
        means, stds = [], []
        for table in self.predict_proba(X):
            values = np.arange(table.shape[1])
            means.append(table @ values)
            stds.append(np.sqrt(np.maximum(table @ values**2 - means[-1] ** 2, 0.0)))
        mean, std = (self._shaped(np.stack(one, axis=1)) for one in (means, stds))
        return (mean, std) if return_std else mean

    def _new_net(self) -> Any:
        chains = [
            HiddenChain(self._n_inputs, self.n_states, _N_CLASSES[name])
            for name in TARGETS[: self.n_targets_]
        ]
        return nn.ModuleList(chains).to(choose_device(self.device))

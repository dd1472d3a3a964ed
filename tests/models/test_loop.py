"""The training loop: what it gives back, what it refuses, and steps of several losses and optimizers."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from painkit.errors import PainkitError
from painkit.models.training import loop
from painkit.models.training.loop import descend, seeded, train


class Line(nn.Module):
    """``y = a x``, and a second parameter that no loss need know."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Parameter(torch.tensor(1.0)), nn.Parameter(torch.tensor(1.0))


def test_history_holds_the_terms_before_each_step_and_the_net_ends_in_evaluation_mode() -> None:
    net = Line().double()
    optimizer = torch.optim.SGD([net.a], lr=0.1)
    modes = []

    def step(batch: float) -> list[Tensor]:
        modes.append(net.training and not torch.backends.cudnn.allow_tf32)
        return descend([(net.a - batch) ** 2, 2 * net.a], optimizer)

    n = 123  # not a multiple of how often losses are looked at
    history = train(net, step, [3.0] * n, total=n, description="line")
    a, expected = 1.0, []
    for _ in range(n):
        expected.append([(a - 3) ** 2, 2 * a])
        a -= 0.1 * (2 * (a - 3) + 2)
    np.testing.assert_allclose(history, expected, rtol=1e-12, atol=1e-12)
    assert net.a.item() == pytest.approx(a, rel=1e-12)
    assert all(modes)
    assert not net.training
    assert train(net, step, [], total=0, description="nothing").shape == (0, 0)


def test_a_step_may_alternate_two_losses_with_learning_rates_of_their_own_on_one_batch() -> None:
    """A global and a local step on the same triplets, say; the second sees what the first has changed."""
    net = Line().double()
    first, second = torch.optim.SGD([net.a, net.b], lr=0.001), torch.optim.SGD([net.b], lr=0.01)

    def step(batch: float) -> list[Tensor]:
        one = descend([(net.a * net.b - batch) ** 2], first)
        return one + descend([(net.a + net.b - batch) ** 2], second)

    history = train(net, step, [2.0, 5.0, 3.0], total=3, description="alternating")
    a, b, expected = 1.0, 1.0, []
    for target in (2.0, 5.0, 3.0):
        error = a * b - target
        terms = [error**2]
        a, b = a - 0.001 * 2 * error * b, b - 0.001 * 2 * error * a
        error = a + b - target
        terms.append(error**2)
        b -= 0.01 * 2 * error
        expected.append(terms)
    np.testing.assert_allclose(history, expected, rtol=1e-12)
    assert [net.a.item(), net.b.item()] == pytest.approx([a, b], rel=1e-12)


def test_a_long_gradient_is_cut_to_the_norm() -> None:
    net = Line().double()
    descend([300 * net.a + 400 * net.b], torch.optim.SGD(net.parameters(), lr=1.0), max_norm=1.0)
    assert [net.a.item(), net.b.item()] == pytest.approx([1 - 0.6, 1 - 0.8], abs=1e-6)


@pytest.mark.parametrize("at", [1, 50, 51, 77])
def test_divergence_is_refused_and_told_with_its_iteration(at: int) -> None:
    net = Line()

    def step(batch: int) -> list[Tensor]:
        return [torch.tensor(1.0), torch.tensor(math.nan if batch == at else 2.0)]

    with pytest.raises(PainkitError, match=rf"diverged at iteration {at}: loss \[1.0, nan\] .*learning rate"):
        train(net, step, range(1, 78), total=77, description="diverging")


def test_divergence_ends_a_long_training_soon() -> None:
    seen = []

    def step(batch: int) -> list[Tensor]:
        seen.append(batch)
        return [torch.tensor(math.inf)]

    with pytest.raises(PainkitError, match="iteration 1"):
        train(Line(), step, range(10**6), total=10**6, description="diverging")
    assert len(seen) <= 50


def test_a_last_step_that_ruins_the_weights_is_refused() -> None:
    net = Line()

    def step(batch: int) -> list[Tensor]:
        net.a.data.fill_(math.inf)
        return [torch.tensor(1.0)]

    with pytest.raises(PainkitError, match="diverged in its last step"):
        train(net, step, [1], total=1, description="ruin")


def test_progress_is_shown_when_asked(capsys: pytest.CaptureFixture[str], monkeypatch) -> None:
    from tqdm import tqdm  # text, whatever the surroundings

    monkeypatch.setattr(loop, "tqdm", tqdm)
    for progress in (False, True):
        train(Line(), lambda _: [torch.ones(())], range(7), total=7, description="lines", progress=progress)
        told = capsys.readouterr().err
        assert ("lines" in told and "/7" in told) == progress


def test_seeded_draws_hang_on_the_seed_alone_and_leave_the_global_generator_alone() -> None:
    torch.manual_seed(1)
    expected = torch.rand(3)
    draws = []
    for before, seed in ((1, 5), (2, 5), (1, 6)):
        torch.manual_seed(before)
        with seeded(seed):
            draws.append(torch.rand(3).tolist())
    assert draws[0] == draws[1] != draws[2]
    assert torch.equal(torch.rand(3), expected)

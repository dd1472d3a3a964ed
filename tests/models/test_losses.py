from __future__ import annotations

import numpy as np
import pytest
import torch

from painkit.errors import PainkitError
from painkit.models.training.losses import CentreLoss, smooth_l1


def points(n: int = 40, seed: int = 0) -> torch.Tensor:
    return torch.empty(n, dtype=torch.float64).uniform_(0, 5, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("turning_point", [0.0, 0.3, 1.0, 2.5])
def test_smooth_l1_is_equation_2(turning_point: float) -> None:
    estimate, target = points(), points(seed=1)
    slow = 0.0
    for a, b in zip(estimate.tolist(), target.tolist(), strict=True):
        e = abs(a - b)
        slow += 0.5 * e**2 if e < turning_point else e - turning_point + 0.5 * turning_point**2
    assert float(smooth_l1(estimate, target, turning_point)) == pytest.approx(slow / 40, rel=1e-12)


def test_special_turning_points() -> None:
    estimate, target = points(), points(seed=1)
    torch.testing.assert_close(smooth_l1(estimate, target, 0), (estimate - target).abs().mean())
    torch.testing.assert_close(smooth_l1(estimate, target, 6), ((estimate - target) ** 2).mean() / 2)
    torch.testing.assert_close(
        smooth_l1(estimate, target, 1), torch.nn.functional.smooth_l1_loss(estimate, target)
    )


@pytest.mark.parametrize("turning_point", [0.0, 0.3, 1.0, 2.5])
def test_smooth_l1_gradient_against_finite_differences(turning_point: float) -> None:
    estimate = points().requires_grad_()
    assert torch.autograd.gradcheck(lambda e: smooth_l1(e, points(seed=1), turning_point), (estimate,))


@pytest.mark.parametrize(("turning_point", "jump"), [(1.0, 0.0), (0.5, 0.5), (2.0, -1.0)])
def test_slope_jumps_at_the_turning_point_unless_it_is_1(turning_point: float, jump: float) -> None:
    slopes = []
    for error in (turning_point - 1e-9, turning_point + 1e-9):
        e = torch.tensor([error], dtype=torch.float64, requires_grad=True)
        smooth_l1(e, torch.zeros(1, dtype=torch.float64), turning_point).backward()
        slopes.append(float(e.grad))
    assert slopes[1] - slopes[0] == pytest.approx(jump, abs=1e-8)


@pytest.mark.parametrize("p", [1, 2])
def test_centre_loss_is_equation_3_and_its_gradients_are_right(p: int) -> None:
    generator = torch.Generator().manual_seed(0)
    loss = CentreLoss(6, 7, p).double()
    with torch.no_grad():
        loss.centres.copy_(torch.randn(6, 7, generator=generator))
    x = torch.randn(20, 7, dtype=torch.float64, generator=generator, requires_grad=True)
    classes = torch.arange(20) % 4
    slow = np.mean(
        [
            sum(abs(x[i, j].item() - loss.centres[classes[i], j].item()) ** p for j in range(7))
            for i in range(20)
        ]
    )
    assert loss(x, classes).item() == pytest.approx(slow, rel=1e-12)

    def of(features: torch.Tensor, centres: torch.Tensor) -> torch.Tensor:
        return torch.func.functional_call(loss, {"centres": centres}, (features, classes))

    assert torch.autograd.gradcheck(of, (x, loss.centres.detach().clone().requires_grad_()))


@pytest.mark.parametrize("p", [1, 2])
def test_centres_step_down_the_slope_of_their_own_class(p: int) -> None:
    """The slope by finite differences of the class's mean distance; a class without a sample stays."""
    generator = torch.Generator().manual_seed(1)
    x, classes = torch.randn(30, 5, generator=generator).double(), torch.arange(30) % 3
    loss = CentreLoss(4, 5, p).double()
    loss.centres.normal_(generator=generator)
    before, h = loss.centres.clone(), 1e-6
    loss.learn(x, classes, 0.01)

    def distance(k: int, j: int, shift: float) -> float:
        centre = before[k].clone()
        centre[j] += shift
        return float(((x[classes == k] - centre).abs() ** p).sum(1).mean())

    for k in range(3):
        for j in range(5):
            slope = (distance(k, j, h) - distance(k, j, -h)) / (2 * h)
            assert float(before[k, j] - loss.centres[k, j]) == pytest.approx(0.01 * slope, abs=1e-7)
    assert torch.equal(loss.centres[3], before[3])


def test_centres_go_to_the_means_or_the_medians_of_their_classes() -> None:
    generator = torch.Generator().manual_seed(1)
    # How rare a class is does not slow its centre.
    x, classes = (
        torch.randn(21, 5, generator=generator),
        torch.repeat_interleave(torch.tensor([11, 7, 3])),
    )
    squares, absolutes = CentreLoss(3, 5, 2), CentreLoss(3, 5, 1)
    squares.learn(x, classes, 0.5)
    for _ in range(3000):
        absolutes.learn(x, classes, 0.01)
    for k in range(3):
        torch.testing.assert_close(squares.centres[k], x[classes == k].mean(0))
        torch.testing.assert_close(absolutes.centres[k], x[classes == k].median(0).values, atol=0.02, rtol=0)


def test_centres_start_at_means() -> None:
    x, classes = torch.randn(30, 5, generator=torch.Generator().manual_seed(2)), torch.arange(30) % 2
    loss = CentreLoss(3, 5)
    loss.start_at_means(x, classes)
    torch.testing.assert_close(loss.centres[1], x[1::2].mean(0))
    torch.testing.assert_close(loss.centres[2], x.mean(0))


def test_settings_that_make_no_sense_are_refused() -> None:
    with pytest.raises(PainkitError, match="p = 3"):
        CentreLoss(6, 50, 3)
    with pytest.raises(PainkitError, match="turning point -1"):
        smooth_l1(points(), points(), -1)

from __future__ import annotations

import pytest
import torch

from painkit.models.training.augmentation import Augmentation


def batch(n: int = 64) -> torch.Tensor:
    return torch.rand(n, 3, 112, 96, generator=torch.Generator().manual_seed(0))


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_mirror_flips_about_half_and_nothing_else() -> None:
    x = batch(400)
    out = Augmentation()(x, generator())
    flipped = (out == x.flip(3)).flatten(1).all(dim=1)
    kept = (out == x).flatten(1).all(dim=1)
    assert bool((flipped ^ kept).all())
    # 400 fair draws: four standard deviations are 40.
    assert abs(int(flipped.sum()) - 200) < 40


def test_no_augmentation_is_the_identity() -> None:
    x = batch(4)
    assert torch.equal(Augmentation(mirror=False)(x, generator()), x)


def test_rotation_turns_a_mark_about_the_centre_by_at_most_its_angle() -> None:
    """A mark right of the centre of a non-square crop keeps its distance: the turn is rigid in pixels."""
    y, x = torch.meshgrid(torch.arange(112.0), torch.arange(96.0), indexing="ij")
    mark = torch.exp(-((x - 77.5) ** 2 + (y - 55.5) ** 2) / 8).expand(200, 3, 112, 96)
    out = Augmentation(mirror=False, rotation=15)(mark, generator())[:, 0]
    total = out.sum(dim=(1, 2))
    cx, cy = (out * x).sum(dim=(1, 2)) / total - 47.5, (out * y).sum(dim=(1, 2)) / total - 55.5
    torch.testing.assert_close(torch.hypot(cx, cy), torch.full((200,), 30.0), atol=0.1, rtol=0)
    angles = torch.rad2deg(torch.atan2(cy, cx))
    assert float(angles.abs().max()) <= 15.1
    assert float(angles.min()) < -12 < 12 < float(angles.max())


def test_shift_moves_a_mark_by_at_most_its_pixels() -> None:
    y, x = torch.meshgrid(torch.arange(112.0), torch.arange(96.0), indexing="ij")
    mark = torch.exp(-((x - 47.5) ** 2 + (y - 55.5) ** 2) / 8).expand(200, 3, 112, 96)
    out = Augmentation(mirror=False, shift=4)(mark, generator())[:, 0]
    total = out.sum(dim=(1, 2))
    moved = torch.stack([(out * x).sum(dim=(1, 2)) / total - 47.5, (out * y).sum(dim=(1, 2)) / total - 55.5])
    assert float(moved.abs().max()) <= 4.01
    assert float(moved.min()) < -3.5 < 3.5 < float(moved.max())


@pytest.mark.parametrize("augmentation", [Augmentation(), Augmentation(rotation=10, shift=3)])
def test_seed_fixes_the_draws(augmentation: Augmentation) -> None:
    x = batch(16)
    assert torch.equal(augmentation(x, generator(3)), augmentation(x, generator(3)))
    assert not torch.equal(augmentation(x, generator(3)), augmentation(x, generator(4)))

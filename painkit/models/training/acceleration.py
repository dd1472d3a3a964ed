"""Where and in what number format a net computes.

float32 on every device unless asked otherwise, so that two machines differ by its rounding and no more.
bfloat16 is faster where the processor multiplies it in hardware; its estimates differ by hundredths of a
level after one pass, and a net trained in it is another net.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, get_args

import torch

from painkit.errors import PainkitError

__all__ = ["Acceleration", "Precision", "choose_acceleration", "choose_device", "true_float32"]

Precision = Literal["float32", "bfloat16"]


def choose_device(device: torch.device | str = "auto") -> torch.device:
    """Settle the device.

    Parameters
    ----------
    device : str or torch.device
        ``'auto'`` is a GPU where there is one.

    Raises
    ------
    PainkitError
        On a device that does not exist.
    """
    has_gpu = torch.cuda.is_available()
    try:
        chosen = torch.device(("cuda" if has_gpu else "cpu") if device == "auto" else device)
    except RuntimeError as error:
        raise PainkitError(f"no such device: {device!r}", expected="'auto', 'cpu' or 'cuda'") from error
    if chosen.type not in ("cpu", "cuda") or (chosen.type == "cuda" and not has_gpu):
        raise PainkitError(f"device {device!r} is not available here", expected="'auto' or 'cpu'")
    return chosen


@dataclass(frozen=True)
class Acceleration:
    """Device and number format of a net on images."""

    device: torch.device
    precision: Precision = "float32"

    def autocast(self) -> torch.autocast:
        """Context in which a forward pass uses the number format."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bfloat16")


def choose_acceleration(device: torch.device | str, precision: Precision) -> Acceleration:
    """Settle the device, see `choose_device`, and check the number format."""
    if precision not in get_args(Precision):
        raise PainkitError(f"precision={precision!r}", expected=" or ".join(get_args(Precision)))
    return Acceleration(choose_device(device), precision)


@contextmanager
def true_float32() -> Iterator[None]:
    """Keep a GPU's convolutions from rounding float32 factors to ten bits (TF32), as torch lets them."""
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = before

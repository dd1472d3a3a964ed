"""Where and in what number format an image net trains.

The rule behind ``precision="auto"``: bfloat16 on a GPU that has it (float16 with a scaled loss on older
ones); on a CPU bfloat16 only where the processor multiplies bfloat16 in hardware (AMX or AVX512-BF16).
Without that the products are emulated: measured 1.4 to 2 times slower than float32 on an AVX-512 machine.
The rule asks the hardware, not a clock, so the same machine always gives the same result. Weights and
batches are channels-last: the crops lie so on disk, and on a CPU it was equal or faster at every width.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch

from painkit.errors import PainkitError

__all__ = ["Acceleration", "Precision", "choose_acceleration"]

Precision = Literal["auto", "float32", "bfloat16", "float16"]


@dataclass(frozen=True)
class Acceleration:
    """Device and number format that `choose_acceleration` settled on."""

    device: torch.device
    dtype: torch.dtype

    def autocast(self) -> torch.autocast:
        """Context in which a forward pass uses the number format."""
        return torch.autocast(self.device.type, self.dtype, enabled=self.dtype != torch.float32)

    def scaler(self) -> torch.amp.GradScaler:
        """Loss scaling, which only float16 needs."""
        return torch.amp.GradScaler(self.device.type, enabled=self.dtype == torch.float16)


def choose_acceleration(device: str = "auto", precision: Precision = "auto") -> Acceleration:
    """Settle device and number format.

    Parameters
    ----------
    device : str
        ``'auto'`` (a GPU where there is one), or a torch device.
    precision : {'auto', 'float32', 'bfloat16', 'float16'}
        See the module's rule for ``'auto'``.

    Raises
    ------
    PainkitError
        On a device that does not exist, or float16 on a CPU.
    """
    has_gpu = torch.cuda.is_available()
    try:
        where = torch.device(("cuda" if has_gpu else "cpu") if device == "auto" else device)
    except RuntimeError as error:
        raise PainkitError(f"no such device: {device!r}", expected="'auto', 'cpu' or 'cuda'") from error
    if where.type not in ("cpu", "cuda") or (where.type == "cuda" and not has_gpu):
        raise PainkitError(f"device {device!r} is not available here", expected="'auto' or 'cpu'")
    if precision == "auto":
        if where.type == "cpu":
            return Acceleration(where, torch.bfloat16 if _cpu_multiplies_bfloat16() else torch.float32)
        return Acceleration(where, torch.bfloat16 if _gpu_multiplies_bfloat16(where) else torch.float16)
    accepted = ("float32", "bfloat16") if where.type == "cpu" else ("float32", "bfloat16", "float16")
    if precision not in accepted:
        raise PainkitError(f"precision {precision!r} on {where}", expected=f"'auto' or one of {accepted}")
    return Acceleration(where, getattr(torch, precision))


def _gpu_multiplies_bfloat16(device: torch.device) -> bool:
    # `is_bf16_supported` also says yes to emulation, which is slow.
    with torch.cuda.device(device):
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))


def _cpu_multiplies_bfloat16() -> bool:
    # Absent from older torch, where float32 is the safe answer.
    capabilities: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
    return bool(capabilities.get("amx_bf16") or capabilities.get("avx512_bf16"))

"""The stage-1 network: landmarks of one frame to pain estimates."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

__all__ = ["N_COORDINATES", "LandmarkNet", "Placement"]

N_COORDINATES = 132
"""x and y of 66 landmarks."""

Placement = Literal["none", "third_layer", "input"]


class LandmarkNet(nn.Module):
    """Fully connected net 132 -> 300 -> 100 -> 10 -> 100 -> outputs with ReLU (DeepFaceLIFT, Sec. 3.1).

    Parameters
    ----------
    n_personal : int
        Number of personal inputs; they follow the 132 coordinates in each input row.
    n_outputs : int
        1 (VAS) or 2 (VAS and OPI).
    placement : {'none', 'third_layer', 'input'}
        Where the personal inputs enter: nowhere, beside the 10 units of the third hidden layer, or beside
        the coordinates.

    Notes
    -----
    Each ReLU is a module of its own and used once: DeepLIFT attaches hooks to modules, and a re-used or
    functional ReLU gives silently wrong contributions.
    """

    def __init__(self, n_personal: int, n_outputs: int, placement: Placement) -> None:
        super().__init__()
        at_input, at_third = n_personal * (placement == "input"), n_personal * (placement == "third_layer")
        self.to_third = nn.Sequential(
            nn.Linear(N_COORDINATES + at_input, 300), nn.ReLU(),
            nn.Linear(300, 100), nn.ReLU(),
            nn.Linear(100, 10), nn.ReLU(),
        )  # fmt: skip
        self.from_third = nn.Sequential(nn.Linear(10 + at_third, 100), nn.ReLU(), nn.Linear(100, n_outputs))
        self.placement = placement

    def forward(self, inputs: Tensor) -> Tensor:
        """Estimates of shape (n, n_outputs) for rows of 132 coordinates followed by the personal inputs."""
        if self.placement == "third_layer":
            third = self.to_third(inputs[:, :N_COORDINATES])
            third = torch.cat([third, inputs[:, N_COORDINATES:]], dim=1)
        else:
            third = self.to_third(inputs)
        estimates: Tensor = self.from_third(third)
        return estimates

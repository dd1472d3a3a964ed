"""The face net of Wen et al. (2016) and the pain regressor of Wang et al. (2017) on top of it.

Layers carry the names of the published Caffe model (``conv1a`` ... ``conv5_6``, ``fc5``), so converted
weights load by name. There is no batch norm. Images go in as (n, 3, 112, 96) RGB, scaled by `to_input`.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

__all__ = ["FaceBackbone", "PainNet", "Residual", "VerificationNet", "to_input"]

FEATURE_SHAPE = (5, 4)
"""Height and width of the last feature map of a 112x96 crop."""


class Residual(nn.Sequential):
    """``x + layers(x)``: two padded convolutions, each with its PReLU, and the sum with nothing after it."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (n, channels, h, w) to the same shape."""
        branch = x
        for layer in self:
            branch = layer(branch)
        return x + branch


class FaceBackbone(nn.Sequential):
    """Convolution layers of the face-verification net (Wen et al. 2016; papers.md section 2).

    (n, 3, 112, 96) -> (n, 512 * width, 5, 4).

    Parameters
    ----------
    width : float
        Share of the published number of channels in every layer; 1.0 is the published net.
    """

    def __init__(self, width: float = 1.0) -> None:
        def channels(published: int) -> int:
            return max(1, round(published * width))

        layers: OrderedDict[str, nn.Module] = OrderedDict(_convolution("1a", 3, channels(32)))
        layers.update(_convolution("1b", channels(32), channels(64)))
        layers["pool1"] = nn.MaxPool2d(2)
        for stage, (n_blocks, published, following) in enumerate(
            [(1, 64, 128), (2, 128, 256), (5, 256, 512), (3, 512, None)], start=2
        ):
            c = channels(published)
            for block in range(1, n_blocks + 1):
                first, second = f"{stage}_{2 * block - 1}", f"{stage}_{2 * block}"
                layers[f"res{second}"] = Residual(
                    OrderedDict(
                        [*_convolution(first, c, c, padding=1), *_convolution(second, c, c, padding=1)]
                    )
                )
            if following is not None:
                layers.update(_convolution(str(stage), c, channels(following)))
                layers[f"pool{stage}"] = nn.MaxPool2d(2)
        super().__init__(layers)
        self.n_channels = channels(512)
        self.n_features = self.n_channels * FEATURE_SHAPE[0] * FEATURE_SHAPE[1]


def _convolution(name: str, n_in: int, n_out: int, *, padding: int = 0) -> Iterator[tuple[str, nn.Module]]:
    convolution = nn.Conv2d(n_in, n_out, 3, padding=padding)
    # As published: small residual branches, so that a fresh net is close to its plain convolutions.
    if padding:
        nn.init.normal_(convolution.weight, std=0.01)
    else:
        _caffe_xavier(convolution.weight)
    nn.init.zeros_(convolution.bias)  # type: ignore[arg-type]
    yield f"conv{name}", convolution
    yield f"relu{name}", nn.PReLU(n_out)


def _caffe_xavier(weight: torch.Tensor) -> None:
    """Uniform with variance 1 / fan-in, which is what Caffe calls xavier."""
    bound = (3.0 / weight[0].numel()) ** 0.5
    nn.init.uniform_(weight, -bound, bound)


def _linear(n_in: int, n_out: int) -> nn.Linear:
    layer = nn.Linear(n_in, n_out)
    _caffe_xavier(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


class PainNet(nn.Module):
    """Backbone, 50 features, one pain level in 0-5 (Wang et al. 2017, Fig. 2 and Eq. 1).

    512x5x4 -> FC 50 + PReLU -> dropout -> FC 1 -> 5 * sigmoid.

    Parameters
    ----------
    width : float
        Of the backbone; the 50 features stay 50.
    n_embedding : int
    dropout : float
    """

    def __init__(self, width: float = 1.0, *, n_embedding: int = 50, dropout: float = 0.5) -> None:
        super().__init__()
        self.backbone = FaceBackbone(width)
        self.ip1 = _linear(self.backbone.n_features, n_embedding)
        self.ip1_relu = nn.PReLU(n_embedding)
        self.ip1_drop = nn.Dropout(dropout)
        self.ip2 = _linear(n_embedding, 1)

    def embed(self, x: torch.Tensor) -> torch.Tensor:
        """Features (n, 50) before dropout, those the centre loss acts on."""
        embedding: torch.Tensor = self.ip1_relu(self.ip1(self.backbone(x).flatten(1)))
        return embedding

    def head(self, embedding: torch.Tensor) -> torch.Tensor:
        """Pain levels (n,) in 0-5 from features (n, 50), always in float32.

        bfloat16 would leave steps of 0.03 between estimates.
        """
        with torch.autocast(embedding.device.type, enabled=False):
            return 5 * torch.sigmoid(self.ip2(self.ip1_drop(embedding.float())).squeeze(1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Pain levels (n,) in 0-5 of images (n, 3, 112, 96)."""
        return self.head(self.embed(x))


class VerificationNet(nn.Module):
    """Backbone, 512 features and an identity classifier (Wen et al. 2016).

    Parameters
    ----------
    n_identities : int
    width : float
        Of the backbone and of the 512 features.
    """

    def __init__(self, n_identities: int, width: float = 1.0) -> None:
        super().__init__()
        self.backbone = FaceBackbone(width)
        self.fc5 = _linear(self.backbone.n_features, self.backbone.n_channels)
        self.fc6 = _linear(self.backbone.n_channels, n_identities)

    def embed(self, x: torch.Tensor) -> torch.Tensor:
        """Features (n, 512 * width) of images (n, 3, 112, 96)."""
        features: torch.Tensor = self.fc5(self.backbone(x).flatten(1))
        return features

    def head(self, embedding: torch.Tensor) -> torch.Tensor:
        """Scores (n, n_identities) before the softmax."""
        scores: torch.Tensor = self.fc6(embedding)
        return scores

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Identity scores of images."""
        return self.head(self.embed(x))


def to_input(crops: NDArray[np.uint8] | torch.Tensor, device: torch.device | str = "cpu") -> torch.Tensor:
    """Crops (n, 112, 96, 3) uint8 as the nets take them: (n, 3, 112, 96) float, (x - 127.5) / 128.

    The tensor is a view in channels-last order, the layout of the crops.
    """
    batch = torch.as_tensor(crops).to(device, non_blocking=True).permute(0, 3, 1, 2)
    return (batch.float() - 127.5) / 128

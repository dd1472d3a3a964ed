"""A record of images refuses parts that do not fit, and knows which images a model misses."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.special import softmax
from torch import nn

from painkit.attribution.pixel_record import PixelRecord
from painkit.errors import PainkitError
from painkit.models.nets.vgg_face import to_input

N, SIZE = 5, (6, 4)


@pytest.fixture
def record():
    rng = np.random.default_rng(0)
    return PixelRecord(
        images=rng.integers(0, 256, (N, *SIZE, 3), dtype=np.uint8),
        landmarks=np.full((N, 66, 2), np.nan),
        frames=pd.DataFrame({"subject": "s", "sequence": "q", "frame": range(N)}),
        classes=("pain", "disgust", "happiness"),
        true=np.array([0, 1, 2, -1, 0]),
        models={"one": nn.Identity(), "held out": [nn.Identity() for _ in range(N)]},
        logits={
            "one": np.array([[3.0, 0, 0], [2, 0, 0], [5, 0, 0], [9, 0, 0], [0, 0, 1]], np.float32),
            "held out": rng.normal(size=(N, 3)),
        },
        to_input=to_input,
        simulated=True,
    )


def test_errors_come_first_and_the_surest_first_in_both(record):
    # 2, 1 and 4 are missed; 3 has no class that could be missed.
    assert record.errors_first("one").tolist() == [2, 1, 4, 3, 0]
    assert record.predicted("one").tolist() == [0, 0, 0, 0, 2]
    np.testing.assert_allclose(
        record.probabilities("held out"), softmax(record.logits["held out"], axis=1), rtol=1e-12
    )


def test_a_model_is_one_net_or_one_for_each_image(record):
    assert record.net("one", 3) is record.models["one"]
    assert record.net("held out", 3) is record.models["held out"][3]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"images": np.zeros((N, *SIZE, 3), np.float32)}, "float32.*expected .* uint8"),
        ({"images": np.zeros((0, *SIZE, 3), np.uint8)}, "at least one"),
        ({"images": np.zeros((N, *SIZE), np.uint8)}, r"images of shape \(5, 6, 4\)"),
        ({"landmarks": np.zeros((N, 68, 2))}, r"landmarks of shape \(5, 68, 2\).*expected \(5, 66, 2\)"),
        ({"true": np.zeros(4, int)}, "true classes of shape"),
        ({"true": np.full(N, 3)}, "true classes from 3 to 3.*expected -1 to 2"),
        ({"logits": {"one": np.zeros((N, 3))}}, "models one, held out with logits of one"),
        ({"logits": {"one": np.zeros((N, 3)), "held out": np.zeros((N, 2))}}, "logits of held out of shape"),
        ({"models": {"one": nn.Identity(), "held out": [nn.Identity()]}}, "held out: 1 for 5 images"),
        ({"models": {}, "logits": {}}, "at least one"),
        ({"frames": pd.DataFrame({"subject": ["s"]})}, "frames: 1 for 5 images"),
        ({"frames": pd.DataFrame({"subject": ["s"] * N})}, "frames without frame, sequence"),
        ({"true_regions": [{}]}, "true regions: 1 for 5 images"),
        ({"said": {"one": ["level 2"]}}, "words of one: 1 for 5 images"),
        ({"true_regions": [{"AU4": np.zeros(SIZE)}] * N}, "true regions of another shape or type"),
    ],
)
def test_parts_that_do_not_fit_are_refused(record, change, told):
    with pytest.raises(PainkitError, match=told):
        replace(record, **change)

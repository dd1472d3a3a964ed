"""Devices, and what number formats other than float32 promise."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from face_images import DrawnFaces
from sklearn.base import clone

from painkit.data.crop_store import CropStore
from painkit.errors import PainkitError
from painkit.models.crops.pain_level import FaceNetRegression
from painkit.models.crops.verification import FaceVerification
from painkit.models.training.acceleration import choose_acceleration, choose_device, true_float32
from painkit.papers.facenet_regression import ROWS

SMALL = {"width": 1 / 16, "iterations": 20, "batch_size": 12, "lr": 0.01, "device": "cpu", "thinning": None}


@pytest.fixture(scope="module")
def model(faces: DrawnFaces, face_store: CropStore) -> FaceNetRegression:
    net = FaceNetRegression(store=face_store, **SMALL, **ROWS["smooth L1 + L1 center loss + sampling"])
    return net.fit(faces.table, faces.table["level"])


def test_a_gpu_is_taken_where_there_is_one_and_a_device_that_is_not_there_is_refused() -> None:
    assert choose_device().type == ("cuda" if torch.cuda.is_available() else "cpu")
    assert choose_device("cpu") == torch.device("cpu")
    for device in ("abacus", "mps", *([] if torch.cuda.is_available() else ["cuda"])):
        with pytest.raises(PainkitError, match=device):
            choose_device(device)
    with pytest.raises(PainkitError, match="precision='float8'"):
        choose_acceleration("cpu", "float8")  # type: ignore[arg-type]


def test_the_number_format_is_float32_on_every_processor_unless_asked_for(model: FaceNetRegression) -> None:
    for cls in (FaceNetRegression, FaceVerification):
        assert cls(store="").precision == "float32"
    formats = []
    handle = model.net_.ip1.register_forward_hook(lambda _, __, output: formats.append(output.dtype))
    crops = torch.zeros(1, 3, 112, 96)
    for precision in ("float32", "bfloat16"):
        with choose_acceleration("cpu", precision).autocast():  # type: ignore[arg-type]
            model.net_(crops)
    handle.remove()
    assert formats == [torch.float32, torch.bfloat16]


def test_products_are_not_rounded_to_ten_bits_and_the_setting_is_put_back() -> None:
    before = torch.backends.cudnn.allow_tf32
    with true_float32():
        assert not torch.backends.cudnn.allow_tf32
    assert torch.backends.cudnn.allow_tf32 == before


def test_bfloat16_estimates_agree_with_float32(model: FaceNetRegression, faces: DrawnFaces) -> None:
    rounded = clone(model).set_params(precision="bfloat16")
    rounded.net_ = model.net_
    exact, estimates = model.predict(faces.table[:96]), rounded.predict(faces.table[:96])
    # Eight bits of mantissa through 27 layers: a few hundredths of a level.
    assert np.abs(estimates - exact).max() < 0.05
    # The last layer is computed in float32: in bfloat16 half of the estimates would fall together.
    assert np.unique(estimates).size > 0.9 * np.unique(exact).size


def test_training_in_bfloat16_keeps_float32_weights_and_starts_with_the_same_losses(
    model: FaceNetRegression, faces: DrawnFaces
) -> None:
    rounded = clone(model).set_params(precision="bfloat16").fit(faces.table, faces.table["level"])
    assert {p.dtype for p in rounded.net_.parameters()} == {torch.float32}
    assert np.isfinite(rounded.history_).all()
    # Same weights and batches: rounding alone. Later the two are trajectories of their own.
    np.testing.assert_allclose(rounded.history_[0], model.history_[0], rtol=0.01)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize(("precision", "atol"), [("float32", 1e-3), ("bfloat16", 0.05)])
def test_a_gpu_estimates_like_the_cpu(
    precision: str, atol: float, model: FaceNetRegression, faces: DrawnFaces
) -> None:
    there = clone(model).set_params(device="cuda", precision=precision)
    there.net_ = model.net_
    estimates = there.predict(faces.table[:24])
    np.testing.assert_allclose(estimates, model.predict(faces.table[:24]), atol=atol)
    there.fit(faces.table, faces.table["level"])
    assert np.isfinite(there.history_).all()

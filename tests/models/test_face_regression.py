"""The face-net estimator: its contract, and what losses and sampling do on drawn faces."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import pytest
import torch
from face_images import DrawnFaces, drawn_faces
from numpy.typing import NDArray
from sklearn.base import clone

from painkit.data.crop_building import build_crop_store
from painkit.data.crop_store import CropStore
from painkit.errors import PainkitError
from painkit.evaluation.published import published
from painkit.faces.crops import FaceCrop
from painkit.models.crops.pain_level import ROWS, FaceNetRegression
from painkit.models.training.acceleration import choose_acceleration
from painkit.models.training.batches import thin

TINY = {"width": 1 / 32, "iterations": 3, "batch_size": 8, "lr": 1e-3}
SMALL = {"width": 1 / 16, "iterations": 90, "batch_size": 24, "lr": 0.02, "thinning": None}


def split(faces: DrawnFaces) -> tuple[pd.DataFrame, pd.DataFrame]:
    held_out = faces.table["subject"] >= "s06"
    return faces.table[~held_out], faces.table[held_out]


def bootstrap_over_subjects(per_subject: NDArray[np.float64], seed: int = 0) -> tuple[float, float]:
    draws = np.random.default_rng(seed).integers(len(per_subject), size=(4000, len(per_subject)))
    low, high = np.quantile(per_subject[draws].mean(axis=1), [0.025, 0.975])
    return float(low), float(high)


@pytest.fixture(scope="module")
def fits(faces: DrawnFaces, face_store: CropStore) -> dict[str, FaceNetRegression]:
    train, _ = split(faces)
    settings = {
        "all": {"sampling": "all"},
        "uniform": {"sampling": "uniform"},
        "center": ROWS["smooth L1 + L1 center loss + sampling"],
    }
    return {
        name: FaceNetRegression(store=face_store, **SMALL, **s).fit(train, train["level"])
        for name, s in settings.items()
    }


@pytest.fixture(scope="module")
def strangers(tmp_path_factory: pytest.TempPathFactory) -> tuple[pd.DataFrame, CropStore]:
    """Twelve further people: enough for an interval over subjects."""
    more = drawn_faces(12, 24, seed=1)
    folder: Path = tmp_path_factory.mktemp("strangers")
    store = build_crop_store(
        more.images.__getitem__, more.landmarks, folder, content="strangers", progress=False, simulated=True
    )
    return more.table, store


def of_strangers(model: FaceNetRegression, store: CropStore) -> FaceNetRegression:
    """The fitted model, looking at another store."""
    other = clone(model).set_params(store=store)
    other.net_, other.centres_ = model.net_, model.centres_
    return other


def test_rows_are_those_of_the_tables(face_store: CropStore) -> None:
    table = published("facenet_regression")
    theirs = set(table.loc[table["table"].isin(["Table 1", "Table 2"]), "row"])
    assert theirs - set(ROWS) == {"all zeros", "OSVR-L1", "OSVR-L2", "RCR"}
    assert len(set(ROWS) & theirs) == len(ROWS) == 6
    for name, settings in ROWS.items():
        model = FaceNetRegression(store=face_store, **settings)
        assert model.turning_point == (1.0 if name.startswith("smooth") else 0.0)
        assert model.center_p == (None if "center" not in name else 2 if "L2 center" in name else 1)
        assert (model.sampling == "uniform") == ("sampling" in name)
    defaults = FaceNetRegression(store=face_store)
    paper = (0.01, 1e-4, 0.9, 5e-4, 64, 5000, True, 1.0)
    names = ["center_weight", "lr", "momentum", "weight_decay", "batch_size", "iterations", "mirror", "width"]
    assert tuple(getattr(defaults, name) for name in names) == paper


@pytest.mark.parametrize("name", ROWS)
def test_every_row_trains_and_estimates_between_0_and_5(
    name: str, faces: DrawnFaces, face_store: CropStore
) -> None:
    train, test = split(faces)
    model = FaceNetRegression(store=face_store, **TINY, **ROWS[name]).fit(train, train["level"])
    estimates = model.predict(test)
    assert estimates.shape == (len(test),)
    assert 0 <= estimates.min() <= estimates.max() <= 5
    assert model.history_.shape == (3, 1 if ROWS[name]["center_p"] is None else 2)
    assert model.transform(test[:4]).shape == (4, 50)


def test_same_seed_same_model_and_clone_keeps_parameters(faces: DrawnFaces, face_store: CropStore) -> None:
    train, test = split(faces)
    model = FaceNetRegression(store=face_store, **TINY, random_state=5)
    first = clone(model).fit(train, train["level"]).predict(test)
    torch.manual_seed(99)
    np.testing.assert_array_equal(clone(model).fit(train, train["level"]).predict(test), first)
    other = clone(model).set_params(random_state=6).fit(train, train["level"])
    assert np.abs(other.predict(test) - first).max() > 1e-3


def test_training_leaves_the_global_generator_alone(faces: DrawnFaces, face_store: CropStore) -> None:
    train, _ = split(faces)
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    FaceNetRegression(store=face_store, **TINY).fit(train, train["level"])
    assert torch.equal(torch.rand(3), expected)


def test_saved_model_estimates_the_same_even_without_its_store(
    fits: dict[str, FaceNetRegression], faces: DrawnFaces, face_store: CropStore, tmp_path: Path
) -> None:
    _, test = split(faces)
    model = fits["center"]
    model.save(tmp_path / "m")
    loaded = FaceNetRegression.load(tmp_path / "m")
    np.testing.assert_array_equal(loaded.predict(test), model.predict(test))
    np.testing.assert_array_equal(loaded.centres_, model.centres_)
    loaded.store = tmp_path / "gone"
    crops = face_store.batch(test["row"][:5])
    np.testing.assert_allclose(loaded.predict_crops(crops), model.predict(test[:5]), atol=1e-5)
    assert not list((tmp_path / "m").glob("*.p*k*l*"))


def test_frames_without_face_or_label_are_left_out_and_counted(tmp_path: Path, faces: DrawnFaces) -> None:
    landmarks = faces.landmarks[:36].copy()
    landmarks[[3, 4]] = np.nan
    store = build_crop_store(faces.images.__getitem__, landmarks, tmp_path, content="holes", progress=False)
    table = faces.table[:36]
    y = table["level"].to_numpy(dtype=float)
    y[[4, 10, 11]] = np.nan
    model = FaceNetRegression(store=store, **TINY).fit(table, y)
    kept = np.setdiff1d(np.arange(36), [3, 4, 10, 11])
    thinned = thin(y[kept], np.zeros(kept.size), table["frame"].to_numpy()[kept])
    assert (model.n_without_face_, model.n_without_label_) == (2, 2)
    assert (model.n_trained_frames_, model.n_thinned_) == (thinned.size, kept.size - thinned.size)
    estimates = model.predict(table)
    assert np.flatnonzero(np.isnan(estimates)).tolist() == [3, 4]


def test_row_order_of_the_table_does_not_matter_for_thinning(
    faces: DrawnFaces, face_store: CropStore
) -> None:
    train, _ = split(faces)
    counts = [
        FaceNetRegression(store=face_store, **TINY).fit(t, t["level"]).n_trained_frames_
        for t in (train, train.sample(frac=1, random_state=0))
    ]
    assert counts[0] == counts[1] < len(train)


def test_estimates_correlate_with_levels_of_new_people(
    fits: dict[str, FaceNetRegression], strangers: tuple[pd.DataFrame, CropStore]
) -> None:
    test, store = strangers
    estimates = of_strangers(fits["uniform"], store).predict(test)
    pcc = [
        np.corrcoef(estimates[rows], test["level"].to_numpy()[rows])[0, 1]
        for rows in test.groupby("subject").indices.values()
    ]
    low, _ = bootstrap_over_subjects(np.array(pcc))
    assert low > 0.5


def test_uniform_sampling_lowers_the_weighted_error(
    fits: dict[str, FaceNetRegression], strangers: tuple[pd.DataFrame, CropStore]
) -> None:
    """wMAE is the error's mean over the levels that occur; the change has an interval over subjects."""
    test, store = strangers
    change = []
    levels = test["level"].to_numpy()
    errors = {
        name: np.abs(of_strangers(fits[name], store).predict(test) - levels) for name in ("all", "uniform")
    }
    for rows in test.groupby("subject").indices.values():
        wmae = {
            name: np.mean([e[rows][levels[rows] == k].mean() for k in np.unique(levels[rows])])
            for name, e in errors.items()
        }
        change.append(wmae["uniform"] - wmae["all"])
    _, high = bootstrap_over_subjects(np.array(change))
    assert high < 0


def test_centre_loss_reduces_the_spread_within_levels(
    fits: dict[str, FaceNetRegression], strangers: tuple[pd.DataFrame, CropStore]
) -> None:
    """What the paper says it does: features of one level come to lie closer together.

    It is no claim that levels are told apart better: that share of variance is what the notebook reports.
    """
    test, store = strangers
    levels = test["level"].to_numpy()
    spread: dict[str, list[float]] = {"uniform": [], "center": []}
    for name, found in spread.items():
        features = of_strangers(fits[name], store).transform(test)
        for rows in test.groupby("subject").indices.values():
            x, y = features[rows], levels[rows]
            off = np.concatenate([x[y == k] - x[y == k].mean(0) for k in np.unique(y)])
            found.append(float(np.linalg.norm(off, axis=1).mean()))
    _, high = bootstrap_over_subjects(np.subtract(spread["center"], spread["uniform"]))
    assert high < 0


def test_centres_follow_the_features_of_their_levels(
    fits: dict[str, FaceNetRegression], faces: DrawnFaces
) -> None:
    """The paper: a centre is essentially the mean of the features of its class."""
    train, _ = split(faces)
    features, model = fits["center"].transform(train), fits["center"]
    means = np.stack([features[train["level"] == k].mean(axis=0) for k in range(6)])
    nearest = np.linalg.norm(model.centres_[:, None] - means, axis=2).argmin(axis=1)
    assert nearest.tolist() == [0, 1, 2, 3, 4, 5]


def test_bfloat16_estimates_agree_with_float32(fits: dict[str, FaceNetRegression], faces: DrawnFaces) -> None:
    _, test = split(faces)
    model = clone(fits["uniform"]).set_params(precision="bfloat16")
    model.net_ = fits["uniform"].net_
    exact = fits["uniform"].predict(test[:24])
    rounded = model.predict(test)
    # Eight bits of mantissa through 27 layers: a few hundredths of a level.
    assert np.abs(rounded[:24] - exact).max() < 0.05
    # The last layer is computed in float32: in bfloat16 half of the estimates would fall together.
    assert np.unique(rounded).size > 0.95 * rounded.size


def test_training_in_bfloat16_is_as_accurate(
    fits: dict[str, FaceNetRegression], faces: DrawnFaces, strangers: tuple[pd.DataFrame, CropStore]
) -> None:
    train, _ = split(faces)
    test, store = strangers
    rounded = clone(fits["uniform"]).set_params(precision="bfloat16").fit(train, train["level"])
    levels = test["level"].to_numpy()
    error, exact = (
        np.abs(of_strangers(model, store).predict(test) - levels).mean()
        for model in (rounded, fits["uniform"])
    )
    # Another seed of the same net changes the error by about as much.
    assert error == pytest.approx(exact, abs=0.15)


def test_device_and_precision_are_settled_by_the_hardware() -> None:
    assert choose_acceleration("cpu", "float32").dtype == torch.float32
    assert choose_acceleration("cpu", "bfloat16").dtype == torch.bfloat16
    assert choose_acceleration().device.type == ("cuda" if torch.cuda.is_available() else "cpu")
    flags = Path("/proc/cpuinfo")
    if flags.exists():
        text = flags.read_text()
        in_hardware = "amx_bf16" in text or "avx512_bf16" in text
        assert choose_acceleration("cpu").dtype == (torch.bfloat16 if in_hardware else torch.float32)
    for device, precision in (("cpu", "float16"), ("abacus", "auto"), ("mps", "auto")):
        with pytest.raises(PainkitError):
            choose_acceleration(device, precision)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("settings", "labels", "match"),
    [
        ({"loss": "hinge"}, 1.0, "loss='hinge'"),
        ({}, 7.0, "labels from 7 to 7"),
        ({}, np.nan, "no frame has both"),
        ({"sampling": "fair"}, 1.0, "unknown sampling"),
        ({"center_p": 3}, 1.0, "p = 3"),
        ({"lr": 1e12, "momentum": 0.0, "iterations": 20, "loss": "mse"}, 1.0, "diverged"),
        ({"pretrained": "/no/such/file.npz"}, 1.0, "no such file of weights"),
    ],
)
def test_bad_settings_and_labels_are_told(
    settings: dict[str, object],
    labels: float,
    match: str,
    faces: DrawnFaces,
    face_store: CropStore,
) -> None:
    train, _ = split(faces)
    model = FaceNetRegression(store=face_store, **{**TINY, **settings})
    with pytest.raises(PainkitError, match=match):
        model.fit(train[:20], np.full(20, labels))


def test_store_of_other_crops_or_another_cohort_is_refused(
    faces: DrawnFaces, face_store: CropStore, tmp_path: Path
) -> None:
    boxes = build_crop_store(
        faces.images.__getitem__,
        faces.landmarks[:4],
        tmp_path,
        content="b",
        crop=FaceCrop("box"),
        progress=False,
    )
    with pytest.raises(PainkitError, match="aligned 112x96"):
        FaceNetRegression(store=boxes, **TINY).fit(faces.table[:4], np.zeros(4))
    elsewhere = faces.table[:4].assign(row=[0, 1, 2, 100_000])
    with pytest.raises(PainkitError, match="row 100000 asked of a store of 360"):
        FaceNetRegression(store=face_store, **TINY).fit(elsewhere, np.zeros(4))
    with pytest.raises(PainkitError, match=r"lacks \['row'\]"):
        FaceNetRegression(store=face_store, **TINY).fit(faces.table[:4].drop(columns="row"), np.zeros(4))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("precision", ["auto", "float32", "float16"])
def test_a_gpu_trains_and_estimates_like_the_cpu(
    precision: Literal["auto", "float32", "float16"], faces: DrawnFaces, face_store: CropStore
) -> None:
    train, test = split(faces)
    settings = {**TINY, **ROWS["smooth L1 + L1 center loss + sampling"]}
    cpu = FaceNetRegression(store=face_store, device="cpu", precision="float32", **settings)
    gpu = FaceNetRegression(store=face_store, device="cuda", precision=precision, **settings)
    estimates = [one.fit(train, train["level"]).predict(test) for one in (cpu, gpu)]
    np.testing.assert_allclose(estimates[0], estimates[1], atol=0.25)  # dropout draws differ

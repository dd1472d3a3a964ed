"""What every estimator keeps to, whatever it estimates from."""

from __future__ import annotations

import importlib
import inspect
import json
import pickle
import pkgutil
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
import torch
from face_images import drawn_faces, with_units
from sklearn.base import BaseEstimator, clone
from sklearn.exceptions import NotFittedError
from synthetic_sequences import make_sequences
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

import painkit.models
from painkit.data.crop_building import build_crop_store
from painkit.digests import seal
from painkit.errors import PainkitError
from painkit.faces.crops import FaceCrop
from painkit.models.crops.base import CropEstimator
from painkit.models.crops.crop_net import CropNet
from painkit.models.crops.emotions import EmotionResNet
from painkit.models.crops.expressions import ExpressionClassifier
from painkit.models.crops.pain_level import FaceNetRegression
from painkit.models.crops.saliency import SaliencySupervision
from painkit.models.crops.seven_levels import SevenLevels
from painkit.models.crops.verification import FaceVerification
from painkit.models.features.base import FeatureEstimator
from painkit.models.features.frame_features import landmark_features
from painkit.models.features.osvr import OrdinalSVR
from painkit.models.features.rcr import RecurrentConvolutionRegression
from painkit.models.sequences.base import SequenceEstimator
from painkit.models.sequences.deepfacelift import DeepFaceLIFT
from painkit.models.sequences.gaussian_process import GaussianProcess
from painkit.models.sequences.hcrf import HCRF
from painkit.models.sequences.mean_voting import MeanVoting
from painkit.models.sequences.sequence_rnn import SequenceRNN
from painkit.models.sequences.stage1 import FrameNetwork

pytestmark = pytest.mark.filterwarnings(
    "ignore:HCRF:sklearn.exceptions.ConvergenceWarning",  # searches are cut short
    "ignore:OSVR:sklearn.exceptions.ConvergenceWarning",
    "ignore:1 of 9 sequences have no frame",
)


@dataclass(frozen=True)
class Case:
    """A small estimator, samples of which `missing` cannot be estimated, and what it refuses."""

    make: Callable[..., Any]
    X: Any
    y: Any
    outputs: tuple[str, ...]
    missing: tuple[int, ...]
    wrong_X: tuple[Any, ...]
    wrong_y: tuple[Any, ...]
    wrong_settings: tuple[dict[str, Any], ...]
    is_random: bool = True


BASES = {SequenceEstimator, CropNet, CropEstimator, FeatureEstimator}
SEQUENCES = {
    FrameNetwork: (("frame_estimates",), {"epochs": 2}, {"labels": ("opi",)}),
    MeanVoting: (("predict",), {"epochs": 2}, {"statistic": "mode"}),
    DeepFaceLIFT: (
        ("predict", "sequence_statistics"),
        {"epochs": 2, "inner_folds": 2, "gp_restarts": 1},
        {"gp_inputs": ()},
    ),
    SequenceRNN: (("predict",), {"epochs": 2, "hidden": 4}, {"placement": "third_layer"}),
    HCRF: (("predict",), {"max_iter": 2, "n_states": 2}, {"n_states": 0}),
}
FEATURES = {
    OrdinalSVR: ({"max_iterations": 50}, {"norm": 3}, False),
    RecurrentConvolutionRegression: ({"iterations": 3, "channels": 4}, {"kernel": 4}, True),
}
CROPS = {
    FaceNetRegression: (("predict", "transform"), "level", {"center_p": 1}, {"loss": "hinge"}),
    FaceVerification: (("transform",), "subject", {}, {"sampling": "fair"}),
    SaliencySupervision: (("transform",), "level", {"landmarks": "drawn"}, {"signs": "minus"}),
    ExpressionClassifier: (
        ("predict", "decision_function", "predict_proba", "transform"),
        "level",
        {"input_size": 32},
        {"input_size": 64},
    ),
    SevenLevels: (
        ("predict", "decision_function", "predict_proba", "transform"),
        "level",
        {"input_size": 32, "epochs": 2},
        {"mode": "tail"},
    ),
}
ESTIMATORS = [*SEQUENCES, *FEATURES, *CROPS, EmotionResNet, GaussianProcess]


@pytest.fixture(scope="module")
def case_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[type], Case]:
    folder = tmp_path_factory.mktemp("contract")

    @cache
    def made(cls: type) -> Case:
        if cls in SEQUENCES:
            return sequences(cls)
        if cls is GaussianProcess:
            return vectors()
        if cls is EmotionResNet:
            return grey_faces()
        faces = drawn_faces(3, 8)
        return features(cls, faces.table, folder) if cls in FEATURES else crops(cls, faces, folder)

    return made


def sequences(cls: type) -> Case:
    outputs, small, wrong = SEQUENCES[cls]
    X, y, _ = make_sequences(n_subjects=3, n_sequences=3, n_frames=8)
    X[4] = replace(X[4], landmarks=np.full_like(X[4].landmarks, np.nan))
    return Case(
        lambda **settings: cls(**{"random_state": 0, "personal_features": ("age",), **small, **settings}),
        X,
        y,
        outputs,
        (4,),
        ([], [1.0], [replace(s, landmarks=s.landmarks[:, :10]) for s in X]),
        (y[:-1], np.full_like(y, np.nan), y.astype(str) + "?", np.hstack([y, y])),
        (wrong, {"device": "abacus"}, {"standardize": "sequence"}, {"frame_step": 0}),
    )


def features(cls: type, table: Any, folder: Path) -> Case:
    small, wrong, is_random = FEATURES[cls]
    values = np.random.default_rng(0).normal(size=(len(table), 5)) + table[["level"]].to_numpy()
    values[[3, 7], 2] = np.nan
    np.save(folder / "features.npy", values)
    y = table["level"].to_numpy(dtype=float)
    return Case(
        lambda **settings: cls(**{"features": folder / "features.npy", **small, **settings}),
        table,
        y,
        ("predict",),
        (3, 7),
        (table.drop(columns="row"), table.assign(row=table["row"] + 1)),
        (y[:-1], np.full_like(y, np.nan), y.astype(str) + "?"),
        (wrong, {"features": folder / "no.npy"}),
        is_random,
    )


def crops(cls: type, faces: Any, folder: Path) -> Case:
    outputs, target, small, wrong = CROPS[cls]
    length = {} if "epochs" in small else {"iterations": 3}
    small = {"width": 1 / 32, **length, "batch_size": 6, "lr": 1e-3, "device": "cpu", **small}
    marks, table = faces.landmarks.copy(), with_units(faces.table)
    marks[[3, 7]] = np.nan
    if "landmarks" in small:
        np.save(folder / "landmarks.npy", landmark_features(marks))
        small = {**small, "landmarks": folder / "landmarks.npy"}
    crop = FaceCrop("box", side=small["input_size"]) if "input_size" in small else FaceCrop()
    store = build_crop_store(
        faces.images.__getitem__, marks, folder, content="contract", crop=crop, progress=False
    )
    y = table[target].to_numpy()
    return Case(
        lambda **settings: cls(**{"store": store, **small, **settings}),
        table,
        y,
        outputs,
        (3, 7),
        (table.drop(columns="row"), table.assign(row=table["row"] + 1), table.assign(row=table["row"] - 1)),
        (y[:-1], np.full(len(y), np.nan)),
        (wrong, {"device": "abacus"}, {"precision": "float8"}, {"batch_size": 0}, {"store": folder}),
    )


def grey_faces() -> Case:
    rng = np.random.default_rng(0)
    X, y = rng.integers(0, 256, (20, 48, 48), dtype=np.uint8), rng.integers(0, 8, 20).astype(float)
    y[3] = np.nan
    small = {"input_size": 32, "width": 1 / 32, "iterations": 3, "batch_size": 6, "device": "cpu"}
    return Case(
        lambda **settings: EmotionResNet(**{**small, **settings}),
        X,
        y,
        ("predict", "decision_function", "predict_proba"),
        (),
        (X[:, 0], X / 255, list(X)),
        (y[:-1], np.full(20, np.nan), y + 0.5, np.full((20, 8), 0.5), np.full((20, 3), 1 / 3)),
        ({"device": "abacus"}, {"precision": "float8"}, {"batch_size": 1}, {"input_scaling": "0-255"}),
    )


def vectors() -> Case:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(24, 3))
    y = X[:, 0] + rng.normal(0, 0.1, 24)
    return Case(
        lambda **settings: GaussianProcess(**{"random_state": 0, **settings}),
        X,
        y,
        ("predict",),
        (),
        (X[:, 0], np.where(X > 0, X, np.nan)),
        (y[:-1], np.full_like(y, np.nan), y.astype(str) + "?"),
        ({"max_iter": -1},),
        # Other starts of a search lead to the same maximum.
        is_random=False,
    )


def outputs(case: Case, estimator: Any) -> list[np.ndarray]:
    """Everything the estimator says of the case's samples: arrays over samples."""
    said = []
    for name in case.outputs:
        method = getattr(estimator, name)
        with_std = "return_std" in inspect.signature(method).parameters
        said += method(case.X, return_std=True) if with_std else [method(case.X)]
    # Of a list over the frames of sequences the means.
    return [np.array([e.mean() for e in one]) if isinstance(one, list) else one for one in said]


@pytest.fixture(scope="module")
def fitted(case_of: Callable[[type], Case]) -> Callable[[type], Any]:
    return cache(lambda cls: case_of(cls).make().fit(case_of(cls).X, case_of(cls).y))


def test_no_estimator_is_missing_here() -> None:
    found = set()
    for module in pkgutil.walk_packages(painkit.models.__path__, "painkit.models."):
        members = vars(importlib.import_module(module.name)).values()
        found |= {m for m in members if isinstance(m, type) and issubclass(m, BaseEstimator)}
    assert {cls for cls in found if cls.__module__.startswith("painkit.")} == {*ESTIMATORS, *BASES}


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_the_constructor_stores_what_it_is_given_and_nothing_else(cls: type) -> None:
    given = {name: object() for name in inspect.signature(cls).parameters}
    estimator = cls(**given)
    assert vars(estimator) == given == estimator.get_params(deep=False)


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_a_clone_has_the_parameters_and_is_not_fitted(cls: type, case_of: Any, fitted: Any) -> None:
    copied = clone(fitted(cls))
    assert copied.get_params() == fitted(cls).get_params()
    for name in case_of(cls).outputs:
        with pytest.raises(NotFittedError):
            getattr(copied, name)(case_of(cls).X)
    with pytest.raises(NotFittedError):
        copied.save("nowhere")


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_fit_returns_the_estimator_and_leaves_all_else_as_it_was(cls: type, case_of: Any) -> None:
    case = case_of(cls)
    estimator = case.make()
    before = joblib.hash((case.X, case.y, estimator.get_params(), torch.get_rng_state().numpy()))
    assert estimator.fit(case.X, case.y) is estimator
    outputs(case, estimator)
    assert joblib.hash((case.X, case.y, estimator.get_params(), torch.get_rng_state().numpy())) == before


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_there_is_one_estimate_a_sample_and_nan_where_none_can_be(
    cls: type, case_of: Any, fitted: Any
) -> None:
    case = case_of(cls)
    if "predict" in case.outputs:
        assert fitted(cls).predict(case.X).shape == np.shape(case.y)
    for said in outputs(case, fitted(cls)):
        assert len(said) == len(case.X)
        nan = np.isnan(said.reshape(len(said), -1))
        assert np.array_equal(nan.any(axis=1), nan.all(axis=1))
        assert np.flatnonzero(nan.any(axis=1)).tolist() == list(case.missing)


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_a_saved_model_says_the_same_and_nothing_is_unpickled(
    cls: type, case_of: Any, fitted: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case, model = case_of(cls), fitted(cls)
    model.save(tmp_path)
    assert {path.suffix for path in tmp_path.iterdir()} == {".json", ".safetensors"}

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("something is unpickled")

    for module, name in ((pickle, "load"), (pickle, "loads"), (pickle, "Unpickler"), (torch, "load")):
        monkeypatch.setattr(module, name, refuse)
    loaded = cls.load(tmp_path)
    assert {k: str(v) for k, v in loaded.get_params().items()} == {
        k: str(getattr(v, "folder", v)) for k, v in model.get_params().items()
    }
    for before, after in zip(outputs(case, model), outputs(case, loaded), strict=True):
        np.testing.assert_array_equal(after, before)
    assert {k for k in vars(loaded) if k.endswith("_")} == {k for k in vars(model) if k.endswith("_")}


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_a_damaged_or_foreign_model_is_refused_by_name(cls: type, fitted: Any, tmp_path: Path) -> None:
    fitted(cls).save(tmp_path)
    other = ESTIMATORS[ESTIMATORS.index(cls) - 1]
    with pytest.raises(PainkitError, match=f"holds a {cls.__name__} .*expected {other.__name__}"):
        other.load(tmp_path)
    written = (tmp_path / "model.json").read_text()
    document = json.loads(written)
    foreign = {"net_": {"estimator": "os.path", "parameters": {}, "fitted": {}}}
    parts = {"parameters": {"colour": 1}}, {"fitted": 3}, {"fitted": foreign}
    for text in ("{", "[]", *(json.dumps({**document, **part}) for part in parts)):
        (tmp_path / "model.json").write_text(text)
        with pytest.raises(PainkitError, match=r"model\.json: is damaged"):
            cls.load(tmp_path)
        seal(tmp_path, names=["model.json", "model.safetensors"])
        with pytest.raises(PainkitError, match=r"model\.json: (is not a saved|does not fit)"):
            cls.load(tmp_path)
    (tmp_path / "model.json").write_text(written)
    (tmp_path / "model.safetensors").write_bytes(b"no tensors")
    seal(tmp_path, names=["model.json", "model.safetensors"])
    with pytest.raises(PainkitError, match=r"model\.safetensors: not a readable"):
        cls.load(tmp_path)
    (tmp_path / "model.json").unlink()
    with pytest.raises(PainkitError, match=r"model\.json"):
        cls.load(tmp_path)


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_one_seed_gives_one_result_and_another_seed_another(cls: type, case_of: Any, fitted: Any) -> None:
    case = case_of(cls)
    first = outputs(case, fitted(cls))
    torch.manual_seed(99)  # of no effect
    for one, again in zip(first, outputs(case, case.make().fit(case.X, case.y)), strict=True):
        np.testing.assert_array_equal(again, one)
    if case.is_random:
        other = outputs(case, case.make(random_state=1).fit(case.X, case.y))
        assert any(np.nanmax(np.abs(a - b)) > 1e-6 for a, b in zip(first, other, strict=True))


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_what_cannot_work_is_told_in_painkits_own_error(cls: type, case_of: Any, fitted: Any) -> None:
    case = case_of(cls)
    for X in case.wrong_X:
        with pytest.raises(PainkitError):
            case.make().fit(X, case.y[: len(X)])
    for y in case.wrong_y:
        with pytest.raises(PainkitError):
            case.make().fit(case.X, y)
    for settings in case.wrong_settings:
        with pytest.raises(PainkitError, match=r"|".join(map(str, settings.values()))):
            case.make(**settings).fit(case.X, case.y)
    for X in case.wrong_X[:1]:
        for name in case.outputs:
            with pytest.raises(PainkitError):
                getattr(fitted(cls), name)(X)


# Attributions hook modules: an activation that is re-used, or no module, would be attributed wrongly.
ACTIVATIONS = {"relu", "prelu", "_prelu_kernel", "leaky_relu", "threshold", "clamp_min"}
RECURRENT = {RecurrentConvolutionRegression: "feeds its output back through the same convolution and ReLU"}


class Activations(TorchDispatchMode):
    """Counts the activations that are computed, as modules or otherwise."""

    n = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.n += func.__name__.split(".")[0] in ACTIVATIONS
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("cls", [cls for cls in ESTIMATORS if cls not in RECURRENT])
def test_nets_use_every_module_once_and_have_one_for_every_activation(
    cls: type, case_of: Any, fitted: Any
) -> None:
    case, model = case_of(cls), fitted(cls)
    calls: Counter[nn.Module] = Counter()
    leaves = [m for m in getattr(model, "net_", nn.Module()).modules() if not list(m.children())]
    handles = [m.register_forward_hook(lambda m, *_: calls.update([m])) for m in leaves]
    with Activations() as computed:
        getattr(model, case.outputs[0])(case.X)
    for handle in handles:
        handle.remove()
    assert len(set(calls.values())) <= 1  # as often as there were passes
    assert computed.n == sum(n for m, n in calls.items() if isinstance(m, nn.ReLU | nn.PReLU))

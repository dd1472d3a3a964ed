"""The key of a run moves with everything the result depends on, and with nothing else."""

from __future__ import annotations

import hashlib
import importlib
import math
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.dummy import DummyRegressor
from sklearn.ensemble import BaggingRegressor
from sklearn.linear_model import Ridge
from sklearn.metrics import mean_absolute_error
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.tree import DecisionTreeRegressor
from small_cohort import small_cohort

from painkit.errors import PainkitError
from painkit.evaluation.keys import data_digest, describe, digest, seeded, settled
from painkit.evaluation.protocols import fixed_folds, random_frames, sequence_k_fold, subject_k_fold
from painkit.evaluation.run_fold import seed_estimator
from painkit.evaluation.samples import samples
from painkit.models.crops.pain_level import FaceNetRegression
from painkit.models.training import acceleration


def key(estimator: Any) -> str:
    return digest(describe(estimator))


def test_equal_settings_give_equal_keys_and_nested_changes_give_others() -> None:
    def nested(alpha: float) -> Any:
        return make_pipeline(StandardScaler(), BaggingRegressor(Ridge(alpha=alpha), n_estimators=3))

    assert key(nested(1.0)) == key(nested(1.0))
    estimators = [
        nested(1.0),
        nested(1.0 + 1e-12),
        make_pipeline(StandardScaler(with_mean=False), BaggingRegressor(Ridge(alpha=1.0), n_estimators=3)),
        make_pipeline(StandardScaler(), BaggingRegressor(DecisionTreeRegressor(), n_estimators=3)),
        DummyRegressor(constant=[1.0, 2.0]),
        DummyRegressor(constant=np.array([1.0, 2.0])),
        DummyRegressor(constant=np.array([2.0, 1.0])),
        DummyRegressor(constant=float("nan")),
        DummyRegressor(constant=float("inf")),
    ]
    assert len({key(estimator) for estimator in estimators}) == len(estimators)


def test_numpy_numbers_are_the_numbers_they_are() -> None:
    assert key(Ridge(alpha=np.float64(0.5), max_iter=np.int64(3))) == key(Ridge(alpha=0.5, max_iter=3))


def test_settings_that_cannot_be_told_apart_are_refused() -> None:
    with pytest.raises(PainkitError, match=r"estimator\.func is .*<lambda>.* does not lead to"):
        describe(FunctionTransformer(lambda x: x))
    with pytest.raises(PainkitError, match=r"estimator\.random_state is .* a Generator cannot be digested"):
        describe(Ridge(random_state=np.random.default_rng(0)))
    assert describe(FunctionTransformer(np.log1p)) != describe(FunctionTransformer(np.expm1))


class Gain:
    def __init__(self, gain: float) -> None:
        self.gain = gain

    def applied(self, x: Any) -> Any:
        return self.gain * x


def doubled(x: Any) -> Any:
    return 2 * x


def closure(gain: float) -> Any:
    def applied(x: Any) -> Any:
        return gain * x

    return applied


def test_functions_that_share_a_name_are_refused_and_named_ones_told_apart() -> None:
    for function in (closure(2), Gain(2).applied, Gain.__init__.__get__(Gain(2))):
        with pytest.raises(PainkitError, match=r"estimator\.func is .* does not lead to"):
            describe(FunctionTransformer(function))
    named = [doubled, np.mean, np.median, np.log1p, Gain.applied, mean_absolute_error, math.sqrt]
    assert len({key(FunctionTransformer(function)) for function in named}) == len(named)


@pytest.mark.parametrize("outer", [lambda net: net, make_pipeline])
def test_auto_is_the_device_of_this_machine(outer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def made(**given: Any) -> Any:
        return outer(FaceNetRegression(store="store", **given))

    assert key(made()) == key(made(device=str(acceleration.choose_device()), precision="float32"))
    keys = {key(made(precision=precision)) for precision in ("float32", "bfloat16")}
    monkeypatch.setattr(acceleration, "choose_device", lambda _: torch.device("cuda:7"))
    keys.add(key(made()))
    assert len(keys) == 3
    # What is run is what the key says, wherever a worker runs it.
    assert [v for k, v in settled(made()).get_params(deep=True).items() if k.endswith("device")] == ["cuda:7"]


def test_own_code_is_part_of_the_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = "from sklearn.base import BaseEstimator\nclass Mine(BaseEstimator):\n    x = {}\n"
    keys = []
    for i, value in enumerate((1, 2, 1)):
        (tmp_path / str(i)).mkdir()
        (tmp_path / str(i) / "mine.py").write_text(code.format(value))
        with monkeypatch.context() as patch:
            patch.syspath_prepend(tmp_path / str(i))
            keys.append(key(importlib.import_module("mine").Mine()))
            del sys.modules["mine"]
    assert keys[0] == keys[2] != keys[1]


def test_data_digest_moves_with_labels_landmarks_people_and_rows() -> None:
    cohort = small_cohort()

    def of(changed: Any, target: Any = "vas") -> str:
        return data_digest(samples(changed, target), changed.fingerprint)

    labels = cohort.sequences.copy()
    labels.loc[4, "vas"] += 1
    landmarks = cohort.landmarks.copy()
    landmarks[7, 3, 1] += 1e-3
    people = cohort.subjects.assign(age="elderly")
    digests = [
        of(cohort),
        of(cohort, "opi"),
        of(replace(cohort, sequences=labels)),
        of(replace(cohort, landmarks=landmarks)),
        of(replace(cohort, subjects=people)),
        of(replace(cohort, fingerprint="another")),
        of(cohort.select(subjects=cohort.subjects["subject"].iloc[1:])),
    ]
    assert len(set(digests)) == len(digests)
    assert of(small_cohort()) == digests[0]
    moved = replace(cohort, root=Path("elsewhere"))
    assert of(moved, "pspi") == of(cohort, "pspi"), "the same archive in another folder is the same data"


def test_protocols_differ_in_their_parameters() -> None:
    protocols = [
        subject_k_fold(5, 0),
        subject_k_fold(5, 1),
        subject_k_fold(4, 0),
        sequence_k_fold(5, 0),
        random_frames(5, 0),
        fixed_folds([["a"], ["b"]]),
        fixed_folds([["b"], ["a"]]),
    ]
    assert len({digest(protocol.parameters) for protocol in protocols}) == len(protocols)


def test_every_random_state_is_set_and_none_alike() -> None:
    estimator = BaggingRegressor(DecisionTreeRegressor(random_state=4), random_state=4)

    def states(seed: int, fold: str, given: Any = estimator) -> tuple[int, int]:
        parameters = seed_estimator(given, seed, fold).get_params()
        return parameters["random_state"], parameters["estimator__random_state"]

    def fresh(outer: int | None) -> Any:
        return BaggingRegressor(DecisionTreeRegressor(random_state=4), random_state=outer)

    found = [states(s, f, fresh(o)) for s in (0, 1) for f in ("a", "b") for o in (None, 1, 2)]
    assert len({outer for outer, _ in found}) == 12
    assert len({inner for _, inner in found}) == 4  # moves with seed and fold, not with the outer one's state
    assert not {outer for outer, _ in found} & {inner for _, inner in found}
    assert states(0, "a", fresh(1)) == states(0, "a", fresh(1))


def test_seeds_are_the_same_everywhere() -> None:
    # SHA-256("0/fold-1") begins with these four bytes; half of them as a number.
    first = hashlib.sha256(b"0/fold-1").hexdigest()[:8]
    assert seeded(0, "fold-1") == int(first, 16) // 2
    assert 0 <= seeded(123, "x") < 2**31


def test_where_a_cache_lies_and_what_is_shown_are_not_part_of_the_key() -> None:
    plain = BaggingRegressor(Ridge(), n_jobs=1, verbose=0)
    assert key(plain) == key(BaggingRegressor(Ridge(), n_jobs=2, verbose=3))
    assert key(make_pipeline(Ridge(), memory="here")) == key(make_pipeline(Ridge(), memory="there"))

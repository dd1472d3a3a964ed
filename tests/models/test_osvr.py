"""Ordinal SVR against a plain reading of its objective."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from face_images import DrawnFaces
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.optimize import minimize
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from painkit.errors import PainkitError
from painkit.models.features.frame_features import landmark_features
from painkit.models.features.osvr import OrdinalSVR, ordinal_pairs


def problem(
    n_sequences: int = 6, n: int = 30, seed: int = 0
) -> tuple[pd.DataFrame, NDArray[np.float64], NDArray]:
    """Features that carry the level linearly under noise; levels rise to an apex and fall."""
    rng = np.random.default_rng(seed)
    level = np.concatenate(
        [np.round(rng.uniform(2, 5) * np.sin(np.linspace(0, np.pi, n))) for _ in range(n_sequences)]
    )
    features = level[:, None] * rng.normal(size=6) + rng.normal(0, 1.0, (level.size, 6))
    sequence = np.repeat([f"q{i}" for i in range(n_sequences)], n)
    table = pd.DataFrame(
        {"subject": sequence, "sequence": sequence, "frame": np.tile(np.arange(n), n_sequences)}
    )
    table["row"] = np.arange(len(table))
    return table, features, level


def objective(model: OrdinalSVR, table: pd.DataFrame, features: NDArray, y: NDArray, v: NDArray) -> float:
    """The sentence in the docstring, term by term; `v` is the weights and a tenth of the intercept."""
    z = (features - features.mean(0)) / features.std(0)
    f = z @ v[:-1] + 10 * v[-1]
    loss = (lambda u: max(u, 0.0)) if model.norm == 1 else (lambda u: max(u, 0.0) ** 2)
    total = 0.5 * float(v @ v)
    total += sum(model.c * loss(abs(a - b) - model.epsilon) for a, b in zip(f, y, strict=True))
    for _, rows in table.groupby("sequence"):
        at = rows["row"].to_numpy()
        for low, high in ordinal_pairs(y[at]):
            total += model.c_ordinal * loss(y[at[high]] - y[at[low]] - (f[at[high]] - f[at[low]]))
    return total


@pytest.mark.parametrize("norm", [1, 2])
def test_solution_minimises_the_objective(norm: int) -> None:
    table, features, y = problem()
    model = OrdinalSVR(features=features, norm=norm, c=0.05, c_ordinal=0.1).fit(table, y)  # type: ignore[arg-type]
    assert 0 <= model.duality_gap_ + 1e-12 < 0.01
    best = np.append(model.coef_, model.intercept_ / 10)
    value = objective(model, table, features, y, best)
    rng = np.random.default_rng(1)
    for size in (1e-3, 1e-2, 0.1, 1.0):
        for _ in range(25):
            moved = best + size * rng.normal(size=best.size)
            assert objective(model, table, features, y, moved) > value * (1 - model.duality_gap_ - 1e-9)


def test_a_solution_that_has_not_converged_is_told() -> None:
    table, features, y = problem()
    model = OrdinalSVR(features=features, c=0.05, c_ordinal=0.1, max_iterations=3)
    with pytest.warns(ConvergenceWarning, match=r"OSVR-L1 has a duality gap of .*% after 3 iterations"):
        model.fit(table, y)
    assert model.duality_gap_ > 0.01


@pytest.mark.parametrize("norm", [1, 2])
@pytest.mark.parametrize("supervision", ["all", "keyframes"])
def test_levels_are_recovered(norm: int, supervision: str) -> None:
    table, features, y = problem(12)
    train = (table["sequence"] < "q6").to_numpy()
    settings = {"norm": norm, "supervision": supervision, "c": 0.1, "c_ordinal": 0.1}
    model = OrdinalSVR(features=features, **settings).fit(table[train], y[train])  # type: ignore[arg-type]
    estimates = model.predict(table[~train])
    assert 0 <= estimates.min() <= estimates.max() <= 5
    assert np.corrcoef(estimates, y[~train])[0, 1] > 0.8


def test_order_helps_where_labels_are_few() -> None:
    """With key frames alone, ranking the frames in between improves the correlation on new sequences."""
    gains = []
    for seed in range(12):
        table, features, y = problem(8, seed=seed)
        features += np.random.default_rng(seed).normal(0, 2, features.shape)
        train = (table["sequence"] < "q4").to_numpy()
        pcc = []
        for weight in (1e-9, 1.0):
            model = OrdinalSVR(features=features, supervision="keyframes", c=0.1, c_ordinal=weight)
            pcc.append(np.corrcoef(model.fit(table[train], y[train]).predict(table[~train]), y[~train])[0, 1])
        gains.append(pcc[1] - pcc[0])
    low = np.quantile(np.random.default_rng(0).choice(gains, (2000, 12)).mean(axis=1), 0.025)
    assert low > 0


def test_hidden_labels_change_evenly_in_time_across_missing_frames() -> None:
    """On a level that rises and falls evenly in time the margins are the true differences."""
    rng = np.random.default_rng(3)
    n = 41
    table = pd.DataFrame({"subject": "q", "sequence": "q", "frame": np.arange(n)})
    table = table[rng.uniform(size=n) < 0.5]  # irregular gaps
    level = 5 - np.abs(table["frame"].to_numpy() - 20) / 4
    table = table.assign(row=np.arange(len(table)))
    features = level[:, None] * rng.normal(size=3) + rng.normal(0, 1.0, (len(table), 3))
    model = OrdinalSVR(features=features, norm=2, supervision="keyframes", c=1e-9, c_ordinal=0.1)
    model.fit(table, level)
    assert model.n_ordinal_ == len(table) - 1
    # All that is left of the objective: order, with the labels' own differences as margins.
    z = (features - features.mean(0)) / features.std(0)
    pairs = ordinal_pairs(level)
    order, margin = z[pairs[:, 1]] - z[pairs[:, 0]], level[pairs[:, 1]] - level[pairs[:, 0]]
    best = minimize(lambda w: w @ w / 2 + 0.1 * (np.maximum(margin - order @ w, 0) ** 2).sum(), np.zeros(3))
    # Half of the squared distance from the minimum is at most what the objective is above it.
    assert np.linalg.norm(model.coef_ - best.x) < np.sqrt(2 * 0.01 * best.fun)


@given(levels=st.lists(st.integers(0, 5), max_size=30))
def test_pairs_are_neighbours_in_the_order_of_their_levels(levels: list[int]) -> None:
    pairs = ordinal_pairs(np.array(levels))
    for low, high in pairs:
        assert abs(low - high) == 1
        assert levels[low] <= levels[high]
    assert len({frozenset(p) for p in pairs.tolist()}) == len(pairs)


def test_onset_and_offset_end_where_the_level_turns() -> None:
    pairs = ordinal_pairs(np.array([1, 0, 0, 2, 3, 3, 1, 1, 2]))
    assert pairs.tolist() == [[1, 2], [2, 3], [3, 4], [6, 5], [7, 6]]
    assert ordinal_pairs(np.zeros(9)).shape == (0, 2)
    assert ordinal_pairs(np.array([3])).shape == (0, 2)


def test_missing_features_and_labels_are_left_out_and_counted() -> None:
    table, features, y = problem()
    features[[2, 50]] = np.nan
    y[[2, 60, 61]] = np.nan
    model = OrdinalSVR(features=features).fit(table, y)
    assert (model.n_without_features_, model.n_without_label_) == (2, 2)
    assert np.flatnonzero(np.isnan(model.predict(table))).tolist() == [2, 50]


def test_features_from_a_file_or_in_memory_are_the_same_and_those_in_memory_are_saved(tmp_path: Path) -> None:
    table, features, y = problem()
    np.save(tmp_path / "f.npy", features)
    model = OrdinalSVR(features=tmp_path / "f.npy", norm=2).fit(table, y)
    direct = clone(model).set_params(features=features).fit(table, y)
    np.testing.assert_array_equal(direct.predict(table), model.predict(table))
    direct.save(tmp_path / "m")
    np.testing.assert_array_equal(OrdinalSVR.load(tmp_path / "m").predict(table), model.predict(table))


def test_landmark_features_do_not_see_position_size_or_roll(faces: DrawnFaces) -> None:
    marks = faces.landmarks[:5]
    turned = marks @ np.array([[0.0, 1.7], [-1.7, 0.0]]) + [300, 40]
    np.testing.assert_allclose(landmark_features(turned), landmark_features(marks), atol=1e-3)
    holed = marks.copy()
    holed[2] = np.nan
    assert np.isnan(landmark_features(holed)).all(axis=1).tolist() == [False, False, True, False, False]


def test_bad_input_is_told(tmp_path: Path) -> None:
    table, features, y = problem()
    with pytest.raises(PainkitError, match="for frame rows up to 179"):
        OrdinalSVR(features=features[:20]).fit(table, y)
    (tmp_path / "no.npy").write_bytes(b"no array")
    with pytest.raises(PainkitError, match=r"no.npy"):
        OrdinalSVR(features=tmp_path / "no.npy").fit(table, y)

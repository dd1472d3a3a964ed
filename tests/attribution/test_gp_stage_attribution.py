"""ARD relevance, left-out features and SHAP values of the Gaussian-process stage."""

from __future__ import annotations

import numpy as np
import pytest
from synthetic_sequences import make_sequences

from painkit.attribution.ard import relevance_table, without_each_feature
from painkit.attribution.shap_statistics import shap_statistics
from painkit.errors import PainkitError
from painkit.models.sequences.deepfacelift import DeepFaceLIFT
from painkit.models.sequences.statistics import STATISTICS


@pytest.fixture(scope="module")
def data():
    return make_sequences(seed=4)


@pytest.fixture(scope="module")
def model(data):
    X, y, _ = data
    settings = {
        "epochs": 8,
        "lr": 3e-3,
        "batch_size": 60,
        "inner_folds": 2,
        "gp_restarts": 1,
        "random_state": 0,
    }
    return DeepFaceLIFT(gp_inputs=("vas", "opi"), **settings).fit(X, y)


def test_relevance_is_the_negative_logarithm_of_the_length_scale(model):
    table = relevance_table({"first": model, "second": model})
    assert len(table) == 2 * 2 * 20
    np.testing.assert_allclose(table["relevance"], -np.log(table["lengthscale"]))
    part = table.query("fold == 'second' and target == 'opi'")
    np.testing.assert_array_equal(part["lengthscale"], model.gps_[1].lengthscales_)
    assert part["statistic"].tolist() == [f"{label}_{s}" for label in ("vas", "opi") for s in STATISTICS]


def test_each_left_out_feature_is_gone_and_nothing_else():
    estimator = DeepFaceLIFT(placement="third_layer", gp_inputs=("vas", "opi"), epochs=7)
    variants = without_each_feature(estimator)
    assert list(variants) == ["all", "complexion", "age", "gender", "opi"]
    full = estimator.get_params()
    changes = {
        name: {k: v for k, v in variant.get_params().items() if v != full[k]}
        for name, variant in variants.items()
    }
    assert changes == {
        "all": {},
        "complexion": {"personal_features": ("age", "gender")},
        "age": {"personal_features": ("complexion", "gender")},
        "gender": {"personal_features": ("complexion", "age")},
        "opi": {"labels": ("vas",), "gp_inputs": ("vas",)},
    }
    only = DeepFaceLIFT(placement="input", personal_features=("age",), labels=("vas",))
    assert without_each_feature(only)["age"].placement == "none"
    with pytest.raises(PainkitError, match="nothing to leave out"):
        without_each_feature(DeepFaceLIFT(labels=("vas",)))


def test_shap_values_sum_to_the_estimate_and_ignore_what_the_process_ignores(data, model):
    X, _, _ = data
    table = shap_statistics(model, X[:6], target="opi", n_background=10)
    values = table[model.statistic_names_]
    np.testing.assert_allclose(values.sum(axis=1), table["estimate"] - table["base"], atol=1e-6)
    np.testing.assert_allclose(table["estimate"], model.predict(X[:6])[:, 1], atol=1e-9)
    switched_off = model.gps_[1].lengthscales_ > 500
    assert switched_off.any()
    assert np.abs(values.loc[:, switched_off]).max(axis=None) < 0.01 * np.abs(values).max(axis=None)
    again = shap_statistics(model, X[:6], target="opi", n_background=10)
    np.testing.assert_array_equal(again[model.statistic_names_], values)
    with pytest.raises(PainkitError, match="target='pspi'"):
        shap_statistics(model, X, target="pspi")

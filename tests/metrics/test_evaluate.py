"""The tidy evaluator against a loop that cuts the table up and works every metric out from its definition."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_metrics import CLASSES as K
from plain_metrics import PLAIN

from painkit.errors import PainkitError
from painkit.metrics import applicable_metrics, compare, evaluate, trivial_rows


@pytest.fixture(scope="module")
def table():
    """Seven subjects of unequal size in three folds; one is all zero, one has constant estimates."""
    rng = np.random.default_rng(11)
    parts = []
    for number in range(7):
        n = int(rng.integers(8, 30))
        true = rng.choice(K, size=n, p=[0.5, 0.2, 0.1, 0.1, 0.06, 0.04]).astype(float)
        if number == 2:
            true[:] = 0
        pred = 0.5 * true + rng.normal(0.5, 0.7, n)
        if number == 4:
            pred[:] = 0.1
        scores = rng.dirichlet(np.ones(K), n).round(2)
        part = pd.DataFrame(scores, columns=[f"p_{k}" for k in range(K)])
        part = part.assign(subject=f"s{number}", sequence="a", frame=np.arange(n), fold=number % 3)
        parts.append(part.assign(y_true=true, y_pred=pred, y_std=rng.uniform(0.3, 1.5, n)))
    return pd.concat(parts, ignore_index=True)


def slow_mean(values, weights=None):
    values = np.asarray(values, dtype=float)
    weights = np.ones(len(values)) if weights is None else np.asarray(weights, dtype=float)
    exist = ~np.isnan(values)
    return np.average(values[exist], weights=weights[exist]) if weights[exist].any() else np.nan


@pytest.mark.parametrize("name", PLAIN)
def test_values_and_undefined_counts_equal_the_plain_functions(table, name):
    expected = {
        "pooled": [PLAIN[name](table)],
        "per_subject": [PLAIN[name](rows) for _, rows in table.groupby("subject")],
        "per_fold": [PLAIN[name](rows) for _, rows in table.groupby("fold")],
    }
    found = evaluate(table, [name], list(expected), scale="level", n_resamples=0).set_index("average")
    for average, values in expected.items():
        assert found.loc[average, "value"] == pytest.approx(
            slow_mean(values), rel=1e-12, abs=1e-13, nan_ok=True
        )
        assert found.loc[average, "undefined"] == np.isnan(values).sum()
        assert found.loc[average, "groups"] == len(values)
        assert np.isnan(found.loc[average, "low"])


@pytest.mark.parametrize("average", ["pooled", "per_subject", "per_fold"])
def test_intervals_equal_a_loop_over_the_same_resamples(table, average):
    """Draw the same subjects, concatenate their rows, compute, take percentiles."""
    count = 12
    found = evaluate(table, list(PLAIN), average, scale="level", n_resamples=count, seed=5, level=0.8)
    subjects = sorted(table["subject"].unique())
    draws = np.random.default_rng(5).integers(len(subjects), size=(count, len(subjects)))
    by_subject = dict(list(table.groupby("subject")))
    alone = {name: [plain(by_subject[s]) for s in subjects] for name, plain in PLAIN.items()}
    sizes = table.groupby("fold")["subject"].nunique()
    values = {name: [] for name in PLAIN}
    for draw in draws:
        drawn = [by_subject[subjects[i]] for i in draw]
        sample = pd.concat(drawn)
        folds = dict(list(sample.groupby("fold")))
        # A fold counts as often as its subjects were drawn.
        drawn_folds = [rows["fold"].iloc[0] for rows in drawn]
        weights = [drawn_folds.count(fold) / sizes[fold] for fold in folds]
        for name, plain in PLAIN.items():
            if average == "pooled":
                values[name].append(plain(sample))
            elif average == "per_subject":
                values[name].append(slow_mean([alone[name][i] for i in draw]))
            else:
                values[name].append(slow_mean([plain(rows) for rows in folds.values()], weights))
    for name in PLAIN:
        exist = pd.Series(values[name]).dropna()
        expected = exist.quantile([0.1, 0.9]) if len(exist) > 1 else [np.nan, np.nan]
        row = found.set_index("metric").loc[name]
        assert row[["low", "high"]].tolist() == pytest.approx(list(expected), rel=1e-8, nan_ok=True), name


def test_leave_one_subject_out_folds_give_the_mean_over_subjects(table):
    loso = table.assign(fold=table["subject"])
    # The other kinds of ICC divide by the number of targets, which a subject drawn twice doubles.
    names = [name for name in PLAIN if "ICC" not in name or "(3," in name]
    found = evaluate(loso, names, ["per_subject", "per_fold"], scale="level", n_resamples=200)
    columns = ["metric", "value", "low", "high", "undefined"]
    a, b = (found.loc[found["average"] == average, columns] for average in ("per_subject", "per_fold"))
    pd.testing.assert_frame_equal(a.reset_index(drop=True), b.reset_index(drop=True), rtol=1e-8)


@settings(max_examples=40)
@given(st.integers(0, 2**31), st.integers(1, 6), st.floats(1e-3, 1e3), st.floats(-1e4, 1e4))
def test_pooled_moments_survive_offsets_and_scales(seed, n_subjects, scale, offset):
    """Sums of squares of large numbers would cancel; correlation must not notice a shift."""
    rng = np.random.default_rng(seed)
    subject = rng.integers(n_subjects, size=50)
    true = rng.normal(size=50)
    pred = true + rng.normal(size=50)
    moved = pd.DataFrame(
        {"subject": subject, "y_true": true * scale + offset, "y_pred": pred * scale + offset}
    )
    found = evaluate(moved, ["PCC", "ICC(3,1)"], n_resamples=0)["value"].to_numpy()
    plain = pd.DataFrame({"y_true": true, "y_pred": pred})
    expected = [PLAIN["PCC"](plain), PLAIN["ICC(3,1)"](plain)]
    # A spread of 1e-3 on an offset of 1e4 leaves nine digits of float64.
    assert found == pytest.approx(expected, rel=1e-6)


def test_rows_without_a_label_are_left_out_and_counted(table):
    gaps = table.assign(y_true=table["y_true"].where(table.index % 5 != 0))
    found = evaluate(gaps, ["MAE"], n_resamples=0).iloc[0]
    kept = gaps.dropna(subset="y_true")
    assert found["value"] == pytest.approx((kept["y_pred"] - kept["y_true"]).abs().mean())
    assert (found["n"], found["unlabelled"]) == (len(kept), len(gaps) - len(kept))


def test_each_target_is_scored_on_its_own_scale(table):
    both = pd.concat([table.assign(target="vas"), table.assign(target="opi", y_pred=0.0)])
    found = evaluate(both, ["MAE"], n_resamples=0).set_index("target")
    assert found["scale"].to_dict() == {"vas": "VAS 0-10", "opi": "OPI 0-5"}
    assert found.loc["opi", "value"] == pytest.approx(table["y_true"].mean())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.drop(columns="subject"), "no column subject"),
        (lambda t: t.assign(subject=t["subject"].where(t.index != 3)), "no subject"),
        (lambda t: t.assign(y_pred=np.nan), "y_pred of the labelled rows has .* missing or infinite"),
        (
            lambda t: t.assign(y_true=t["y_true"].where(t.index != 3, np.inf)),
            "y_true .* 1 missing or infinite",
        ),
        (lambda t: t.assign(p_0=t["p_0"].where(t.index > 24)), "p_0 .* 25 missing or infinite"),
        (lambda t: t.drop(columns="p_1"), "p_0, p_2, p_3, p_4, p_5 .*without a gap"),
        (lambda t: t.drop(columns="p_5"), "y_true goes up to 5 and the scores to p_4"),
        (lambda t: t.assign(y_true=np.nan), "no labelled rows"),
        (lambda t: t.assign(y_true=t["y_true"] + 6), "y_true runs from 6 to 11.*level 0-5"),
        (lambda t: t.drop(columns="y_std"), "does not allow 'coverage 50%'"),
        (
            lambda t: t.assign(y_std=t["y_std"].where(t.index > 24)),
            "y_std of the labelled rows has 25 missing",
        ),
        (lambda t: t.assign(y_std=-t["y_std"]), "y_std has negative values"),
        (lambda t: t.assign(y_pred="high"), "y_pred of the labelled rows is not an array of numbers"),
        (lambda t: t.drop(columns="fold"), "no fold"),
    ],
)
def test_bad_tables_are_refused(table, change, message):
    with pytest.raises(PainkitError, match=message):
        evaluate(change(table), ["coverage 50%"], "per_fold", scale="level", n_resamples=0)


@pytest.mark.parametrize(
    "name", ["accuracy", "quadratic kappa", "recall[0]", "wMAE", "AUC", "AUC[0]", "AUC pain"]
)
def test_what_a_table_cannot_give_is_refused_rather_than_zero(table, name):
    halves = table.assign(y_true=table["y_true"] + 0.5)
    for bare in (halves, halves.drop(columns=[f"p_{k}" for k in range(K)])):
        with pytest.raises(PainkitError, match="does not allow"):
            evaluate(bare, [name], n_resamples=0)


def test_scores_of_another_target_do_not_count_as_missing(table):
    """Tables of a classifier and of a regressor, one below the other."""
    regressed = table.drop(columns=[f"p_{k}" for k in range(K)])
    both = pd.concat([table.assign(target="level"), regressed.assign(target="opi")])
    found = evaluate(both, n_resamples=0)
    assert set(found.loc[found["metric"].str.startswith("AUC["), "target"]) == {"level"}


def test_unknown_names_are_refused(table):
    for name in ("CCC", "ICC(4,1)", "coverage 95%", "MAE[1]", "recall[one]"):
        with pytest.raises(PainkitError, match=rf"no metric {re.escape(repr(name))}.*ICC\(3,1\)"):
            evaluate(table, [name])
    with pytest.raises(PainkitError, match="no average 'mean'"):
        evaluate(table, ["MAE"], "mean")


def test_one_metric_may_be_named_alone(table):
    pd.testing.assert_frame_equal(
        evaluate(table, "MAE", n_resamples=9), evaluate(table, ["MAE"], n_resamples=9)
    )
    with pytest.raises(PainkitError, match="no metric 'CCC'"):
        evaluate(table, "CCC")


@pytest.mark.parametrize(
    ("bootstrap", "message"),
    [
        ({"level": 95}, "level is 95 .*within 0-1"),
        ({"level": 0}, "level is 0 "),
        ({"n_resamples": -5}, "n_resamples is -5 .*0 or more"),
        ({"n_resamples": 2.5}, "n_resamples is 2.5 .*integer"),
        ({"seed": -1}, "seed is -1 .*0 or more"),
    ],
)
def test_a_bootstrap_that_cannot_be_drawn_is_refused(table, bootstrap, message):
    alone = table[table["subject"] == "s0"]  # nothing is drawn of one subject
    with pytest.raises(PainkitError, match=message):
        evaluate(alone, ["MAE"], **bootstrap)
    with pytest.raises(PainkitError, match=message):
        compare(table, table, "MAE", **bootstrap)


def test_comparison_pairs_the_resamples(table):
    """A constant advantage on every row has an interval of no width, whatever the subjects do."""
    better = table.assign(y_pred=table["y_true"] + 0.25)
    worse = table.assign(y_pred=table["y_true"] + 0.75).sample(frac=1, random_state=0)
    for average in ("pooled", "per_subject"):
        found = compare(better, worse, ["MAE", "wMAE"], average, n_resamples=500)
        assert found["difference"].tolist() == pytest.approx([-0.5, -0.5])
        assert found["low"].tolist() == pytest.approx([-0.5, -0.5])
        assert found["high"].tolist() == pytest.approx([-0.5, -0.5])


def test_comparison_leaves_out_subjects_that_one_table_leaves_undefined(table):
    other = table.assign(y_pred=table["y_pred"].where(table["subject"] != "s0", 1.0))
    found = compare(table, other, "PCC", "per_subject", n_resamples=50).iloc[0]
    both = [s for s in table["subject"].unique() if s not in ("s0", "s2", "s4")]
    expected = np.mean([PLAIN["PCC"](table[table["subject"] == s]) for s in both])
    assert found["a"] == pytest.approx(expected)
    assert found["difference"] == pytest.approx(0, abs=1e-12)
    assert (found["groups"], found["undefined"]) == (7, 3)


def test_comparison_refuses_other_rows(table):
    with pytest.raises(PainkitError, match="not hold the same rows"):
        compare(table, table.iloc[1:], "MAE")
    with pytest.raises(PainkitError, match="not hold the same rows"):
        compare(table, table.assign(y_true=5 - table["y_true"]), "MAE")
    both = pd.concat([table.assign(target="vas"), table.assign(target="opi")])
    with pytest.raises(PainkitError, match="2 targets"):
        compare(both, both, "MAE")
    with pytest.raises(PainkitError, match="stands twice"):
        compare(pd.concat([table, table]), table, "MAE")


def test_trivial_rows_know_only_the_other_folds(table):
    rows = trivial_rows(table)
    assert list(rows) == ["all zeros", "train mean", "train median"]
    assert (rows["all zeros"]["y_pred"] == 0).all()
    for fold in range(3):
        here = table["fold"] == fold
        assert rows["train mean"].loc[here, "y_pred"].unique() == pytest.approx(
            [table.loc[~here, "y_true"].mean()]
        )
        assert rows["train median"].loc[here, "y_pred"].unique() == [table.loc[~here, "y_true"].median()]
    assert list(trivial_rows(table.drop(columns="fold"))) == ["all zeros"]
    assert "y_std" not in rows["all zeros"]


@pytest.fixture
def expressions():
    """Of pain, disgust and happiness, in two folds: 1, 1, 2 in the one and 2, 2, 0, 0 in the other."""
    true = [1, 1, 2, 2, 2, 0, 0]
    table = pd.DataFrame({"subject": list("aabcddd"), "fold": [1, 1, 1, 2, 2, 2, 2], "y_true": true})
    scores = {f"p_{k}": np.linspace(0, 1, 7) for k in range(3)}
    return table.assign(target="expression", y_pred=[1, 2, 2, 2, 0, 0, 0], y_std=1.0, **scores)


def test_classes_without_an_order_have_no_errors_no_correlation_and_no_kappa(expressions):
    found = evaluate(expressions, n_resamples=0).set_index("metric")["value"]
    four = ("precision", "recall", "F1", "AUC")
    names = {"accuracy", *four, *(f"{name}[{k}]" for name in four for k in range(3))}
    assert set(found.index) == set(applicable_metrics(expressions, "expression")) == names
    assert found["accuracy"] == 5 / 7
    assert found[["recall[0]", "recall[1]", "recall[2]"]].tolist() == [1, 1 / 2, 2 / 3]
    # The same codes on an ordinal scale, for comparison.
    assert {"MAE", "PCC", "quadratic kappa", "AUC pain"} <= set(applicable_metrics(expressions, "level"))
    with pytest.raises(PainkitError, match=r"does not allow 'MAE' .*accuracy, precision, recall, F1, AUC"):
        evaluate(expressions, "MAE")


def test_codes_that_are_no_class_are_refused_where_classes_have_no_order(expressions):
    with pytest.raises(
        PainkitError, match=r"y_pred holds 0\.4, which is no class .*0 pain, 1 disgust, 2 happiness"
    ):
        evaluate(expressions.assign(y_pred=[1, 2, 2, 2, 0.4, 0, 0]))
    with pytest.raises(PainkitError, match=r"y_true holds 1\.5, which is no class"):
        evaluate(expressions.assign(y_true=1.5))


def test_the_trivial_row_of_classes_is_the_majority_of_the_other_folds(expressions):
    rows = trivial_rows(expressions)
    assert list(rows) == ["majority class"]
    # Of 2, 2, 0, 0 the first class in the list is taken.
    assert rows["majority class"]["y_pred"].tolist() == [0, 0, 0, 1, 1, 1, 1]
    assert {"y_std", "p_0"}.isdisjoint(rows["majority class"])
    assert trivial_rows(expressions.drop(columns="fold")) == {}

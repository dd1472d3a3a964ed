"""The published numbers agree with themselves, with the archive's counts, and with their notes."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import linprog

from painkit.errors import PainkitError
from painkit.evaluation.published import deviations, published
from painkit.metrics import evaluate

LIFT = "DeepFaceLIFT, personal features"


def cell(paper, table, row, metric):
    found = published(paper).query("table == @table and row == @row and metric == @metric")
    assert len(found) == 1
    return found["value"].iloc[0]


def wide(table):
    return table.pivot_table(index="row", columns="metric", values="value")


def test_every_cell_of_every_table_is_there():
    tables = published().query("table.str.startswith('Table')")
    counts = tables.groupby(["paper", "table"])["value"].agg(["size", "count"])
    assert {key: tuple(row) for key, row in counts.T.items()} == {
        # (cells, cells with a number); DeepFaceLIFT: 9 settings and 3 x 6 baselines, two numbers each
        ("deepfacelift", "Table 1"): (54, 54),
        ("facenet_regression", "Table 1"): (24, 20),
        ("facenet_regression", "Table 2"): (18, 18),
        ("saliency", "Table 1"): (18, 15),
        ("saliency", "Table 2"): (10, 10),
        ("lrp_emotions", "Table 1"): (8, 8),
        ("lrp_emotions", "Table 2"): (16, 16),
        ("seven_levels", "Table I"): (14, 14),
        ("seven_levels", "Table II"): (21, 21),
        ("seven_levels", "Table III"): (32, 22),
    }


@pytest.mark.parametrize(
    ("paper", "table", "row", "metric", "value"),
    [
        ("deepfacelift", "Table 1", f"{LIFT} 3rd layer, labels VAS+OPI, statistics VAS", "MAE", 2.18),
        ("deepfacelift", "Table 1", f"{LIFT} input, labels VAS, statistics VAS", "ICC(3,1)", 0.30),
        ("deepfacelift", "Table 1", "NN-MV, personal features none, labels VAS", "MAE", 2.82),
        ("deepfacelift", "Table 1", "RNN, personal features input, labels VAS+OPI", "ICC(3,1)", 0.04),
        ("deepfacelift", "Table 1", "HCRF, personal features none, labels VAS+OPI", "MAE", 3.52),
        ("facenet_regression", "Table 1", "smooth L1 + L2 center loss", "PCC", 0.625),
        ("facenet_regression", "Table 2", "smooth L1", "wMSE", 4.396),
        ("saliency", "Table 1", "method 2 (global + local)", "PCC", 0.804),
        ("saliency", "Table 2", "method 1 (global) + sampling", "wMSE", 1.697),
        ("lrp_emotions", "Table 2", "happiness", "recall", 0.57),
        ("seven_levels", "Table II", "level 5", "precision", 0.9145),
        ("seven_levels", "Table III", "Xin et al. (STN)", "accuracy", 0.51),
    ],
)  # fmt: skip
def test_cells_read_from_the_papers(paper, table, row, metric, value):
    assert cell(paper, table, row, metric) == value


def test_every_number_names_its_scale_and_every_gap_says_so():
    table = published()
    assert (table["scale"] != "").all()
    assert table.loc[table["value"].isna(), "note"].str.contains("printed as").all()
    assert not table.duplicated(["paper", "table", "row", "metric"]).any()
    shares = table["metric"].isin(["accuracy", "precision", "recall", "F1", "AUC", "share"])
    assert table.loc[shares, "value"].dropna().between(0, 1).all()


def test_a_row_trained_with_uniform_class_sampling_says_so_in_its_name():
    """Models with and without it are two models, which a name in common would merge into one row."""
    table = published()
    sampled = table["note"].str.contains("uniform class sampling")
    assert sampled.sum() == 4
    assert table.loc[sampled, "row"].str.endswith(" + sampling").all()
    own = published("saliency").query("row.str.startswith('method')")
    assert not set(own.query("table == 'Table 1'")["row"]) & set(own.query("table == 'Table 2'")["row"])


def test_all_zeros_rows_are_what_the_metrics_give_on_the_level_counts(shared):
    facts = json.loads((shared / "spec" / "unbc_facts.json").read_text())
    frames = pd.concat(
        pd.DataFrame({"subject": s["subject"], "y_true": np.repeat(np.arange(6.0), s["level_counts"])})
        for s in facts["subjects"]
    ).assign(y_pred=0.0)
    found = evaluate(
        frames, ["MAE", "MSE", "wMAE", "wMSE", "PCC"], "per_subject", scale="level", n_resamples=0
    )
    values = found.set_index("metric")["value"].round(3)
    assert values["MAE"] == cell("facenet_regression", "Table 1", "all zeros", "MAE")
    assert values["MSE"] == cell("facenet_regression", "Table 1", "all zeros", "MSE")
    assert values["wMAE"] == cell("facenet_regression", "Table 2", "all zeros", "wMAE")
    assert values["wMSE"] == cell("facenet_regression", "Table 2", "all zeros", "wMSE")
    assert np.isnan(values["PCC"])
    assert np.isnan(cell("facenet_regression", "Table 1", "all zeros", "PCC"))


def test_constant_vas_beats_every_published_baseline(shared):
    facts = json.loads((shared / "spec" / "unbc_facts.json").read_text())
    vas = np.repeat(np.arange(11.0), facts["vas_histogram"])
    constant = cell("deepfacelift", "text, Sec. 4", "constant 3.25", "MAE")
    assert np.abs(vas - 3.25).mean() == 2.4375
    assert round(2.4375, 2) == constant
    table = published("deepfacelift").query("table == 'Table 1' and metric == 'MAE'")
    baselines = table[~table["row"].str.startswith("DeepFaceLIFT")]
    assert len(baselines) == 18
    assert (baselines["value"] > constant).all()


@pytest.mark.parametrize(("paper", "table"), [("lrp_emotions", "Table 2"), ("seven_levels", "Table II")])
def test_printed_f1_follows_from_printed_precision_and_recall(paper, table):
    rows = wide(published(paper).query("table == @table and row != 'average/total'"))
    harmonic = 2 * rows["precision"] * rows["recall"] / (rows["precision"] + rows["recall"])
    rounding = 0.01 if paper == "lrp_emotions" else 0.0001  # one unit of the last printed digit
    assert (harmonic - rows["F1"]).abs().max() < rounding


def test_table_1_of_the_lrp_paper_is_whole_sequences():
    """321 = 3 x 107 frames of each happy and disgusted subject, not 3 x 10^7."""
    table = wide(published("lrp_emotions").query("table == 'Table 1'"))
    per_subject = table["frames"] / table["subjects"]
    assert per_subject.to_dict() == {
        "pain intensity 3": 138, "pain intensity 4": 138, "disgust": 321, "happiness": 321
    }  # fmt: skip
    images = published("lrp_emotions").query("metric == 'images'").set_index("row")["value"]
    # The test fold is whole subjects, which is why the default folds are subject-disjoint.
    assert images["pain"] % (2 * 138) == images["disgust"] % 321 == images["happiness"] % 321 == 0
    assert images[["pain", "disgust", "happiness"]].sum() == images["average/total"]


def test_no_pooled_confusion_matrix_has_the_printed_accuracy_of_the_seven_levels():
    """Linear program over all 7 x 7 matrices of shares with the printed recalls and precisions."""
    rows = wide(published("seven_levels").query("table == 'Table II'"))
    half = 0.00005  # half a unit of the last printed digit
    constraints = []
    for k, (recall, precision) in enumerate(zip(rows["recall"], rows["precision"], strict=True)):
        for share, axis in ((recall, 0), (precision, 1)):
            for sign, bound in ((-1, share - half), (1, share + half)):
                row = np.zeros((7, 7))  # sign * (diagonal - bound * total of the level) <= 0
                row[(k, slice(None)) if axis == 0 else (slice(None), k)] = -sign * bound
                row[k, k] += sign
                constraints.append(row.ravel())
    best = linprog(
        -np.eye(7).ravel(), A_ub=constraints, b_ub=np.zeros(len(constraints)), A_eq=np.ones((1, 49)), b_eq=[1]
    )
    assert best.status == 0
    assert round(-best.fun, 3) == 0.849
    assert -best.fun < cell("seven_levels", "text, Sec. IV", "ResNet-18", "accuracy")


def test_level_6_recall_needs_more_items_than_the_archive_has():
    recall = cell("seven_levels", "Table II", "level 6", "recall")
    smallest = next(n for n in range(1, 1000) if any(round(k / n, 4) == recall for k in range(n + 1)))
    assert smallest == 123


def test_rcr_is_never_on_the_scale_of_the_levels():
    rows = published().query("row == 'RCR'")
    assert set(rows["scale"]) == {"PSPI 0-15"}


@pytest.mark.parametrize("paper", published()["paper"].unique())
def test_register_of_deviations_covers_the_paper(paper):
    own = deviations(paper).query("paper == @paper")
    assert len(own) >= 9
    assert (own[["place", "text", "painkit", "why"]] != "").all(axis=None)
    assert not own.duplicated(["place"]).any()
    assert (deviations(paper)["paper"] == "all").sum() == 9
    assert set(published(paper)["paper"]) == {paper}


def test_tables_are_copies_and_an_unknown_paper_is_refused():
    table = published()
    table.loc[0, "value"] = -1.0
    assert published()["value"].min() >= 0
    with pytest.raises(PainkitError, match=r"no paper 'lift'.*deepfacelift"):
        published("lift")

"""What came out, in sentences: whichever way it turned out."""

import pandas as pd
import pytest

from painkit.evaluation.conclusions import answer, answers, cause_sentence, interval_text, lowest_or_highest


def question(metric, difference, low, high, name="with sampling, or without"):
    return {"question": name, "metric": metric, "a": 1.0 + difference, "b": 1.0, "difference": difference,
            "low": low, "high": high}  # fmt: skip


@pytest.mark.parametrize(
    ("metric", "difference", "low", "high", "verdict"),
    [
        ("MAE", -0.2, -0.3, -0.1, "in favour of the first"),
        ("MAE", 0.2, 0.1, 0.3, "in favour of the second"),
        ("wMSE", -0.2, -0.3, -0.1, "in favour of the first"),
        ("PCC", 0.2, 0.1, 0.3, "in favour of the first"),
        ("ICC(3,1)", -0.2, -0.3, -0.1, "in favour of the second"),
        ("MAE", -0.2, -0.3, 0.1, "stays open"),
        ("MAE", -0.2, -0.3, -1e-14, "stays open"),  # two runs that agree, but for rounding
        ("MAE", -0.2, float("nan"), float("nan"), "too few subjects"),
    ],
)
def test_a_question_is_answered_by_its_interval_and_the_direction_of_its_metric(
    metric, difference, low, high, verdict
):
    assert verdict in answer(question(metric, difference, low, high))


def test_an_answer_tells_both_values_and_the_interval():
    told = answer(question("MAE", -0.204, -0.31, -0.1))
    assert told == (
        "With sampling, or without? MAE 0.80 for the first and 1.00 for the second, difference -0.20 "
        "(95 % interval -0.31 to -0.10): in favour of the first."
    )


def test_questions_are_answered_in_the_order_asked_and_those_that_were_not_run_are_left_out():
    table = pd.DataFrame([question("MAE", -0.2, -0.3, -0.1, name) for name in ("a", "b", "c")])
    assert [told[0] for told in answers(table, "MAE", ["c", "gone", "a"])] == ["C", "A"]
    assert answers(table, "PCC") == []


def scores(*rows, metric="MAE"):
    table = pd.DataFrame(rows, columns=["row", "value"])
    return table.assign(metric=metric, scale="level 0-5", low=table["value"] - 0.1, high=table["value"] + 0.1)


def test_the_best_row_is_held_against_the_best_that_looks_at_no_face():
    told = lowest_or_highest(
        scores(("net", 0.5), ("other", 0.7), ("all zeros", 0.6), ("train mean", 0.8)), "MAE"
    )
    assert told.startswith(
        "net has the lowest MAE (level 0-5) of 2 models: 0.50 (95 % interval 0.40 to 0.60)"
    )
    assert "all zeros is best with 0.60" in told
    assert "no model beats it" not in told
    beaten = lowest_or_highest(scores(("net", 0.5), ("other", 0.7), ("all zeros", 0.4)), "MAE")
    assert "so no model beats it" in beaten
    highest = lowest_or_highest(
        scores(("net", 0.5), ("other", 0.7), ("train mean", 0.6), metric="PCC"), "PCC"
    )
    assert highest.startswith("other has the highest PCC")
    assert "beats it" not in highest


def test_what_does_not_exist_is_said():
    nothing = float("nan")
    assert interval_text({"value": nothing, "low": nothing, "high": nothing}) == "undefined"
    assert interval_text({"value": 1.0, "low": nothing, "high": nothing}) == "1.00 (no interval)"
    assert interval_text({"value": -0.001, "low": -1, "high": 1}) == "0.00 (95 % interval -1.00 to 1.00)"
    assert lowest_or_highest(scores(("net", nothing)), "MAE") == ""


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [(0.1, 0.3, "pain more than decoys"), (-0.3, -0.1, "decoys more than pain"), (-0.1, 0.1, "open")],
)
def test_a_known_cause_is_told_by_the_interval(low, high, verdict):
    assert verdict in cause_sentence(
        {"rho": (low + high) / 2, "low": low, "high": high}, "rho", "correlation"
    )

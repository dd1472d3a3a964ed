"""`score` on the released predictions gives the published rows; on other tables it says what it can."""

from __future__ import annotations

import io
import json
import re

import numpy as np
import pandas as pd
import pytest
import scipy.io
from typer.testing import CliRunner

from painkit.cli import app
from painkit.errors import PainkitError
from painkit.scoring.score import score

# Wang et al. 2017, Tables 1 and 2, as the released files give them (4.3954998 is printed there as 4.396).
PRINTED = {
    "l1_l1_sigmoid": {"MAE": 0.389, "MSE": 0.820, "PCC": 0.603, "wMAE": 1.388, "wMSE": 3.438},
    "6-vanilla-sigmoid": {"MAE": 0.416, "MSE": 1.060, "PCC": 0.524, "wMAE": 1.596, "wMSE": 4.395},
}
ZEROS = {"MAE": 0.438, "MSE": 1.353, "wMAE": 2.143, "wMSE": 7.387}


def rows_of(section, kind):
    return section.table[section.table["kind"] == kind]


@pytest.fixture(scope="module")
def released(shared):
    folder = shared / "real" / "PainRegression"
    return score([folder / f"{name}.mat" for name in PRINTED], n_resamples=300)


@pytest.fixture
def sequences(tmp_path):
    """Sequence-level VAS estimates with folds and standard deviations."""
    rng = np.random.default_rng(2)
    n = 40
    true = rng.integers(0, 11, n)
    table = pd.DataFrame(
        {
            "subject": [f"s{i % 8}" for i in range(n)],
            "sequence": range(n),
            "frame": "",
            "fold": [i % 8 // 2 for i in range(n)],
            "y_true": true,
            "y_pred": (true + rng.normal(size=n)).round(3),
            "y_std": 1.0,
        }
    )
    path = tmp_path / "vas.csv"
    table.to_csv(path, index=False)
    return path, table


@pytest.mark.parametrize("name", PRINTED)
def test_released_files_give_the_published_row_to_the_digit(released, name):
    table = released.table[released.table["file"].str.endswith(f"{name}.mat")]
    mine = table.query("average == 'per_subject' and kind == 'predictions'").set_index("metric")
    assert mine.loc[list(PRINTED[name]), "value"].round(3).to_dict() == PRINTED[name]
    assert (mine.loc["PCC", "groups"], mine.loc["PCC", "undefined"]) == (25, 1)
    assert set(mine["scale"]) == {"level 0-5"}
    assert (mine.loc[["MAE", "MSE"], "low"] < mine.loc[["MAE", "MSE"], "value"]).all()
    zeros = table.query("average == 'per_subject' and row == 'all zeros' and kind == 'trivial'").set_index(
        "metric"
    )
    assert zeros.loc[list(ZEROS), "value"].round(3).to_dict() == ZEROS
    assert np.isnan(zeros.loc["PCC", "value"])
    assert zeros.loc["PCC", "undefined"] == 25


@pytest.mark.parametrize("name", PRINTED)
def test_published_row_of_a_released_file_stands_first_and_agrees(released, name):
    section = next(s for s in released.sections if s.file.endswith(f"{name}.mat"))
    assert section.released_as in set(rows_of(section, "published")["row"])
    first = rows_of(section, "published")["row"].iloc[0]
    assert first == section.released_as
    printed = rows_of(section, "published").query("row == @first").set_index("metric")["value"]
    for metric, value in PRINTED[name].items():
        assert printed[metric] == pytest.approx(value, abs=0.00101)  # one unit of the last printed digit


def test_train_mean_and_median_know_only_the_other_subjects(released):
    section = released.sections[0]
    rows = rows_of(section, "trivial").query("average == 'pooled' and metric == 'MAE'").set_index("row")
    cells = [cell.ravel().astype(float) for cell in scipy.io.loadmat(section.file)["ground_truth"].ravel()]
    total, count = sum(cell.sum() for cell in cells), sum(len(cell) for cell in cells)
    errors = sum(np.abs(cell - (total - cell.sum()) / (count - len(cell))).sum() for cell in cells)
    assert rows.loc["train mean", "value"] == pytest.approx(errors / count, rel=1e-9)
    assert rows.loc["train median", "value"] == pytest.approx(total / count, rel=1e-9)  # every median is 0


def test_report_shows_what_a_reader_looks_for(released):
    text = released.to_text()
    for figure in ("0.389", "0.820", "0.603", "1.388", "3.438", "0.416", "1.060", "0.524", "1.596", "4.395"):
        assert figure in text
    for figure in ("0.438", "1.353", "2.143", "7.387", "24 of 25", "level 0-5", "train mean", "OSVR-L1"):
        assert figure in text
    assert "L1 + L1 center loss (these predictions)" in text
    assert max(map(len, text.splitlines())) <= 118
    assert text.count("48,391 rows, 25 subjects, 200 sequences") == 2


def test_published_models_with_and_without_sampling_are_two_rows(released):
    lines = [line.replace("│", " ").split() for line in released.to_text(width=200).splitlines()]
    # saliency, Tables 1 and 2: MAE, MSE, PCC of the first, wMAE and wMSE of the second.
    shown = [line for line in lines if line[:3] == ["method", "1", "(global)"]]
    plain, sampled = shown[:2]
    assert {"0.401", "0.742", "0.643"} <= set(plain)
    assert {"0.883", "1.697"}.isdisjoint(plain)
    assert sampled[3:5] == ["+", "sampling"]
    assert {"0.883", "1.697"} <= set(sampled)


def test_json_and_csv_hold_the_same_numbers_with_null_for_what_does_not_exist(released):
    loaded = json.loads(released.to_json())
    table = pd.read_csv(io.StringIO(released.to_csv()))
    assert len(table) == sum(len(file["results"]) for file in loaded["files"]) == len(released.table)
    flat = [result["value"] for file in loaded["files"] for result in file["results"]]
    np.testing.assert_allclose([np.nan if v is None else v for v in flat], table["value"], rtol=1e-12)
    assert None in flat
    assert "NaN" not in released.to_json()
    assert np.array(loaded["files"][0]["confusion"]).sum() == 48_391
    assert loaded["interval"] == {"level": 0.95, "resamples": 300, "unit": "subject", "seed": 0}


def test_confusion_counts_every_frame_once(released):
    for section in released.sections:
        counts = section.confusion.to_numpy()
        mine = rows_of(section, "predictions").query("average == 'pooled'").set_index("metric")["value"]
        assert np.trace(counts) / counts.sum() == pytest.approx(mine["accuracy"])
        assert counts[1, 1] / counts[1].sum() == pytest.approx(mine["recall[1]"])


def test_sequence_table_is_scored_on_the_vas_with_coverage_and_the_published_rows(sequences):
    path, table = sequences
    report = score(path, scale="vas", n_resamples=100)
    mine = report.table.query("kind == 'predictions'").set_index(["average", "metric"])["value"]
    error = (table["y_true"] - table["y_pred"]).abs()
    assert mine["pooled", "MAE"] == pytest.approx(error.mean())
    within = error <= 1.6448536269514722
    assert mine["pooled", "coverage 90%"] == within.mean()
    assert mine["per_fold", "MAE"] == pytest.approx(error.groupby(table["fold"]).mean().mean())
    published = report.table.query("kind == 'published'")
    assert set(published["scale"]) == {"VAS 0-10"}
    assert 2.18 in published["value"].tolist()
    text = report.to_text()
    assert "coverage 90%" in text
    assert "DeepFaceLIFT" in text
    assert "Mean over folds" in text


def test_seven_levels_stand_beside_the_published_recalls(sequences):
    path, table = sequences
    table.assign(y_true=table["y_true"] % 7, target="seven_levels").to_csv(path, index=False)
    published = score(path, n_resamples=0).table.query("kind == 'published'").set_index("metric")["value"]
    assert published["recall[6]"] == 0.813
    assert "recall" not in published


def test_classes_without_an_order_are_scored_beside_their_majority(sequences):
    path, table = sequences
    called = table["y_pred"].round().astype(int) % 3
    table.assign(y_true=table["y_true"] % 3, y_pred=called, target="expression").to_csv(path, index=False)
    report = score(path, n_resamples=0)
    printed = report.table["kind"] == "published"
    assert set(report.table.loc[~printed, "row"]) == {"vas.csv", "majority class"}
    whole = report.table.loc[~report.table["metric"].str.contains("[", regex=False), "metric"]
    assert set(whole) == {"accuracy", "precision", "recall", "F1"}
    # The file names its scale, on which one paper printed numbers: its accuracy and its rows by class.
    assert report.table.loc[printed & (report.table["metric"] == "accuracy"), "row"].tolist() == ["VGG-Face"]
    assert np.trace(report.sections[0].confusion) == (table["y_true"] % 3 == called).sum()
    text = " ".join(report.to_text().split())
    assert "majority class" in text
    assert "Classes, pooled, expression: rows y_true, columns y_pred" in text
    assert "rounded" not in text
    assert re.search(r"│ disgust │ [\d,]+ │ [\d,]+ │ [\d,]+ │", text)


@pytest.mark.parametrize(("frame", "label"), [("", "VAS 0-10"), ("1", "level 0-5")])
def test_a_scale_that_nobody_names_is_told_and_nothing_published_stands_beside(tmp_path, frame, label):
    """Pain and no pain, or a stimulus: 0 to 4 is on many scales."""
    path = tmp_path / "classes.csv"
    header = "subject,sequence,frame,y_true,y_pred"
    rows = [f"{subject},{k},{frame},{k},{k % 3}" for subject in "ab" for k in range(5)]
    path.write_text("\n".join([header, *rows]))
    guessed = score(path, n_resamples=10)
    assert f"scale ASSUMED to be {label}" in " ".join(guessed.to_text().split())
    told = json.loads(guessed.to_json())["files"][0]
    assert (told["scale"], told["scale_assumed"]) == (label, True)
    assert "published" not in set(guessed.table["kind"])
    assert guessed.table["note"].str.contains("scale ASSUMED").all()
    named = score(path, scale="stimulus", n_resamples=10)
    assert "ASSUMED" not in named.to_text() + named.to_csv()
    assert json.loads(named.to_json())["files"][0]["scale_assumed"] is False
    path.write_text("\n".join([f"{header},target", *(f"{row},level" for row in rows)]))
    stated = score(path, n_resamples=10)
    assert "ASSUMED" not in stated.to_text()
    assert set(stated.table.query("kind == 'published'")["scale"]) == {"level 0-5"}


def test_scale_can_be_named_and_a_wrong_one_is_refused(sequences):
    path, _ = sequences
    assert set(score(path, scale="sen", n_resamples=0).table["scale"]) == {"SEN 0-15"}
    with pytest.raises(PainkitError, match=r"vas\.csv, line \d+: y_true is .* OPI 0-5"):
        score(path, scale="opi")
    with pytest.raises(PainkitError, match=r"no scale 'nrs'.*vas"):
        score(path, scale="nrs")
    with pytest.raises(PainkitError, match="no file was given"):
        score([])
    with pytest.raises(PainkitError, match="a level within 0-1"):
        score(path, level=95)


def test_bad_settings_are_told_before_a_file_is_blamed_and_bad_tables_by_their_file(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("subject,sequence,frame,y_true,y_pred,p_0,p_2\na,x,1,0,1,1,0\nb,x,1,3,1,0,1\n")
    with pytest.raises(PainkitError, match=r"^seed is -1"):
        score(path, seed=-1)
    with pytest.raises(PainkitError, match=r"a\.csv: the scores of the classes are p_0, p_2 .*without a gap"):
        score(path)
    path.write_text("subject,sequence,frame,y_true,y_pred,p_0,p_1\na,x,1,0,1,1,0\nb,x,1,3,1,0,1\n")
    with pytest.raises(PainkitError, match=r"a\.csv: y_true goes up to 3 and the scores to p_1"):
        score(path)


@pytest.fixture
def shared_out(tmp_path):
    """Two folds; both hold frames of subjects a and b, and c is tested once."""
    path = tmp_path / "frames.csv"
    path.write_text(
        "subject,sequence,frame,fold,y_true,y_pred\n"
        "a,x,1,1,0,1\na,x,2,2,4,3\nb,x,1,1,2,2\nb,x,2,2,0,1\nc,x,1,1,5,2\nc,x,2,1,0,2\n"
    )
    return path


def test_subjects_in_several_folds_are_marked_leaky_in_every_output(shared_out):
    report = score(shared_out, n_resamples=10)
    assert "LEAKY: 2 of 3 subjects are in several folds" in " ".join(report.to_text().split())
    told = json.loads(report.to_json())["files"][0]
    assert (told["leaky"], told["subjects_in_several_folds"]) == (True, 2)
    table = pd.read_csv(io.StringIO(report.to_csv()), keep_default_na=False)
    ours = table[table["kind"] != "published"]
    # All zeros are no less honest for it: they have seen no label.
    assert ours[ours["note"].str.startswith("LEAKY: 2 of 3")]["row"].unique().tolist() == [
        "frames.csv", "train mean (LEAKY)", "train median (LEAKY)",
    ]  # fmt: skip
    assert set(ours["row"]) == {"frames.csv", "all zeros", "train mean (LEAKY)", "train median (LEAKY)"}


def test_subjects_each_in_one_fold_are_not_marked(released, sequences):
    for report in (released, score(sequences[0], n_resamples=0)):
        assert "LEAKY" not in report.to_text() + report.to_csv()
        for told in json.loads(report.to_json())["files"]:
            assert (told["leaky"], told["subjects_in_several_folds"]) == (False, 0)


def test_without_folds_it_is_not_known_who_was_trained_on_whom(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("subject,sequence,frame,y_true,y_pred\na,x,1,0,1\nb,x,1,3,1\n")
    report = score(path, n_resamples=10)
    told = json.loads(report.to_json())["files"][0]
    assert (told["leaky"], told["subjects_in_several_folds"]) == (None, None)
    assert "folds not stated" in report.to_text()


def test_mean_over_folds_is_left_out_only_where_folds_are_subjects(tmp_path):
    """Two folds of one subject each, and a third fold that shares a subject."""
    path = tmp_path / "a.csv"
    header = "subject,sequence,frame,fold,y_true,y_pred\n"
    path.write_text(header + "a,x,1,1,0,1\nb,x,1,2,3,1\n")
    assert "per_fold" not in set(score(path, n_resamples=0).table["average"])
    path.write_text(header + "a,x,1,1,0,1\nb,x,1,2,3,1\na,x,2,3,0,4\n")
    mine = score(path, n_resamples=0).table.query("kind == 'predictions' and metric == 'MAE'")
    values = mine.set_index("average")["value"].to_dict()
    assert values == pytest.approx(
        {"per_subject": ((1 + 4) / 2 + 2) / 2, "pooled": (1 + 2 + 4) / 3, "per_fold": (1 + 2 + 4) / 3}
    )


def test_text_of_a_file_name_is_not_taken_for_markup(tmp_path):
    path = tmp_path / "[bold]a[red].csv"
    path.write_text("subject,sequence,frame,y_true,y_pred\na,x,1,0,1\nb,x,1,3,1\n")
    assert "[bold]a[red].csv" in score(path, n_resamples=10).to_text()


def test_command_prints_whole_tables_into_a_pipe_and_one_message_for_bad_input(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("subject,sequence,frame,y_true,y_pred\na,x,1,0,1\nb,x,1,9,1\n")
    bad = CliRunner().invoke(app, ["score", str(path)])
    assert bad.exit_code == 1
    assert "a.csv, line 3: y_true is 9, which is not on the scale level 0-5" in bad.stderr
    good = CliRunner().invoke(app, ["score", str(path), "--scale", "pspi"])
    assert good.exit_code == 0
    assert good.stdout == score(path, scale="pspi").to_text()
    as_json = CliRunner().invoke(app, ["score", str(path), "--scale", "pspi", "--json"])
    assert json.loads(as_json.stdout)["files"][0]["scale"] == "PSPI 0-16"


def test_one_subject_has_values_and_no_interval(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("subject,sequence,frame,y_true,y_pred\na,x,1,0,1\na,x,2,3,1\n")
    table = score(path).table.query("kind == 'predictions'").set_index(["average", "metric"])
    assert table.loc[("pooled", "MAE"), "value"] == 1.5
    assert table["low"].isna().all()


def test_labels_that_are_no_integers_have_no_classes(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("subject,sequence,frame,y_true,y_pred\na,x,,0.5,1\nb,y,,3,1\n")
    report = score(path, n_resamples=10)
    assert report.sections[0].confusion is None
    assert {"wMAE", "accuracy"}.isdisjoint(report.table.query("kind == 'predictions'")["metric"])
    assert "coverage" not in report.to_text()

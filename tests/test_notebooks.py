"""Every notebook runs end to end on the smallest cohort and writes what it promises."""

import json
import re
import shutil

import nbformat
import pandas as pd
import pytest
from browsing import CHROMIUM, browsed, uploads
from feature_tables import one_face, table
from notebook_names import NOTEBOOKS, OF_PAPER
from papermill import execute_notebook, inspect_notebook

from painkit.cli.notebook_parameters import check_parameters, declared_parameters
from painkit.cli.notebooks import notebook_folder, run_notebook
from painkit.errors import PainkitError
from painkit.notebook import load_cohort, profiles, report_folder

WRITTEN = {
    "00_tour": ["trivial_rows.csv"],
    "01_deepfacelift": [
        "table_1.csv",
        "paired_questions.csv",
        "landmark_contributions.csv",
        "agreement_with_causes.csv",
        "training_lengths.csv",
        "feature_costs.csv",
        "relevance.csv",
    ],
    "02_facenet_regression": [
        "crops.csv",
        "verification.csv",
        "tables_1_and_2.csv",
        "paired_questions.csv",
        "released_predictions.csv",
        "level_spread.csv",
        "conservation.csv",
        "region_shares.csv",
        "errors_by_level.csv",
    ],
    "03_saliency": [
        "crops.csv",
        "verification.csv",
        "tables_1_and_2.csv",
        "paired_questions.csv",
        "triplet_units.csv",
        "supervision_losses.csv",
        "convergence.csv",
        "triplet_counts.csv",
        "triplet_distances.csv",
        "faces.csv",
        "mass_in_pain_regions.csv",
        "trials.csv",
    ],
    "04_lrp_emotions": [
        "table_1.csv",
        "table_2.csv",
        "every_fold.csv",
        "scores.csv",
        "paired_questions.csv",
        "confusion.csv",
        "conservation.csv",
        "sensitivity.csv",
        "randomisation.csv",
        "region_shares.csv",
        "unit_shares.csv",
        "readings.csv",
        "stability.csv",
        "agreement_with_causes.csv",
    ],
    "05_seven_levels": [
        "table_1.csv",
        "hours_ahead.csv",
        "emotions.csv",
        "scores.csv",
        "paired_questions.csv",
        "table_2.csv",
        "confusion.csv",
        "table_3.csv",
        "audit_seven_levels.csv",
        "audit_osvr.csv",
        "conservation.csv",
        "mass_in_pain_regions.csv",
    ],
    "explore_landmarks": [],
    "explore_pixels": [],
}


def test_every_notebook_is_listed_with_what_it_writes():
    assert set(NOTEBOOKS) == set(WRITTEN)


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_committed_notebooks_have_no_outputs_and_one_cell_of_parameters(name):
    notebook = nbformat.read(notebook_folder() / f"{name}.ipynb", as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code)
    assert sum("parameters" in cell.metadata.get("tags", []) for cell in notebook.cells) == 1
    assert "widgets" not in notebook.metadata


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_size_that_a_notebook_leaves_open_is_given_by_every_profile(name):
    """So the parameter `profile` alone means the same in Lab, by papermill and by painkit run."""
    path = notebook_folder() / f"{name}.ipynb"
    told = inspect_notebook(str(path))
    open_sizes = {key for key, one in told.items() if one["help"].startswith("as the profile says")}
    assert all(told[key]["default"] == "None" for key in open_sizes)
    listed = profiles(name)
    assert list(listed) == ["smoke", "demo", "full"]
    declared = declared_parameters(path)
    for profile in listed.values():
        assert set(profile) == open_sizes
        check_parameters(path, declared, profile)


@pytest.mark.notebook
def test_plain_papermill_takes_a_profile_and_writes_where_it_is_called(smoke, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    source = str(notebook_folder() / "00_tour.ipynb")
    given = {"profile": "smoke", "root": str(smoke)}
    execute_notebook(source, "executed.ipynb", parameters=given, progress_bar=False)
    assert [path.name for path in tmp_path.iterdir() if path.name != "executed.ipynb"] == ["reports"]
    assert (tmp_path / "reports" / "00_tour-smoke" / "trivial_rows.csv").is_file()


def test_in_the_folder_of_the_notebooks_reports_lie_beside_it(tmp_path, monkeypatch):
    monkeypatch.chdir(notebook_folder())
    assert report_folder("00_tour", "demo") == notebook_folder().parent / "reports" / "00_tour-demo"
    assert report_folder("00_tour", "demo", tmp_path) == tmp_path


@pytest.mark.parametrize("data", ["biovid", "ferplus", "unbcc"])
def test_data_without_frames_are_refused_before_they_are_read(data, tmp_path):
    with pytest.raises(PainkitError, match=rf"no data set of frames '{data}'.*expected unbc, openface"):
        load_cohort(data, tmp_path / "not there")


@pytest.mark.parametrize(
    "content", ["[1", "00_tour: [1]", "00_tour: {smoke: 3}", "[" * 5000, f"00_tour: {'9' * 5000}",
                "00_tour: 2024-99-99", "00_tour: {? [a] : 1}", "\x00", "*a"],
)  # fmt: skip
def test_profiles_that_are_none_are_told(content, tmp_path):
    (tmp_path / "profiles.yaml").write_text(content)
    with pytest.raises(PainkitError, match=r"profiles\.yaml: cannot be read"):
        profiles("00_tour", tmp_path)


@pytest.mark.notebook
@pytest.mark.parametrize("name", NOTEBOOKS)
def test_notebook_runs_and_its_page_shows_plots_offline_and_says_simulated(name, executed):
    page = executed(name)
    text = page.read_text()
    assert [file for file in WRITTEN[name] if not (page.parent / file).exists()] == []
    assert "simulated" in text
    assert re.findall(r"<(?:script|link|img|iframe)[^>]*(?:src|href)=[\"'](?!data:|#)([^\"']+)", text) == []
    figures = sum(
        "application/vnd.plotly.v1+json" in output.get("data", {})
        for cell in json.loads(page.with_suffix(".ipynb").read_text())["cells"]
        for output in cell.get("outputs", [])
    )
    assert text.count('class="plotly-graph-div"') == figures
    assert figures >= (0 if name in OF_PAPER else 5)


@pytest.mark.browser
@pytest.mark.notebook
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
@pytest.mark.parametrize("name", NOTEBOOKS)
def test_no_plot_of_a_page_can_be_uploaded(name, executed):
    path = executed(name)
    plots = path.read_text().count('class="plotly-graph-div"')
    with browsed() as (page, elsewhere):
        page.goto(path.as_uri())
        page.wait_for_function(f"document.querySelectorAll('.modebar').length >= {plots}")
        assert uploads(page.locator("body")) == []
        if plots:  # A plot with plotly's own settings has the button: the look sees it.
            page.evaluate("Plotly.newPlot(document.body.appendChild(document.createElement('div')), [])")
            assert set(uploads(page.locator("body"))) == {"Share chart..."}
    assert elsewhere == []


@pytest.mark.notebook
def test_tour_shows_what_a_copy_with_frame_labels_alone_has(smoke, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(smoke / "Frame_Labels" / "PSPI", copy / "Frame_Labels" / "PSPI")
    given = {"data": "unbc", "root": str(copy)}
    page = run_notebook("00_tour", profile="smoke", parameters=given, out=tmp_path / "out")
    rows = pd.read_csv(page.parent / "trivial_rows.csv")["row"].unique().tolist()
    assert rows == ["level: all zeros", "level: train mean", "level: train median"]
    assert "<p>No frame of it has an image or landmarks.</p>" in page.read_text()


@pytest.mark.notebook
@pytest.mark.parametrize("tool", ["openface", "pyfeat"])
def test_tour_of_ones_own_recording_says_what_it_is_and_draws_what_it_has(tool, tmp_path):
    """A video that a tool measured: no VAS, no OPI, one person, and a PSPI that is a proxy or none."""
    columns, rows = one_face(tool, range(1, 31), au4=0.1234)
    (tmp_path / "talk.csv").write_text(table(columns, rows))
    given = {"data": tool, "root": str(tmp_path / "talk.csv")}
    page = run_notebook("00_tour", profile="smoke", parameters=given, out=tmp_path / "out")
    told = json.loads((page.parent / "what_came_out.json").read_text())["sentences"]
    assert told[0] == "1 subject, 1 sequence, 30 frames: landmarks of 100.0 % of the frames."
    pspi = "PSPI, 0-16: mean 0.12, 0 in 0.0 % of 30 frames; the highest, 0.12, is of talk, talk, frame 1."
    assert (pspi in told) is (tool == "openface")
    assert 3 <= len(told) <= 6
    text = page.read_text()
    assert "<p>No sequence has a VAS or an OPI.</p>" in text
    assert ("<p>No frame has a PSPI.</p>" in text) is (tool == "pyfeat")
    assert "PSPI nan" not in text
    scales = {"openface": "intensity 0-5", "pyfeat": "detector output 0-1"}
    assert [scale for scale in scales.values() if scale in text] == [scales[tool]]


@pytest.mark.notebook
def test_table_one_has_the_nine_settings_the_baselines_and_the_trivial_rows(executed):
    scores = pd.read_csv(executed("01_deepfacelift").parent / "table_1.csv")
    rows = scores.drop_duplicates("row")["row"].str.split(",").str[0].value_counts()
    assert rows.to_dict() == {
        "DeepFaceLIFT": 9,
        "NN-MV": 6,
        # What is the same run twice stands once: these have no third layer, and the HCRF no second label.
        "RNN": 4,
        "HCRF": 2,
        "all zeros": 1,
        "train mean": 1,
        "train median": 1,
    }
    assert set(scores["metric"]) == {"MAE", "ICC(3,1)"}
    # Liu et al. 2017, Table 1: every cell stands beside ours; the trivial rows have none.
    assert scores["published_on_archive"].notna().sum() == 2 * 21
    paper = scores[(scores["metric"] == "MAE") & scores["published_on_archive"].notna()]
    assert paper["published_on_archive"].min() == 2.18


@pytest.mark.notebook
def test_face_net_rows_stand_beside_the_published_ones_of_the_same_scale(executed):
    scores = pd.read_csv(executed("02_facenet_regression").parent / "tables_1_and_2.csv")
    rows = scores.drop_duplicates("row").set_index("row")
    # Every row, the trivial ones too, is scored on the same frames: those with a face.
    assert (rows["n"] == 298).all()
    assert rows["groups"].unique().tolist() == [4]
    beside = scores.dropna(subset=["published_on_archive"]).groupby("row")["metric"].agg(list).to_dict()
    errors, weighted = ["MAE", "MSE"], ["wMAE", "wMSE"]
    assert beside == {
        "smooth L1": [*errors, "PCC", *weighted],
        "smooth L1 + L1 center loss": [*errors, "PCC", *weighted],
        "smooth L1 + L1 center loss + sampling": weighted,
        "OSVR-L1": ["MAE", "PCC", *weighted],
        "all zeros": [*errors, *weighted],
    }


@pytest.mark.notebook
@pytest.mark.parametrize("name", OF_PAPER)
def test_an_explorer_reads_the_runs_that_are_done(name, executed):
    done, explorer = executed(OF_PAPER[name]), executed(name)
    folds = list((done.parent / "runs").rglob("folds/*/*"))
    assert folds
    assert [fold for fold in folds if fold.stat().st_mtime_ns > done.stat().st_mtime_ns] == []
    assert not (explorer.parent / "runs").exists()

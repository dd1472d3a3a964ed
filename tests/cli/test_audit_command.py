"""`painkit audit`: what a table of folds leaks, against loops over pairs of rows."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from painkit.cli import app
from painkit.evaluation.fold_audit import audit_folds


def call(path, *options):
    return CliRunner().invoke(app, ["audit", str(path), *options])


def written(folder, table, name="folds.csv"):
    path = Path(folder) / name
    table.to_csv(path, index=False)
    return path


ROW = st.fixed_dictionaries(
    {
        "subject": st.sampled_from(["s1", "s2", "s3"]),
        "sequence": st.sampled_from(["video", "other"]),  # of one name for all subjects
        "frame": st.integers(1, 12),
        "fold": st.sampled_from(["1", "2", "10"]),
        "set": st.sampled_from(["train", "validation", "test"]),
        "source_frame": st.none() | st.integers(1, 12),
    }
)
LEAST = [  # each fold has rows of both
    {
        "subject": f"own{fold}{part}",
        "sequence": "q",
        "frame": 1,
        "fold": fold,
        "set": part,
        "source_frame": None,
    }
    for fold in ("1", "2", "10")
    for part in ("train", "test")
]


def loops(rows, near, stated, copies):
    """What each fold's test shares with what it has seen, a pair of rows at a time."""
    found = {}
    for fold in ("1", "2", "10"):
        if stated:
            tested = [r for r in rows if r["fold"] == fold and r["set"] == "test"]
            seen = [r for r in rows if r["fold"] == fold and r["set"] != "test"]
        else:
            tested = [r for r in rows if r["fold"] == fold]
            seen = [r for r in rows if r["fold"] != fold]
        counts = dict.fromkeys(("subjects", "sequences", "near", "copies of frames", "frames"), 0)
        for row in tested:
            own = [o for o in seen if (o["subject"], o["sequence"]) == (row["subject"], row["sequence"])]
            counts["subjects"] += any(o["subject"] == row["subject"] for o in seen)
            counts["sequences"] += bool(own)
            is_copy = copies and row["source_frame"] is not None
            place = row["source_frame"] if is_copy else row["frame"]
            near_one = same = of_copy = False
            for other in own:
                other_copy = copies and other["source_frame"] is not None
                away = abs(place - (other["source_frame"] if other_copy else other["frame"]))
                near_one |= away <= near
                of_copy |= away == 0 and (is_copy or other_copy)
                same |= away == 0 and not is_copy and not other_copy
            counts["near"] += near_one
            counts["copies of frames"] += of_copy
            counts["frames"] += same
        counts["test"], counts["test_subjects"] = len(tested), len({r["subject"] for r in tested})
        found[fold] = counts
    return found


@given(st.lists(ROW, max_size=14), st.integers(1, 4), st.booleans(), st.booleans())
def test_each_count_is_that_of_loops_over_pairs(rows, near, stated, copies):
    rows = LEAST + rows
    table = pd.DataFrame(rows).astype({"source_frame": "Int64"})
    table = table.drop(columns=[*([] if stated else ["set"]), *([] if copies else ["source_frame"])])
    with TemporaryDirectory() as folder:
        path = written(folder, table)
        report = audit_folds(path, near=near)
        result = call(path, "--near", near, "--json")
    expected = loops(rows, near, stated, copies)
    kinds = {k: f"frames at most {near} apart" if k == "near" else k for k in expected["1"]}
    assert report.folds["fold"].tolist() == ["1", "2", "10"]
    for fold, counts in report.folds.set_index("fold").iterrows():
        assert {k: counts[name] for k, name in kinds.items()} == expected[fold]
    for leak in report.leaks.to_dict("records"):
        each = [expected[f][next(k for k, name in kinds.items() if name == leak["kind"])] for f in expected]
        assert leak["test_rows"] == sum(each)
        assert leak["folds"] == sum(n > 0 for n in each)
        assert bool(leak["example"]) == any(each)
    leaks = any(counts["subjects"] for counts in expected.values())
    assert report.leaky == leaks
    assert result.exit_code == int(leaks)
    assert json.loads(result.stdout)["leaky"] == leaks


FRAMES = [(s, q, f) for s in ("a", "b", "c", "d") for q in ("q1", "q2") for f in range(1, 41)]


def clean():
    """Two subjects a fold."""
    table = pd.DataFrame(FRAMES, columns=["subject", "sequence", "frame"])
    return table.assign(fold=table["subject"].map({"a": 1, "b": 1, "c": 2, "d": 2}))


def worst(path, *options):
    told = json.loads(call(path, "--json", *options).stdout)
    return [leak["kind"] for leak in told["leaks"] if leak["test_rows"]]


def test_folds_of_subjects_leak_nothing(tmp_path):
    path = written(tmp_path, clean())
    result = call(path)
    assert result.exit_code == 0
    assert "no leak" in result.output
    assert "No leak found" in result.output
    assert "320 rows, 4 subjects, 8 sequences, 2 folds" in result.output
    assert worst(path) == []


def test_each_kind_that_is_planted_is_found_and_no_worse_one(tmp_path):
    table = clean()
    at = (table["subject"] == "a") & (table["sequence"] == "q1")
    sequence = table.assign(fold=table["fold"].mask(at, 2))
    assert worst(written(tmp_path, sequence)) == ["subjects"]
    far = table.assign(fold=table["fold"].mask(at & (table["frame"] > 30), 2))
    far = far[~(at & table["frame"].between(25, 30))]
    assert worst(written(tmp_path, far)) == ["subjects", "sequences"]
    assert worst(written(tmp_path, far), "--near", "7") == ["subjects", "sequences", "frames at most 7 apart"]
    twice = pd.concat([table, table[at].head(1).assign(fold=2)])
    assert worst(written(tmp_path, twice)) == ["subjects", "sequences", "frames at most 5 apart", "frames"]
    copied = table.assign(source_frame=pd.NA)
    copied = pd.concat([copied, copied[at].head(1).assign(fold=2, frame=999, source_frame=1)])
    path = written(tmp_path, copied)
    assert worst(path) == ["subjects", "sequences", "frames at most 5 apart", "copies of frames"]
    result = call(path)
    assert result.exit_code == 1
    assert "These folds leak: copies of frames in 2 of 2 folds" in " ".join(result.output.split())
    assert f"fold 1, line {2}: a, q1, frame 1" in result.output


def test_copies_that_stay_with_their_frames_leak_nothing(tmp_path):
    table = clean().assign(source_frame=pd.NA)
    copies = table.assign(source_frame=table["frame"], frame=table["frame"] + 1000)
    assert worst(written(tmp_path, pd.concat([table, copies]))) == []


def test_the_column_set_says_what_is_trained_on_and_fold_may_be_missing(tmp_path):
    table = clean().drop(columns="fold")
    parts = {"a": "Train", "b": "val", "c": "testing", "d": "test"}
    path = written(tmp_path, table.assign(split=table["subject"].map(parts)))
    assert call(path).exit_code == 0
    # What chooses the settings has been seen as well.
    chosen = table["subject"].map(parts).mask((table["subject"] == "c") & (table["frame"] == 40), "val")
    assert "frames at most 5 apart" in worst(written(tmp_path, table.assign(split=chosen)))
    shared = table["subject"].map(parts).mask((table["subject"] == "a") & (table["frame"] > 20), "val")
    result = call(written(tmp_path, table.assign(set=shared)))
    assert result.exit_code == 0
    assert "Training and validation share subjects in 1 folds" in result.output


def test_whole_sequences_have_no_frames_to_share(tmp_path):
    table = clean().drop_duplicates(["subject", "sequence"]).assign(frame=None)
    path = written(tmp_path, table)
    assert call(path).exit_code == 0
    assert len(json.loads(call(path, "--json").stdout)["leaks"]) == 2
    again = pd.concat([table, table.head(1).assign(fold=2)])
    assert worst(written(tmp_path, again)) == ["subjects", "sequences"]


def test_what_is_no_leak_but_should_be_known_is_told(tmp_path):
    table = clean()
    table["fold"] = table["fold"].mask(table["subject"] == "a", 3)
    told = call(written(tmp_path, table)).output
    assert "2 of 3 folds test one subject alone (1, 3)" in told
    table["fold"] = table["subject"]
    assert "alone" not in call(written(tmp_path, table)).output  # one subject out: so it is meant
    twice = pd.concat([clean(), clean().head(3)])
    assert "3 test rows stand twice in their fold" in call(written(tmp_path, twice)).output
    alike = clean().replace({"subject": {"a": "064", "c": "64"}})
    result = call(written(tmp_path, alike))
    assert result.exit_code == 0
    assert "Are 064, 64 one subject?" in result.output
    scattered = clean().assign(fold=[i % 2 for i in range(320)])
    told = call(written(tmp_path, scattered)).output
    assert "4 of 4 subjects are tested in more than one fold" in told
    assert "8 of 8 sequences are tested in more than one fold" in told


HEAD = "subject,sequence,frame,fold"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "Subject,sequence,frame,folds\na,b,1,1\n",
            "no column subject, fold; did you mean 'Subject', 'folds'?",
        ),
        ("subject,sequence,frame\na,b,1\n", "no column fold (expected subject, sequence, frame, fold)"),
        ("", "is empty"),
        (HEAD + "\n", "has no rows"),
        (HEAD + "\na,b,1,1\na,b,one,2\n", "line 3: frame is 'one' (expected a whole number"),
        (HEAD + "\na,b,1.5,1\na,b,2,2\n", "line 2: frame is '1.5'"),
        (HEAD + "\na,b,inf,1\na,b,2,2\n", "line 2: frame is 'inf'"),
        (HEAD + "\na,b,1,1\na,b,,2\n", "line 3: frame is empty"),
        (HEAD + "\na,,1,1\na,b,2,2\n", "line 2: sequence is empty (expected a sequence in each row)"),
        (HEAD + "\na,b,1,1\nb,b,1,1\n", "all rows are of fold '1' (expected two folds or more"),
        (HEAD + "\na,b,1,1,9\n", "5 cells in the row"),
        ("subject;sequence;frame;fold\na;b;1;1\n", "is separated by ';'"),
        (
            HEAD + ",set\na,b,1,1,train\na,b,2,1,tset\n",
            "line 3: set is 'tset' (expected train, validation, test)",
        ),
        (HEAD + ",set\na,b,1,1,train\na,b,2,1,val\n", "fold '1' has no test rows"),
        (HEAD + ",set,split\na,b,1,1,train,test\n", "has the columns set and split"),
        (HEAD + ",source_frame\na,b,1,1,\na,b,2,2,x\n", "line 3: source_frame is 'x'"),
        (HEAD + ",source_frame\na,b,,1,\nb,b,,2,3\n", "line 3: source_frame is '3'"),
    ],
)
def test_what_is_no_table_of_folds_is_refused_with_one_line(tmp_path, text, told):
    path = tmp_path / "folds.csv"
    path.write_text(text)
    result = call(path)
    assert result.exit_code == 2
    assert told in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert result.stdout == ""


def test_a_file_that_is_not_there_is_refused(tmp_path):
    assert call(tmp_path / "no.csv").exit_code == 2
    assert "is a folder" in call(tmp_path).stderr
    assert call(written(tmp_path, clean()), "--near", "0").exit_code == 2


def test_names_that_look_like_markup_are_shown_as_they_are(tmp_path):
    table = clean().replace({"subject": {"a": "[bold]a[/]"}}).assign(fold=[i % 2 for i in range(320)])
    result = call(written(tmp_path, table, "[red] folds.csv"))
    assert "[red] folds.csv" in result.output
    assert "[bold]a[/]" in result.output

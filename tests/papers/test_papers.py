"""What every paper promises: its published rows are run or said why not, its questions name existing rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from painkit.errors import PainkitError
from painkit.evaluation.published import deviations, published
from painkit.evaluation.study import Rows
from painkit.metrics.views import AVERAGES
from painkit.notebook import notebook_folder, profiles
from painkit.papers import PAPERS, protocol_named
from painkit.vocabulary.scales import SCALES

#: What `rows` of a paper needs beside its defaults: stand-ins, since no estimator is fitted here.
NEEDED: dict[str, dict[str, Any]] = {
    "deepfacelift": {},
    "lrp_emotions": {"store": "nowhere"},
    "seven_levels": {"store": "nowhere", "pretrained": "weights"},
    "saliency": {"store": "nowhere", "landmarks": np.empty((0, 132))},
    "facenet_regression": {"store": "nowhere", "features": np.empty((0, 0)), "pretrained": "weights"},
}
TRIVIAL = {"all zeros", "train mean", "train median", "majority class"}


def rows_of(name: str) -> Rows:
    return PAPERS[name].rows(**NEEDED[name])


def test_every_paper_is_looked_at_here() -> None:
    assert set(PAPERS) == set(NEEDED)
    assert set(PAPERS) <= set(published()["paper"])


@pytest.mark.parametrize("name", NEEDED)
def test_every_published_row_has_an_estimator_or_a_reason(name: str) -> None:
    paper, rows = PAPERS[name], rows_of(name)
    printed = published(name)
    printed = printed[printed["table"].isin(paper.tables)]
    assert set(paper.tables) == set(printed["table"])
    missing = set(printed["row"]) - set(rows.estimators) - TRIVIAL
    assert missing == set(paper.not_run)
    assert all(len(reason) > 20 for reason in paper.not_run.values())
    # What is scored here is printed there, on this scale.
    scale = SCALES[rows.target].label
    same = printed[(printed["scale"] == scale) & printed["metric"].isin(rows.metrics)]
    # The best fold is printed for want of the others, which are averaged here. Some do not say how.
    assert set(same["averaging"].replace({"best_fold": "per_fold", "unstated": rows.average})) >= {
        rows.average
    }


@pytest.mark.parametrize("name", NEEDED)
def test_questions_name_rows_that_exist(name: str) -> None:
    rows = rows_of(name)
    asked = {row for pair in rows.questions.values() for row in pair}
    assert asked - TRIVIAL <= set(rows.estimators)
    assert set(rows.explained) <= set(rows.estimators)
    assert rows.average in AVERAGES
    assert rows.paper == name
    for estimator, target in rows.estimators.values():
        assert rows.target in ((target,) if isinstance(target, str) else target)
        assert hasattr(estimator, "get_params")
    parameters = {name for row in rows.estimators.values() for name in row.estimator.get_params()}
    assert set(rows.training) <= parameters


@pytest.mark.parametrize("name", NEEDED)
def test_a_paper_has_a_notebook_sizes_and_a_register(name: str) -> None:
    paper = PAPERS[name]
    assert (notebook_folder() / f"{paper.notebook}.ipynb").is_file()
    sizes = profiles(paper.notebook)
    assert list(sizes) == ["smoke", "demo", "full"]
    assert len({tuple(sorted(values)) for values in sizes.values()}) == 1, "each profile gives the same sizes"
    assert (deviations(name)["paper"] == name).any()


def test_splits_of_papers_go_by_their_names() -> None:
    for paper in PAPERS.values():
        for name, protocol in paper.protocols.items():
            assert protocol_named(name) is protocol
    assert protocol_named("subject_k_fold:3", seed=7).parameters["seed"] == 7
    with pytest.raises(PainkitError, match=r"no protocol 'deepfake' .*deepfacelift"):
        protocol_named("deepfake")

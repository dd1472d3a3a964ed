from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from painkit.data.identities import read_identities
from painkit.errors import PainkitError


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for person, n in (("anna", 3), ("bert", 2), ("cleo", 1)):
        for i in range(n):
            image = np.full((40, 30, 3), [10 * i, 50, 200], np.uint8)
            (tmp_path / person).mkdir(exist_ok=True)
            cv2.imwrite(str(tmp_path / person / f"{i}.png"), image)
    points = np.arange(132).reshape(66, 2) % 41
    np.savetxt(tmp_path / "anna" / "1_aam.txt", points, fmt="%.3f")
    (tmp_path / "bert" / "0_aam.txt").write_text("1 2\n3 4\n")
    (tmp_path / "notes.txt").write_text("not a person")
    (tmp_path / ".DS_Store").write_text("litter")
    return tmp_path


def test_images_landmarks_and_findings(tree: Path) -> None:
    found = read_identities(tree)
    assert found.images["identity"].tolist() == ["anna"] * 3 + ["bert"] * 2 + ["cleo"]
    assert found.images["row"].tolist() == list(range(6))
    np.testing.assert_array_equal(found.image(2)[0, 0], [200, 50, 20])
    assert np.isfinite(found.landmarks).all(axis=(1, 2)).tolist() == [False, True] + [False] * 4
    np.testing.assert_allclose(found.landmarks[1], np.arange(132).reshape(66, 2) % 41)
    assert found.findings[["kind", "path"]].to_numpy().tolist() == [
        ["unreadable", "bert/0_aam.txt"],
        ["single", "cleo"],
    ]


def test_fingerprint_follows_the_files(tree: Path) -> None:
    before = read_identities(tree).fingerprint
    assert read_identities(tree).fingerprint == before
    (tree / "bert" / "1.png").unlink()
    (tree / "anna" / "2.png").rename(tree / "bert" / "2.png")
    assert read_identities(tree).fingerprint != before


def test_one_image_per_person_is_refused(tmp_path: Path) -> None:
    for person in ("a", "b"):
        (tmp_path / person).mkdir()
        cv2.imwrite(str(tmp_path / person / "x.png"), np.zeros((8, 8, 3), np.uint8))
    with pytest.raises(PainkitError, match="2 identities with 2 images: none has two"):
        read_identities(tmp_path)
    with pytest.raises(PainkitError, match="does not exist"):
        read_identities(tmp_path / "absent")

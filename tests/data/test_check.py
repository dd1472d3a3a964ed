"""Manifests are whole, and a check finds what is planted."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml
from archive_files import OTHER, OTHER_SEQUENCE, SEQUENCE, SUBJECT, face, points_text
from scipy.io import savemat

from painkit.data.check import check
from painkit.data.manifests import manifest, manifest_folder, manifests, read_manifest
from painkit.data.unbc import SCALES
from painkit.errors import PainkitError

REPOSITORY = Path(__file__).resolve().parents[2]


def test_a_card_for_everything_the_papers_use():
    assert manifest_folder() == REPOSITORY / "data_manifests"
    assert {card.name for card in manifests()} == {
        "unbc", "biovid-a", "biovid-d", "ferplus", "casia-webface", "vgg-face", "face-verification",
        "painregression", "simulated",
    }  # fmt: skip
    unbc = manifest("unbc")
    assert unbc.counts == {"subjects": 25, "sequences": 200, "frames": 48_398, "black frames": 7}
    for column, low, high in SCALES.values():
        assert (unbc.scales[column].low, unbc.scales[column].high) == (low, high)


def test_counts_agree_with_the_specification(shared):
    facts = json.loads((shared / "spec/unbc_facts.json").read_text())
    counts = manifest("unbc").counts
    assert (
        counts["frames"] - counts["black frames"]
        == facts["frames"]
        == manifest("painregression").counts["frames"]
    )
    assert counts["sequences"] == facts["sequences"]
    assert counts["subjects"] == len(facts["subjects"])


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"citation": ""}, "citation: String should have at least 1"),
        ({"licence": None}, "licence"),
        ({"colour": "red"}, "colour: Extra inputs"),
        ({"counts": {"frames": -1}}, "counts.frames"),
        ({"scales": {"vas": {"low": 10, "high": 0, "per": "sequence"}}}, "low 10 is not below high 0"),
        ({"layout": []}, "layout"),
        ({"name": "other"}, "the name is 'other'"),
        ({"reader": "ubnc"}, "reader"),
    ],
)
def test_schema_refuses(tmp_path, change, told):
    card = yaml.safe_load((manifest_folder() / "unbc.yaml").read_text())
    path = tmp_path / "unbc.yaml"
    path.write_text(yaml.safe_dump(card | change))
    with pytest.raises(PainkitError, match=told):
        read_manifest(path)


def test_damaged_manifest(tmp_path):
    path = tmp_path / "x.yaml"
    for content in (b"a: [1,\nb", b"\xff\xfe\x00", b"- just\n- a list\n"):
        path.write_bytes(content)
        with pytest.raises(PainkitError, match=r"x\.yaml"):
            read_manifest(path)
    with pytest.raises(PainkitError, match="no manifest is called 'nothing'"):
        check("nothing", tmp_path)


def kinds(report):
    return sorted(report.findings["kind"])


def test_everything_planted_is_found(archive, noise):
    for frame in range(1, 5):
        archive.image(SUBJECT, SEQUENCE, frame, noise(frame))
    archive.image(OTHER, OTHER_SEQUENCE, 1, noise(1))  # duplicate of frame 1 of the first
    archive.image(OTHER, OTHER_SEQUENCE, 2, np.zeros((48, 64, 3), np.uint8))  # black
    cut = archive.image(OTHER, OTHER_SEQUENCE, 3, noise(9))
    cut.write_bytes(cut.read_bytes()[:4000])  # unreadable, yet not small
    for frame in (1, 2, 3):
        archive.path("landmarks", OTHER, OTHER_SEQUENCE, frame).write_text(points_text(face(10 + frame)))
    archive.path("landmarks", SUBJECT, SEQUENCE, 4).write_text(points_text(face(1)))  # as frame 1
    archive.path("landmarks", SUBJECT, SEQUENCE, 2).unlink()  # missing
    archive.path("PSPI", SUBJECT, SEQUENCE, 3).write_text("2")  # disagrees with the units
    report = check("unbc", archive.root, progress=False)
    found = report.findings.dropna(subset=["subject"])
    assert sorted(found["kind"]) == [
        "black",
        "duplicate",
        "duplicate",
        "missing",
        "pspi_mismatch",
        "unreadable",
    ]
    unreadable = found[found["kind"] == "unreadable"]
    assert unreadable["path"].tolist() == [str(cut)]
    counts = report.counts.set_index("what")
    assert counts.loc["frames"].tolist() == [48_398, 7]
    assert counts.loc["black frames"].tolist() == [7, 1]
    assert sum(report.findings["kind"] == "counts") == 4
    assert report.usable
    machine = json.loads(report.to_json())
    assert machine["usable"] is True
    assert len(machine["findings"]) == len(report.findings)
    assert "pspi_mismatch" in str(report)


def test_unusable_copies(archive, tmp_path):
    for root in (tmp_path / "no", archive.path("PSPI", SUBJECT, SEQUENCE, 1)):
        report = check("unbc", root, progress=False)
        assert not report.usable
        assert str(root) in report.findings["message"].iloc[0]
        assert json.loads(report.to_json())["usable"] is False
    shutil.rmtree(archive.root / "Frame_Labels")
    report = check("unbc", archive.root, progress=False)
    assert "no frame has a PSPI" in report.findings["message"].iloc[0]


def test_simulated_counts_go_by_the_profile(archive):
    (archive.root / "simulation.json").write_text('{"profile": "smoke"}')
    report = check("simulated", archive.root, progress=False)
    messages = set(report.findings[report.findings["kind"] == "counts"]["message"])
    assert messages == {"2 subjects, the manifest has 4", "2 sequences, the manifest has 8"}


def test_real_files(shared):
    for name, folder in (("painregression", "PainRegression"), ("ferplus", "FERPlus")):
        report = check(name, shared / "real" / folder, progress=False)
        assert report.usable
        assert "counts" not in kinds(report)


def test_predictions(tmp_path):
    def cells(values):
        out = np.empty((len(values), 1), object)
        for k, value in enumerate(values):
            out[k, 0] = np.asarray(value)
        return out

    good = cells([[0, 1, 5]] * 25)
    savemat(tmp_path / "good.mat", {"ground_truth": good, "predict": good})
    savemat(tmp_path / "other.mat", {"x": 1})
    savemat(tmp_path / "scale.mat", {"ground_truth": cells([[0, 1, 15]] * 25), "predict": good})
    savemat(tmp_path / "short.mat", {"ground_truth": good, "predict": cells([[0, 1]] * 25)})
    (tmp_path / "cut.mat").write_bytes((tmp_path / "good.mat").read_bytes()[:300])
    report = check("painregression", tmp_path)
    assert report.usable
    assert kinds(report) == ["counts"] + ["unreadable"] * 4
    (tmp_path / "good.mat").unlink()
    assert not check("painregression", tmp_path).usable


def test_weights(tmp_path):
    assert not check("vgg-face", tmp_path).usable
    (tmp_path / "vgg_face_dag.pth").write_bytes(b"PK\x03\x04 cut")
    report = check("vgg-face", tmp_path)
    assert "no whole PyTorch file" in report.findings["message"].iloc[0]
    assert not report.usable
    from safetensors.numpy import save_file

    path = tmp_path / "net.safetensors"
    save_file({"conv1_1.weight": np.ones((2, 3), np.float32)}, path)
    assert check("vgg-face", tmp_path).usable  # one whole file is enough
    assert check("face-verification", path).usable
    path.write_bytes(path.read_bytes()[:-1])
    assert not check("face-verification", path).usable
    np.savez(tmp_path / "net.npz", a=np.ones(3))
    assert kinds(check("face-verification", tmp_path)) == ["unreadable"]


def test_identities(tmp_path, noise):
    import cv2

    for name, seed in (("a/1.png", 1), ("a/2.png", 2), ("b/1.png", 1)):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        cv2.imwrite(str(tmp_path / name), noise(seed))
    (tmp_path / "b" / "2.jpg").write_bytes(b"not an image")
    report = check("casia-webface", tmp_path, progress=False)
    assert kinds(report) == ["counts", "counts", "duplicate", "unreadable"]
    assert report.counts.set_index("what")["found"].to_dict() == {"identities": 2, "images": 4}


def test_videos(tmp_path):
    table = tmp_path / "videos.csv"
    table.write_text("subject,class,path\na,pain,1.mp4\na,pain,2.mp4\nb,pain,3.mp4\nb,pain,4.mp4\n")
    assert not check("biovid-d", tmp_path).usable
    for name, content in (("1", b"abc"), ("2", b"abc"), ("3", b"")):
        (tmp_path / f"{name}.mp4").write_bytes(content)
    report = check("biovid-d", tmp_path)
    assert kinds(report) == ["duplicate", "missing", "unreadable"]
    assert report.usable

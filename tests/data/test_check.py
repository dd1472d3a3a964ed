"""Manifests are whole, and a check finds what is planted."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
import yaml
from archive_files import OTHER, OTHER_SEQUENCE, SEQUENCE, SUBJECT, face, points_text
from clip_files import write_clip
from safetensors.numpy import save_file
from scipy.io import savemat

from painkit.data import READERS, load
from painkit.data.check import check
from painkit.data.identities import read_identities
from painkit.data.manifests import manifest, manifest_folder, manifests, read_manifest
from painkit.errors import PainkitError
from painkit.simulation.marker import marker_text
from painkit.vocabulary.scales import SCALES, SEQUENCE_LABELS

REPOSITORY = Path(__file__).resolve().parents[2]


def test_a_card_for_everything_the_papers_use():
    assert manifest_folder() == REPOSITORY / "data_manifests"
    assert {card.name for card in manifests()} == {
        "unbc", "biovid-a", "biovid-d", "ferplus", "casia-webface", "vgg-face", "face-verification",
        "resnet18-ferplus", "painregression", "simulated", "landmark-tracker",
    }  # fmt: skip
    unbc = manifest("unbc")
    assert unbc.counts == {
        "subjects": 25, "sequences": 200, "frames": 48_398, "black frames": 7, "images": 48_398,
    }  # fmt: skip
    for column in ("pspi", *SEQUENCE_LABELS):
        told, meant = unbc.scales[column], SCALES[column]
        assert (told.low, told.high) == (meant.low, meant.high)


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
        ({"reader": "ubnc"}, "the reader is 'ubnc', not one of unbc, biovid"),
        ({"reader": None}, "the reader is None, not one of unbc, biovid"),
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
    with pytest.raises(PainkitError, match="no manifest 'nothing'"):
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
    archive.path("PSPI", SUBJECT, SEQUENCE, 3).write_text("2\n")  # disagrees with the units
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
    assert counts.loc["images"].tolist() == [48_398, 7]
    assert sum(report.findings["kind"] == "counts") == 5
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


def test_a_folder_of_images_that_are_named_otherwise_is_not_usable(archive, noise):
    for frame in range(1, 5):
        path = archive.image(SUBJECT, SEQUENCE, frame, noise(frame))
        path.rename(path.with_suffix(".tiff"))
    report = check("unbc", archive.root, progress=False)
    assert not report.usable
    (finding,) = report.findings[report.findings["severity"] == "error"].to_dict("records")
    assert (
        "not one frame has an image: the name is not SEQUENCE, a number and .png or .jpg"
        in finding["message"]
    )
    assert finding["path"].endswith("001.tiff")


def test_a_damaged_image_is_told_once(archive, noise):
    for frame in range(1, 5):
        archive.image(SUBJECT, SEQUENCE, frame, noise(frame))
    archive.image(SUBJECT, SEQUENCE, 1, noise(1)).write_bytes(b"small")
    report = check("unbc", archive.root, progress=False)
    assert kinds(report).count("unreadable") == 1


def test_simulated_counts_go_by_the_profile(archive):
    (archive.root / "simulation.json").write_text(marker_text({"profile": "smoke"}))
    report = check("simulated", archive.root, progress=False)
    messages = set(report.findings[report.findings["kind"] == "counts"]["message"])
    assert messages == {"2 subjects, the manifest has 4", "2 sequences, the manifest has 8"}


def test_real_files(shared):
    for name, folder in (("painregression", "PainRegression"), ("ferplus", "FERPlus")):
        report = check(name, shared / "real" / folder, progress=False)
        assert report.usable
        assert "counts" not in kinds(report)


def cells(values):
    out = np.empty((len(values), 1), object)
    for k, value in enumerate(values):
        out[k, 0] = np.asarray(value)
    return out


def test_predictions(tmp_path):
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


def test_predictions_are_checked_with_the_index_that_scoring_reads(tmp_path):
    good = cells([[0, 1, 5]] * 25)
    savemat(tmp_path / "good.mat", {"ground_truth": good, "predict": good})
    index = tmp_path / "video_index.mat"
    savemat(index, {"video_index": cells([[1, 2]] * 25)})
    assert kinds(check("painregression", tmp_path)) == ["counts"]  # 75 frames
    for lengths in (cells([[1, 2]] * 24 + [[1, 1]]), cells([[1, 2]] * 24)):
        savemat(index, {"video_index": lengths})
        report = check("painregression", tmp_path)
        assert not report.usable
        assert "do not add up" in report.findings["message"].iloc[0]
    index.write_bytes(index.read_bytes()[:150])
    report = check("painregression", tmp_path)
    assert not report.usable
    assert report.findings["path"].iloc[0] == str(index)


def whole_weights(path):
    """Write a small file of the kind that the ending names."""
    values = np.arange(6, dtype=np.float32).reshape(2, 3)
    match path.suffix:
        case ".pth" | ".tar":
            torch.save({"state_dict": {"fc8.weight": torch.tensor(values)}}, path)
        case ".pt":  # as older releases wrote
            torch.save({"fc8.weight": torch.tensor(values)}, path, _use_new_zipfile_serialization=False)
        case ".mat":
            savemat(path, {"net": {"layers": values}, "meta": "x"}, do_compression=True)
        case ".h5":
            with h5py.File(path, "w") as file:
                file["fc8/fc8/kernel"] = values
        case ".safetensors":
            save_file({"fc8.weight": values}, path)
        case ".npz":
            np.savez(path, weight=values)
    return path


KINDS = [".pth", ".pt", ".tar", ".mat", ".h5", ".safetensors", ".npz"]


@pytest.mark.parametrize("kind", KINDS)
def test_weights_are_usable_only_when_whole(tmp_path, kind):
    path = whole_weights(tmp_path / f"net{kind}")
    assert check("vgg-face", path).usable
    whole = path.read_bytes()
    for length in (len(whole) - 1, len(whole) // 2, 10, 8, 2, 0):
        path.write_bytes(whole[:length])
        report = check("vgg-face", path)
        assert not report.usable, length
        assert f"is damaged or no {kind} file" in report.findings["message"].iloc[0]
    path.write_text("the download page asks you to sign in\n" * 50)
    assert not check("vgg-face", path).usable


def test_hdf5_that_points_elsewhere_or_announces_more_than_fits_is_refused(tmp_path):
    secret = tmp_path / "secret"
    secret.write_bytes(bytes(100))
    path = tmp_path / "net.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("fc8", (10,), "u1", external=[(str(secret), 0, 10)])
    assert "fc8 keeps its numbers in another file" in check("vgg-face", path).findings["message"].iloc[0]
    with h5py.File(path, "w") as file:
        layout = h5py.VirtualLayout((10,), "u1")
        layout[:] = h5py.VirtualSource("other.h5", "fc8", (10,))
        file.create_virtual_dataset("fc8", layout)
    assert "fc8 keeps its numbers in another file" in check("vgg-face", path).findings["message"].iloc[0]
    with h5py.File(path, "w") as file:
        file.create_dataset("fc8", (1 << 40,), "f4", chunks=(1024,))
    assert "fc8 announces 4,398,046,511,104 bytes" in check("vgg-face", path).findings["message"].iloc[0]


@pytest.mark.parametrize("kind", [".pth", ".mat", ".npz"])
def test_a_byte_changed_within_weights_is_noticed(tmp_path, kind):
    """These kinds keep checksums of what they hold."""
    path = whole_weights(tmp_path / f"net{kind}")
    whole = path.read_bytes()
    values = np.arange(6, dtype=np.float32).tobytes()
    at = whole.index(values) if values in whole else len(whole) - 6  # .mat is compressed
    path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
    assert not check("vgg-face", path).usable


def test_weights_that_would_run_code_or_hold_nothing(tmp_path):
    path = tmp_path / "net.pth"
    for more in (print, np.float64(0.9)):
        torch.save({"fc8.weight": torch.ones(2), "best": more}, path)
        report = check("vgg-face", path)
        assert not report.usable
        told = report.findings["message"].iloc[0]
        assert "code is never loaded; where you trust it, save its state dict anew" in told
    torch.save({"epoch": 3}, path)
    assert "holds no numbers" in check("vgg-face", path).findings["message"].iloc[0]
    path = tmp_path / "net.h5"
    h5py.File(path, "w").close()
    assert "holds no numbers" in check("vgg-face", path).findings["message"].iloc[0]


def test_one_whole_file_of_weights_is_enough(tmp_path):
    assert not check("vgg-face", tmp_path).usable
    (tmp_path / "vgg_face_dag.pth").write_bytes(b"\x80\x02")
    whole_weights(tmp_path / "net.safetensors")
    report = check("vgg-face", tmp_path)
    assert report.usable
    assert kinds(report) == ["unreadable"]


def test_identities(tmp_path, noise):
    import cv2

    for name, seed in (("a/x/1.png", 1), ("a/2.png", 2), ("b/1.png", 1)):
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        cv2.imwrite(str(tmp_path / name), noise(seed))
    (tmp_path / "b" / "2.jpg").write_bytes(b"not an image")
    (tmp_path / "c").mkdir()
    cv2.imwrite(str(tmp_path / "c" / "1.png"), noise(3))
    report = check("casia-webface", tmp_path, progress=False)
    assert kinds(report) == ["counts", "counts", "duplicate", "single", "unreadable"]
    found = report.counts.set_index("what")["found"].to_dict()
    images = read_identities(tmp_path).images
    assert (
        found
        == {"identities": 3, "images": 5}
        == {"identities": images["identity"].nunique(), "images": len(images)}
    )
    (tmp_path / "a" / "2.png").unlink()
    (tmp_path / "b" / "2.jpg").unlink()
    report = check("casia-webface", tmp_path, progress=False)  # one image each: no reader takes that
    assert not report.usable
    assert "none has two" in report.findings["message"].iloc[0]


def test_videos(tmp_path):
    table = tmp_path / "videos.csv"
    table.write_text("subject,class,path\n" + "".join(f"a,pain,{k}.mp4\n" for k in range(1, 6)))
    assert not check("biovid-d", tmp_path).usable
    write_clip(tmp_path / "1.mp4", range(3))
    shutil.copy(tmp_path / "1.mp4", tmp_path / "2.mp4")
    (tmp_path / "3.mp4").write_bytes(b"")
    (tmp_path / "4.mp4").write_text("a text")
    report = check("biovid-d", tmp_path, progress=False)
    assert kinds(report) == ["duplicate", "missing", "unreadable", "unreadable"]
    assert report.counts.set_index("what").loc["readable videos", "found"] == 2
    assert report.usable
    for k in (1, 2):
        (tmp_path / f"{k}.mp4").write_text("a text")
    assert not check("biovid-d", tmp_path, progress=False).usable


def test_votes_without_the_known_defects_are_usable(tmp_path, shared):
    lines = (shared / "real/FERPlus/fer2013new.csv").read_text().splitlines(keepends=True)
    (tmp_path / "fer2013new.csv").write_text("".join(line for line in lines if ",," not in line))
    report = check("ferplus", tmp_path, progress=False)
    assert report.counts.set_index("what").loc["rows without a name", "found"] == 0
    assert report.usable
    head = [lines[0], "Training,fer0000000.png,3,3,3,1,0,0,0,0,0,0\n"]
    (tmp_path / "fer2013new.csv").write_text("".join(head))
    assert not check("ferplus", tmp_path, progress=False).usable  # nothing that most people agree on


def test_a_new_data_set_is_a_reader_and_a_manifest(archive, tmp_path, monkeypatch):
    """As CONTRIBUTING.md tells: a function, an entry in READERS, a YAML file; no more."""
    folder = tmp_path / "cards"
    folder.mkdir()
    card = yaml.safe_load((manifest_folder() / "unbc.yaml").read_text())
    card |= {"name": "shoulders", "reader": "shoulders", "counts": {"subjects": 2, "frames": 9}}
    (folder / "shoulders.yaml").write_text(yaml.safe_dump(card))
    monkeypatch.setattr("painkit.data.manifests.manifest_folder", lambda: folder)
    with pytest.raises(PainkitError, match=r"shoulders\.yaml: .*the reader is 'shoulders', not one of unbc"):
        check("shoulders", archive.root)
    monkeypatch.setitem(READERS, "shoulders", (__name__, "read_shoulders"))
    report = check("shoulders", archive.root, progress=False)
    assert report.usable
    messages = report.findings[report.findings["kind"] == "counts"]["message"].tolist()
    assert messages == ["7 frames, the manifest has 9"]


def read_shoulders(root):
    """Takes no option at all."""
    return load("unbc", root, cache=False, progress=False)

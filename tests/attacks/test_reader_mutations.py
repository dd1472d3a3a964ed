"""Damaged files: whatever a reader is given, it gives data that can be or `PainkitError`, and nothing else.

Each kind of small hand-made input is damaged many times, each time by one drawn change of one of its files.
`PAINKIT_MUTATIONS` sets the number of changes over all kinds; the same seed gives the same changes.
"""

from __future__ import annotations

import os
import random
import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import cv2
import numpy as np
import pytest
from archive_files import OTHER, OTHER_SEQUENCE, SEQUENCE, SUBJECT, Archive
from clip_files import write_clip
from feature_tables import OPENFACE, PYFEAT, openface, table
from scipy.io import savemat

from painkit.data import load
from painkit.data.cohort import Cohort
from painkit.data.landmark_checks import LIMIT_PIXELS, small_faces, torn_faces
from painkit.data.mat_cells import read_cells
from painkit.data.video import Video
from painkit.errors import PainkitError
from painkit.vocabulary.classes import VOTES

MUTATIONS = int(os.environ.get("PAINKIT_MUTATIONS", "400"))
#: Numbers and what stands for them that no file of a sound tool holds.
EXTREMES = [
    *(b"-986", b"10000", b"1e8", b"1e18", b"-572", b"1e999", b"inf", b"-inf", b"nan", b"-nan(ind)", b"-0"),
    *(
        b"9" * 400,
        b"1_0",
        b"0x1F",
        b"1,5",
        b"",
        b"True",
        b'"',
        b"\x00",
        b"\xff\xfe",
        "\uff11".encode(),
        b"=1+1",
    ),
    *(b"../../x", b"/dev/zero", b"-1", b"1.", b"4294967296", b"9223372036854775808"),
]


def unbc(root: Path) -> None:
    copy = Archive(root)
    facs = "   4.0000000e+00   4.0000000e+00   0.0000000e+00   0.0000000e+00\n"
    for frame in (1, 2, 3):
        copy.frame(SUBJECT, SEQUENCE, frame, *((4, facs) if frame == 2 else ()))
        copy.image(SUBJECT, SEQUENCE, frame, picture(frame))
    copy.frame(OTHER, OTHER_SEQUENCE, 1)
    for kind in ("VAS", "OPR", "AFF", "SEN"):
        copy.label(kind, SUBJECT, SEQUENCE, 3)
    (root / "subjects.csv").write_text(
        f"subject,gender,age,complexion\n{SUBJECT},female,young,pale-fair\n{OTHER},male,elderly,olive-dark\n"
    )


def picture(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(60, 200, (24, 32, 3), dtype=np.uint8)


def of_openface(root: Path) -> None:
    rows = sorted([*openface([1, 2, 3], au4=2), *openface([2, 3], face=1)])
    (root / "faces.csv").write_text(table(OPENFACE, rows))
    videos = [row for v in ("x.mp4", "y.mp4") for row in openface([1, 2], v=v, p=v[0])]
    (root / "videos.csv").write_text(table([*OPENFACE, "video", "participant"], videos, ","))


def of_images(root: Path) -> None:
    for k in (1, 2):
        image = table(["face", "confidence", "AU04_r", "AU45_c"], [(0, 0.9, k, 1)])
        (root / f"{k}.csv").write_text(image)


def of_clnf(root: Path) -> None:
    columns = ["frame", "timestamp", "confidence", "success"]
    (root / "300_CLNF_features.txt").write_text(table(columns, [(1, 0, 0.9, 1)], name="{axis}{k}"))
    (root / "300_CLNF_AUs.txt").write_text(table([*columns, "AU04_r"], [(1, 0, 0.9, 1, 3)], points=0))


def of_pyfeat(root: Path) -> None:
    rows = [(n, 0.9, 0.5, 0, "talk.mp4", f"Person_{who}") for n in (0, 1) for who in (0, 1)]
    (root / "talk.csv").write_text(table(PYFEAT, rows, ","))
    images = [(n, 0.9, 0.5, 0, f"s{n // 2}/img{n}.png", "") for n in range(4)]
    (root / "list.csv").write_text(table(PYFEAT, images, ","))


def ferplus(root: Path) -> None:
    rng = np.random.default_rng(0)
    usage = ["Training", "PublicTest", "PrivateTest"]
    with open(root / "fer2013new.csv", "w") as file:
        file.write("Usage,Image name," + ",".join(VOTES) + "\n")
        file.writelines(f"{u},fer{k:07d}.png,8,0,0,1,0,0,0,0,1,0\n" for k, u in enumerate(usage))
    with open(root / "fer2013.csv", "w") as file:
        file.write("emotion, Usage, pixels\n")
        file.writelines(f"0,{u},{' '.join(map(str, rng.integers(0, 256, 2304)))}\n" for u in usage)


def biovid(root: Path) -> None:
    (root / "starting_point").mkdir()
    names = ["100914_m_39-BL1-081", "100914_m_39-PA4-012", "112016_m_25-PA1-003"]
    lines = ["subject_id\tsubject_name\tclass_id\tclass_name\tsample_id\tsample_name"]
    for k, name in enumerate(names):
        subject, label, _ = name.split("-")
        class_id = 0 if label == "BL1" else label[2]
        lines.append(f"{k}\t{subject}\t{class_id}\t{label}\t{k}\t{name}")
        path = root / "video" / subject / f"{name}.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_clip(path, range(3))
    (root / "starting_point" / "samples.csv").write_text("\n".join(lines) + "\n")


def identities(root: Path) -> None:
    for k, name in enumerate(("a/1.png", "a/2.jpg", "b/1.bmp")):
        path = root / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(cv2.imencode(path.suffix, picture(k))[1].tobytes())
        lines = Archive(root / "x")  # its landmark files are as those of the archive
        lines.frame(SUBJECT, SEQUENCE, 1)
        lines.path("landmarks", SUBJECT, SEQUENCE, 1).rename(path.with_name(f"{path.stem}_aam.txt"))


def predictions(root: Path) -> None:
    cells = np.empty((3, 1), object)
    cells[:, 0] = [np.arange(3.0), np.arange(4), np.arange(2, dtype=np.uint8)]
    savemat(root / "plain.mat", {"predict": cells, "ground_truth": cells})
    savemat(root / "packed.mat", {"predict": cells, "ground_truth": cells}, do_compression=True)


def check_cohort(cohort: Cohort) -> None:
    frames, landmarks = cohort.frames, cohort.landmarks
    assert len(frames) == len(landmarks)
    assert cohort.sequences["n_frames"].sum() == len(frames) or frames.empty
    assert not frames.duplicated(["subject", "sequence", "frame"]).any()
    assert ((frames["pspi"] >= 0) & (frames["pspi"] <= 16) | frames["pspi"].isna()).all()
    units = frames.filter(regex=r"^AU\d+$")
    assert ((units >= 0) & (units <= 5) | units.isna()).all(axis=None)
    for label, high in (("vas", 10), ("opi", 5), ("aff", 15), ("sen", 15)):
        values = cohort.sequences[label]
        assert ((values >= 0) & (values <= high) | values.isna()).all()
    tracked = frames["tracked"].to_numpy()
    assert np.isnan(landmarks[~tracked]).all()
    assert (np.abs(landmarks[tracked]) < LIMIT_PIXELS).all()
    assert not small_faces(landmarks[tracked]).any()
    assert not torn_faces(landmarks[tracked]).any()


def read_cohort(name: str, **options: object) -> Callable[[Path], None]:
    def read(root: Path) -> None:
        cohort = load(name, root, **options)
        check_cohort(cohort)
        for row in np.flatnonzero(cohort.frames["image"].notna()):
            with suppress(PainkitError):
                assert cohort.image(int(row)).dtype == np.uint8

    return read


def read_biovid(root: Path) -> None:
    cohort = load("biovid", root, progress=False)
    check_cohort(cohort)
    for path in sorted(root.glob("video/*/*.mp4")):
        with suppress(PainkitError), Video(path) as video:
            assert video[0].dtype == np.uint8


def read_ferplus(root: Path) -> None:
    images = load("ferplus", root, cache=False, progress=False)
    assert images.images().shape == (len(images), 48, 48)
    assert (images.votes >= 0).all()
    assert (images.votes <= 10).all()


def read_identities(root: Path) -> None:
    people = load("identities", root)
    assert len(people.images) == len(people.landmarks)
    for row in range(len(people.images)):
        with suppress(PainkitError):
            people.image(row)


def read_predictions(root: Path) -> None:
    for name in ("plain.mat", "packed.mat"):
        with suppress(PainkitError):
            cells = read_cells(root / name, ["predict", "ground_truth"])
            assert all(cell.ndim == 1 for cell in cells["predict"])


#: Kind of input -> what writes it, what reads it, its share of the changes.
KINDS: dict[str, tuple[Callable[[Path], None], Callable[[Path], None], float]] = {
    "unbc": (unbc, read_cohort("unbc", cache=False, progress=False), 0.25),
    "openface": (of_openface, read_cohort("openface"), 0.15),
    "images": (of_images, read_cohort("openface"), 0.05),
    "clnf": (of_clnf, read_cohort("openface"), 0.05),
    "pyfeat": (of_pyfeat, read_cohort("pyfeat"), 0.1),
    "ferplus": (ferplus, read_ferplus, 0.1),
    "biovid": (biovid, read_biovid, 0.1),
    "identities": (identities, read_identities, 0.1),
    "predictions": (predictions, read_predictions, 0.1),
}


def damaged(content: bytes, draw: random.Random) -> tuple[str, bytes]:
    """One change of a file, and what it was."""
    n = len(content)
    at, length = draw.randrange(n + 1), draw.choice([1, 1, 1, 2, 5, 40])
    match draw.choice(["flip", "delete", "insert", "cut", "number", "number", "lines", "replace"]):
        case "flip" if n:
            place = min(at, n - 1)
            return "flip", content[:place] + bytes([content[place] ^ 1 << draw.randrange(8)]) + content[
                place + 1 :
            ]
        case "delete":
            return "delete", content[:at] + content[at + length :]
        case "insert":
            return "insert", content[:at] + draw.choice(
                [draw.randbytes(length), draw.choice(EXTREMES)]
            ) + content[at:]
        case "cut":
            return "cut", content[: draw.choice([at, n - 1, n - 2, n - 3])]
        case "lines":
            lines = content.splitlines(keepends=True) or [b"\n"]
            draw.choice([lines.reverse, lines.pop, lambda: lines.append(draw.choice(lines))])()
            return "lines", b"".join(lines)
        case "replace":
            return "replace", draw.choice([b"", b"\n", bytes(100), draw.randbytes(300), b"a,b\n1,2\n"])
        case _:
            numbers = list(re.finditer(rb"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?", content))
            if not numbers:
                return "insert", content + draw.choice(EXTREMES)
            chosen = draw.choice(numbers)
            return "number", content[: chosen.start()] + draw.choice(EXTREMES) + content[chosen.end() :]


@pytest.mark.parametrize("kind", KINDS)
def test_damaged_files_give_data_that_can_be_or_one_error(kind, tmp_path):
    write, read, share = KINDS[kind]
    root = tmp_path / kind
    root.mkdir()
    write(root)
    read(root)
    files = sorted(path for path in root.rglob("*") if path.is_file())
    for mutation in range(max(1, round(share * MUTATIONS))):
        draw = random.Random(f"{kind} {mutation}")
        path = draw.choice(files)
        content = path.read_bytes()
        how, changed = damaged(content, draw)
        path.write_bytes(changed)
        try:
            with suppress(PainkitError):
                read(root)
        except BaseException as error:
            error.add_note(f"mutation {mutation} of {kind}: {how} of {path.relative_to(root)}")
            raise
        finally:
            path.write_bytes(content)

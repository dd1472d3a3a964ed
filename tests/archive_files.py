"""Writes hand-made files of the UNBC-McMaster layout."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

SUBJECT, SEQUENCE = "042-ll042", "ll042t1aaaff"
OTHER, OTHER_SEQUENCE = "064-ak064", "ak064t2aiunaff"


def face(shift: float = 0.0) -> np.ndarray:
    """66 distinct points of a plausible extent, in pixels."""
    k = np.arange(66)
    return np.stack([100 + 1.5 * k + shift, 80 + 0.5 * k + 40 * np.sin(k)], axis=1)


def points_text(points: np.ndarray) -> str:
    return "".join(f"   {x:.7e}   {y:.7e}\n" for x, y in points)


class Archive:
    """Writes files of the UNBC-McMaster layout."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, kind: str, subject: str, sequence: str, frame: int) -> Path:
        folder, ending = {
            "PSPI": ("Frame_Labels/PSPI", "_facs.txt"),
            "FACS": ("Frame_Labels/FACS", "_facs.txt"),
            "landmarks": ("AAM_landmarks", "_aam.txt"),
            "images": ("Images", ".png"),
        }[kind]
        return self.root / folder / subject / sequence / f"{sequence}{frame:03d}{ending}"

    def frame(self, subject: str, sequence: str, frame: int, pspi: float = 0, facs: str = "") -> None:
        for kind, content in (
            ("PSPI", f"   {pspi:.7e}\n"),
            ("FACS", facs),
            ("landmarks", points_text(face(frame))),
        ):
            path = self.path(kind, subject, sequence, frame)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)

    def image(self, subject: str, sequence: str, frame: int, pixels: np.ndarray) -> Path:
        path = self.path("images", subject, sequence, frame)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(cv2.imencode(".png", pixels[..., ::-1])[1].tobytes())
        return path

    def label(self, kind: str, subject: str, sequence: str, value: float) -> Path:
        path = self.root / "Sequence_Labels" / kind / subject / f"{sequence}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"   {value:.7e}\n")
        return path

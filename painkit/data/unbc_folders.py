"""Where the files of each kind lie in a copy of the UNBC-McMaster archive."""

from __future__ import annotations

from pathlib import Path

from painkit.data.tree import named_like, undoubled
from painkit.errors import PainkitError

__all__ = ["HOLDS", "LABELS", "find_folders"]

HOLDS = "Frame_Labels, Sequence_Labels, AAM_landmarks or Images"
#: Folder of a sequence label -> column.
LABELS = {"VAS": "vas", "OPR": "opi", "AFF": "aff", "SEN": "sen"}
_TOP = {"Frame_Labels": ("PSPI", "FACS"), "Sequence_Labels": tuple(LABELS)}
_TOP |= {"AAM_landmarks": (), "Images": ()}
_KINDS = {"AAM_landmarks": "landmarks", "Images": "images"}


def find_folders(root: Path) -> dict[str, Path]:
    """Folder of each kind of file that a copy has: PSPI, FACS, landmarks, images, and `LABELS`.

    The four top folders may be spelled otherwise (``frame_labels``), doubled (``Images/Images``), or lie in
    one another; the folders of labels may lie at the top.

    Raises
    ------
    PainkitError
        When there is none of them, naming a folder inside that looks like a copy.
    """
    tops = {name: undoubled(root, name) for name in _TOP}
    for name in _TOP:
        for other in _TOP:
            within = tops[other]
            if tops[name] is None and within is not None and name != other:
                tops[name] = undoubled(within, name)
    found: dict[str, Path | None] = {}
    for name, kinds in _TOP.items():
        for kind in kinds:
            top = tops[name]
            found[kind] = (undoubled(top, kind) if top else None) or undoubled(root, kind)
        if not kinds:
            found[_KINDS[name]] = tops[name]
    folders = {kind: path for kind, path in found.items() if path is not None}
    if not set(folders) - set(LABELS):
        raise PainkitError(
            f"is not a copy of UNBC-McMaster{_near_miss(root)}", where=root, expected=f"a folder with {HOLDS}"
        )
    return folders


def _near_miss(root: Path) -> str:
    """What a person may have meant instead."""
    try:
        inner = sorted(path for path in root.iterdir() if path.is_dir())
    except OSError:
        return ""
    for folder in inner:
        names = [name for name in _TOP if named_like(folder, name)]
        if names:
            return f", but {folder.name} in it may be one: it holds {' and '.join(names)}"
    return ""

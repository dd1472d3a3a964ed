"""The one shape every reader returns."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from painkit.data.images import read_image
from painkit.data.summary import CohortSummary, summarize
from painkit.errors import PainkitError
from painkit.vocabulary.personal import PERSONAL_VALUES

__all__ = ["Cohort", "SequenceSample", "content_digest"]


@dataclass(frozen=True, eq=False)
class SequenceSample:
    """One sequence as sequence-level estimators take it.

    Attributes
    ----------
    subject, sequence : str
    frames : (n,) int64
        Frame numbers as on disk.
    landmarks : (n, 66, 2) float32
        Pixels, x right and y down; NaN where tracking failed or the frame is black.
    personal : (8,) float32
        See `painkit.vocabulary.personal.PERSONAL_FEATURES`; NaN where unknown.
    """

    subject: str
    sequence: str
    frames: NDArray[np.int64]
    landmarks: NDArray[np.float32]
    personal: NDArray[np.float32]

    @property
    def tracked(self) -> NDArray[np.bool_]:
        """(n,) bool, False where the landmarks are NaN."""
        return ~np.isnan(self.landmarks[:, 0, 0])


@dataclass(frozen=True, eq=False)
class Cohort:
    """Subjects, their sequences and frames, landmarks and findings.

    Attributes
    ----------
    name : str
        Data set; ``"simulated"`` for a simulated tree.
    root : Path
        Folder (or file) it was read from.
    simulated : bool
    subjects : DataFrame
        subject, gender, age, complexion (missing where unknown); further columns by data set.
    sequences : DataFrame
        subject, sequence, n_frames, vas (0-10), opi (0-5), aff, sen (0-15), NaN where missing; and more.
    frames : DataFrame
        subject, sequence, frame (number on disk), pspi (0-16), AU* (see `units`), tracked, black, image
        (path relative to `root`). Sorted by subject, sequence, frame; NaN where a label is missing.
    landmarks : (n_frames, 66, 2) float32
        Pixels, x right and y down; row i belongs to row i of `frames`; NaN where not tracked.
    findings : DataFrame
        kind, subject, sequence, frame, path, message: all that was missing, damaged or odd.
    fingerprint : str
        Digest of the content, equal for equal content wherever it lies.
    notes : tuple of str
        What a reader of results must know, such as a proxy that stands in for a label.
    units : str
        Scale of AU*, a key of `painkit.vocabulary.scales.UNIT_SCALES`: ``"intensity"`` is 0-5, and AU43 0/1.
    draw : callable or None
        ``draw(subject, sequence, frame)`` gives the image of a frame that has no file: of a simulated cohort.
    """

    name: str
    root: Path
    simulated: bool
    subjects: pd.DataFrame
    sequences: pd.DataFrame
    frames: pd.DataFrame
    landmarks: NDArray[np.float32]
    findings: pd.DataFrame
    fingerprint: str
    notes: tuple[str, ...] = field(default=())
    units: str = "intensity"
    draw: Callable[[str, str, int], NDArray[np.uint8]] | None = None

    @property
    def pictured(self) -> NDArray[np.bool_]:
        """(n_frames,) whether `image` has something to show; `with_images` keeps those with a file."""
        written = self.frames["image"].notna().to_numpy()
        return written if self.draw is None else np.ones_like(written)

    def image(self, i: int) -> NDArray[np.uint8]:
        """Decode, or draw, the image of row `i` of `frames`: (height, width, 3) uint8 RGB.

        Raises
        ------
        PainkitError
            When there is no such row, the frame has no image, or the file is damaged.
        """
        if not 0 <= i < len(self.frames):
            raise PainkitError(
                f"there is no frame {i}", where=self.root, expected=f"a row of {len(self.frames)} frames"
            )
        path = self.frames["image"].iloc[i]
        if pd.isna(path):
            row = self.frames.iloc[i]
            if self.draw is not None:
                return self.draw(row["subject"], row["sequence"], int(row["frame"]))
            raise PainkitError(
                f"frame {row['frame']} of {row['subject']}/{row['sequence']} has no image in this copy",
                where=self.root,
            )
        return read_image(self.root / path)

    def select(
        self,
        *,
        subjects: Iterable[str] | None = None,
        sequences: Iterable[tuple[str, str]] | None = None,
    ) -> Cohort:
        """Keep some subjects, some sequences (subject, sequence), or both; all else is kept in step.

        Raises
        ------
        PainkitError
            For a name that is not in the cohort.
        """
        own = _names(self.sequences)
        keep = np.ones(len(own), dtype=bool)
        for kind, wanted, there in (
            ("subject", subjects, self.sequences["subject"]),
            ("sequence", sequences, own),
        ):
            if wanted is None:
                continue
            names = [wanted] if isinstance(wanted, str) else list(wanted)
            known = set(there)
            unknown = [repr(name) for name in names if name not in known]
            if unknown:
                raise PainkitError(
                    f"no {kind} called {', '.join(unknown[:5])}",
                    where=self.root,
                    expected=f"names such as {', '.join(map(repr, sorted(known)[:3]))}",
                )
            keep &= there.isin(names)
        if keep.all():
            return self
        fingerprint = content_digest(self.fingerprint, self.sequences.loc[keep, ["subject", "sequence"]])
        return self._part(keep, _names(self.frames).isin(own[keep]), fingerprint)

    def with_images(self) -> Cohort:
        """Keep the frames that have an image, `n_frames` counting them.

        Sequences and subjects without any such frame are left out.

        Raises
        ------
        PainkitError
            When no frame has an image.
        """
        has = self.frames["image"].notna().to_numpy()
        if not has.any():
            raise PainkitError("no frame has an image", where=self.root, expected="a copy with images")
        if has.all():
            return self
        counts = _names(self.frames[has]).value_counts()
        own = _names(self.sequences)
        counted = replace(
            self, sequences=self.sequences.assign(n_frames=counts.reindex(own, fill_value=0).to_numpy())
        )
        return counted._part(own.isin(counts.index), has, content_digest(self.fingerprint, "with images"))

    def _part(self, sequences: NDArray[np.bool_], frames: NDArray[np.bool_], fingerprint: str) -> Cohort:
        """Keep the masked sequences and frames, the subjects of the former, and what was found of them."""
        kept = self.sequences[sequences].reset_index(drop=True)
        told = self.findings
        of_kept = told["subject"].isin(kept["subject"]) & (
            told["sequence"].isna() | _names(told).isin(_names(kept))
        )
        return replace(
            self,
            subjects=self.subjects[self.subjects["subject"].isin(kept["subject"])].reset_index(drop=True),
            sequences=kept,
            frames=self.frames[frames].reset_index(drop=True),
            landmarks=self.landmarks[frames],
            findings=told[of_kept | told["subject"].isna()].reset_index(drop=True),
            fingerprint=fingerprint,
        )

    def rows_of(self, subject: str, sequence: str) -> NDArray[np.intp]:
        """Rows of ``frames`` that belong to one sequence, in time order.

        Raises
        ------
        PainkitError
            When no frame is of such a sequence.
        """
        frames = self.frames
        rows = np.flatnonzero((frames["subject"] == subject) & (frames["sequence"] == sequence))
        if not len(rows):
            raise PainkitError(f"no frame of a sequence {subject}, {sequence}", where=self.root)
        return rows

    def personal(self) -> NDArray[np.float32]:
        """One-hot personal features in the order of `painkit.vocabulary.personal.PERSONAL_FEATURES`.

        Returns
        -------
        (n_subjects, 8) float32
            Row order of `subjects`. A row is all NaN when any of the three is unknown.
        """
        blocks = []
        for column, values in PERSONAL_VALUES.items():
            given = self.subjects[column].to_numpy(dtype=object)
            blocks.append(np.array([[g == v for v in values] for g in given]).reshape(-1, len(values)))
        table = np.hstack(blocks).astype(np.float32)
        table[table.sum(axis=1) != 3] = np.nan
        return table

    def sequence_samples(self) -> list[SequenceSample]:
        """Sequences as estimators take them, in the row order of `sequences`; landmarks are views."""
        personal = dict(zip(self.subjects["subject"], self.personal(), strict=True))
        numbers = self.frames["frame"].to_numpy(dtype=np.int64)
        where = self.frames.groupby(["subject", "sequence"], sort=False).indices
        samples = []
        for subject, sequence in zip(self.sequences["subject"], self.sequences["sequence"], strict=True):
            rows = where.get((subject, sequence), np.empty(0, dtype=np.int64))
            part = slice(int(rows[0]), int(rows[-1]) + 1) if len(rows) else slice(0, 0)
            samples.append(
                SequenceSample(subject, sequence, numbers[part], self.landmarks[part], personal[subject])
            )
        return samples

    def summary(self) -> CohortSummary:
        """Counts, scales and findings, to print or to show in a notebook."""
        return summarize(self)

    def _repr_html_(self) -> str:
        return self.summary()._repr_html_()

    def __repr__(self) -> str:
        kind = "simulated cohort" if self.simulated else f"cohort {self.name}"
        counts = (f"{len(getattr(self, name))} {name}" for name in ("subjects", "sequences", "frames"))
        return f"<{kind}: {', '.join(counts)}>"


def _names(table: pd.DataFrame) -> pd.MultiIndex:
    """What identifies the sequence of each row: (subject, sequence)."""
    return pd.MultiIndex.from_frame(table[["subject", "sequence"]])


def content_digest(*parts: str | pd.DataFrame | NDArray[Any]) -> str:
    """Digest of texts, tables and arrays (values only), 32 hexadecimal digits."""
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        if isinstance(part, str):
            digest.update(part.encode("utf-8", "surrogatepass"))
        elif isinstance(part, pd.DataFrame):
            digest.update(",".join(part.columns).encode())
            digest.update(pd.util.hash_pandas_object(part, index=False).to_numpy().tobytes())
        else:
            digest.update(np.ascontiguousarray(part).data)
    return digest.hexdigest()

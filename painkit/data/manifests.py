"""Manifests: what each data set and weights file is, who may have it, and what a whole copy holds."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

import painkit
from painkit.data import READERS
from painkit.errors import PainkitError, unknown

__all__ = ["LabelRange", "Layout", "Manifest", "manifest", "manifest_folder", "manifests", "read_manifest"]

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
Count = Annotated[int, Field(ge=0)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Layout(_Strict):
    """One place in a copy: a path (SUBJECT, SEQUENCE and NNN stand for names) and what it holds."""

    path: Text
    holds: Text
    optional: bool = False


class LabelRange(_Strict):
    """Range of a label, both ends included."""

    low: float
    high: float
    per: Literal["frame", "sequence", "image", "subject"]
    note: Text | None = None

    @model_validator(mode="after")
    def _ordered(self) -> LabelRange:
        if self.low >= self.high:
            raise ValueError(f"low {self.low:g} is not below high {self.high:g}")
        return self


class Manifest(_Strict):
    """Card of one data set, weights file or set of predictions.

    Attributes
    ----------
    name : str
        As the command line takes it; the name of the YAML file.
    kind : str
        dataset, simulated, weights or predictions.
    reader : str or None
        Name that `painkit.data.load` takes; a data set must have one.
    counts : dict
        What a whole copy holds.
    variants : dict
        Counts of each form that a copy may have (the profiles of the simulated cohort).
    """

    name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
    title: Text
    kind: Literal["dataset", "simulated", "weights", "predictions"]
    reader: Text | None = None
    citation: Text
    licence: Text
    access: Text
    layout: Annotated[tuple[Layout, ...], Field(min_length=1)]
    counts: dict[Text, Count] = {}
    variants: dict[Text, dict[Text, Count]] = {}
    scales: dict[Text, LabelRange] = {}
    defects: tuple[Text, ...] = ()

    @model_validator(mode="after")
    def _readable(self) -> Manifest:
        if (self.kind in ("dataset", "simulated") or self.reader) and self.reader not in READERS:
            raise ValueError(f"the reader is {self.reader!r}, not one of {', '.join(READERS)}")
        return self


def manifest_folder() -> Path:
    """Folder of the YAML files: in a checkout ``data_manifests``, else the one inside the package."""
    package = Path(painkit.__file__).parent
    for folder in (package / "_share" / "data_manifests", package.parent / "data_manifests"):
        if folder.is_dir():
            return folder
    raise PainkitError("the manifests are not installed", where=package, expected="a folder data_manifests")


def read_manifest(path: Path) -> Manifest:
    """Read and validate one YAML file; `PainkitError` says what is wrong with it."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        found = Manifest.model_validate(content)
    except (OSError, UnicodeDecodeError) as error:
        raise PainkitError(f"could not be read: {error}", where=path) from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark is not None else None
        raise PainkitError("is not YAML", where=path, line=line) from error
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"])) or "the file"
        raise PainkitError(f"{field}: {first['msg']}", where=path) from error
    if found.name != path.stem:
        raise PainkitError(f"the name is {found.name!r}", where=path, expected=repr(path.stem))
    return found


@cache
def _all(folder: Path) -> tuple[Manifest, ...]:
    return tuple(read_manifest(path) for path in sorted(folder.glob("*.yaml")))


def manifests() -> list[Manifest]:
    """All manifests, by name."""
    return list(_all(manifest_folder()))


def manifest(name: str) -> Manifest:
    """Find one manifest; `PainkitError` lists the names there are."""
    for found in manifests():
        if found.name == name:
            return found
    raise unknown("manifest", name, [one.name for one in manifests()])

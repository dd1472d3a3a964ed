"""When, by what and with which parameters a notebook was executed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import painkit
from painkit.cli.notebook_parameters import declared_parameters
from painkit.errors import PainkitError
from painkit.evaluation.run_record import read_report
from painkit.notebook import profiles

__all__ = ["Parameters", "duration", "facts", "parameter_table"]

_OPEN = re.compile(r"^as the profile says[:;]?\s*")


@dataclass(frozen=True)
class Parameters:
    """The parameters of an executed notebook.

    Attributes
    ----------
    profile : str
        "" where the notebook has none.
    rows : list of (str, str, str, str)
        Name, value, where it comes from, what it means.
    """

    profile: str
    rows: list[tuple[str, str, str, str]]


def duration(seconds: float) -> str:
    """Seconds in words: 41 s, 3 min 5 s, 2 h 10 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min"


def facts(content: Mapping[str, Any], notebook: Path) -> list[tuple[str, str]]:
    """Say when a notebook was executed, how long that took, by which version and in which precision."""
    told = content["metadata"].get("papermill", {})
    found = []
    if told.get("end_time"):
        ended = datetime.fromisoformat(told["end_time"])
        found.append(("Executed", f"{ended:%Y-%m-%d %H:%M} {ended.tzname() or ''}".strip()))
    if told.get("duration"):
        found.append(("in", duration(told["duration"])))
    version = content["metadata"].get("painkit", {}).get("version", painkit.__version__)
    found.append(("painkit", version))
    precision, seconds = set(), 0.0
    for record in sorted((notebook.parent / "runs").glob("*/run.yaml")):
        try:
            run = read_report(record.parent)
        except PainkitError:
            continue  # whoever reads the runs is told of it; the page stands on what is kept
        precision.add(str(run["precision"]))
        seconds += float(run["seconds_over_folds"])
    if precision:
        found += [("networks in", ", ".join(sorted(precision))), ("folds took", duration(seconds))]
    else:
        found.append(("networks", "none trained"))
    return found


def parameter_table(content: Mapping[str, Any], notebook: Path) -> Parameters:
    """Put what was given, what the profile says and the defaults into one table."""
    told = content["metadata"].get("papermill", {})
    given = told.get("parameters", {})
    try:
        declared = declared_parameters(notebook)
    except PainkitError:
        return Parameters("", [])
    source = Path(told.get("input_path") or notebook)
    default = declared["profile"].default.strip("\"'") if "profile" in declared else ""
    profile = str(given.get("profile", default))
    listed = profiles(source.stem, source.parent).get(profile, {})
    rows = []
    for name, one in declared.items():
        if name in given:
            value, origin = _written(given[name]), "given"
        elif one.default == "None" and name in listed:
            value, origin = _written(listed[name]), f"profile {profile}"
        else:
            value, origin = one.default.strip("\"'"), "default"
        rows.append((name, value, origin, _OPEN.sub("", one.meaning)))
    return Parameters(profile, rows)


def _written(value: Any) -> str:
    return value if isinstance(value, str) else repr(value)

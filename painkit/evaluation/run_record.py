"""The results file of a run that a person can read: ``run.yaml``."""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml

from painkit.digests import sign, signed
from painkit.errors import PainkitError
from painkit.evaluation.keys import machine
from painkit.evaluation.protocols import Fold, Protocol
from painkit.evaluation.samples import Samples
from painkit.files import write_text

if TYPE_CHECKING:
    from painkit.data.cohort import Cohort

__all__ = ["Report", "about", "read_report"]

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_Dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)  # libyaml's is ten times as fast


def about(
    estimator: Any,
    cohort: Cohort,
    found: Samples,
    protocol: Protocol,
    folds: Sequence[Fold],
    key: str,
    content: dict[str, Any],
) -> dict[str, Any]:
    """Say what is run on what: the part of ``run.yaml`` that is known before the first fold."""
    used, missing = found.table[found.usable], np.isnan(found.y[found.usable]).sum(axis=0).tolist()
    return {
        "status": "running",
        "key": key,
        "simulated": cohort.simulated,
        "estimator": content["estimator"],
        "estimator_about": (inspect.getdoc(estimator) or "undocumented").splitlines()[0].rstrip("."),
        "target": list(found.targets),
        "seed": content["seed"],
        "threads": content["threads"],
        "precision": content["precision"],
        "protocol": {
            "name": protocol.name,
            "leaky": protocol.leaky,
            "statement": protocol.statement(found.table, folds),
            "parameters": json.loads(json.dumps(protocol.parameters)),  # tuples as lists
        },
        "data": {
            "cohort": cohort.name,
            "notes": list(cohort.notes),
            "fingerprint": cohort.fingerprint,
            "digest": content["data"],
            "unit": found.unit,
            "subjects": int(used["subject"].nunique()),
            "sequences": int(used.groupby(["subject", "sequence"]).ngroups),
            "samples": len(used),
            "left_out": found.left_out,
            "missing_labels": dict(zip(found.targets, missing, strict=True)),
        },
        "versions": content["versions"],
        "machine": machine(),
    }


@dataclass(frozen=True)
class Report:
    """Writer of one run's ``run.yaml``."""

    folder: Path
    folds: Sequence[Fold]
    about: dict[str, Any]

    def write(
        self, status: str, records: Mapping[str, dict[str, Any]], failed: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        """Write the file anew from the records of the folds that are done, and return what it holds."""
        done = [records[fold.name] for fold in self.folds if fold.name in records]
        raised: dict[str, dict[str, int]] = {}
        for record in done:
            for warning, count in record["warnings"].items():
                raised.setdefault(warning, {})[record["fold"]] = count
        info = {
            **self.about,
            "status": status,
            "folds_done": f"{len(done)} of {len(self.folds)}",
            "seconds_over_folds": round(sum(record["seconds"] for record in done), 3),
            "failed": dict(failed or {}),
            "warnings": raised,
            "folds": [{k: v for k, v in record.items() if k != "warnings"} for record in done],
        }
        text = yaml.dump(info, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)
        write_text(self.folder / "run.yaml", sign(text))
        return info


def read_report(folder: Path) -> dict[str, Any]:
    """Read the ``run.yaml`` of a run.

    Raises
    ------
    PainkitError
        When there is none, or it is not as it was written.
    """
    path = folder / "run.yaml"
    try:
        content = path.read_bytes()
    except OSError as error:
        raise PainkitError(
            "no run can be read here", where=folder, expected="a folder with a run.yaml"
        ) from error
    if not signed(content):
        raise PainkitError(
            "is damaged, or was changed since it was written", where=path, expected="the same run again"
        )
    return dict(yaml.load(content, _Loader))

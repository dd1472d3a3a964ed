"""The methods paragraph of a report, written from what a run recorded about itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from painkit.evaluation.published import deviations
from painkit.evaluation.runs import Run
from painkit.vocabulary.scales import known_scale

__all__ = ["methods_paragraph"]


def methods_paragraph(
    run: Run,
    paper: str | None = None,
    *,
    baselines: Mapping[str, Run] | None = None,
    paper_training: Mapping[str, Any] | None = None,
    n_resamples: int = 10_000,
) -> str:
    """Say in plain sentences what was done, from the run's own record.

    Parameters
    ----------
    run : Run
    paper : str, optional
        Paper whose deviations are counted, see `painkit.evaluation.published.deviations`.
    baselines : mapping of str to Run, optional
        What `run` is compared with, by name: their settings and warnings are told, too.
    paper_training : mapping, optional
        What the paper says of the training, such as ``{"epochs": 100}``; settings that differ are told.
    n_resamples : int
        As given to `painkit.metrics.evaluate`.

    Returns
    -------
    str
        One paragraph of plain text (not escaped).
    """
    info, data = run.info, run.info["data"]
    name = info["estimator"]["class"].rsplit(".", 1)[-1]
    scales = {target: known_scale(target) for target in info["target"]}
    targets = " and ".join(scale.label if scale else target for target, scale in scales.items())
    samples = f"{data['samples']} frames, " if data["unit"] == "frame" else ""
    sentences = [
        f"{name} ({info['estimator_about']}) was trained to estimate {targets} of each {data['unit']}.",
        f"Its settings were {_settings(run)}." if info["estimator"]["parameters"] else "It has no settings.",
        *_other_training(info["estimator"]["parameters"], paper_training or {}),
        *(f"It is compared with {name}: {_settings(one)}." for name, one in (baselines or {}).items()),
        f"The cohort was {data['cohort']}: {samples}{data['sequences']} sequences, "
        f"{data['subjects']} subjects.",
    ]
    if info["simulated"]:
        sentences.append("The cohort is simulated: results on it say nothing about people.")
    sentences += [f"{note.rstrip('.')}." for note in data["notes"]]
    left = [f"{count} for {reason}" for reason, count in data["left_out"].items() if count]
    if left:
        sentences.append(f"Left out: {', '.join(left)}.")
    holes = [f"{count} of {target}" for target, count in data["missing_labels"].items() if count]
    if holes:
        sentences.append(f"Labels missing and not scored: {', '.join(holes)}.")
    sentences += [
        f"Protocol: {info['protocol']['statement']}",
        f"Each fold's random states were derived from seed {info['seed']} and the fold's name. Folds were "
        f"computed with {info['threads']} thread(s) each, networks in {info['precision']}.",
    ]
    for whose, one in {"": run, **{f" {n}": one for n, one in (baselines or {}).items()}}.items():
        raised = {text: sum(folds.values()) for text, folds in one.info["warnings"].items()}
        if raised:
            told = "; ".join(f"{count} times {text.rstrip('.')}" for text, count in raised.items())
            sentences.append(f"Fitting{whose} raised {sum(raised.values())} warnings ({told}).")
    sentences.append(
        f"Intervals hold 95% of {n_resamples} bootstrap resamples of subjects; "
        "each number names its scale and averaging."
    )
    if paper:
        entries = deviations(paper)["paper"].value_counts()
        sentences.append(
            f"Where the paper is silent or unclear, painkit's choices are listed in the deviations register "
            f"({entries[paper]} entries for {paper}, {entries['all']} common to all papers)."
        )
    software = ", ".join(f"{k} {v}" for k, v in info["versions"].items() if k != "painkit code")
    sentences.append(f"Software: {software}, Python {info['machine']['python']}; run {info['key'][:12]}.")
    return " ".join(sentences)


def _settings(run: Run) -> str:
    parameters = run.info["estimator"]["parameters"]
    return ", ".join(f"{key}={_short(value)}" for key, value in parameters.items())


def _other_training(parameters: Mapping[str, Any], paper: Mapping[str, Any]) -> list[str]:
    other = {key: value for key, value in paper.items() if parameters[key] != value}
    if not other:
        return []
    theirs = ", ".join(f"{key}={value}" for key, value in other.items())
    return [f"The paper trained with {theirs}: these numbers are of another training than the paper's."]


def _short(value: Any) -> str:
    if isinstance(value, dict) and "class" in value:
        return str(value["class"]).rsplit(".", 1)[-1]
    if isinstance(value, dict) and "name" in value:
        return str(value["name"]).rsplit(".", 1)[-1]
    if isinstance(value, list):
        return f"[{', '.join(map(_short, value))}]"
    return str(value)

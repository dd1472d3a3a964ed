"""What a check of a folder found, for a terminal, a page and machines."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape

import pandas as pd
from rich.console import RenderableType
from rich.markup import escape as plain
from rich.table import Table

from painkit.printed import Printed

__all__ = ["CheckReport"]


@dataclass(frozen=True, eq=False)
class CheckReport(Printed):
    """What a check found; prints itself with rich.

    Attributes
    ----------
    name : str
    root : str
    counts : DataFrame
        what, expected (missing where the manifest names no number), found.
    findings : DataFrame
        severity ("error": the copy cannot be used; "warning"), kind, subject, sequence, frame, path, message.
    notes : tuple of str
        What must be known of the copy, such as that it was simulated.
    """

    name: str
    root: str
    counts: pd.DataFrame
    findings: pd.DataFrame
    notes: tuple[str, ...] = ()

    @property
    def usable(self) -> bool:
        """Whether nothing stands in the way of reading the copy and learning from it."""
        return not (self.findings["severity"] == "error").any()

    @property
    def kinds(self) -> pd.DataFrame:
        """Findings by severity and kind: severity, kind, findings (how many), example, path (its own)."""
        groups = self.findings.groupby(["severity", "kind"], sort=False)
        return groups.agg(
            findings=("message", "size"), example=("message", "first"), path=("path", "first")
        ).reset_index()

    def to_json(self) -> str:
        """The report for machines: name, root, usable, notes, counts, findings."""
        return json.dumps(
            {
                "name": self.name,
                "root": self.root,
                "usable": self.usable,
                "notes": list(self.notes),
                "counts": json.loads(self.counts.to_json(orient="records")),
                "findings": json.loads(self.findings.to_json(orient="records")),
            },
            indent=1,
        )

    def _renderables(self) -> Iterator[RenderableType]:
        verdict = "[bold green]usable[/]" if self.usable else "[bold red]NOT usable[/]"
        yield f"[bold]{plain(self.name)}[/] in {plain(self.root)}: {verdict}"
        yield from (plain(note) for note in self.notes)
        counts = Table()
        counts.add_column()
        for heading in ("found", "expected"):
            counts.add_column(heading, justify="right")
        for what, expected, found in self.counts.itertuples(index=False):
            counts.add_row(plain(what), *("-" if pd.isna(n) else f"{n:,}" for n in (found, expected)))
        yield counts
        if self.findings.empty:
            yield "no findings"
            return
        findings = Table()
        findings.add_column("findings", justify="right")
        findings.add_column("kind")
        findings.add_column("the first of them", overflow="fold")
        for severity, kind, n, example, path in self.kinds.itertuples(index=False):
            within = "" if pd.isna(path) else str(path).removeprefix(self.root).strip("/")
            # The message of an error names its path itself.
            first = f"{within}: {example}" if within and within not in example else example
            style = "red" if severity == "error" else None
            findings.add_row(f"{n:,}", plain(f"{kind} ({severity})"), plain(first), style=style)
        yield findings

    def _repr_html_(self) -> str:
        verdict = "usable" if self.usable else "not usable"
        tables = (t.to_html(index=False, na_rep="-") for t in (self.counts, self.findings))
        head = f"<p><strong>{escape(self.name)}</strong> in {escape(self.root)}: {verdict}</p>"
        return "".join([head, *(f"<p>{escape(note)}</p>" for note in self.notes), *tables])

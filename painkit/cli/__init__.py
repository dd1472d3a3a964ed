"""The painkit command: run, report, simulate, data, score, audit."""

from __future__ import annotations

from painkit.cli.main import app

__all__ = ["app"]

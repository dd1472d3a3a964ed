"""The painkit command: run, simulate, data, score."""

from __future__ import annotations

from painkit.cli.main import app

__all__ = ["app"]

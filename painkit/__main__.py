"""``python -m painkit``: the painkit command."""

from painkit.cli import app

app()

"""The code that makes estimates, as a digest: an edited checkout keeps its version number."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

__all__ = ["code_digest"]


@cache
def code_digest(package: Path = Path(__file__).parents[1]) -> str:
    """Digest the files that turn samples into estimates: vocabulary, faces and models of `package`."""
    content = hashlib.sha256()
    for part in ("vocabulary", "faces", "models"):
        for path in sorted((package / part).rglob("*.py")):
            content.update(path.relative_to(package).as_posix().encode() + path.read_bytes())
    return content.hexdigest()[:16]

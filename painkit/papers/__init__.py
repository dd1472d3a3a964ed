"""The papers, one module each that holds its record `PAPER`, and what only one paper needs."""

from importlib import import_module
from pkgutil import iter_modules

from painkit.evaluation import protocols
from painkit.papers.paper import Paper

__all__ = ["PAPERS", "Paper", "protocol_named"]

_MODULES = [import_module(f"{__name__}.{module.name}") for module in iter_modules(__path__)]

#: By name.
PAPERS: dict[str, Paper] = {
    module.PAPER.name: module.PAPER for module in _MODULES if hasattr(module, "PAPER")
}


def protocol_named(text: str, *, seed: int = 0) -> protocols.Protocol:
    """Return the protocol that a parameter names; the papers' own splits are known, too.

    See `painkit.evaluation.protocols.protocol_named`.
    """
    named = {name: protocol for paper in PAPERS.values() for name, protocol in paper.protocols.items()}
    return protocols.protocol_named(text, seed=seed, named=named)

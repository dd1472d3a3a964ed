"""Pain estimation from faces: the papers' models, honest evaluation, attribution, simulation."""

__version__ = "0.1.0"

"""Pain estimation from faces: the papers' models, honest evaluation, attribution, simulation."""

import sys

__version__ = "0.1.0"

if "ipykernel" in sys.modules:
    import plotly.io

    # In a notebook plotly gives every figure, the user's own too, a button that uploads it: faces stay here.
    for _, renderer in plotly.io.renderers.items():
        if hasattr(renderer, "config"):
            renderer.config = {**(renderer.config or {}), "showSendToCloud": False}

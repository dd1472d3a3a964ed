"""Functions that return a plotly Figure."""

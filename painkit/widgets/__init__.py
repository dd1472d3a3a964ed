"""Explorers for the notebook."""

from painkit.widgets.landmark_explorer import LandmarkExplorer

__all__ = ["LandmarkExplorer"]

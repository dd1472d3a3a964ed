"""Explorers for the notebook."""

from painkit.widgets.landmark_explorer import LandmarkExplorer
from painkit.widgets.pixel_explorer import PixelExplorer

__all__ = ["LandmarkExplorer", "PixelExplorer"]

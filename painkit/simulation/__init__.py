"""Simulated people, their faces and their pain: a cohort whose causes are known."""

from painkit.simulation.labels import Labels, simulate_labels
from painkit.simulation.profiles import default_root
from painkit.simulation.simulation import simulate

__all__ = ["Labels", "default_root", "simulate", "simulate_labels"]

"""Simulated people, their faces and their pain: a cohort whose causes are known."""

from painkit.data.simulated.labels import Labels, simulate_labels
from painkit.data.simulated.profiles import default_root
from painkit.data.simulated.simulation import simulate

__all__ = ["Labels", "default_root", "simulate", "simulate_labels"]

"""Simulated people, their faces and their pain: a cohort whose causes are known."""

from painkit.data.simulated.profiles import default_root
from painkit.data.simulated.simulation import Labels, simulate, simulate_labels

__all__ = ["Labels", "default_root", "simulate", "simulate_labels"]

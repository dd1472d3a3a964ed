"""Explorers for the notebook."""

"""Torch modules and files of weights."""

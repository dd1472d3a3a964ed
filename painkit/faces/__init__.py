"""Landmark schemes, action-unit regions, alignment and crops."""

"""Attributions of an estimate to landmarks, pixels and features."""

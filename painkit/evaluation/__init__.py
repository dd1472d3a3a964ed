"""Protocols, resumable runs and the published tables."""

"""Scoring files of predictions that others have written."""

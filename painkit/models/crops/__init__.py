"""Estimators on face crops."""

"""Estimators on landmark sequences."""

"""Estimators on feature vectors of frames."""

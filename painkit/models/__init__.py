"""Estimators of the papers with fit, predict and get_params; losses; weights."""

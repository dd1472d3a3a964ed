"""Cohorts: one reader per data set or tool, manifests, the simulated cohort."""

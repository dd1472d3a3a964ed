"""Protocols, resumable runs and the published tables."""

from painkit.evaluation.protocols import (
    Protocol,
    fixed_folds,
    leave_one_subject_out,
    random_frames,
    sequence_k_fold,
    subject_k_fold,
)
from painkit.evaluation.runs import Run, open_run, run
from painkit.evaluation.study import Results, Row, Rows, Study

__all__ = [
    "Protocol",
    "Results",
    "Row",
    "Rows",
    "Run",
    "Study",
    "fixed_folds",
    "leave_one_subject_out",
    "open_run",
    "random_frames",
    "run",
    "sequence_k_fold",
    "subject_k_fold",
]

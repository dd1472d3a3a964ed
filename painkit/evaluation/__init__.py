"""Protocols, resumable runs and the published tables."""

from painkit.evaluation.protocols import (
    DEEPFACELIFT_FOLDS,
    Protocol,
    fixed_folds,
    leave_one_subject_out,
    random_frames,
    sequence_k_fold,
    subject_k_fold,
)
from painkit.evaluation.runs import Run, open_run, run

__all__ = [
    "DEEPFACELIFT_FOLDS",
    "Protocol",
    "Run",
    "fixed_folds",
    "leave_one_subject_out",
    "open_run",
    "random_frames",
    "run",
    "sequence_k_fold",
    "subject_k_fold",
]

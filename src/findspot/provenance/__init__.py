"""Answers about provenance: what differs between jobs, whether a result can be made again, and
records of a job in other systems' words."""

from __future__ import annotations

from findspot.provenance.errors import CannotReproduce, FolderInUse, NotEnded
from findspot.provenance.experiment_diff import ExperimentDiff, diff_experiments
from findspot.provenance.job_diff import JobDiff, diff_jobs
from findspot.provenance.openlineage import to_openlineage
from findspot.provenance.reproducing import reproduce
from findspot.provenance.reproduction import OutputComparison, Reproduction
from findspot.provenance.ro_crate import to_ro_crate

__all__ = [
    "CannotReproduce",
    "ExperimentDiff",
    "FolderInUse",
    "JobDiff",
    "NotEnded",
    "OutputComparison",
    "Reproduction",
    "diff_experiments",
    "diff_jobs",
    "reproduce",
    "to_openlineage",
    "to_ro_crate",
]

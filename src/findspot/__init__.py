"""Findspot: machine-learning experiments in which every artifact knows where it came from."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from findspot.artifacts.verify import VerifyReport
    from findspot.artifacts.version import ArtifactVersion
    from findspot.core.errors import CheckFailed, Conflict, FindspotError, NotFound
    from findspot.core.records import Lineage
    from findspot.core.references import Reference, parse_reference
    from findspot.current import (
        add_schedule,
        delete_artifact,
        delete_version,
        get_artifact,
        get_experiment,
        get_job,
        get_result,
        get_schedule,
        list_artifacts,
        list_experiments,
        list_jobs,
        list_schedules,
        load_artifact,
        register_handler,
        run_function,
        run_schedules,
        save_artifact,
        save_artifacts,
        set_environment,
        start_job,
        tag,
        tag_history,
        untag,
    )
    from findspot.data.item import DataItem, get_dataitem
    from findspot.engine.context import JobContext, current_job
    from findspot.engine.jobs import Job
    from findspot.engine.targets.external import ExternalArtifact
    from findspot.engine.targets.pipelines import Pipeline, pipeline
    from findspot.experiments.artifact import Artifact
    from findspot.experiments.context import CellContext
    from findspot.experiments.experiment import Experiment
    from findspot.experiments.experiment_graph import ExperimentGraph
    from findspot.experiments.hypotheses import Hypothesis
    from findspot.experiments.optuna_search import OptunaSearch
    from findspot.experiments.treatments import Treatment, grid, random_search
    from findspot.graph.mapping import fixed
    from findspot.graph.task_options import CachePolicy
    from findspot.graph.tasks import Task, task
    from findspot.handlers import Handler
    from findspot.models.evaluation import evaluate_model
    from findspot.models.handles import get_model
    from findspot.models.updates import update_dataset, update_model
    from findspot.workspace import Workspace

# Where each public name lives. They are imported when they are first asked for, so that
# `import findspot` costs nothing that is not used.
_PLACES = {
    "Artifact": "experiments.artifact",
    "ArtifactVersion": "artifacts.version",
    "CachePolicy": "graph.task_options",
    "CellContext": "experiments.context",
    "CheckFailed": "core.errors",
    "Conflict": "core.errors",
    "DataItem": "data.item",
    "Experiment": "experiments.experiment",
    "ExperimentGraph": "experiments.experiment_graph",
    "ExternalArtifact": "engine.targets.external",
    "FindspotError": "core.errors",
    "Handler": "handlers",
    "Hypothesis": "experiments.hypotheses",
    "Job": "engine.jobs",
    "JobContext": "engine.context",
    "Lineage": "core.records",
    "NotFound": "core.errors",
    "OptunaSearch": "experiments.optuna_search",
    "Pipeline": "engine.targets.pipelines",
    "Reference": "core.references",
    "Task": "graph.tasks",
    "Treatment": "experiments.treatments",
    "VerifyReport": "artifacts.verify",
    "Workspace": "workspace",
    "add_schedule": "current",
    "current_job": "engine.context",
    "delete_artifact": "current",
    "delete_version": "current",
    "evaluate_model": "models.evaluation",
    "fixed": "graph.mapping",
    "get_artifact": "current",
    "get_dataitem": "data.item",
    "get_experiment": "current",
    "get_job": "current",
    "get_model": "models.handles",
    "get_result": "current",
    "get_schedule": "current",
    "grid": "experiments.treatments",
    "list_artifacts": "current",
    "list_experiments": "current",
    "list_jobs": "current",
    "list_schedules": "current",
    "load_artifact": "current",
    "parse_reference": "core.references",
    "pipeline": "engine.targets.pipelines",
    "random_search": "experiments.treatments",
    "register_handler": "current",
    "run_function": "current",
    "run_schedules": "current",
    "save_artifact": "current",
    "save_artifacts": "current",
    "set_environment": "current",
    "start_job": "current",
    "tag": "current",
    "tag_history": "current",
    "task": "graph.tasks",
    "untag": "current",
    "update_dataset": "models.updates",
    "update_model": "models.updates",
}

__version__ = "0.1.0"
__all__ = [
    "Artifact",
    "ArtifactVersion",
    "CachePolicy",
    "CellContext",
    "CheckFailed",
    "Conflict",
    "DataItem",
    "Experiment",
    "ExperimentGraph",
    "ExternalArtifact",
    "FindspotError",
    "Handler",
    "Hypothesis",
    "Job",
    "JobContext",
    "Lineage",
    "NotFound",
    "OptunaSearch",
    "Pipeline",
    "Reference",
    "Task",
    "Treatment",
    "VerifyReport",
    "Workspace",
    "__version__",
    "add_schedule",
    "current_job",
    "delete_artifact",
    "delete_version",
    "evaluate_model",
    "fixed",
    "get_artifact",
    "get_dataitem",
    "get_experiment",
    "get_job",
    "get_model",
    "get_result",
    "get_schedule",
    "grid",
    "list_artifacts",
    "list_experiments",
    "list_jobs",
    "list_schedules",
    "load_artifact",
    "parse_reference",
    "pipeline",
    "random_search",
    "register_handler",
    "run_function",
    "run_schedules",
    "save_artifact",
    "save_artifacts",
    "set_environment",
    "start_job",
    "tag",
    "tag_history",
    "task",
    "untag",
    "update_dataset",
    "update_model",
]


def __getattr__(name: str) -> Any:
    place = _PLACES.get(name)
    if place is None:
        raise AttributeError(f"module 'findspot' has no attribute {name!r}")
    found = globals()[name] = getattr(import_module(f"findspot.{place}"), name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *_PLACES})

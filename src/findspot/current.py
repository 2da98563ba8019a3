"""The functions that work in the current workspace: ``save_artifact`` and its like.

The current workspace is that of the running job; else the one that ``FINDSPOT_WORKSPACE`` names;
else the nearest ``.findspot`` folder at or above the current folder; else a new one is made in the
current folder by the first save. Each function is also a method of a `Workspace`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from findspot.artifacts.current import current_space
from findspot.artifacts.space import ArtifactLike, Listing
from findspot.artifacts.version import ArtifactVersion
from findspot.catalog.protocol import ANY_VERSION
from findspot.core.records import TagEvent

if TYPE_CHECKING:
    from findspot.engine.context import JobContext
    from findspot.engine.jobs import Job
    from findspot.engine.scheduling.schedules import JobSchedule
    from findspot.experiments.recorded import ExperimentListing, RecordedExperiment
    from findspot.experiments.results import Result
    from findspot.handlers.protocol import ArtifactHandler
    from findspot.workspace import JobListing

H = TypeVar("H", bound="type[Any]")


def save_artifact(
    value: Any,
    key: str,
    *,
    kind: str | None = None,
    labels: Mapping[str, Any] | None = None,
    tags: Iterable[str] = (),
    metadata: Mapping[str, Any] | None = None,
    version: str | None = None,
    handler: str | type | ArtifactHandler | None = None,
    handler_args: Mapping[str, Any] | None = None,
    project: str | None = None,
    iteration: int = 0,
) -> ArtifactVersion:
    """Save a value as the next version of an artifact; see `Workspace.save_artifact`."""
    return current_space().save_artifact(
        value,
        key,
        kind=kind,
        labels=labels,
        tags=tags,
        metadata=metadata,
        version=version,
        handler=handler,
        handler_args=handler_args,
        project=project,
        iteration=iteration,
    )


def save_artifacts(items: Iterable[tuple[Any, str]], **options: Any) -> list[ArtifactVersion]:
    """Save many (value, key) pairs, all or none; see `Workspace.save_artifacts`."""
    return current_space().save_artifacts(items, **options)


def load_artifact(
    artifact: ArtifactLike,
    version: int | str | None = None,
    *,
    project: str | None = None,
    trust: bool = False,
    as_type: type | str | None = None,
    **part: Any,
) -> Any:
    """Load a value by key, ``key:tag``, reference or uid; see `ArtifactVersion.load`."""
    return current_space().load_artifact(
        artifact, version, project=project, trust=trust, as_type=as_type, **part
    )


def get_artifact(
    artifact: ArtifactLike, version: int | str | None = None, *, project: str | None = None
) -> ArtifactVersion:
    """The record of one version; see `Workspace.get_artifact`."""
    return current_space().get_artifact(artifact, version, project=project)


def list_artifacts(**conditions: Any) -> Listing:
    """Versions that fit all conditions, newest first; see `Workspace.list_artifacts`."""
    return current_space().list_artifacts(**conditions)


def tag(
    artifact: ArtifactLike,
    tag: str,
    *,
    version: int | str | None = None,
    expected: int | Any | None = ANY_VERSION,
    project: str | None = None,
    force: bool = False,
) -> TagEvent:
    """Set or move a tag to a version; see `Workspace.tag`."""
    return current_space().tag(
        artifact, tag, version=version, expected=expected, project=project, force=force
    )


def untag(key: str, tag: str, *, project: str | None = None, force: bool = False) -> TagEvent:
    """Take a tag off; see `Workspace.untag`."""
    return current_space().untag(key, tag, project=project, force=force)


def tag_history(key: str, tag: str, *, project: str | None = None) -> list[TagEvent]:
    """All moves of a tag, oldest first; see `Workspace.tag_history`."""
    return current_space().tag_history(key, tag, project=project)


def delete_version(
    artifact: ArtifactLike,
    version: int | str | None = None,
    *,
    project: str | None = None,
    force: bool = False,
) -> bool:
    """Forget one version; see `Workspace.delete_version`."""
    return current_space().delete_version(artifact, version, project=project, force=force)


def delete_artifact(key: str, *, project: str | None = None, force: bool = False) -> int:
    """Forget an artifact with all its versions; see `Workspace.delete_artifact`."""
    return current_space().delete_artifact(key, project=project, force=force)


def start_job(name: str, **options: Any) -> AbstractContextManager[JobContext]:
    """A job that lasts as long as a ``with`` block; see `targets.scripts.start_job`."""
    from findspot.engine.targets.scripts import start_job

    return start_job(current_space(), name, **options)


def run_function(
    what: str | Path | Callable[..., Any], handler: str | None = None, **options: Any
) -> Job:
    """Run a function of a file or module as a job; see `Workspace.run_function`."""
    from findspot.engine.targets.functions import run_function
    from findspot.engine.targets.targets import find_function

    return run_function(current_space(), find_function(what, handler), **options)


def set_environment(
    *, project: str | None = None, artifact_path: str | Path | None = None
) -> tuple[str, str | None]:
    """Choose the project and the artifact path of what this process does from now on.

    Args:
        project: made where it is not there; None: as it is.
        artifact_path: where copies of what jobs make and log are published: a folder or a URL, with
            variables such as ``{{project}}`` and ``{{job.id}}``; None: as it is; an empty text:
            the session has none of its own any more.

    Returns:
        the project and the artifact path in force for it: its own of ``findspot.toml``, else that
        of the session, else the workspace's; None where none is set.

    Raises:
        InvalidName, CheckFailed, BadArtifactPath, UnknownScheme: nothing has changed.
    """
    from findspot.engine.logged.publishing import checked, inherited_path, set_artifact_path

    space = current_space()
    unset = artifact_path == ""
    if artifact_path is not None and not unset:
        checked(artifact_path)
    if project is not None:
        space.use_project(project)
    if artifact_path is not None:
        set_artifact_path(None if unset else artifact_path)
    return space.project, inherited_path(space, space.project)


def get_job(id: str) -> Job:
    """A job by its id; see `Workspace.get_job`."""
    from findspot.engine.jobs import get_job

    return get_job(current_space(), id)


def list_jobs(**conditions: Any) -> JobListing:
    """Jobs that fit all conditions, newest first; see `Workspace.list_jobs`."""
    from findspot.workspace import list_jobs

    return list_jobs(current_space(), **conditions)


def get_experiment(name: str, *, project: str | None = None) -> RecordedExperiment:
    """An experiment as its runs recorded it; see `Workspace.get_experiment`."""
    from findspot.experiments.recorded import get_experiment

    return get_experiment(current_space(), name, project=project)


def list_experiments(
    *, project: str | None = None, limit: int = 100, cursor: str | None = None
) -> ExperimentListing:
    """Experiments that have been run, those with the newest runs first."""
    from findspot.experiments.recorded import list_experiments

    return list_experiments(current_space(), project=project, limit=limit, cursor=cursor)


def get_result(name: str, run: int | None = None, *, project: str | None = None) -> Result:
    """What an experiment's newest run (or another one) found; see `Workspace.get_result`."""
    from findspot.experiments.recorded import get_result

    return get_result(current_space(), name, run, project=project)


def add_schedule(name: str, target: str | Path, *, cron: str, **options: Any) -> JobSchedule:
    """Have jobs started by the clock; see `Workspace.add_schedule`."""
    from findspot.engine.scheduling.schedules import add_schedule

    if "replace" in options:
        options["replace_it"] = options.pop("replace")
    return add_schedule(current_space(), name, target, cron=cron, **options)


def get_schedule(name: str, *, project: str | None = None) -> JobSchedule:
    """A schedule by its name; see `Workspace.get_schedule`."""
    from findspot.engine.scheduling.schedules import get_schedule

    return get_schedule(current_space(), name, project=project)


def list_schedules(*, project: str | None = None) -> list[JobSchedule]:
    """The schedules of a project, by name; see `Workspace.list_schedules`."""
    from findspot.engine.scheduling.schedules import list_schedules

    return list_schedules(current_space(), project=project)


def run_schedules(**options: Any) -> None:
    """Start the jobs of schedules when they are due; see `Workspace.run_schedules`."""
    from findspot.engine.scheduling.worker import run_schedules

    run_schedules(current_space(), **options)


def register_handler(handler: H) -> H:
    """Let every workspace that this process opens afterwards use a handler; a class decorator.

    Raises:
        InvalidHandler: lists what the class lacks.
    """
    from findspot.handlers import default_registry

    default_registry().register(handler)
    return handler

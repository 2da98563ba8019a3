"""Artifact paths: a readable copy of what a job makes and logs, beside the store that keeps it.

The copy is never the only one: the bytes are in the store under their digests, so overwriting or
losing a published file loses nothing. The nearest path that is set wins: that of the call, the
job, the project, the session, the workspace.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from findspot.artifacts.path_templates import (
    VARIABLES,
    BadArtifactPath,
    check_template,
    expand,
    join,
)
from findspot.artifacts.version import ArtifactVersion
from findspot.artifacts.views import copy_file
from findspot.core.errors import FindspotError
from findspot.core.records import Producer, now

if TYPE_CHECKING:
    from findspot.artifacts.space import ArtifactSpace
    from findspot.engine.calls import JobFacts
    from findspot.engine.context import JobContext
    from findspot.engine.plans import Plan

DEFAULT = "published/{{project}}/{{job.id}}"
"""Below the workspace's folder: the artifact path of jobs for which none is set."""

_ANY = {"name": "artifact", "version": "1", "step": "step"}
_INHERITED = ("experiment", "condition", "replicate")

OF_A_CELL = {"condition": "baseline", "replicate": "0"}
"""Variables that an artifact path of an experiment may name; each cell has its own values."""


class _Session:
    """What was set for all jobs of this process."""

    path: str | None = None


def set_artifact_path(path: str | Path | None) -> str | None:
    """Publish what jobs of this process log there, unless something nearer says otherwise.

    Args:
        path: a folder or a URL, with variables such as ``{{project}}``; None: nothing is set.

    Raises:
        CheckFailed, BadArtifactPath, UnknownScheme: it is no good path; nothing has changed.
    """
    _Session.path = None if path is None else checked(path)
    return _Session.path


def checked(path: str | Path) -> str:
    """An artifact path as text, its variables not filled in.

    Raises:
        CheckFailed, BadArtifactPath, UnknownScheme, BadUrl: it is no good path.
    """
    text = text_of(path)
    check_template(text)
    _check_url(expand(text, dict.fromkeys(VARIABLES, "x")))
    return text


def text_of(path: str | Path) -> str:
    """An artifact path as text.

    Raises:
        BadArtifactPath: it is none.
    """
    given: object = path
    if not isinstance(given, str | os.PathLike):
        raise BadArtifactPath(
            f"A value of type {type(given).__name__} is no artifact path.",
            where=repr(given)[:80],
            how="Give a folder or a URL, as text or a Path.",
        )
    return os.fspath(path)


def _check_url(root: str) -> None:
    if "://" in root:
        from findspot.data.item import get_dataitem

        item = get_dataitem(join(root, "file"))
        if item.kind == "store":
            raise BadArtifactPath(
                "Copies can be published outside of the workspace only.",
                where=item.url,
                how="Give a folder, or a bucket: s3://, gs:// or az://.",
            )


# --------------------------------------------------------------------------- which path


def inherited_path(space: ArtifactSpace, project: str) -> str | None:
    """The path of jobs of a project that are given none of their own; its variables are not filled
    in. None: nothing is published."""
    of_project = space.settings.projects.get(project, {}).get("artifact_path")
    if of_project:
        return _below(space, of_project)
    if _Session.path is not None:
        return _Session.path
    of_workspace = space.settings.artifact_path
    return _below(space, of_workspace) if of_workspace else None


def _below(space: ArtifactSpace, path: str) -> str:
    """A path of the settings: a relative one counts from the workspace's folder."""
    if "://" in path:
        return path
    # The folder may be written with '..', which templates must not have.
    return os.path.join(os.path.realpath(space.folder), os.path.expanduser(path))


def path_of_job(
    space: ArtifactSpace, given: str | Path | None, values: Mapping[str, str], project: str
) -> str | None:
    """The artifact path of a job that is about to begin, checked; None: nothing is published.

    Args:
        given: the job's own.
        values: of the variables that every artifact of the job will have.

    Raises:
        CheckFailed: lists the variables that do not exist, or have no value in this job.
        BadArtifactPath, UnknownScheme, BadUrl
    """
    template = inherited_path(space, project) if given is None else text_of(given)
    if template is None:
        return None
    template = checked(template)
    expand(template, {**_ANY, **values})
    # The job may be resumed from another folder.
    return template if "://" in template else os.path.abspath(template)


def variables_of(context: JobContext | None) -> dict[str, str]:
    """What a job that is begun inside of another one takes over: the cell of the experiment."""
    if context is None:
        return {}
    known = context.path_variables
    return {name: known[name] for name in _INHERITED if name in known}


# --------------------------------------------------------------------------- copies


def publish(
    context: JobContext, version: ArtifactVersion, path: str | Path | None = None
) -> list[str]:
    """Copy a version's files to the artifact path; where each of them is now.

    One file is called by the artifact's key, with the file's ending; several are in a folder of
    that name. Each file is there whole or as it was before.

    Args:
        path: None: the job's.

    Raises:
        CheckFailed: the path has variables that do not exist. BadArtifactPath: it leaves its root.
    """
    root = root_of(context, path, version.key, str(version.version))
    return _copy(context.space, version, root)


def publish_outputs(
    space: ArtifactSpace, job: JobFacts, plan: Plan, say: Callable[[str], None]
) -> None:
    """Copy a job's outputs to its artifact path: those that its steps made, and all that it took
    over from earlier jobs. What its steps logged was copied then.

    Args:
        say: told of each copy that cannot be made; the job goes on.
    """
    if job.artifact_path is None:
        return
    outputs = space.catalog.outputs(job.id)
    versions = space.catalog.versions(outputs.values())
    values = values_of(job.id, job.project, job.experiment, job.path_variables)
    for name, uid in outputs.items():
        record = versions.get(uid)
        producer = None if record is None else record.producer
        if record is None or (producer and producer.job == job.id and producer.output is None):
            continue
        own = {
            "step": _step_of(name, producer, plan),
            "name": record.key,
            "version": str(record.number),
        }
        try:
            root = expand(job.artifact_path, {**values, **own})
            _copy(space, ArtifactVersion(space, record), root)
        except (FindspotError, OSError) as error:
            say(f"The output {name!r} was not published: {error}")


def _step_of(name: str, producer: Producer | None, plan: Plan) -> str:
    """The step that an output is of; what the job put together itself is the pipeline's."""
    if name in plan.exports:
        return plan.exports[name][0]
    logged = producer is not None and producer.output is None
    step = producer.step if logged and producer is not None else None
    return step or plan.graph.name


def _copy(space: ArtifactSpace, version: ArtifactVersion, root: str) -> list[str]:
    places = {name: join(root, *place.split("/")) for name, place in _places(version).items()}
    source = space.load_folder(version.record, version.files)
    for entry in version.files:
        place = places[entry.path]
        if "://" in place:
            from findspot.data.item import get_dataitem

            get_dataitem(place, space=space).upload(source.path(entry.path))
            continue
        try:
            copy_file(source, entry, Path(place))
        except OSError as error:
            raise BadArtifactPath(
                f"The artifact cannot be published: {error.strerror or error}.",
                where=place,
                how="Give another artifact_path. The artifact itself is saved.",
            ) from error
    return [places[entry.path] for entry in version.files]


def root_of(context: JobContext, path: str | Path | None, name: str, version: str) -> str:
    """The artifact path for one version of a job's.

    Raises:
        CheckFailed, BadArtifactPath: as `expand`.
    """
    values = {**path_values(context), "name": name, "version": version}
    return expand(context.artifact_path if path is None else text_of(path), values)


def check_place(context: JobContext, path: str | Path | None, name: str) -> None:
    """Find mistakes in an artifact path before anything is saved.

    Raises:
        CheckFailed, BadArtifactPath, UnknownScheme, BadUrl
    """
    _check_url(root_of(context, path, name, "1"))


def path_values(context: JobContext) -> dict[str, str]:
    """The values of the template variables that a job (or a step of it) has."""
    own = {} if context.step is None else {"step": context.step}
    return values_of(
        context.id, context.project, context.experiment, {**own, **context.path_variables}
    )


def values_of(
    job: str, project: str, experiment: str | None, further: Mapping[str, str]
) -> dict[str, str]:
    """The values of the template variables that all artifacts of a job have."""
    values = {"project": project, "job.id": job, "run.uid": job, "date": f"{now():%Y-%m-%d}"}
    if experiment is not None:
        values["experiment"] = experiment
    return {**further, **values}


def _places(version: ArtifactVersion) -> dict[str, str]:
    """Where each file goes below the artifact path."""
    files = version.files
    if len(files) == 1 and version.handler != "path.directory":
        suffix = Path(files[0].path).suffix
        place = version.key if version.key.endswith(suffix) else f"{version.key}{suffix}"
        return {files[0].path: place}
    return {file.path: f"{version.key}/{file.path}" for file in files}

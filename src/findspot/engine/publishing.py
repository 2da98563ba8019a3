"""Artifact paths: a readable copy of what a job logs, beside the store that keeps it.

The copy is never the only one: the bytes are in the store under their digests, so overwriting or
losing a published file loses nothing.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from findspot.artifacts.version import ArtifactVersion
from findspot.artifacts.views import copy_file
from findspot.core.errors import CheckFailed, FindspotError, Problem
from findspot.core.records import now

if TYPE_CHECKING:
    from findspot.engine.context import JobContext

VARIABLES = (
    *("project", "job.id", "run.uid", "experiment", "version", "condition", "replicate", "step"),
    *("name", "date"),
)
DEFAULT = "published/{{project}}/{{job.id}}"
"""Below the workspace's folder: the artifact path of jobs that were given none."""
_PLACE = re.compile(r"\{\{\s*([^{}]*?)\s*\}\}")


class BadArtifactPath(FindspotError):
    """An artifact path leads out of its root, or to nowhere."""

    exit_code = 2


class _Session:
    """What was set for all jobs of this process."""

    path: str | None = None


def set_artifact_path(path: str | Path | None) -> str | None:
    """Publish what jobs of this process log there, unless the job or the call says otherwise.

    Args:
        path: a folder or a URL, with variables such as ``{{project}}``; None: publish nothing.

    Raises:
        CheckFailed, BadArtifactPath: it is no good template; nothing has changed.
    """
    _Session.path = None if path is None else check_template(path)
    return _Session.path


def check_template(path: str | Path) -> str:
    """An artifact path as text, its variables not filled in.

    Raises:
        CheckFailed, BadArtifactPath: it is no good template.
    """
    expand(os.fspath(path), dict.fromkeys(VARIABLES, "x"))
    return os.fspath(path)


def session_artifact_path() -> str | None:
    """What `set_artifact_path` was given last."""
    return _Session.path


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
    places = {name: join(root, *place.split("/")) for name, place in _places(version).items()}
    source = context.space.load_folder(version.record, version.files)
    for entry in version.files:
        place = places[entry.path]
        if "://" in place:
            from findspot.data.item import get_dataitem

            get_dataitem(place, space=context.space).upload(source.path(entry.path))
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
    return expand(context.artifact_path if path is None else os.fspath(path), values)


def check_place(context: JobContext, path: str | Path | None, name: str) -> None:
    """Find mistakes in an artifact path before anything is saved.

    Raises:
        CheckFailed, BadArtifactPath, UnknownScheme, BadUrl
    """
    root = root_of(context, path, name, "1")
    if "://" in root:
        from findspot.data.item import get_dataitem

        get_dataitem(join(root, "file"), space=context.space)


def expand(template: str, values: Mapping[str, str]) -> str:
    """A path template with its variables filled in.

    Raises:
        CheckFailed: lists every variable that does not exist, or has no value here.
        BadArtifactPath: a part of the path is ``..``.

    >>> expand("out/{{project}}/{{ job.id }}", {"project": "iris", "job.id": "17"})
    'out/iris/17'
    """
    problems: list[Problem] = []

    def value_of(found: re.Match[str]) -> str:
        name = found[1]
        value = values.get(name)
        if name not in VARIABLES:
            known = ", ".join(VARIABLES)
            problems.append(Problem(f"{{{{{name}}}}}", "there is no such variable", expected=known))
        elif value is None:
            problems.append(Problem(f"{{{{{name}}}}}", "it has no value here"))
        return value or ""

    path = _PLACE.sub(value_of, template)
    if problems:
        raise CheckFailed(f"The artifact path {template!r}", problems)
    if "\0" in path or not path.strip():
        raise BadArtifactPath("The artifact path is empty, or holds NUL.", where=repr(template))
    if ".." in re.split(r"[/\\]", path.partition("://")[2] or path):
        raise BadArtifactPath(
            "The artifact path leaves its root.",
            where=template,
            how="Leave '..' out of it; write the folder's full path where it is elsewhere.",
        )
    return path


def join(root: str, *parts: str) -> str:
    """A path below an artifact path, which may be a URL.

    Raises:
        BadArtifactPath: a part leads out of it.

    >>> join("s3://bucket/iris/", "models", "tree.pkl")
    's3://bucket/iris/models/tree.pkl'
    """
    for part in parts:
        if part in ("", "..") or part.startswith(("/", "\\")) or "\0" in part:
            raise BadArtifactPath(
                f"{part!r} leads out of the artifact path.", where=root, how="Give plain names."
            )
        if ".." in re.split(r"[/\\]", part):
            raise BadArtifactPath(f"{part!r} leads out of the artifact path.", where=root)
    return f"{root.rstrip('/')}/{'/'.join(parts)}" if parts else root


def path_values(context: JobContext) -> dict[str, str]:
    """The values of the template variables that a job (or a step of it) has."""
    values = {
        "project": context.project,
        "job.id": context.id,
        "run.uid": context.id,
        "experiment": context.experiment,
        "step": context.step,
        "date": f"{now():%Y-%m-%d}",
        **context.path_variables,
    }
    return {name: value for name, value in values.items() if value is not None}


def _places(version: ArtifactVersion) -> dict[str, str]:
    """Where each file goes below the artifact path."""
    files = version.files
    if len(files) == 1 and version.handler != "path.directory":
        suffix = Path(files[0].path).suffix
        place = version.key if version.key.endswith(suffix) else f"{version.key}{suffix}"
        return {files[0].path: place}
    return {file.path: f"{version.key}/{file.path}" for file in files}

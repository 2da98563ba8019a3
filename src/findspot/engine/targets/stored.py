"""Entrypoints on record, by their names: what a text names, and what of it can be run."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from findspot.core.errors import NotFound
from findspot.core.records import Snapshot
from findspot.engine.errors import BadTarget
from findspot.engine.targets.pipelines import Pipeline
from findspot.engine.targets.targets import Target, find_target

if TYPE_CHECKING:
    from findspot.artifacts.space import ArtifactSpace

TargetKind = Literal["file", "module", "entrypoint"]
Runnable = Target | Snapshot
"""What a job can be made from; a snapshot is that of a recorded YAML entrypoint."""


def target_kind(text: str) -> TargetKind:
    """What a text names, by its form (and where that does not tell, by what is there).

    >>> [target_kind(t) for t in ("flow.py:train", "a/b.yaml", "pkg.flow:train", "rescale:2")]
    ['file', 'file', 'module', 'entrypoint']
    """
    place, colon, name = text.rpartition(":")
    if text.endswith((".yaml", ".yml", ".py")) or place.endswith(".py"):
        return "file"
    if not colon:
        return "file" if Path(text).is_file() else "entrypoint"
    return "entrypoint" if name.isdecimal() or name == "latest" else "module"


def find_runnable(
    space: ArtifactSpace,
    what: str | Path | Callable[..., Any] | Snapshot,
    project: str | None = None,
) -> Runnable:
    """As `find_target`; also a recorded entrypoint by its name, or ``name:3`` for its version 3.

    Args:
        project: that the entrypoint is of; None: the current one.

    Raises:
        NotFound: there is nothing of that name.
        BadTarget: what is there cannot be run, or the name is that of a file and of an entrypoint.
    """
    if isinstance(what, Snapshot):
        return _runnable(what, what.name)
    if not isinstance(what, str):
        return find_target(what)
    where = space.project if project is None else project
    if target_kind(what) == "entrypoint":
        return stored_entrypoint(space, what, where)
    plain = ":" not in what and Path(what).suffix not in (".yaml", ".yml", ".py")
    if plain and space.exists and space.catalog.find_snapshot("entrypoint", where, what):
        raise BadTarget(
            f"{what!r} is a file, and the name of a recorded entrypoint.",
            how=f"Write ./{what} for the file, {what}:latest for the entrypoint.",
        )
    return find_target(what)


def stored_entrypoint(
    space: ArtifactSpace, target: str, project: str
) -> Pipeline[..., Any] | Snapshot:
    """The recorded entrypoint that a target names: the snapshot of a YAML file, or the pipeline
    itself, imported, of whose code no versions are kept.

    Raises:
        NotFound: there is none. BadTarget: it cannot be run from its record.
    """
    name, number = _split(target)
    found = None
    if space.exists:
        found = space.catalog.find_snapshot("entrypoint", project, name, number)
    if found is None:
        listed = space.catalog.snapshots("entrypoint", project) if space.exists else ()
        near = difflib.get_close_matches(name, [snapshot.name for snapshot in listed], 3)
        how = (
            None if near else "Name a YAML file, file.py:pipeline, or one of: findspot entrypoints"
        )
        raise NotFound("entrypoint", target, near=near, how=how)
    if found.body["syntax"] == "python" and number is not None:
        raise BadTarget(
            f"{target!r} is a pipeline, of whose code no versions are kept.",
            how=f"Leave the number out: {name}",
        )
    return _runnable(found, target)


def _runnable(found: Snapshot, name: str) -> Pipeline[..., Any] | Snapshot:
    syntax = found.body["syntax"]
    if syntax == "experiment":
        raise BadTarget(
            f"{name!r} is an experiment.",
            how="Run it by its file: findspot experiment run file.py:name. For a schedule, name a "
            "function that runs it: file.py:function.",
        )
    if syntax != "python":
        return found
    target: str = found.body["target"]
    if target.startswith("__main__:"):
        raise BadTarget(
            f"{name!r} is a pipeline of a script or notebook.",
            how="Name it by its file: file.py:pipeline.",
        )
    pipeline = find_target(target)
    if not isinstance(pipeline, Pipeline):
        raise BadTarget(f"{target!r} is no pipeline.", how="Decorate the function with @pipeline.")
    return pipeline


def _split(target: str) -> tuple[str, int | None]:
    """The name of a recorded entrypoint, and its version; None: the newest, whichever that is."""
    name, colon, number = target.rpartition(":")
    if not colon:
        return target, None
    return name, None if number == "latest" else int(number)

"""Find the handler of a version that a plugin's artifact task saved."""

from __future__ import annotations

from typing import TYPE_CHECKING

from findspot.core.errors import NotFound
from findspot.core.records import Snapshot, VersionRecord

if TYPE_CHECKING:
    from findspot.artifacts.space import ArtifactSpace
    from findspot.handlers.protocol import ArtifactHandler

PREFIX = "plugin:"


def plugin_handler(space: ArtifactSpace, record: VersionRecord) -> ArtifactHandler:
    """The artifact task that saved a version, from the plugin's snapshot that the job ran with.

    Where the job is not known here, the newest snapshot of the plugin stands in for it.

    Raises:
        NotFound: no snapshot of the plugin is in the workspace.
    """
    from findspot.plugins.loading import load_plugin

    plugin, _, class_name = record.handler.removeprefix(PREFIX).partition("/")
    snapshot = _snapshot(space, plugin, record)
    files = space.catalog.files(snapshot.id)
    loaded = load_plugin(snapshot, files, space.folder, store=space.store)
    return loaded.handler(class_name, name=record.key)


def _snapshot(space: ArtifactSpace, plugin: str, record: VersionRecord) -> Snapshot:
    found: Snapshot | None = None
    if record.producer is not None:
        job = space.catalog.job(record.producer.job)
        if job is not None and plugin in job.plugins:
            found = space.catalog.snapshot(job.plugins[plugin])
    if found is None:
        found = space.catalog.find_snapshot("plugin", record.project, plugin)
    if found is None:
        raise NotFound(
            "plugin",
            plugin,
            how=f"The version was saved with its {record.handler!r}. Register it: "
            "findspot plugins add <folder>",
        )
    return found

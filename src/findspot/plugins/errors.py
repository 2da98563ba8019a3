"""The mistakes that plugins can have once they are loaded; those in their source are `Problem`s."""

from __future__ import annotations

from findspot.core.errors import FindspotError


class PluginBroken(FindspotError):
    """A plugin's file could not be imported: its own code raised, or does not parse."""

    exit_code = 2

    def __init__(self, plugin: str, where: str, cause: BaseException) -> None:
        self.plugin, self.cause = plugin, cause
        how = "Mend the file and run again; a job that exists keeps the snapshot it was made with."
        if isinstance(cause, ModuleNotFoundError) and cause.name:
            how = f"Install the package that holds {cause.name!r} where the job runs."
        super().__init__(
            f"The plugin {plugin!r} cannot be imported: {type(cause).__name__}: {cause}",
            where=where,
            how=how,
        )


class PluginNameMissing(FindspotError):
    """A plugin's file has no such function or class."""

    exit_code = 2

    def __init__(self, plugin: str, file: str, qualname: str, reason: str) -> None:
        self.plugin, self.file, self.qualname = plugin, file, qualname
        super().__init__(
            f"The plugin {plugin!r} has no task {qualname!r}: {reason}.",
            where=f"{plugin}/{file}",
            how="Register the plugin again, so that the graph sees what its files hold now.",
        )


class PluginDamaged(FindspotError):
    """The files of a plugin's snapshot differ from those that were recorded; none is imported."""

    exit_code = 5

    def __init__(self, plugin: str, folder: str, reason: str) -> None:
        self.plugin, self.reason = plugin, reason
        super().__init__(
            f"The files of the plugin {plugin!r} are not those of its snapshot: {reason}.",
            where=folder,
            how="Nothing of it was imported. Register the plugin again, or restore the workspace.",
        )


class ArtifactTaskFailed(FindspotError):
    """An artifact task broke its contract: it returned no path, or one that it must not."""

    exit_code = 2

    def __init__(self, handler: str, what: str, *, how: str) -> None:
        self.handler = handler
        super().__init__(what, where=handler, how=how)

"""From a version to its value: the handler that saved it, and whether its bytes may run code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from findspot.artifacts.folders import WorkspaceLoadFolder
from findspot.artifacts.plugin_handlers import PREFIX as PLUGIN
from findspot.artifacts.trust import UntrustedVersion
from findspot.artifacts.version import uri_of
from findspot.artifacts.views import FolderView
from findspot.core.errors import FindspotError, InvalidName
from findspot.core.ids import is_uid
from findspot.core.records import FileEntry, VersionRecord
from findspot.handlers import HandlerFailed, Untrusted, load_value, runs_code

if TYPE_CHECKING:
    from findspot.artifacts.space import ArtifactSpace
    from findspot.handlers.protocol import ArtifactHandler


def load_version(
    space: ArtifactSpace,
    record: VersionRecord,
    files: tuple[FileEntry, ...],
    *,
    trust: bool = False,
    as_type: type | str | None = None,
    part: Mapping[str, Any] | None = None,
) -> Any:
    """The value of a version; nothing is noted in any lineage. See `ArtifactVersion.load`."""
    folder = load_folder(space, record, files, trust=trust)
    # A plugin's handler is code that the catalog brings along: it is not even looked at.
    if not folder.trusted and (
        record.handler.startswith(PLUGIN) or runs_code(handler_of(space, record), as_type)
    ):
        if record.handler == "pickle" and as_type is None and not part:
            return _listed_pickle(space, record, folder)
        raise UntrustedVersion(uri_of(record), record.handler, record.origin)
    handler = handler_of(space, record)
    try:
        if as_type is None and not part:
            return handler.load(folder, **record.handler_args)
        return load_value(
            handler,
            folder,
            args=record.handler_args,
            as_type=as_type,
            python_type=record.python_type,
            what=part or None,
        )
    except Untrusted as error:
        raise _named(record, error) from error
    except FindspotError:
        raise
    except Exception as error:
        raise HandlerFailed(handler.name, "load", error) from error


def load_folder(
    space: ArtifactSpace,
    record: VersionRecord,
    files: tuple[FileEntry, ...],
    *,
    trust: bool = False,
) -> WorkspaceLoadFolder:
    """The files of a version, as handlers get them."""
    if not is_uid(record.uid):  # the view's folder is called by it
        raise InvalidName("uid", record.uid, "it is no UUID")
    producer = record.producer
    remedy = (
        "It was saved by hand; save it again, or restore the workspace from a backup."
        if producer is None
        else f"Job {producer.job} made it{f' (step {producer.step})' if producer.step else ''}; "
        "run it again to make the bytes anew."
    )
    return WorkspaceLoadFolder(
        files,
        space.store,
        view=FolderView(space.folder / "views" / record.uid),
        where=uri_of(record),
        remedy=remedy,
        trusted=trust or may_run_code(space, record, files),
    )


def may_run_code(space: ArtifactSpace, record: VersionRecord, files: tuple[FileEntry, ...]) -> bool:
    """Whether the trust policy lets the bytes of a version run code when they are loaded: this
    workspace made them, the user trusts them, or somebody whose key is listed signed them."""
    if space.trust.allows(record, files, code_of(space, record)):
        return True
    if not (space.folder / "trusted_keys").exists():
        return False
    from findspot.artifacts.signing import signed_by_trusted

    return signed_by_trusted(space, record, files) is not None


def code_of(space: ArtifactSpace, record: VersionRecord) -> str:
    """The digest of the plugin's code that a version is loaded by; "" where none is needed.

    Trust in a version is trust in that code too; other code that comes along gains none.
    """
    if not record.handler.startswith(PLUGIN):
        return ""
    from findspot.artifacts.signing import loading_code

    return loading_code(space, record) or ""


def handler_of(space: ArtifactSpace, record: VersionRecord) -> ArtifactHandler:
    """The handler that saved a version, and that loads it."""
    if record.handler.startswith(PLUGIN):
        from findspot.artifacts.plugin_handlers import plugin_handler

        return plugin_handler(space, record)
    return space.handler_by_name(record.handler)


def _listed_pickle(space: ArtifactSpace, record: VersionRecord, folder: WorkspaceLoadFolder) -> Any:
    """The value of a pickle from elsewhere, if it needs only modules that the settings list."""
    modules = space.settings.trusted_modules
    if not modules:
        raise UntrustedVersion(uri_of(record), record.handler, record.origin)
    from findspot.artifacts.listed_pickles import load_listed

    try:
        with folder.open(folder.files[0].path) as source:
            return load_listed(source, modules)
    except Untrusted as error:
        raise _named(record, error) from error


def _named(record: VersionRecord, error: Untrusted) -> Untrusted:
    if isinstance(error, UntrustedVersion):  # of a version inside this one
        return error
    return UntrustedVersion(uri_of(record), record.handler, record.origin, error.types)

"""Opening a workspace: its settings, catalog, store and identity."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from findspot.artifacts.active import ACTIVE
from findspot.artifacts.location import FOLDER_NAME, NoWorkspace, create, locate, shown_url
from findspot.artifacts.settings import FILE_NAME, Settings, login_name
from findspot.artifacts.trust import Trust
from findspot.core.ids import new_uid
from findspot.core.names import check_name
from findspot.handlers import default_registry

if TYPE_CHECKING:
    from findspot.catalog.protocol import Catalog
    from findspot.store.protocol import BlobStore

S = TypeVar("S", bound="OpenedWorkspace")


class OpenedWorkspace:
    """The parts of one workspace.

    Opening reads two small files; the catalog and the store open when they are first used. An
    object may be shared by threads, survives a fork, and is pickled as the address and settings it
    was made from.

    Args:
        url: a folder, ``file:///folder`` or ``postgresql://...?store=...``; None: found by
            ``FINDSPOT_WORKSPACE`` or by walking up from the current folder.
        ambient: whether ``FINDSPOT_STORE``, ``FINDSPOT_PROJECT`` and the like count. They speak of
            the current workspace, so another one beside it is opened without them.
        settings: override what the settings file and the environment say.

    Raises:
        BadSettings, FormatTooNew, BadWorkspaceUrl
    """

    def __init__(
        self,
        url: str | os.PathLike[str] | None = None,
        *,
        ambient: bool = True,
        **settings: Any,
    ) -> None:
        self._ambient = ambient
        self._location = locate(url, os.environ)
        self._overrides = {
            name: os.fspath(value) if isinstance(value, os.PathLike) else value
            for name, value in settings.items()
        }
        self.settings: Settings = self._read_settings()
        self.trust = Trust(self.folder)
        self.handlers = default_registry().copy()

    def __reduce__(self) -> tuple[Any, ...]:
        return _reopened, (type(self), self.url, self.overrides)

    @property
    def folder(self) -> Path:
        """The workspace's folder on this machine."""
        return self._location.folder

    @property
    def url(self) -> str:
        """What opens this workspace again, also from another folder and process; it may hold a
        password."""
        return self._location.url

    @property
    def overrides(self) -> Mapping[str, Any]:
        """The arguments that open this workspace alike elsewhere, beside its URL."""
        return self._overrides if self._ambient else {**self._overrides, "ambient": False}

    @cached_property
    def catalog(self) -> Catalog:
        """The catalog; the workspace is made where it is not there yet."""
        from findspot.catalog import open_catalog
        from findspot.catalog.errors import InvalidCatalogUrl

        self._ensure_folder()
        prefix, url = "sqlite:///", self.settings.catalog
        if "://" not in url:
            url = prefix + url
        if url.startswith(prefix) and len(url) > len(prefix):
            url = f"{prefix}{self.folder / url.removeprefix(prefix)}"
        try:
            return open_catalog(url)
        except InvalidCatalogUrl:
            raise InvalidCatalogUrl(shown_url(url)) from None

    @cached_property
    def store(self) -> BlobStore:
        """The blob store; opening it makes nothing, for whoever opens it may yet find a mistake."""
        from findspot.store import open_store
        from findspot.store.errors import UnknownStore

        url = self.settings.store
        if "://" not in url:
            url = str(self.folder / Path(url).expanduser())
        try:
            return open_store(
                url,
                durable=self.settings.durable,
                cache=self.folder / "cache",
                cache_limit=self.settings.cache_limit,
            )
        except UnknownStore as error:
            raise UnknownStore(shown_url(url), error.reason, error.known) from None

    @cached_property
    def id(self) -> str:
        """The workspace's id, the same for everybody who uses it."""
        found = self.catalog.setting("workspace")
        if found is None:
            found = self.catalog.setting("workspace", new_uid())
        assert found is not None
        return found

    @cached_property
    def owner(self) -> str:
        """Who saves: of the settings, or the login name."""
        return self.settings.owner or login_name()

    @property
    def project(self) -> str:
        """The current project: of the running job, or of the settings."""
        active = ACTIVE.get()
        return self.settings.project if active is None else active.project

    def use_project(self, name: str) -> None:
        """Make a project the current one of this object; it is made where it is not there."""
        check_name(name, "project name")
        self.catalog.add_project(name)
        self.settings = replace(self.settings, project=name)
        self._overrides["project"] = name

    def init(self, *, project: str | None = None) -> bool:
        """Make the workspace's folder and catalog now; False where it exists already.

        Args:
            project: written into the new settings as the project where none is named.
        """
        if project is not None:
            check_name(project, "project name")
        made = create(self.folder, project)
        if made:
            self.settings = self._read_settings()
        self.catalog.add_project(project or self.settings.project)
        return made

    def close(self) -> None:
        """Close what is open; the object may be used again afterwards."""
        catalog = self.__dict__.pop("catalog", None)
        if catalog is not None:
            catalog.close()

    def __enter__(self: S) -> S:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {shown_url(self.url)}>"

    # ------------------------------------------------------------------ inside

    @property
    def existing_catalog(self) -> Catalog:
        """The catalog, to read from: where there is no workspace, none is made.

        Raises:
            NoWorkspace: there is none.
        """
        if "catalog" not in self.__dict__ and not self.exists:
            folder = self.folder
            raise NoWorkspace(str(folder.parent if folder.name == FOLDER_NAME else folder))
        return self.catalog

    @property
    def exists(self) -> bool:
        """Whether the workspace has been made; one in a database of its own is taken to be."""
        catalog = self.settings.catalog
        shared = "://" in catalog and not catalog.startswith("sqlite:")
        return shared or (self.folder / FILE_NAME).is_file()

    def _read_settings(self) -> Settings:
        given = {**self._location.overrides, **self._overrides}
        return Settings.read(self.folder, given, os.environ if self._ambient else {})

    def _ensure_folder(self) -> None:
        if not (self.folder / FILE_NAME).exists() and create(self.folder):
            sys.stderr.write(f"Made a new Findspot workspace in {self.folder}\n")

    def _project(self, name: str | None) -> str:
        return self.project if name is None else check_name(name, "project name")


_reopened_here: dict[tuple[type, str, str], OpenedWorkspace] = {}


def _reopened(cls: type[OpenedWorkspace], url: str, settings: Mapping[str, Any]) -> OpenedWorkspace:
    """One object for all that were pickled alike: a thousand versions open one catalog."""
    place = (cls, url, repr(sorted(settings.items())))
    found = _reopened_here.get(place)
    if found is None:
        found = _reopened_here.setdefault(place, cls(url, **settings))
    return found

"""A recorded plugin, loaded in the process that runs it: its functions and its handlers."""

from __future__ import annotations

import atexit
import difflib
import importlib
import os
import shutil
import tempfile
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from findspot.core.digests import Digest
from findspot.core.errors import ReadOnly
from findspot.core.records import FileEntry, Snapshot
from findspot.plugins.analysis import Analysis, analyse_files
from findspot.plugins.errors import PluginBroken, PluginDamaged, PluginNameMissing
from findspot.plugins.importing import PluginPackage, install
from findspot.plugins.materialised import materialise, place, read_verified
from findspot.plugins.source_files import PluginFiles
from findspot.store.protocol import BlobStore

if TYPE_CHECKING:
    from findspot.handlers.protocol import ArtifactHandler

PREFIX = "plugin:"

# A handler is asked for whenever a version is loaded; the source is the same each time.
_ANALYSES = 64
_analyses: dict[Digest, Analysis] = {}


@dataclass(frozen=True, slots=True)
class PluginSource:
    """All that another process on this machine needs to load a plugin that was materialised here;
    small, and picklable.

    Args:
        name: the plugin's.
        digest: its snapshot's.
        folder: the workspace's folder, as given to `load_plugin`.
    """

    name: str
    digest: Digest
    folder: Path

    def load(self) -> LoadedPlugin:
        """The plugin, from the files on disk, which are verified first.

        Raises `PluginDamaged` where they are absent or differ from the snapshot's.
        """
        root = place(self.folder, self.name, self.digest)
        contents = read_verified(root, self.name, self.digest)
        if contents is None:
            reason = "they were changed" if root.is_dir() else "they are gone"
            raise PluginDamaged(self.name, os.fspath(root), reason)
        return _loaded(self, root, contents)


def load_plugin(
    snapshot: Snapshot, files: Sequence[FileEntry], folder: Path, *, store: BlobStore
) -> LoadedPlugin:
    """A recorded plugin, with its verified files in ``<folder>/plugins/<digest>/<name>/``.

    Nothing of it is imported yet; that happens when a function or a handler is asked for. Several
    versions of a plugin can be loaded in one process, and any number of processes may load one.
    Where the workspace is read-only, a temporary folder of this process takes the files.

    Args:
        files: the snapshot's, as `Catalog.files` gives them.
        folder: the workspace's.

    Raises:
        BlobMissing, BlobDamaged: a file cannot be had as it was recorded.
        PluginDamaged: the record itself is not consistent.
        StorageFull: the files cannot be written.
    """
    source = PluginSource(snapshot.name, snapshot.digest, Path(os.path.abspath(folder)))
    root = place(source.folder, source.name, source.digest)
    try:
        contents = materialise(root, source.name, source.digest, files, store)
    except ReadOnly:
        # What was saved must be loadable from a workspace that nobody may write to.
        source = replace(source, folder=_own_folder())
        root = place(source.folder, source.name, source.digest)
        contents = materialise(root, source.name, source.digest, files, store)
    return _loaded(source, root, contents)


class LoadedPlugin:
    """A plugin whose code can be run in this process.

    Args:
        source: the plugin's description for other processes.
    """

    def __init__(self, source: PluginSource, package: PluginPackage) -> None:
        self.source = source
        self._package = package

    @property
    def name(self) -> str:
        return self.source.name

    @property
    def analysis(self) -> Analysis:
        """What its source says that it offers, read again from its files."""
        found = _analyses.get(self.source.digest)
        if found is None:
            if len(_analyses) >= _ANALYSES:
                _analyses.clear()
            found = analyse_files(PluginFiles(self.name, self._package.contents))
            _analyses[self.source.digest] = found
        return found

    def function(self, source: str) -> Callable[..., Any]:
        """The function of a task by its source, ``plugin:<plugin>/<file>:<qualname>``.

        Raises `PluginBroken` where the file cannot be imported, and `PluginNameMissing` where it
        has no such function.
        """
        file, qualname = self._parse(source)
        found = self._find(file, qualname)
        if isinstance(found, type) or not callable(found):
            raise PluginNameMissing(self.name, file, qualname, "it is no function")
        function: Callable[..., Any] = found
        return function

    def handler(self, class_name: str, *, name: str = "contents") -> ArtifactHandler:
        """A new handler of an artifact task by the name of its class.

        Args:
            name: given to the class's ``serialize``, which names its files by it; the artifact
                output's name, say.

        Raises `PluginBroken` where the file cannot be imported, and `PluginNameMissing` where the
        plugin has no such artifact task.
        """
        from findspot.plugins.artifact_handler import artifact_handler

        spec = self.analysis.handlers.get(class_name)
        if spec is None:
            near = difflib.get_close_matches(class_name, self.analysis.handlers, n=1)
            hint = f"; the nearest is {near[0]!r}" if near else ""
            raise PluginNameMissing(
                self.name, "", class_name, f"no artifact task has this name{hint}"
            )
        file, qualname = self._parse(spec.source)
        found = self._find(file, qualname)
        if not isinstance(found, type):
            raise PluginNameMissing(self.name, file, qualname, "it is no class")
        return artifact_handler(found, plugin=self.name, output=name)

    def module(self, file: str) -> ModuleType:
        """The module of one of its files, imported now if it was not; `PluginBroken` if it
        cannot be."""
        try:
            return importlib.import_module(self._package.module_of(file))
        except (Exception, SystemExit) as error:
            raise PluginBroken(self.name, self._place_of(error, file), error) from error

    def _parse(self, source: str) -> tuple[str, str]:
        path, _, qualname = source.removeprefix(PREFIX).rpartition(":")
        plugin, _, file = path.partition("/")
        if not source.startswith(PREFIX) or plugin != self.name or not file or not qualname:
            raise PluginNameMissing(self.name, file, qualname, f"{source!r} is none of its sources")
        return file, qualname

    def _find(self, file: str, qualname: str) -> Any:
        if file not in self._package.contents or not file.endswith(".py"):
            raise PluginNameMissing(self.name, file, qualname, "it has no such file")
        found: Any = self.module(file)
        for part in qualname.split("."):
            try:
                found = getattr(found, part)
            except AttributeError:
                raise PluginNameMissing(
                    self.name, file, qualname, "the file does not define it when it is imported"
                ) from None
        return found

    def _place_of(self, error: BaseException, file: str) -> str:
        """The plugin's file and line that an import failed at."""
        root = os.fspath(self._package.root) + os.sep
        if isinstance(error, SyntaxError) and (error.filename or "").startswith(root):
            inner = (error.filename or "").removeprefix(root).replace(os.sep, "/")
            return f"{self.name}/{inner}:{error.lineno or 1}"
        for frame in reversed(traceback.extract_tb(error.__traceback__)):
            if frame.filename.startswith(root):
                inner = frame.filename.removeprefix(root).replace(os.sep, "/")
                return f"{self.name}/{inner}:{frame.lineno}"
        return f"{self.name}/{file}"


@cache
def _own_folder() -> Path:
    folder = tempfile.mkdtemp(prefix="findspot-plugins-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)


def _loaded(source: PluginSource, root: Path, contents: Mapping[str, bytes]) -> LoadedPlugin:
    package = PluginPackage.of(source.name, source.digest, root, contents)
    return LoadedPlugin(source, install(package))

"""A plugin's files as they are on disk: read once, so that what is analysed is what is recorded."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from findspot.core.digests import Digest, hash_bytes
from findspot.core.errors import InvalidName, NotFound, Problem
from findspot.core.names import check_file_path, check_name

MAX_FILES = 1_000
MAX_BYTES = 20 << 20
_LEFT_OUT = frozenset({"__pycache__"})


@dataclass(frozen=True, slots=True)
class PluginFiles:
    """The bytes of a plugin's files, by relative path (``/`` between parts), sorted.

    Args:
        problems: what keeps the folder from being a plugin; `contents` is then incomplete.
    """

    name: str
    contents: Mapping[str, bytes]
    problems: tuple[Problem, ...] = ()

    @property
    def digest(self) -> Digest:
        return files_digest(self.name, {p: hash_bytes(data) for p, data in self.contents.items()})


def files_digest(name: str, files: Mapping[str, Digest]) -> Digest:
    """The digest of a plugin: its name, and each path with its bytes' digest.

    The name is part of it because the plugin's own imports use it.
    """
    listing = "".join(f"{path}\0{digest}\n" for path, digest in sorted(files.items()))
    return hash_bytes(f"plugin\0{name}\0{listing}".encode())


def check_plugin_name(name: object) -> str:
    """``name`` if it may name a plugin (and so a folder); `InvalidName` if not."""
    checked = check_name(name, "plugin name")
    if checked.startswith("."):
        raise InvalidName("plugin name", name, "it begins with a dot")
    return checked


def read_plugin(folder: Path, name: str | None = None) -> PluginFiles:
    """Everything in a plugin folder but hidden files and ``__pycache__``; or one ``.py`` file.

    Nothing outside the folder is read. ``name`` is the plugin's, by default the folder's.

    Raises `NotFound` where there is nothing, and `InvalidName` where the name cannot be a plugin's.
    """
    # A trailing ".." or "." must still give a name; links to the plugin itself are the user's.
    folder = Path(os.path.abspath(folder))
    if folder.is_file() and folder.suffix == ".py":
        return _Reading(check_plugin_name(name or folder.stem), folder.parent).single(folder)
    if not folder.is_dir():
        raise NotFound(
            "plugin folder",
            str(folder),
            how="A plugin is a folder of Python files, or one .py file.",
        )
    return _Reading(check_plugin_name(name or folder.name), folder).whole()


@dataclass(slots=True)
class _Reading:
    name: str
    root: Path
    contents: dict[str, bytes] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    size: int = 0
    full: bool = False

    def single(self, file: Path) -> PluginFiles:
        self._file(file, file.name)
        return self._result()

    def whole(self) -> PluginFiles:
        self._folder(self.root, "")
        if not self.full and not any(path.endswith(".py") for path in self.contents):
            self._problem(
                "",
                "The folder holds no Python file.",
                hint="A plugin is a folder of .py files with registered functions.",
            )
        return self._result()

    def _result(self) -> PluginFiles:
        ordered = dict(sorted(self.contents.items()))
        return PluginFiles(self.name, ordered, tuple(self.problems))

    def _folder(self, folder: Path, prefix: str) -> None:
        try:
            with os.scandir(folder) as listing:
                entries = sorted(listing, key=lambda entry: entry.name)
        except OSError as error:
            self._problem(prefix, f"The folder cannot be read: {error.strerror}.")
            return
        for entry in entries:
            if self.full:
                return
            if entry.name.startswith(".") or entry.name in _LEFT_OUT or entry.name.endswith(".pyc"):
                continue
            relative = f"{prefix}{entry.name}"
            path = Path(entry.path)
            if entry.is_symlink() and not self._inside(path, relative):
                continue
            # A link to a folder could form a circle; files behind one have a name of their own.
            if entry.is_dir(follow_symlinks=False):
                self._folder(path, f"{relative}/")
            elif entry.is_file():
                self._file(path, relative)
            else:
                kind = "a link to a folder" if entry.is_dir() else "neither a file nor a folder"
                self._problem(relative, f"It is {kind}; plugins hold plain files.")

    def _inside(self, path: Path, relative: str) -> bool:
        try:
            target = path.resolve(strict=True)
        except OSError:
            self._problem(relative, "It is a link to nothing.", hint="Remove the link.")
            return False
        if not target.is_relative_to(self.root.resolve()):
            self._problem(
                relative,
                "It is a link that leaves the plugin's folder.",
                hint="Copy the file into the plugin; a snapshot must hold all that it needs.",
            )
            return False
        return True

    def _file(self, path: Path, relative: str) -> None:
        try:
            check_file_path(relative)
            relative.encode()
        except (InvalidName, UnicodeEncodeError):
            self._problem(ascii(relative), "The file's name cannot be used.", hint="Rename it.")
            return
        try:
            with path.open("rb") as source:
                data = source.read(MAX_BYTES - self.size + 1)
        except OSError as error:
            self._problem(relative, f"The file cannot be read: {error.strerror}.")
            return
        self.size += len(data)
        if len(self.contents) >= MAX_FILES or self.size > MAX_BYTES:
            self.full = True
            self._problem(
                relative,
                "The plugin is too large.",
                expected=f"at most {MAX_FILES:,} files and {MAX_BYTES >> 20} MiB",
                hint="Keep data sets and models as artifacts, and code in plugins.",
            )
            return
        self.contents[relative] = data

    def _problem(self, relative: str, message: str, *, expected: str = "", hint: str = "") -> None:
        path = f"{self.name}/{relative}".rstrip("/")
        self.problems.append(Problem(path, message, expected=expected, hint=hint))

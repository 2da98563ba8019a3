"""A plugin's artifact task as an `ArtifactHandler`."""

from __future__ import annotations

import csv
import io
import json
import os
import secrets
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from threading import local
from typing import Any, cast

from findspot.core.errors import CheckFailed, FindspotError, Problem
from findspot.core.names import check_file_path
from findspot.core.records import KINDS, Preview
from findspot.graph.handler_arguments import argument_problems
from findspot.graph.spec import HandlerSpec
from findspot.handlers.errors import BadFiles
from findspot.handlers.protocol import ArtifactHandler, LoadFolder, SaveFolder
from findspot.plugins.errors import ArtifactTaskFailed
from findspot.plugins.registration import ArtifactTask

_KINDS: Mapping[str, str] = {
    **dict.fromkeys((".png", ".svg", ".jpg", ".jpeg", ".gif", ".webp", ".pdf"), "plot"),
    **dict.fromkeys((".npy", ".npz", ".parquet", ".arrow", ".feather", ".csv", ".tsv"), "dataset"),
    **dict.fromkeys((".onnx", ".skops", ".safetensors", ".pt", ".pth", ".keras"), "model"),
}
_IMAGES: Mapping[str, str] = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".gif": "image/gif",
    ".webp": "image/webp",
}
_TEXTS = frozenset({".txt", ".log", ".md", ".yaml", ".yml", ".toml", ".json"})
_PREVIEW_BYTES = 64 * 1024
_PREVIEW_TEXT = 4096
_PREVIEW_ROWS = 20
_TABLE = "application/vnd.findspot.table+json"


def artifact_handler(task: type[Any], *, plugin: str, output: str = "contents") -> ArtifactHandler:
    """A handler that saves and loads by the static methods of an artifact task.

    It is only used where a graph or a version's record names it, and never chosen by a value's
    type. Loading with it counts as unsafe, since its code may unpickle what it reads: bytes that
    this workspace did not make are refused unless they are trusted. A class that runs nothing from
    its files says so by the class attribute ``safe = True``.

    What `serialize` returned is the version, and nothing else in its working folder: one file, or
    all files of one folder.

    Args:
        task: the class.
        plugin: the name of its plugin.
        output: passed to `serialize` as ``name``; of a key with ``/``, the last part.
    """
    # Not derived from `Handler`: its kind is known only when the file has been written.
    return cast("ArtifactHandler", _TaskHandler(task, plugin, output))


class _Last(local):
    """What this thread saved last: its kind, and what its file looks like."""

    kind: str | None = None
    preview: Preview | None = None


class _TaskHandler:
    types: Sequence[type | str] = ()

    def __init__(self, task: type[Any], plugin: str, output: str) -> None:
        self.name = f"plugin:{plugin}/{task.__name__}"
        self.safe = getattr(task, "safe", False) is True
        self.deterministic = getattr(task, "deterministic", False) is True
        self._task = task
        self._output = output.rpartition("/")[2]
        self._kind = getattr(task, "kind", None)
        self._last = _Last()
        mistakes = _mistakes(task)
        if self._kind is not None and self._kind not in KINDS:
            mistakes.append(f"its kind {self._kind!r} is none of {', '.join(KINDS)}")
        if mistakes:
            raise ArtifactTaskFailed(
                self.name,
                f"{task.__name__} is no artifact task: {'; '.join(mistakes)}.",
                how="Derive it from findspot.plugins.ArtifactTask, and write the static methods "
                "serialize(working_dir, name, contents, **kwargs) and "
                "deserialize(working_dir, path, **kwargs).",
            )

    @property
    def kind(self) -> str:
        """The class's own, or else that of the file that was saved last (in this thread)."""
        return self._kind or self._last.kind or "file"

    def accepts(self, value: Any) -> bool:
        """False: it is used by name only."""
        return False

    def save(self, value: Any, folder: SaveFolder, /, **args: Any) -> None:
        self._last.kind = self._last.preview = None
        self._check_args(args)
        # The working folder is the version's own, so that large files are moved and not copied.
        working = folder.path(f".working-{secrets.token_hex(6)}")
        working.mkdir(parents=True)
        try:
            returned = self._task.serialize(working, self._output, value, **args)
            made = self._made(returned, working)
            self._last.kind = self._kind or _kind_of(made)
            self._last.preview = _preview_of(made)
            target = folder.path(self._output if made == working else made.name)
            made.rename(target)
        finally:
            shutil.rmtree(working, ignore_errors=True)

    def load(self, folder: LoadFolder, /, **args: Any) -> Any:
        self._check_args(args)
        names = [PurePosixPath(entry.path) for entry in folder.files]
        first = {name.parts[0] for name in names}
        if len(first) != 1:
            raise BadFiles(
                f"{self._task.__name__} wrote one file or one folder; the version has "
                f"{', '.join(sorted(first)) or 'none'}",
                where=self.name,
            )
        return self._task.deserialize(folder.folder(), first.pop(), **args)

    def describe(self, value: Any) -> Mapping[str, Any]:
        """What the class says, or what the built-in handler of the value's type says."""
        own = getattr(self._task, "describe", None)
        if callable(own):
            return cast("Mapping[str, Any]", own(value))
        return _of_builtin(value, lambda handler: handler.describe(value)) or {}

    def preview(self, value: Any) -> Preview | None:
        """What the class makes, or the saved file where it is small and can be shown, or what the
        built-in handler of the value's type makes."""
        own = getattr(self._task, "preview", None)
        if callable(own):
            return cast("Preview | None", own(value))
        return self._last.preview or _of_builtin(value, lambda handler: handler.preview(value))

    def _check_args(self, args: Mapping[str, Any]) -> None:
        validation = getattr(self._task, "validation", None)
        try:
            schema = validation() if callable(validation) else None
        except Exception as error:
            raise ArtifactTaskFailed(
                self.name,
                f"{self._task.__name__}.validation() failed: {type(error).__name__}: {error}",
                how="Return the JSON Schema (2020-12) of the keyword arguments, or None.",
            ) from error
        spec = HandlerSpec(name=self._task.__name__, source=self.name, schema=schema)
        problems = [
            Problem(
                path, fault.message, expected=fault.expected, found=fault.found, hint=fault.hint
            )
            for path, fault in argument_problems(args, spec, "$.args")
        ]
        if problems:
            raise CheckFailed(f"The arguments of {self.name}", problems)

    def _made(self, returned: object, working: Path) -> Path:
        """The file or folder that `serialize` returned, if it is one that it may return."""

        def fail(what: str, how: str) -> ArtifactTaskFailed:
            return ArtifactTaskFailed(
                self.name, f"{self._task.__name__}.serialize() {what}.", how=how
            )

        below = "Write below working_dir, and return the path of the file or folder written."
        if not isinstance(returned, str | os.PathLike):
            raise fail(f"returned {returned!r:.100}, which is no path", below)
        path = working / Path(returned)
        real = Path(os.path.realpath(path))
        if not real.is_relative_to(os.path.realpath(working)):
            raise fail(
                f"returned {os.fspath(returned)!r}, which is outside its working folder", below
            )
        if not path.exists():
            raise fail(f"returned {os.fspath(returned)!r}, but there is no such file", below)
        path = working / real.relative_to(os.path.realpath(working))
        for file in [path, *(path.rglob("*") if path.is_dir() else ())]:
            if file.is_symlink() or not (file.is_file() or file.is_dir()):
                raise fail(
                    f"left {file.name!r}, which is neither a file nor a folder",
                    "Write regular files; replace links, devices and pipes by files.",
                )
        if path.is_dir() and not any(file.is_file() for file in path.rglob("*")):
            raise fail("returned a folder without any file", below)
        check_file_path(path.name)
        return path


def _mistakes(task: type[Any]) -> list[str]:
    mistakes = []
    for method in ("serialize", "deserialize"):
        found = getattr(task, method, None)
        if not callable(found) or found is getattr(ArtifactTask, method):
            mistakes.append(f"it has no {method}()")
    return mistakes


def _kind_of(made: Path) -> str:
    return "directory" if made.is_dir() else _KINDS.get(made.suffix.lower(), "file")


def _preview_of(made: Path) -> Preview | None:
    if made.is_dir():
        return None
    suffix = made.suffix.lower()
    if suffix in _TEXTS:
        with made.open("rb") as source:
            return _text_preview(source.read(4 * _PREVIEW_TEXT))
    if made.stat().st_size > _PREVIEW_BYTES:
        return None
    if suffix in _IMAGES:
        return Preview(_IMAGES[suffix], made.read_bytes())
    if suffix in (".csv", ".tsv"):
        return _table_preview(made.read_bytes(), "\t" if suffix == ".tsv" else ",")
    return None


def _text_preview(data: bytes) -> Preview:
    text = data.decode("utf-8", "replace")
    if len(text) > _PREVIEW_TEXT:
        text = text[: _PREVIEW_TEXT - 1] + "…"
    return Preview("text/plain", text.encode())


def _table_preview(data: bytes, delimiter: str) -> Preview | None:
    try:
        rows = list(csv.reader(io.StringIO(data.decode("utf-8-sig")), delimiter=delimiter))
    except (UnicodeDecodeError, csv.Error):
        return None
    if not rows:
        return None
    body = {"columns": rows[0], "rows": rows[1 : _PREVIEW_ROWS + 1], "total": len(rows) - 1}
    return Preview(_TABLE, json.dumps(body, ensure_ascii=False).encode())


def _of_builtin(value: Any, ask: Callable[[ArtifactHandler], Any]) -> Any:
    """What the handler of the value's type says of it; None where there is none that can."""
    from findspot.handlers.builtin import FALLBACK
    from findspot.handlers.registry import default_registry

    try:
        handler = default_registry().for_value(value)
        # What pickle says of a value is about its own bytes, which are not written here.
        return None if handler.name == FALLBACK.name else ask(handler)
    except FindspotError:  # no handler takes it, or its library is missing
        return None
